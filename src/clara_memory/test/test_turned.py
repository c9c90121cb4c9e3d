# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""A question that leaves something out, compares or denies is not answered as if it did not."""

import pytest
from clara_memory.episode import as_filler

from clara_memory import Episode, EpisodicMemory, Outcome


@pytest.fixture(scope="module")
def memory():
    made = EpisodicMemory()

    def put(action, thing, outcome=Outcome.SUCCEEDED, **context):
        fillers = tuple(as_filler(role, filler) for role, filler in context.items())
        made.store(Episode(action=action, object=thing, outcome=outcome, context=fillers))

    for outcome in (Outcome.SUCCEEDED, Outcome.FAILED, Outcome.TIMED_OUT, Outcome.CANCELED):
        put("WASH", "CUP", outcome, place="kitchen", person="Max")
    put("OPEN", "TAP", place="kitchen", person="Tom")
    put("CUT", "TAPE", Outcome.FAILED)
    put("FETCH", "GLASSES")
    put("FETCH", "GLASS")
    put("NAVIGATE_TO", "HALL")
    put("MEASURE", "FREEZER", temperature=-18, altitude=10)
    put("MEASURE", "FREEZER", temperature=18, altitude=30, speed=8)
    put("CHECK", "VALVE")
    put("CHECK", "VALVE", Outcome.FAILED)
    put("GIVE", "BOOK")
    put("TAKE", "BOX")
    return made


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("what did you wash except the cup?", "leave out"),
        ("what did you wash outside the kitchen?", "leave out"),
        ("what did you wash, not in the kitchen but in the hall?", "leave out"),
        ("where did you wash anything but the cup?", "leave out"),
        ("did you wash anything else but the cup?", "leave out"),
        ("what did everyone but Max wash?", "leave out"),
        ("what did you wash other than cups?", "leave out"),
        ("what did you wash apart from the cup?", "leave out"),
        ("what did you wash without Max?", "leave out"),
        ("what did you wash, not counting the cup?", "leave out"),
        ("did you measure the freezer not at an altitude of 10?", "leave out"),
        ("did you measure the freezer above an altitude of 10?", "more or less"),
        ("did you measure the freezer at an altitude of more than 10?", "more or less"),
        ("did you measure the freezer at altitude > 10?", "more or less"),
        ("did you measure the freezer at an altitude of at least 10?", "more or less"),
        ("did you wash the cup before dinner?", "the deed 'dinner' is not remembered"),
        ("which things did you never wash?", "never done"),
        ("what could you not find?", "not done"),
        ("did you measure an altitude of 8 m in the freezer?", "altitude of 8"),
        ("did you measure a temperature of -5 in the freezer?", "temperature of minus 5"),
        ("did you measure an altitude of 10,5 in the freezer?", "altitude of 10,5"),
        ("how many times did you go to the kitchen?", "'go'"),
        ("what did you wash for Max or Tom?", "one person at a time"),
    ],
)
def test_what_cannot_be_asked_is_named_and_not_answered_as_its_opposite(memory, text, why):
    answer = memory.query(text)
    assert answer.abstained and why in answer.answers[0].reason


@pytest.mark.parametrize(
    ("text", "understood", "matches"),
    [
        ("did you measure a temperature of -18?", {"action=MEASURE", "temperature=-18"}, 1),
        ("did you measure a temperature of minus 18?", {"action=MEASURE", "temperature=-18"}, 1),
        ("did you measure a temperature of 18?", {"action=MEASURE", "temperature=18"}, 1),
        ("what timed out or failed?", {"result=FAILED"}, 4),
        ("what failed or was canceled?", {"result=FAILED/CANCELED"}, 5),
        ("why couldn't you wash the cup?", {"action=WASH", "object=CUP", "result=FAILED"}, 2),
        ("which cups did you not wash?", {"action=WASH", "object=CUP", "result=FAILED"}, 2),
        ("what did you wash? Not so easy!", {"action=WASH"}, 4),
        ("why did you not check the valve?", {"action=CHECK", "object=VALVE", "result=FAILED"}, 1),
        ("tell me what failed, if anything", {"result=FAILED"}, 4),
        ("can you tell me if washing the cup failed?", {"action=WASH", "object=CUP"}, 4),
        ("did you not wash the cup?", {"action=WASH", "object=CUP"}, 4),
        ("what did you wash besides?", {"action=WASH"}, 4),
        ("have you washed the cup before?", {"action=WASH", "object=CUP"}, 4),
        ("what happened with the tap?", {"object=TAP"}, 1),
        ("what happened with the tape?", {"object=TAPE"}, 1),
        ("did you ever cut tapes?", {"action=CUT", "object=TAPE"}, 1),
        ("was the glass fetched?", {"action=FETCH", "object=GLASS"}, 1),
        ("did you fetch my glasses?", {"action=FETCH", "object=GLASSES"}, 1),
        ("can you check what failed?", {"result=FAILED"}, 4),
        ("please give me everything that failed", {"result=FAILED"}, 4),
        ("how long did it take to check the valve?", {"action=CHECK", "object=VALVE"}, 2),
        ("how long ago did you check the valve?", {"action=CHECK", "object=VALVE"}, 2),
        ("how did it go with the valve?", {"object=VALVE"}, 2),
        ("did you give the book?", {"action=GIVE", "object=BOOK"}, 1),
        ("what did you do last?", set(), 15),
        ("what did you do?", set(), 15),
        ("what have you been doing, please?", set(), 15),
        ("what was the last thing you did?", set(), 15),
        ("what did you do first?", set(), 15),
    ],
)
def test_what_is_asked_is_what_is_answered(memory, text, understood, matches):
    answer = memory.query(text)
    assert {str(cue) for cue in answer.understood} == understood
    assert answer.matches == matches and not answer.set_aside


def test_a_summary_of_a_day_is_of_all_that_was_then(memory):
    assert memory.query("summarise today").matches == memory.query("summarize today").matches == 15
