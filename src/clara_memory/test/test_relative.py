# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""What was asked beside another deed is answered beside that deed, and in words that say which."""

from datetime import datetime

import pytest
from clara_memory.cli_people import sentences
from clara_memory.episode import as_filler
from clara_memory.tally_in_words import sentences_of

from clara_memory import Episode, EpisodicMemory, Event, Outcome, Query, RoleRange

DAY = "2026-06-10"
FAILED, OK = Outcome.FAILED, Outcome.SUCCEEDED


def ns(clock, day=DAY):
    return round(datetime.fromisoformat(f"{day}T{clock}").timestamp()) * 10**9


NOW_NS = ns("18:00:00")


@pytest.fixture(scope="module")
def memory():
    made = EpisodicMemory(robot="HUGO")

    def put(begin, end, action, thing="", outcome=OK, robot="HUGO", day=DAY, **context):
        made.store(
            Episode(
                *(action, robot, thing, outcome),
                *("", begin + robot + day, "", robot),
                *(ns(begin, day), ns(end, day)),
                context=tuple(as_filler(*pair) for pair in context.items()),
            ),
            source="" if robot == "HUGO" else f"merge:{robot}",
        )

    put("09:00:00", "09:01:00", "OPEN", "GATE", day="2026-06-09")
    put("09:10:00", "09:20:00", "MOP", "FLOOR", day="2026-06-09", place="HALL")
    put("08:00:00", "08:30:00", "CHARGE", place="DOCK")
    put("09:00:00", "09:01:00", "OPEN", "GATE")
    put("09:05:00", "09:06:00", "CLEAN", "TABLE", FAILED, place="HALL")
    put("09:10:00", "09:11:00", "CLOSE", "GATE", robot="BOB")
    put("09:15:00", "09:16:00", "CLOSE", "GATE")
    put("10:00:00", "11:00:00", "PATROL", "HALL", battery=0.5)
    put("10:10:00", "10:11:00", "GREET", "ANNA")
    put("11:00:00", "11:01:00", "DROP", "CUP", FAILED, place="KITCHEN")
    put("11:30:00", "11:31:00", "DROP", "PLATE", place="HALL")
    put("12:00:00", "12:01:00", "CLEAN", "TABLE", robot="BOB", place="KITCHEN")
    return made


def ask(memory, text):
    return memory.ask(Query(text=text, max_episodes=100), now_ns=NOW_NS)


def begun(answer):
    """Return when the episodes began, with the robot's name where it is another's."""
    told = {one.episode.episode_id for one in answer.episodes}
    return {one[:5] + ("B" if "BOB" in one else "") for one in told}


@pytest.mark.parametrize(
    ("text", "times", "relative"),
    [
        ("What did you drop after you opened the gate?", "11:00 11:30", "after I tried to open"),
        ("After opening the gate, what did you drop?", "11:00 11:30", "after I tried to open"),
        ("After you opened the gate what did you drop", "11:00 11:30", "after I tried to open"),
        (
            "What did you do since you patrolled the hall?",
            "11:00 11:30",
            "after I tried to patrol",
        ),
        ("What did you do before your last charge?", "09:00 09:10", "before I tried to charge"),
        ("What did you do until you charged?", "09:00 09:10", "before I tried to charge"),
        ("What did you do before you first opened the gate?", None, "before I tried to open"),
        ("What did you drop after you first opened the gate?", "11:00 11:30", "2026-06-09"),
        ("What did you do right after you opened the gate?", "09:05", "right after I tried"),
        ("What did you do next after you opened the gate?", "09:05", "right after I tried"),
        ("What did you do right after closing the gate?", "10:00", "right after I tried"),
        ("What did Bob do right after he closed the gate?", "12:00B", "right after BOB tried"),
        ("What did you do directly before you dropped the cup?", "10:00", "right before I tried"),
        ("What did you do just before you greeted Anna?", "09:15", "right before I tried"),
        ("What happened between opening the gate and closing it?", "09:05", "between I tried"),
        (
            "What happened between when Bob closed the gate and when you dropped the cup?",
            "09:15 10:00 10:10",
            "between BOB tried to close the gate (2026-06-10 09:10:00, succeeded) and I",
        ),
        ("What did you do after charging and before you opened the gate?", None, "between I"),
        ("Did you close the gate after you opened it?", "09:15", "after I tried to open"),
        ("After you opened the gate, did you close it?", "09:15", "after I tried to open"),
        ("Did you clean the table after you mopped the floor?", "09:05", "mop the floor"),
        ("How often did you fail since you charged?", "09:05 11:00", "after I tried to charge"),
        ("How often have you failed since you dropped the cup?", None, "after I tried to drop"),
        ("What did you drop after cleaning the table failed?", "11:00 11:30", "09:05:00, failed"),
        ("What did you do after you opened the gate yesterday?", "09:10", "2026-06-09 09:00"),
        ("What was cleaned after the gate was closed?", "12:00B", "after I tried to close"),
        ("Do you know what happened right after you charged?", "09:00", "right after"),
        ("What did you do right after you opend the gtae?", "09:05", "open the gate"),
        ("What happened right after you dropped the plate?", None, "right after I tried"),
    ],
)
def test_what_was_beside_a_deed_is_found_and_the_deed_is_named(memory, text, times, relative):
    answer = ask(memory, text)
    assert begun(answer) == set((times or "").split()), answer.answers[0].reason
    assert [one.filler for one in answer.understood if one.role == "relative"] == [
        next(one.filler for one in answer.understood if relative in one.filler)
    ]


def test_what_began_while_the_deed_lasted_was_not_after_it_nor_before_its_end(memory):
    greeted = "10:10"
    assert greeted not in begun(ask(memory, "What did you do after you patrolled the hall?"))
    assert greeted not in begun(ask(memory, "What did you do before you patrolled the hall?"))


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("What was the last thing you did before you dropped the plate?", "11:00"),
        ("When did you last clean the table before you dropped the cup?", "09:05"),
        ("What was the first thing you dropped after you charged?", "11:00"),
        ("What was the next thing you dropped after you charged?", "11:00"),
    ],
)
def test_the_last_before_and_the_first_after_are_told_first(memory, text, first):
    assert ask(memory, text).episodes[0].episode.episode_id.startswith(first)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("What did you do after you washed the car?", "'you washed the car' is not remembered"),
        ("Did you clean the table before you opened the cup?", "is not remembered"),
        ("What did you do after Alice opened the gate?", "is not remembered"),
        ("What happened between dropping the plate and dropping the cup?", "followed by"),
        ("What did you do after the kitchen?", "'the kitchen' names no deed"),
        ("What did you do right before that?", "it was not said what 'that' stands for"),
        ("Did you close it after you greeted Anna?", "'it' cannot be read"),
        ("What did you do shortly after you charged?", "'shortly' cannot be read"),
        ("What do you usually do after you charge?", "what is usual cannot"),
        ("Did you ever drop the cup after you charged?", "'ever' cannot be read"),
        ("How often did you fail right after charging?", "'right' cannot be read"),
        ("How long after charging did you open the gate?", "one action at a time"),
        ("What did you do an hour after you charged?", "cannot be read"),
        ("What did you do after you almost dropped the cup?", "almost was cannot"),
        ("What did you do after you did not open the gate?", "'not' cannot be read"),
        ("What did you do after you opened and closed the gate?", "one action at a time"),
        ("What could you have done after you charged?", "'could' cannot be read"),
        ("Did you carefully clean the table after you charged?", "'carefully' cannot be read"),
        (
            "Did you drop the cup before or after charging?",
            "before or after something else cannot be asked for",
        ),
        ("What did you do after you {opened} it?", "'you {opened} it' is not remembered"),
        ("After you charged?", "it was not said what is asked for"),
    ],
)
def test_what_is_not_read_to_the_last_word_is_named_and_not_answered(memory, text, why):
    answer = ask(memory, text)
    assert answer.abstained and why in answer.answers[0].reason, answer.answers[0].reason
    assert memory.tally_asked(text, now_ns=NOW_NS) is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "What did you drop most often since you charged?",
            "PLATE and CUP most often: 1 each of 2 episodes with action=DROP.",
        ),
        (
            "Which rooms did you clean after you first mopped the floor?",
            "HALL alone: 1 episode with action=CLEAN.",
        ),
        (
            "Did you or Bob clean more since you opened the gate?",
            "HUGO and BOB equally often: 1 each of 2 episodes with action=CLEAN.",
        ),
    ],
)
def test_a_count_is_one_of_what_was_beside_the_deed(memory, text, said):
    tallied = memory.tally_asked(text, now_ns=NOW_NS)
    assert tallied is not None
    first, *_, last = sentences_of(tallied)
    assert first.startswith("After I tried to") and last == said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Which of you two cleaned more often?", "BOB and HUGO most often: 1 each of 2"),
        ("Which robot closed the gate more often, Hugo or Bob?", "HUGO and BOB equally often"),
        ("Did you drop more than Bob?", "HUGO more often: 2 of 2 episodes"),
        ("Who dropped the most?", "HUGO most often: 2 of 2 episodes"),
    ],
)
def test_two_robots_are_compared_by_what_memory_holds_of_both(memory, text, said):
    tallied = memory.tally_asked(text, now_ns=NOW_NS)
    assert tallied is not None and sentences_of(tallied)[-1].startswith(said)


def test_you_two_are_no_two_where_memory_holds_three():
    memory = EpisodicMemory(robot="HUGO")
    for robot in ("HUGO", "BOB", "BOB", "EVE"):
        memory.store(Episode("CLEAN", robot, "TABLE", robot=robot))
    assert memory.tally_asked("Which of you two cleaned more?") is None


def test_who_is_more_of_something_than_another_is_no_question_about_the_others_deeds(memory):
    answer = ask(memory, "Are you faster than Bob?")
    assert answer.abstained and "who did more or less" in answer.answers[0].reason


def test_the_deed_is_said_first_also_where_nothing_was_beside_it(memory):
    said = sentences(ask(memory, "Did you greet Anna after you dropped the cup?"))
    assert said[0] == (
        "After I tried to drop the cup (place: kitchen, 2026-06-10 11:00:00, failed):"
    )
    assert (
        said[1].startswith("I do not know: there are episodes with")
        and "none of HUGO then" in said[1]
    )


def test_a_time_is_no_deed_and_the_bounds_of_a_query_hold_as_well(memory):
    assert begun(ask(memory, "What did you drop after 11:15?")) == {"11:30"}
    query = Query(text="What did you drop after you charged?", until_ns=ns("11:10:00"))
    assert begun(memory.ask(query, now_ns=NOW_NS)) == {"11:00"}


@pytest.mark.parametrize(
    ("text", "filters", "times"),
    [
        # The one next episode is next whatever a filter leaves out of what is told.
        ("What did you do right after you closed the gate?", {"outcomes": (FAILED,)}, ""),
        ("What did you do right after you opened the gate?", {"outcomes": (FAILED,)}, "09:05"),
        ("What did you do right after you opened the gate?", {"since_ns": ns("09:30:00")}, ""),
        ("What did you do right before you dropped the plate?", {"until_ns": ns("10:30:00")}, ""),
        (
            "What did you do right after you opened the gate?",
            {"ranges": (RoleRange("battery", 0, 1),)},
            "",
        ),
        (
            "What did you do right after you opened the gate?",
            {"cue": (as_filler("action", "PATROL"),)},
            "",
        ),
    ],
)
def test_what_is_left_out_makes_nothing_else_the_next(memory, text, filters, times):
    answer = memory.ask(Query(text=text, max_episodes=100, **filters), now_ns=NOW_NS)
    assert begun(answer) == set(times.split())
    assert [one.role for one in answer.understood].count("relative") == 1


@pytest.mark.parametrize(
    "filters",
    [
        {"robots": ("BOB",)},
        {"subjects": ("BOB",)},
        {"cue": (as_filler("subject", "BOB"),)},
        {"robots": ("BOB",), "outcomes": (OK,), "since_ns": ns("09:30:00")},
    ],
)
def test_whom_a_question_is_about_did_the_deed_too(memory, filters):
    def told(text):
        answer = memory.ask(Query(text=text, max_episodes=100, **filters), now_ns=NOW_NS)
        assert begun(answer) == {"12:00B"}
        return next(one.filler for one in answer.understood if one.role == "relative")

    assert "BOB tried to close" in told("What did you do after closing the gate?")
    assert "BOB tried to close" in told("What did you do right after closing the gate?")
    assert "I tried to open" in told("What was cleaned after the gate was opened?")
    if "cue" not in filters:
        assert "BOB tried to close" in told("What did you do after you closed the gate?")
    assert "I tried to close" in told("What did Bob do after you closed the gate?")


def test_filters_hold_of_what_was_beside_a_deed_and_are_told_once_where_it_is_counted(memory):
    query = Query(outcomes=(FAILED,), since_ns=ns("08:40:00"))
    text = "What did you drop most often since you charged?"
    tallied = memory.tally_asked(text, query, now_ns=NOW_NS)
    assert tallied is not None
    assert sentences_of(tallied) == [
        "After I tried to charge (place: dock, 2026-06-10 08:00:00, succeeded):",
        "Time asked about: since 2026-06-10 08:40:00.",
        "CUP most often: 1 of 1 episode with action=DROP, result=FAILED.",
    ]
    earlier = memory.tally_asked(text, Query(until_ns=ns("11:10:00")), now_ns=NOW_NS)
    assert [one.filler.spoken for one in earlier.count.most] == ["CUP"]
    of_bob = memory.tally_asked("What was cleaned?", Query(subjects=("BOB",)), now_ns=NOW_NS)
    assert of_bob.count.matches == 1


def test_what_began_before_a_deed_had_ended_was_not_after_it_though_it_lasted_longer():
    memory = EpisodicMemory()
    for begin, end, action in (
        ("08:00:00", "08:10:00", "OPEN"),
        ("08:05:00", "08:20:00", "GREET"),
        ("08:30:00", "08:31:00", "CLOSE"),
        ("08:30:30", "08:31:00", "WAVE"),
    ):
        memory.store(Episode(action, "", "", OK, "", action, start_ns=ns(begin), end_ns=ns(end)))
    for text, actions in (
        ("What did you do after you opened?", {"CLOSE", "WAVE"}),
        ("What did you do right after you opened?", {"CLOSE"}),
    ):
        found = ask(memory, text).episodes
        assert {one.episode.episode_id for one in found} == actions


def test_what_is_under_way_was_after_a_deed_only_where_it_began_after_it():
    memory = EpisodicMemory()
    for begin, end, thing in (("08:00:00", "08:10:00", "GATE"), ("16:00:00", "16:10:00", "DOOR")):
        memory.store(Episode("OPEN", "", thing, OK, start_ns=ns(begin), end_ns=ns(end)))
    # Row numbers of the store are no places among what is under way.
    waving = [Event(f"w{one}", "WAVE", "", "", ns("17:00:00") + one) for one in range(2)]
    # One began while the door was being opened.
    closing = (Event("a1", "CLOSE", "", "GATE", ns("17:59:00")),)
    closing += (Event("a2", "CLOSE", "", "FRIDGE", ns("16:05:00")),)
    memory.record([*waving, *closing], NOW_NS)
    for text, lasting in (
        ("Did you close the gate after you opened the door?", 1),
        ("Did you close the gate before you opened the door?", 0),
        ("Did you close the fridge after you opened the door?", 0),
        ("Did you close the fridge after you opened the gate?", 1),
        ("Did you close the gate after you washed the car?", 0),
        ("Did you do anything since you opened the door?", 3),
        ("Did anything happen since you opened the gate?", 4),
        ("Did you do anything before you opened the door?", 0),
    ):
        assert len(ask(memory, text).under_way) == lasting
