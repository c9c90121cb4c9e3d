# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Events and results become episodes, whatever order they come in."""

from dataclasses import replace

import pytest

from clara_memory import (
    EpisodicMemory,
    Event,
    InvalidRequest,
    Outcome,
    PairingSettings,
    Query,
    Result,
    RoleFiller,
)

S = 10**9
T0 = 1_700_000_000 * S
PICK = Event("a1", "PICK_UP", object="CUP")
DONE = Result("a1", Outcome.SUCCEEDED, detail="fine")


@pytest.fixture
def memory():
    with EpisodicMemory(robot="ADA") as made:
        yield made


def all_of(memory):
    return list(memory.episodes())


def test_an_event_and_its_result_are_one_episode(memory):
    context, effects = (RoleFiller("place", "dock"),), (RoleFiller("place", "hand"),)
    assert memory.record([Event("a1", "PICK_UP", "", "CUP", T0, context)], T0) == []
    assert memory.stats().pending == 1
    result = Result("a1", Outcome.FAILED, T0 + 5 * S, "slipped", effects)
    (episode,) = memory.record([result], T0 + 6 * S)
    assert (episode.robot, episode.subject, episode.object) == ("ADA", "ADA", "CUP")
    assert (episode.start_ns, episode.end_ns) == (T0, T0 + 5 * S)
    assert (episode.outcome, episode.result) == (Outcome.FAILED, "FAILED")
    assert (episode.detail, episode.source) == ("slipped", "topic")
    assert (episode.context, episode.effects) == (context, effects)
    assert memory.stats().pending == 0 and all_of(memory) == [episode]


def test_a_result_may_come_before_its_event(memory):
    assert memory.record([DONE], T0) == []
    (episode,) = memory.record([PICK], T0 + S)
    assert episode.outcome is Outcome.SUCCEEDED and episode.object == "CUP"
    assert episode.start_ns == episode.end_ns == T0
    assert memory.stats().counts.orphans == 0


def test_many_interleaved_actions_are_paired_each_with_its_own(memory):
    events = [Event(f"a{i}", "GO", object=f"R{i}", start_ns=T0 + i) for i in range(100)]
    results = [Result(f"a{i}", Outcome(1 + i % 4), T0 + 1000 - i) for i in range(100)]
    memory.record([*events[:50], *reversed(results), *reversed(events[50:])], T0)
    assert len(all_of(memory)) == 100 and memory.pending == 0
    for episode in all_of(memory):
        assert episode.outcome == 1 + int(episode.object[1:]) % 4


def test_an_event_without_a_result_becomes_unknown_in_time_and_not_before(memory):
    memory.record([PICK], T0)
    assert memory.expire(T0 + 299 * S) == []
    (episode,) = memory.expire(T0 + 300 * S)
    assert episode.outcome is Outcome.UNKNOWN and episode.detail == "no result came within 300 s"
    assert memory.pending == 0


@pytest.mark.parametrize(
    ("asked", "fits"),
    [
        ({}, ["a3", "a2", "a1"]),
        ({"text": "What are you doing right now?"}, ["a3", "a2", "a1"]),
        ({"text": "what did you do today?"}, ["a3", "a2", "a1"]),
        ({"text": "what did you do in the last minute?"}, ["a3", "a2", "a1"]),
        ({"text": "what did you do yesterday?"}, []),
        ({"text": "did you close the gate?"}, ["a1"]),
        ({"text": "Is the gate closed?"}, ["a1"]),
        ({"text": "what happened in the yard?"}, ["a1"]),
        ({"text": "did you honk?"}, ["a2"]),
        ({"text": "what is Rex doing?"}, ["a3"]),
        ({"text": "did you close the door?"}, []),
        ({"text": "did Rex close the gate?"}, []),
        ({"text": "did you close the gaet?"}, []),  # which memory may know as something else
        ({"text": "did you pick up the cup?"}, []),
        ({"text": "what failed?"}, []),
        ({"text": "hello"}, []),
        ({"cue": (RoleFiller("object", "gate"),)}, ["a1"]),
        ({"cue": (RoleFiller("object", "gatte"),)}, []),
        ({"subjects": ("REX",)}, ["a3"]),
        ({"outcomes": (Outcome.FAILED,)}, []),
    ],
)
def test_what_has_begun_and_has_no_result_fits_a_question_as_an_episode_would(memory, asked, fits):
    begun = [
        Event("a1", "CLOSE", "ADA", "GATE", T0, (RoleFiller("place", "YARD"),)),
        Event("a2", "HONK", start_ns=T0 + S),
        Event("a3", "PATROL", "REX", "HALL", T0 + 2 * S),
    ]
    memory.record([Event("a0", "PICK_UP", object="CUP"), Result("a0", Outcome.FAILED), *begun], T0)
    found = memory.ask(Query(**asked), now_ns=T0 + 20 * S).under_way
    assert [event.action_id for event in found] == fits
    assert all(event.subject == ("REX" if event.action_id == "a3" else "") for event in found)


def test_what_ended_was_given_up_forgotten_or_lost_is_not_under_way(memory):
    def under_way(after_s=1):
        return memory.ask(Query(), now_ns=T0 + after_s * S).under_way

    memory.record([PICK], T0)
    assert under_way() == (replace(PICK, start_ns=T0),)
    assert under_way(300) == ()  # also where nobody has called `expire` yet
    assert memory.forget(where=[RoleFiller("object", "CUP")]) == 1 and under_way() == ()
    memory.record([PICK], T0)
    assert memory.record([DONE], T0 + S) and under_way() == ()
    memory.record([Event("a2", "GO", start_ns=T0), Result("a2", Outcome.FAILED, T0 - 60 * S)], T0)
    assert under_way() == ()  # two clocks, or a late result of an earlier attempt


def test_a_late_result_completes_the_stored_episode_and_keeps_what_it_was(tmp_path):
    with EpisodicMemory(tmp_path / "m.sqlite3") as memory:
        memory.record([PICK], T0)
        (unknown,) = memory.expire(T0 + 400 * S)
        (whole,) = memory.record([DONE], T0 + 500 * S)
        assert whole.episode_id == unknown.episode_id and whole.outcome is Outcome.SUCCEEDED
        assert all_of(memory) == [whole]
        assert memory.query(object="CUP", result="SUCCESS").matches == 1
        assert memory.query(result="UNKNOWN").abstained
        assert memory.record([DONE], T0 + 501 * S) == []
        assert memory.stats().counts.duplicates == 1
        (before,) = memory._store.read("SELECT before FROM revisions")
        assert "no result came" in before[0]
    with EpisodicMemory(tmp_path / "m.sqlite3") as memory:
        assert memory.query(object="CUP", result="SUCCESS").matches == 1


@pytest.mark.parametrize(
    ("change", "detail", "whole"),
    [
        ({"detail": "Bob was in the way"}, "", ("PICK_UP", "CUP", "Bob was in the way")),
        ({"detail": "Bob was in the way"}, "slipped", ("PICK_UP", "CUP", "slipped")),
        ({"object": "MUG"}, "", ("PICK_UP", "MUG", "")),
    ],
)
def test_a_late_result_completes_an_episode_that_was_corrected_meanwhile(
    memory, change, detail, whole
):
    memory.record([PICK], T0)
    (unknown,) = memory.expire(T0 + 400 * S)
    memory.correct(unknown.episode_id, **change)
    assert memory.awaits("a1")
    memory.record([replace(DONE, detail=detail)], T0 + 500 * S)
    assert memory.expire(T0 + 900 * S) == []
    (episode,) = all_of(memory)
    assert (episode.episode_id, episode.outcome) == (unknown.episode_id, Outcome.SUCCEEDED)
    assert (episode.action, episode.object, episode.detail) == whole


def test_a_result_is_awaited_until_it_came_also_where_its_event_was_given_up(memory):
    assert not memory.awaits("a1")
    memory.record([PICK], T0)
    assert memory.awaits("a1")
    memory.expire(T0 + 400 * S)
    assert memory.awaits("a1")
    memory.record([DONE], T0 + 500 * S)
    assert not memory.awaits("a1")


def test_a_result_whose_event_never_comes_is_stored_with_what_is_known(memory):
    memory.record([DONE], T0)
    assert memory.expire(T0 + 29 * S) == []
    (orphan,) = memory.expire(T0 + 30 * S)
    assert (orphan.action, orphan.outcome) == ("UNKNOWN_ACTION", Outcome.SUCCEEDED)
    assert orphan.detail == "fine" and memory.stats().counts.orphans == 1


def test_an_event_that_comes_after_its_orphan_completes_it(memory):
    memory.record([DONE], T0)
    (orphan,) = memory.expire(T0 + 60 * S)
    (whole,) = memory.record([Event("a1", "PICK_UP", object="CUP", start_ns=T0 - S)], T0 + 61 * S)
    assert (whole.episode_id, whole.action) == (orphan.episode_id, "PICK_UP")
    assert whole.start_ns == T0 - S and all_of(memory) == [whole] and memory.pending == 0


@pytest.mark.parametrize("stamp", [0, T0])
def test_messages_that_come_again_are_ignored_and_counted(memory, stamp):
    event = Event("a1", "PICK_UP", object="CUP", start_ns=stamp)
    result = Result("a1", Outcome.SUCCEEDED, stamp and stamp + S)
    memory.record([event, event, result, result, event], T0)
    assert len(all_of(memory)) == 1 and memory.pending == 0
    assert memory.stats().counts.duplicates == 3


@pytest.mark.parametrize("result_first", [False, True])
def test_an_event_that_comes_again_much_later_and_its_unstamped_result_are_no_new_attempt(
    memory, result_first
):
    event = Event("a1", "PICK_UP", object="CUP", start_ns=T0)
    for number in range(3):
        moment = T0 + number * 60 * S
        memory.record([DONE, event] if result_first and number else [event, DONE], moment)
        memory.expire(moment + 50 * S)
    assert len(all_of(memory)) == 1 and memory.pending == 0
    assert memory.stats().counts.duplicates == 4 and memory.stats().counts.orphans == 0
    memory.record([event, Result("a1", Outcome.FAILED)], T0 + 600 * S)
    memory.expire(T0 + 700 * S)
    assert [one.outcome for one in all_of(memory)] == [Outcome.SUCCEEDED, Outcome.FAILED]


def test_an_action_id_used_again_much_later_is_a_new_attempt(memory):
    memory.record([PICK, DONE], T0)
    memory.record([PICK, Result("a1", Outcome.FAILED)], T0 + 3600 * S)
    outcomes = [episode.outcome for episode in all_of(memory)]
    assert outcomes == [Outcome.SUCCEEDED, Outcome.FAILED]
    assert len({episode.episode_id for episode in all_of(memory)}) == 2


def test_a_result_without_its_event_does_not_shift_the_attempts_after_it(memory):
    for number, object in enumerate(["CUP", "BOWL", "PLATE"]):
        moment = T0 + number * 600 * S
        if number:  # the event of the first attempt is lost
            memory.record([Event("pick", "PICK_UP", object=object)], moment)
        outcome = Outcome.SUCCEEDED if number == 1 else Outcome.FAILED
        memory.record([Result("pick", outcome)], moment + 5 * S)
        memory.expire(moment + 300 * S)
    assert [(one.action, one.object, one.outcome) for one in all_of(memory)] == [
        ("UNKNOWN_ACTION", "", Outcome.FAILED),
        ("PICK_UP", "BOWL", Outcome.SUCCEEDED),
        ("PICK_UP", "PLATE", Outcome.FAILED),
    ]


def test_an_event_that_began_after_an_orphan_is_a_new_attempt(memory):
    memory.record([Result("a1", Outcome.FAILED, T0)], T0)
    memory.expire(T0 + 30 * S)
    memory.record([Event("a1", "PICK_UP", start_ns=T0 + 40 * S)], T0 + 40 * S)
    memory.record([Result("a1", Outcome.SUCCEEDED, T0 + 45 * S)], T0 + 45 * S)
    orphan, second = all_of(memory)
    assert (orphan.action, orphan.outcome) == ("UNKNOWN_ACTION", Outcome.FAILED)
    assert (second.start_ns, second.outcome) == (T0 + 40 * S, Outcome.SUCCEEDED)


def test_a_late_result_of_the_first_attempt_is_not_taken_for_the_second(memory):
    first = Result("a1", Outcome.SUCCEEDED, T0 + 50 * S)
    memory.record([Event("a1", "PICK_UP", object="CUP", start_ns=T0)], T0)
    memory.record([Event("a1", "PICK_UP", object="CUP", start_ns=T0 + 100 * S)], T0 + 100 * S)
    memory.record([first], T0 + 101 * S)
    memory.record([first], T0 + 102 * S)
    memory.record([Result("a1", Outcome.FAILED, T0 + 105 * S)], T0 + 105 * S)
    assert [(one.start_ns, one.end_ns, one.outcome) for one in all_of(memory)] == [
        (T0, T0 + 50 * S, Outcome.SUCCEEDED),
        (T0 + 100 * S, T0 + 105 * S, Outcome.FAILED),
    ]
    assert memory.stats().counts.duplicates == 1 and memory.pending == 0


def test_a_late_result_whose_own_event_was_lost_leaves_the_attempt_under_way_alone(memory):
    memory.record([Event("a1", "PICK_UP", object="CUP", start_ns=T0 + 100 * S)], T0 + 100 * S)
    memory.record([Result("a1", Outcome.SUCCEEDED, T0 + 50 * S)], T0 + 101 * S)
    memory.record([Result("a1", Outcome.FAILED, T0 + 105 * S)], T0 + 105 * S)
    memory.expire(T0 + 200 * S)
    outcomes = {one.action: one.outcome for one in all_of(memory)}
    assert outcomes == {"PICK_UP": Outcome.FAILED, "UNKNOWN_ACTION": Outcome.SUCCEEDED}


def test_a_late_result_whose_event_was_lost_does_not_end_a_long_attempt_under_way(memory):
    memory.record([Event("a1", "PICK_UP", object="CUP", start_ns=T0 + 100 * S)], T0 + 100 * S)
    memory.record([Result("a1", Outcome.FAILED, T0 + 50 * S, "old")], T0 + 101 * S)
    assert memory.expire(T0 + 132 * S) == []
    (ended,) = memory.record([Result("a1", Outcome.SUCCEEDED, T0 + 160 * S)], T0 + 160 * S)
    assert (ended.action, ended.outcome, ended.detail) == ("PICK_UP", Outcome.SUCCEEDED, "")
    (orphan,) = memory.expire(T0 + 161 * S)
    assert (orphan.action, orphan.outcome) == ("UNKNOWN_ACTION", Outcome.FAILED)
    assert orphan.detail == "old" and memory.stats().counts.orphans == 1
    assert memory.expire(T0 + 999 * S) == [] and len(all_of(memory)) == 2


@pytest.mark.parametrize("result_first", [False, True])
def test_an_event_and_a_result_stamped_by_two_clocks_are_one_episode(memory, result_first):
    event = Event("a1", "PICK_UP", object="CUP", start_ns=T0)
    result = Result("a1", Outcome.FAILED, 5 * S, "slipped")  # by a simulated clock
    memory.record([result, event] if result_first else [event, result], T0)
    assert memory.expire(T0 + 299 * S) == []
    (whole,) = memory.expire(T0 + 300 * S)
    assert (whole.action, whole.outcome, whole.detail) == ("PICK_UP", Outcome.FAILED, "slipped")
    assert whole.start_ns == whole.end_ns == T0
    memory.record([event, result], T0 + 301 * S)
    assert memory.expire(T0 + 999 * S) == [] and all_of(memory) == [whole]
    assert memory.pending == 0 and memory.stats().counts.orphans == 0


def test_a_result_by_another_clock_just_before_the_event_is_given_up_ends_it(memory):
    memory.record([Event("a1", "PICK_UP", start_ns=T0)], T0)
    memory.record([Result("a1", Outcome.FAILED, 5 * S)], T0 + 299 * S)
    assert [one.outcome for one in memory.expire(T0 + 300 * S)] == [Outcome.FAILED]
    assert memory.expire(T0 + 999 * S) == [] and len(all_of(memory)) == 1


def test_attempts_with_one_action_id_keep_their_results_by_another_clock(memory):
    memory.record([Event("a1", "PICK_UP", start_ns=T0)], T0)
    memory.record([Result("a1", Outcome.FAILED, 5 * S)], T0 + 5 * S)
    memory.record([Event("a1", "DROP", start_ns=T0 + 20 * S)], T0 + 20 * S)
    first = all_of(memory)
    assert [(one.action, one.outcome) for one in first] == [("PICK_UP", Outcome.FAILED)]
    assert memory.pending == 1


def test_a_result_that_comes_before_its_event_in_a_simulation_begun_anew_ends_that_one(memory):
    memory.record([Event("1", "GO", start_ns=1000 * S)], 1000 * S)
    memory.record([Result("1", Outcome.FAILED, 6 * S)], 6 * S)  # before its own event
    memory.record([Event("1", "DROP", start_ns=5 * S)], 6 * S)
    outcomes = {one.action: one.outcome for one in all_of(memory)}
    assert outcomes == {"GO": Outcome.UNKNOWN, "DROP": Outcome.FAILED}


def test_a_result_whose_event_was_lost_does_not_end_the_attempt_that_follows_it(memory):
    memory.record([Result("a1", Outcome.FAILED, T0)], T0)
    memory.record([Event("a1", "PICK_UP", start_ns=T0 + 15 * S)], T0 + 15 * S)
    assert [one.action for one in memory.expire(T0 + 40 * S)] == ["UNKNOWN_ACTION"]
    (whole,) = memory.record([Result("a1", Outcome.SUCCEEDED, T0 + 75 * S)], T0 + 75 * S)
    assert (whole.action, whole.outcome) == ("PICK_UP", Outcome.SUCCEEDED)
    assert len(all_of(memory)) == 2 and memory.pending == 0


def test_what_waited_when_the_clock_was_set_back_waits_its_time_from_then(memory):
    memory.record([Event("before", "GO")], T0 + 3600 * S)
    memory.record([Event("after", "GO")], T0)
    assert memory.expire(T0 + 299 * S) == []
    assert [one.action_id for one in memory.expire(T0 + 300 * S)] == ["after"]
    assert [one.action_id for one in memory.expire(T0 + 599 * S)] == ["before"]


def test_nothing_is_overdue_by_a_simulated_clock_that_has_not_begun(memory):
    memory.record([PICK], 900 * S)
    assert memory.expire(0) == []
    assert memory.expire(950 * S) == [] and memory.pending == 1
    assert [one.detail for one in memory.expire(1200 * S)] == ["no result came within 300 s"]


@pytest.mark.parametrize("stamped", [True, False])
@pytest.mark.parametrize("ended", [True, False])
def test_action_ids_that_a_simulation_counts_anew_are_new_attempts(memory, stamped, ended):
    for begins in (1000 * S, 5 * S):  # it was reset in between
        for number, action in enumerate(["GO", "PICK_UP"]):
            start = begins + number * S
            event = Event(str(number), action, object="CUP", start_ns=start * stamped)
            memory.record([event, event], start)
            if ended or begins == 5 * S:
                memory.record([Result(str(number), Outcome.FAILED, start * stamped)], start)
    assert sorted(one.action for one in all_of(memory)) == ["GO", "GO", "PICK_UP", "PICK_UP"]
    assert memory.pending == 0 and memory.stats().counts.duplicates == 4


def test_an_event_of_an_earlier_attempt_that_comes_again_closes_nothing(memory):
    first = Event("a1", "PICK_UP", object="CUP", start_ns=T0)
    memory.record([first, Event("a1", "DROP", start_ns=T0 + 100 * S), first], T0 + 100 * S)
    memory.record([Result("a1", Outcome.FAILED, T0 + 105 * S)], T0 + 105 * S)
    assert [(one.action, one.outcome) for one in all_of(memory)] == [
        ("PICK_UP", Outcome.UNKNOWN),
        ("DROP", Outcome.FAILED),
    ]
    assert memory.stats().counts.duplicates == 1


@pytest.mark.parametrize("gone", [False, True])
def test_an_earlier_event_that_comes_again_closes_nothing_also_where_its_episode_is_gone(
    tmp_path, gone
):
    first = Event("a1", "PICK_UP", object="CUP", start_ns=T0)
    with EpisodicMemory(tmp_path / "m.sqlite3") as memory:
        memory.record([Result("a1", Outcome.FAILED, T0 + 5 * S)], T0 + 5 * S)
        memory.expire(T0 + 35 * S)  # its id is by the result's stamp
        memory.record([first], T0 + 36 * S)
        memory.record([Event("a1", "DROP", start_ns=T0 + 100 * S)], T0 + 100 * S)
        if gone:
            memory.forget(where=[RoleFiller("action", "PICK_UP")])
    with EpisodicMemory(tmp_path / "m.sqlite3") as memory:
        assert memory.record([first], T0 + 102 * S) == []
        (second,) = memory.record([Result("a1", Outcome.SUCCEEDED, T0 + 105 * S)], T0 + 105 * S)
        assert (second.action, second.outcome) == ("DROP", Outcome.SUCCEEDED)
        assert memory.stats().counts.duplicates == 1 and memory.pending == 0
        assert [one.action for one in all_of(memory)] == ["PICK_UP", "DROP"][gone:]


def test_an_attempt_under_way_when_a_simulation_began_anew_is_closed_by_the_next(memory):
    memory.record([Event("1", "GO", start_ns=1000 * S)], 1000 * S)
    assert memory.expire(4 * S) == []
    (closed,) = memory.record([Event("1", "GO", start_ns=5 * S)], 5 * S)
    (ended,) = memory.record([Result("1", Outcome.SUCCEEDED, 6 * S)], 6 * S)
    assert (closed.start_ns, closed.outcome) == (1000 * S, Outcome.UNKNOWN)
    assert (ended.start_ns, ended.outcome) == (5 * S, Outcome.SUCCEEDED)


def test_a_simulation_begun_anew_begins_a_new_attempt_also_where_memory_has_the_wall_clock(memory):
    memory.record([Event("1", "GO", start_ns=1000 * S)], T0)
    (closed,) = memory.record([Event("1", "DROP", start_ns=5 * S)], T0 + 60 * S)
    (ended,) = memory.record([Result("1", Outcome.SUCCEEDED, 6 * S)], T0 + 61 * S)
    assert (closed.action, closed.outcome) == ("GO", Outcome.UNKNOWN)
    assert (ended.action, ended.outcome) == ("DROP", Outcome.SUCCEEDED)
    assert memory.stats().counts.duplicates == 0 and memory.pending == 0


def test_an_action_id_used_again_before_a_result_closes_the_first_attempt(memory):
    memory.record([Event("a1", "PICK_UP", object="CUP", start_ns=T0)], T0)
    memory.record([Event("a1", "DROP", object="CUP", start_ns=T0 + 60 * S)], T0 + 60 * S)
    memory.record([Result("a1", Outcome.FAILED, T0 + 61 * S)], T0 + 61 * S)
    first, second = all_of(memory)
    assert (first.action, first.outcome) == ("PICK_UP", Outcome.UNKNOWN)
    assert (second.action, second.outcome) == ("DROP", Outcome.FAILED)


def test_what_waits_survives_a_restart(tmp_path):
    with EpisodicMemory(tmp_path / "m.sqlite3") as memory:
        memory.record([PICK, Result("b2", Outcome.FAILED)], T0)
    with EpisodicMemory(tmp_path / "m.sqlite3") as memory:
        assert memory.pending == 1
        episodes = memory.record([DONE, Event("b2", "GO", object="HOME")], T0 + 2 * S)
        assert {(episode.object, episode.outcome) for episode in episodes} == {
            ("CUP", Outcome.SUCCEEDED),
            ("HOME", Outcome.FAILED),
        }
        assert memory.pending == 0 and memory.expire(T0 + 9999 * S) == []


def test_no_more_than_the_bound_wait_and_nothing_is_lost():
    memory = EpisodicMemory(pairing=PairingSettings(max_pending=10))
    memory.record([Event(f"a{i}", "GO", object=f"R{i}") for i in range(25)], T0)
    assert memory.pending == 10
    closed = all_of(memory)
    assert [episode.object for episode in closed] == [f"R{i}" for i in range(15)]
    assert all("10 more waited" in episode.detail for episode in closed)


def test_an_attempt_has_the_same_id_on_every_memory():
    ids = set()
    for _ in range(2):
        memory = EpisodicMemory(robot="ADA")
        memory.record([Event("a1", "GO", start_ns=T0), Result("a1", Outcome.FAILED)], T0 + S)
        ids.add(all_of(memory)[0].episode_id)
    assert len(ids) == 1 and len(ids.pop()) == 16
    other = EpisodicMemory(robot="BOB")
    other.record([Event("a1", "GO", start_ns=T0), Result("a1", Outcome.FAILED)], T0 + S)
    assert all_of(other)[0].episode_id not in ids


@pytest.mark.parametrize(
    ("message", "field"),
    [
        (Event("", "GO"), "action_id"),
        (Event("x" * 129, "GO"), "action_id"),
        (Event("a", ""), "action"),
        (Result("a", Outcome.UNKNOWN), "outcome"),
        (Result("a", Outcome.FAILED, detail="x" * 1025), "detail"),
    ],
)
def test_a_message_that_is_not_valid_is_refused_by_field(memory, message, field):
    with pytest.raises(InvalidRequest) as refusal:
        memory.record([PICK, message], T0)
    assert refusal.value.field == field and memory.pending == 0
