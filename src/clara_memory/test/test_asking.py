# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Whom a question is about, and whether it asks for yes or no, however it is put."""

import pytest

from clara_memory import Episode, EpisodicMemory, Outcome


@pytest.fixture(scope="module")
def memory():
    made = EpisodicMemory(robot="CLARA")
    for robot in ("CLARA", "REX"):
        for action, thing, outcome in (
            ("DELIVER", "LINEN", Outcome.SUCCEEDED),
            ("DELIVER", "LINEN", Outcome.FAILED),
            ("SEE", "FOX", Outcome.SUCCEEDED),
            ("CHECK", "DOOR", Outcome.SUCCEEDED),
            ("CLEAN", "ELEVATOR", Outcome.SUCCEEDED),
        ):
            made.store(Episode(action=action, object=thing, outcome=outcome, robot=robot))
    return made


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        ("did you see a fox?", 1),
        ("didn't you see a fox?", 1),
        ("where did you see the fox?", 1),
        ("how many doors did you check?", 1),
        ("have you checked the door?", 1),
        ("did you say that the fox was seen?", 1),
        ("could you see the fox?", 1),
        ("can you please tell me who saw the fox?", 2),
        ("do you know who saw the fox?", 2),
        ("could you check whether the fox was seen?", 2),
        ("tell me who saw the fox", 2),
    ],
)
def test_what_you_did_is_of_you_and_what_you_are_asked_to_tell_is_not(memory, text, matches):
    assert memory.query(text).matches == matches


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        ("what have you been up to?", 5),
        ("tell me what you did", 5),
        ("what do you remember?", 10),
        ("what do you remember about the linen?", 4),
        ("what do you remember about the sombrero?", 0),
        ("what have you been up to in the attic?", 0),
        ("what can you do?", 0),
    ],
)
def test_what_is_asked_for_all_is_answered_with_all_and_what_was_not_read_is_not(
    memory, text, matches
):
    assert memory.query(text).matches == matches


@pytest.mark.parametrize(
    "text",
    [
        "Clara, did the delivery of linen fail?",
        "Clara did the delivery of linen fail?",
        "Good morning Clara, did the delivery of linen succeed?",
        "Hello my dear robot, did the delivery of linen succeed?",
        "Well, did the delivery of linen fail?",
        "So was the delivery of linen successful?",
        "and did delivering linen succeed?",
        "didnt the delivery of linen fail?",
        "what percentage of the deliveries of linen failed?",
        "What % of linen deliveries succeeded?",
        "how many percent of the linen deliveries failed?",
        "what is the success rate of delivering linen?",
        "percentage of failed deliveries of linen?",
    ],
)
def test_where_the_outcome_is_asked_for_all_outcomes_are_heard(memory, text):
    found = memory.query(text, max_episodes=100).episodes
    assert {match.episode.outcome for match in found} == {Outcome.SUCCEEDED, Outcome.FAILED}
    assert {match.episode.object for match in found} == {"LINEN"}


@pytest.mark.parametrize(
    "text",
    [
        "Clara, which deliveries of linen failed?",
        "Clara which deliveries of linen failed?",
        "share which deliveries of linen failed",
        "which deliveries of linen, if any, failed?",
    ],
)
def test_what_failed_is_heard_where_that_is_asked(memory, text):
    found = memory.query(text, max_episodes=100).episodes
    assert {match.episode.outcome for match in found} == {Outcome.FAILED}


def test_a_rate_of_success_is_one_of_all_that_one_did(memory):
    answer = memory.query("what is your success rate?")
    assert answer.matches == 5 and not answer.set_aside


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("how many deliveries were late?", "but for its outcome, cannot be asked for: 'late'"),
        ("how many late deliveries failed?", "'late'"),
        ("did you deliver the linen too late?", "'too late'"),
        ("how often was the elevator full?", "'full'"),
        ("did you deliver the wrong linen?", "'wrong'"),
        ("did you check too many doors?", "'too many'"),
        ("did the second delivery fail?", "'second'"),
        ("what happened the second time you delivered linen?", "'second time'"),
        ("was the linen delivered on time?", "'on time'"),
        ("did you forget to deliver linen?", "wanted, forgotten or stopped cannot"),
        ("did you stop delivering linen?", "wanted, forgotten or stopped cannot"),
        ("did you deliver linen with Rex?", "who was there when it was done cannot"),
        ("what did you do as soon as you delivered linen?", "while something else"),
        ("what happened once you delivered linen?", "while something else"),
        ("how many deliveries would have failed?", "would have been, and was not, cannot"),
        ("could you have delivered the linen?", "would have been, and was not, cannot"),
        ("how often did you almost fail to deliver linen?", "what only almost was cannot"),
        ("when will you check the door?", "what is still to come cannot"),
        ("are you going to deliver linen?", "what is still to come cannot"),
        ("what did you deliver next?", "what was or will be next cannot"),
        ("what did you do after that?", "it was not said what 'that' stands for"),
        ("did you deliver linen before I came?", "the deed 'i came' is not remembered"),
        ("did you see a fox while you cleaned the elevator?", "while something else"),
        ("what did you see when you delivered the linen?", "while something else"),
        ("when you delivered linen, did you see a fox?", "while something else"),
        ("did you deliver linen while I was away?", "while something else"),
        ("what did the other robot deliver?", "what somebody else did cannot"),
        ("what did the others deliver?", "what somebody else did cannot"),
        ("who else delivered linen?", "what somebody else did cannot"),
        ("who delivered linen besides you?", "what to leave out cannot"),
        ("did everyone but you deliver linen?", "what to leave out cannot"),
        ("tell me about all deliveries but linen", "what to leave out cannot"),
        ("did you check the other door?", "what to leave out cannot"),
        ("did Rex and you deliver linen?", "more than one who did it cannot"),
        ("did you or Rex deliver linen?", "more than one who did it cannot"),
        ("did Rex deliver more than you?", "who did more or less cannot"),
        ("did you see nobody?", "never done cannot"),
        ("did you see no fox?", "never done cannot"),
        ("did it fail?", "it was not said what 'it' stands for"),
        ("and how many of them failed?", "it was not said what 'them' stands for"),
        ("why did that fail?", "it was not said what 'that' stands for"),
    ],
)
def test_a_question_that_is_lost_without_an_ordinary_word_is_not_answered_without_it(
    memory, text, why
):
    answer = memory.query(text)
    assert answer.abstained and why in answer.answers[0].reason
    assert not memory.query(text, guess=True, object="LINEN").abstained


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        ("how late did you deliver the linen?", 2),
        ("hey, it is late, but did you deliver the linen?", 2),
        ("quick question: did you deliver the linen?", 2),
        ("what is wrong with the linen?", 4),
        ("did you deliver linen too?", 2),
        ("would you tell me who delivered linen?", 4),
        ("I would like to know who delivered linen", 4),
        ("what would you say about the linen?", 4),
        ("tell me when you delivered linen", 2),
        ("since when do you deliver linen?", 2),
        ("how long has it been since you delivered linen?", 2),
        ("how many hours since you delivered linen?", 2),
        ("what failed while delivering?", 2),
        ("next question: did you deliver the linen?", 2),
        ("did you deliver the linen once?", 2),
        ("I want to know who delivered linen", 4),
        ("was linen delivered by Rex?", 2),
        ("what happened to Rex?", 5),
        ("what else did you deliver?", 2),
        ("is it true that you saw the fox?", 1),
        ("no, did you see the fox?", 1),
        ("what failed, and why did it fail?", 2),
        ("why not tell me who saw the fox?", 2),
        ("did it fail?", 4),
    ],
)
def test_an_ordinary_word_that_a_question_is_not_lost_without_keeps_it_from_no_answer(
    memory, text, matches
):
    cue = {"object": "LINEN"} if text == "did it fail?" else {}
    answer = memory.query(text, **cue)
    assert answer.matches == matches and not answer.set_aside


def test_an_it_that_stands_for_the_thing_is_told_as_left_out(memory):
    for text, it, matches in (
        ("did you deliver it?", "it", 2),
        ("did he deliver linen?", "he", 4),
    ):
        answer = memory.query(text)
        assert answer.matches == matches
        assert [cue.filler for cue in answer.set_aside] == [it]


@pytest.mark.parametrize(
    ("text", "robots"),
    [
        ("Clara, what did Rex deliver?", {"REX"}),
        ("what did Rex deliver, Clara?", {"REX"}),
        ("Hey Clara what did Rex deliver?", {"REX"}),
        ("Rex, what did Clara deliver?", {"CLARA"}),
        ("Clara, who saw the fox?", {"CLARA", "REX"}),
        ("Clara, what did you deliver?", {"CLARA"}),
        ("Rex, what did you deliver?", {"REX"}),
        ("what did Clara deliver?", {"CLARA"}),
    ],
)
def test_who_is_spoken_to_is_not_who_did_it_where_another_did(memory, text, robots):
    answer = memory.query(text)
    assert {match.episode.robot for match in answer.episodes} == robots and not answer.set_aside
