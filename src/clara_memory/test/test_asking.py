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
        ("can you please tell me who saw the fox?", 2),
        ("do you know who saw the fox?", 2),
        ("could you check whether the fox was seen?", 2),
        ("tell me who saw the fox", 2),
    ],
)
def test_what_you_did_is_of_you_and_what_you_are_asked_to_tell_is_not(memory, text, matches):
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
    assert answer.matches == 4 and not answer.set_aside
