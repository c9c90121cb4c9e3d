# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""What comes late of an episode that was corrected meanwhile completes it, and undoes nothing."""

import pytest

from clara_memory import EpisodicMemory, Event, Outcome, Result, RoleFiller

S = 10**9
T0 = 1_700_000_000 * S
PICK = Event("a1", "PICK_UP", object="CUP", start_ns=T0)
FELL = (RoleFiller("place", "floor"),)


@pytest.fixture
def memory():
    with EpisodicMemory(robot="ADA") as made:
        yield made


@pytest.fixture
def given_up(memory):
    """The id of an episode whose result did not come."""
    memory.record([PICK], T0)
    (unknown,) = memory.expire(T0 + 400 * S)
    return unknown.episode_id


@pytest.mark.parametrize(
    ("change", "outcome", "detail", "whole"),
    [
        (
            {"result": "SUCCESS"},
            Outcome.SUCCEEDED,
            "fine",
            (1, "SUCCEEDED", "fine"),
        ),
        ({"result": "SUCCESS"}, Outcome.FAILED, "slipped", (1, "SUCCEEDED", "")),
        (
            {"result": "FAILED", "detail": "Bob took it"},
            Outcome.FAILED,
            "lost",
            (2, "FAILED", "Bob took it"),
        ),
        ({"result": "DROPPED"}, Outcome.FAILED, "", (2, "DROPPED", "")),
    ],
)
def test_a_late_result_adds_to_a_corrected_one_and_does_not_undo_it(
    memory, given_up, change, outcome, detail, whole
):
    memory.correct(given_up, **change)
    result = Result("a1", outcome, T0 + 450 * S, detail, FELL)
    (after,) = memory.record([result], T0 + 500 * S)
    assert after.episode_id == given_up
    assert (after.outcome, after.result, after.detail) == whole
    assert (after.end_ns, after.effects) == (T0 + 450 * S, FELL)
    assert memory.record([result], T0 + 501 * S) == []
    assert memory.expire(T0 + 900 * S) == [] and list(memory.episodes()) == [after]
    counts = memory.stats().counts
    assert (counts.orphans, counts.duplicates) == (0, 1)


def test_a_result_that_came_in_time_and_was_corrected_is_no_open_one(memory):
    memory.record([PICK, Result("a1", Outcome.FAILED, T0 + 5 * S)], T0)
    (done,) = memory.episodes()
    memory.correct(done.episode_id, result="SUCCESS", object="MUG")
    assert memory.record([Result("a1", Outcome.FAILED, T0 + 5 * S)], T0 + 6 * S) == []
    (after,) = memory.episodes()
    assert (after.outcome, after.object) == (Outcome.SUCCEEDED, "MUG")
    assert memory.stats().counts.duplicates == 1


def test_a_result_corrected_before_a_new_attempt_leaves_that_its_own(memory, given_up):
    memory.correct(given_up, result="SUCCESS")
    again = Event("a1", "PICK_UP", object="CUP", start_ns=T0 + 500 * S)
    (second,) = memory.record([again, Result("a1", Outcome.FAILED, T0 + 510 * S)], T0 + 510 * S)
    assert second.episode_id != given_up and second.outcome is Outcome.FAILED
    first, _ = memory.episodes()
    assert (first.outcome, first.end_ns) == (Outcome.SUCCEEDED, T0)


def test_a_late_event_completes_an_orphan_that_was_corrected(memory):
    memory.record([Result("a1", Outcome.SUCCEEDED, T0 + 20 * S, "fine")], T0 + 20 * S)
    (orphan,) = memory.expire(T0 + 60 * S)
    memory.correct(orphan.episode_id, action="TAKE")
    place = RoleFiller("place", "dock")
    (after,) = memory.record(
        [Event("a1", "PICK_UP", object="CUP", start_ns=T0, context=(place,))], T0 + 70 * S
    )
    assert (after.episode_id, after.action, after.object) == (orphan.episode_id, "TAKE", "CUP")
    assert (after.start_ns, after.end_ns) == (T0, T0 + 20 * S)
    assert after.context == (place,) and after.detail == "fine"
    assert memory.stats().pending == 0 and list(memory.episodes()) == [after]


def test_an_orphan_that_got_its_event_leaves_the_next_attempt_its_own(memory):
    memory.record([Result("a1", Outcome.SUCCEEDED)], T0)
    memory.expire(T0 + 40 * S)
    memory.record([Event("a1", "PICK_UP", object="CUP")], T0 + 15 * S)
    assert memory.record([Event("a1", "PICK_UP", object="JUG")], T0 + 28 * S) == []
    assert memory.stats().pending == 1 and len(memory) == 1
