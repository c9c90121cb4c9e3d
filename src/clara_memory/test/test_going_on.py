# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""A question that leaves something out goes on from those on the lines before, or not at all."""

from datetime import datetime

import pytest
from clara_memory.episode import as_filler
from clara_memory.tally_in_words import sentences_of

from clara_memory import Episode, EpisodicMemory, Outcome, Query

FAILED, OK = Outcome.FAILED, Outcome.SUCCEEDED


def ns(moment):
    return round(datetime.fromisoformat(moment).timestamp()) * 10**9


NOW_NS = ns("2026-06-10T18:00:00")


@pytest.fixture(scope="module")
def memory():
    made = EpisodicMemory(robot="HUGO")

    def put(name, moment, action, thing, outcome=OK, robot="HUGO", detail="", **context):
        made.store(
            Episode(
                *(action, robot, thing, outcome),
                *("", name, "", robot),
                *(ns(moment), ns(moment) + 60 * 10**9, detail),
                context=tuple(as_filler(*pair) for pair in context.items()),
            )
        )

    put("gate yesterday", "2026-06-09T09:00:00", "OPEN", "GATE")
    put("cup yesterday", "2026-06-09T10:00:00", "DROP", "CUP", place="KITCHEN")
    put("cup", "2026-06-10T09:00:00", "DROP", "CUP", FAILED, place="KITCHEN")
    put(
        "plate", "2026-06-10T10:00:00", "DROP", "PLATE", place="HALL", detail="not the gate: a cup"
    )
    put("gate", "2026-06-10T11:00:00", "OPEN", "GATE")
    put("gate closed", "2026-06-10T11:30:00", "CLOSE", "GATE")
    put("fridge", "2026-06-10T12:00:00", "OPEN", "FRIDGE", FAILED)
    put("bob's cup", "2026-06-10T13:00:00", "DROP", "CUP", robot="BOB", place="HALL")
    put("bob's patrol", "2026-06-10T14:00:00", "PATROL", "HALL", robot="BOB")
    return made


def ask(memory, *lines):
    return memory.ask(Query(text="\n".join(lines), max_episodes=100), now_ns=NOW_NS)


def ids(answer):
    return {one.episode.episode_id for one in answer.episodes}


@pytest.mark.parametrize(
    ("before", "text", "found", "taken"),
    [
        ("Did you drop the cup?", "And did it fail?", "cup, cup yesterday", "you drop the cup"),
        ("Did you drop the cup?", "When was that?", "cup, cup yesterday", "did you drop the cup"),
        ("Did you drop the cup?", "How often?", "cup, cup yesterday", "did you drop the cup"),
        ("Did you drop the cup?", "Where did that happen?", "cup, cup yesterday", "drop the cup"),
        ("Did you drop the cup?", "Why?", "cup", "', of what failed"),
        ("Did you drop the cup?", "How many of them failed?", "cup", "', of what failed"),
        ("Did you drop the cup?", "How often did it work?", "cup yesterday", "', of what succeed"),
        ("Did you drop the cup?", "And the plate?", "plate", "'did you drop the plate'"),
        ("Did you drop the cup?", "What about yesterday?", "cup yesterday", "cup yesterday'"),
        ("What did you drop yesterday?", "And today?", "cup, plate", "'what did you drop today'"),
        ("Did you drop the cup?", "And Bob?", "bob's cup", "'did bob drop the cup'"),
        ("Did Bob drop the cup?", "And you?", "cup, cup yesterday", "'did you drop the cup'"),
        ("Did Bob drop the cup?", "Did you?", "cup, cup yesterday", "'did you drop the cup'"),
        ("Did you drop the cup in the kitchen?", "And the plate in the hall?", "", ""),
        ("What did you drop in the kitchen?", "And in the hall?", "plate", "drop in the hall'"),
        ("Did you drop a cup in the hall?", "And a plate?", "plate", "drop a plate in the hall'"),
        ("Did you open the gate today?", "Did you close it?", "gate closed", "close the gate'"),
        ("When did you last open the gate?", "What happened then?", "gate closed", "right after"),
        ("When did you last open the gate?", "And before that?", "gate yesterday, cup yesterday,"
         " cup, plate", "before I tried to open the gate (2026-06-10"),
        ("When did you first open the gate?", "What did you do right after that?",
         "cup yesterday", "right after I tried to open the gate (2026-06-09"),
        ("Did you drop the cup today?", "Did you open the gate after that?", "gate", "after I"),
        ("What did you do after you dropped the plate?", "And after you opened the gate?",
         "gate closed, fridge", "after I tried to open the gate"),
        ("What did you do after you dropped the cup yesterday?", "And the plate?",
         "", ""),
        ("What did you do after you dropped the cup?", "And the plate?",
         "gate, gate closed, fridge", "after I tried to drop the plate"),
        ("What did Bob drop?", "What happened next?", "bob's patrol", "right after BOB tried"),
    ],
)  # fmt: skip
def test_a_question_goes_on_from_the_one_before_and_says_how_it_was_taken(
    memory, before, text, found, taken
):
    answer = ask(memory, before, text)
    assert ids(answer) == set(filter(None, found.split(", ")))
    relative = [one.filler for one in answer.understood if one.role == "relative"]
    assert taken in "".join(relative)


def test_several_questions_go_on_from_each_other(memory):
    lines = ["Did you drop the cup?", "And the plate?", "And yesterday?"]
    assert ids(ask(memory, *lines[:2])) == {"plate"}
    answer = ask(memory, *lines)
    assert answer.abstained or answer.set_aside  # no plate was dropped yesterday
    lines = ["Did you drop the cup?", "Why?", "When was that?", "And the plate?"]
    assert ids(ask(memory, *lines[:3])) == {"cup"}
    assert ids(ask(memory, *lines)) == {"plate"}  # which did not fail
    lines = ["When did you last open the gate?", "What did you do next?", "And after that?"]
    assert ids(ask(memory, *lines)) == {"fridge"}


@pytest.mark.parametrize(
    ("before", "text"),
    [
        ("Did you drop the cup?", "And the elephant?"),
        ("Did you drop the cup?", "And you?"),
        ("Did you drop the cup?", "Did it hurt?"),
        ("Did you wash the car?", "And yesterday?"),
        ("Did you wash the car?", "What happened then?"),
        ("Which thing did you drop most often?", "Did it fail?"),
        ("Which thing did you drop most often?", "What happened then?"),
        ("Did you open the freezer?", "What happened after that?"),
        ("Did you open the plate?", "What happened after that?"),
        ("How often did you fail since you dropped the plate?", "And yesterday?\nAnd that?"),
        ("When did you last open the gate?", "What did you do next?\nAnd Bob?"),
        ("Did you open the gate and the fridge?", "Did you close it?"),
    ],
)
def test_what_cannot_be_told_from_the_question_before_is_not_answered(memory, before, text):
    answer = ask(memory, before, text)
    assert answer.abstained and any(one.cue.role == "text" for one in answer.readings)
    assert memory.tally_asked(f"{before}\n{text}", now_ns=NOW_NS) is None


def test_the_outcomes_of_a_query_hold_for_all_that_goes_on_and_are_not_taken_for_said(memory):
    def told(text, *outcomes):
        query = Query(text=f"Did you drop the cup?\n{text}", outcomes=outcomes)
        answer = memory.ask(query, now_ns=NOW_NS)
        relative = [one.filler for one in answer.understood if one.role == "relative"]
        return ids(answer), relative, answer.answers[0].reason

    taken = ["as to 'did you drop the cup'"]
    assert told("When was that?", FAILED) == ({"cup"}, taken, "")
    assert told("Why?", FAILED) == ({"cup"}, taken, "")
    assert told("Why?", FAILED, OK) == ({"cup"}, [f"{taken[0]}, of what failed"], "")
    found, _, reason = told("Why?", OK)
    assert not found and reason == "'Why?' is about outcomes that the filters leave out"


def test_a_count_goes_on_as_a_count(memory):
    text = "Which thing did you drop most often?\nAnd today?"
    tallied = memory.tally_asked(text, now_ns=NOW_NS)
    assert tallied is not None
    assert sentences_of(tallied)[-1].startswith("PLATE and CUP most often: 1 each of 2")
    assert memory.tally_asked("Which things did you drop?\nWhen was that?") is None


def test_lines_that_are_no_questions_are_one_text(memory):
    assert ids(ask(memory, "Did you", "drop the plate?")) == {"plate"}
