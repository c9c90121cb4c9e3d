# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""What a text names and memory never saw is not passed over, and what says nothing is."""

import pytest
from clara_memory.cli_people import sentences
from clara_memory.episode import as_filler

from clara_memory import Episode, EpisodicMemory, Outcome, Query


@pytest.fixture(scope="module")
def memory():
    made = EpisodicMemory()

    def put(action, thing, outcome=Outcome.SUCCEEDED, **context):
        fillers = tuple(as_filler(role, filler) for role, filler in context.items())
        made.store(Episode(action=action, object=thing, outcome=outcome, context=fillers))

    put("PICK_UP", "CUP", place="kitchen")
    put("PICK_UP", "PLATE", Outcome.FAILED, place="dock")
    for number in (1, 2, 3):
        put("GO_TO", f"ROOM_{number}")
    put("CLEAN", "FLOOR", room=101)
    put("CLEAN", "FLOOR", room=102)
    put("DRIVE", "", Outcome.TIMED_OUT, speed=0.5)
    put("WASH", "RED_MUG", tool="sponge")
    return made


@pytest.mark.parametrize(
    "text",
    [
        "what happened with the cup?",
        "can you tell me what happened to the cup, please?",
        "do you remember picking up the cup?",
        "did you ever really pick up the cup?",
        "have you already picked up the cup?",
        "when did you last go to room 1?",
        "when was the last time you picked up a plate?",
        "what was the first thing you picked up?",
        "why couldn't you pick up the plate?",
        "why did you fail to pick up the plate?",
        "what went wrong with the plate?",
        "where's my cup?",
        "did you manage to pick up the cup?",
        "were you able to clean the floor?",
        "which room did you go to?",
        "what have you been doing in the kitchen lately?",
        "did you pick the cup up or not?",
        "how did it go with the plate?",
        "what else did you pick up?",
        "show me everything you picked up",
        "list all the times you picked up the cup",
        "did anything happen to the cup?",
        "has anyone washed the red mug?",
        "with which tool did you wash the red mug?",
        "what was the problem with picking up the plate?",
        "Hello Clara, what happened with the cup?",
        "Simone, did you pick up the cup in the kitchen?",
        "any news about the plate?",
        "how long did it take to pick up the cup?",
        "do you know whether the cup was picked up?",
        "I asked you to pick up the cup. Did you?",
        "have you tried to pick up the plate?",
        "was picking up the plate successful?",
        "what is the status of the cup?",
        "how good are you at picking up cups?",
        "did you carefully finish cleaning the floor?",
        "what do you know about the big red cup?",
    ],
)
def test_ordinary_words_keep_no_question_from_its_answer(memory, text):
    answer = memory.query(text)
    assert not answer.abstained, answer.answers[0].reason
    assert answer.understood


@pytest.mark.parametrize(
    ("text", "unread"),
    [
        ("did you pick up the banana?", "banana"),
        ("did you pick up bananas?", "bananas"),
        ("did you pick up the pen?", "pen"),
        ("how often did you go to room 4?", "room 4"),
        ("did you clean the floor in room 103?", "room 103"),
        ("did you clean the floor in the garage?", "garage"),
        ("did you wash the red mug with the mop?", "mop"),
        ("did you juggle the cup?", "juggle"),
        ("did Bob pick up the cup?", "bob"),
        ("did you drive at 0.7 m/s?", "0.7"),
        ("what did you pick up from the yellow box?", "yellow box"),
        ("how many of your parcels succeeded?", "parcels"),
        ("which deliveries failed?", "deliveries"),
    ],
)
def test_a_question_about_what_was_never_seen_gets_no_answer_about_something_else(
    memory, text, unread
):
    answer = memory.query(text)
    assert answer.abstained and f"nothing like '{unread}' is known" in answer["result"].reason
    assert unread in {cue.filler for cue in answer.set_aside}
    assert not memory.query(text, guess=True).abstained


@pytest.mark.parametrize(
    "text",
    [
        "I had a cup of coffee with my mother and we talked about the weather",
        "I love my new cup so much, it was a gift from grandma",
        "my sister broke a plate at her wedding in Greece",
        "the floor of the ocean is full of strange creatures",
        "I like to drive my car to the beach in summer",
        "tell me a joke about a robot in a kitchen",
        "sing a song about a plate",
        "who won the world cup?",
        "did Einstein wash plates?",
    ],
)
def test_small_talk_that_names_something_known_is_no_question_about_it(memory, text):
    assert memory.query(text).abstained


def test_what_is_left_out_of_an_answer_is_told(memory):
    answer = memory.query("did you pick up the cup and the banana?", ask=["action", "object"])
    assert answer.matches == 1 and sentences(answer)[0] == "Not taken into account: 'banana'."
    assert {str(cue) for cue in answer.understood} == {"action=PICK_UP", "object=CUP"}
    assert [(one.cue.filler, one.accepted) for one in answer.readings][-1] == ("banana", False)
    for deed in ("bring", "see", "check"):
        answer = memory.query(f"did you {deed} the cup?")
        assert answer.matches == 1 and [cue.filler for cue in answer.set_aside] == [deed]
    assert memory.query("can you check what you did with the cup?").set_aside == ()


def test_what_was_not_read_comes_with_the_nearest_that_is_known(memory):
    answer = memory.query("did you wash the mug?", ask=["action", "object"])
    assert "Did you mean RED_MUG?" in sentences(answer)


def test_what_is_missing_is_missing_behind_much_that_is_only_left_out():
    memory = EpisodicMemory()
    roles = {"place": "DOCK", "tool": "SPONGE", "person": "MAX", "box": "CRATE", "bag": "SACK"}
    memory.store_memory(action="WASH", object="CUP", **roles)
    text = (
        "did you wash the crimson cup at the windy dock with the soggy sponge for the jolly max"
        " from the wooden crate into the dirty sack"
    )
    assert memory.query(text).matches == 1
    assert "'fountain'" in memory.query(f"{text} near the fountain?")["result"].reason


def test_a_role_given_is_not_missing_in_the_text(memory):
    assert memory.query("what about the banana", object="CUP").matches == 1
    assert memory.query("did you juggle it?", object="CUP", action="PICK_UP").matches == 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("did you clean the floor in room 101?", "room=101"),
        ("what happened in room number 102?", "room=102"),
        ("how often did you drive at 0.5 m/s?", "speed=0.5"),
        ("did you ever drive with a speed of 0.50?", "speed=0.5"),
    ],
)
def test_a_number_is_found_by_text(memory, text, expected):
    answer = memory.query(text)
    assert answer.matches == 1 and not answer.set_aside
    assert expected in {str(cue) for cue in answer.understood}


def test_a_number_in_a_text_means_that_number_and_none_near_it():
    memory = EpisodicMemory()
    for room in range(100, 140):
        memory.store_memory(action="CLEAN", object="FLOOR", room=room)
    assert memory.query("did you clean the floor in room 101?").matches == 1
    assert memory.query("did you clean 101 floors?").matches == 40


@pytest.mark.parametrize(
    ("text", "actions"),
    [
        ("what did you pick in aisle 7?", {"PICK"}),
        ("did you drive to aisle 7?", {"DRIVE"}),
        ("what about aisle 7?", {"PICK", "DRIVE"}),
        ("what about aisle 8?", {"PICK"}),
    ],
)
def test_a_number_behind_its_role_may_be_a_name_as_well(text, actions):
    memory = EpisodicMemory()
    memory.store_memory(action="PICK", object="BOX", aisle=7)
    memory.store_memory(action="PICK", object="CAN", aisle=8)
    memory.store_memory(action="DRIVE", object="AISLE_7")
    answer = memory.query(text)
    assert {match.episode.action for match in answer.episodes} == actions
    assert not answer.set_aside


def test_all_that_one_asks_without_a_query_for_text_stays_as_it_was(memory):
    assert memory.ask(Query()).matches == len(memory)
