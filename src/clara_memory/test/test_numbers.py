# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Numbers keep their digits, and what a float32 loses of one does not hide it."""

import numpy as np
import pytest
from clara_memory.episode import as_filler
from clara_memory.patterns import parse

from clara_memory import Episode, EpisodicMemory, Kind, Query, RoleFiller


@pytest.mark.parametrize(
    ("number", "spoken"),
    [
        (1234567, "1234567"),
        (1e6, "1000000"),
        (0.5, "0.5"),
        (0.1 + 0.2, "0.30000000000000004"),
        (1781103599.25, "1781103599.25"),
        (1e300, "1e+300"),
        (-2, "-2"),
    ],
)
def test_a_number_is_told_with_all_its_digits(number, spoken):
    memory = EpisodicMemory()
    memory.store_memory(action="DELIVER", order=number)
    (told,) = memory.query(ask=["order"])["order"].candidates
    assert told.filler == spoken and float(told.filler) == number


def test_a_whole_number_in_a_filler_is_told_and_asked_as_any_other():
    memory = EpisodicMemory()
    floor = RoleFiller("floor", "", Kind.NUMBER, (3,))
    memory.store(Episode("RIDE", context=(floor,)))
    assert [one.filler for one in memory.query(ask=["floor"])["floor"].candidates] == ["3"]
    for asked in (3, floor):
        assert memory.query(floor=asked).matches == 1
    assert memory.ask(Query(cue=(floor,))).matches == 1


def test_numbers_that_differ_in_their_last_digit_are_told_apart():
    memory = EpisodicMemory()
    for order in (1234567, 1234568):
        memory.store_memory(action="DELIVER", order=order)
    told = memory.query(ask=["order"])["order"].candidates
    assert {one.filler for one in told} == {"1234567", "1234568"}
    assert parse("match", "order=1234567").fits(next(memory.episodes()))
    assert memory.query(order=1234567).matches == 1
    memory.store_memory(action="DRIVE", speed=0.3)
    memory.store_memory(action="DRIVE", speed=0.3000000001)
    assert memory.query(speed=0.3).matches == 1
    for order in (16777216, 16777217, 1e300):  # of these a float32 makes no difference, or nothing
        memory.store_memory(action="COUNT", count=order)
        assert memory.query(count=order).matches == 1


def test_a_number_that_was_a_float32_is_found_by_what_was_meant():
    memory = EpisodicMemory()
    memory.store_memory(action="DRIVE", speed=float(np.float32(0.3)))
    assert memory.query(speed=0.3).matches == 1
    memory.store_memory(action="TURN", speed=0.3)
    assert memory.query(speed=0.3).matches == 2
    assert memory.query("how often did you drive at 0.3 m/s?").matches == 1


def test_what_a_goal_has_as_float32_is_remembered_as_it_was_meant():
    messages = pytest.importorskip("geometry_msgs.msg")
    from clara_memory.action_watcher import event_fields

    x, y, z = (float(np.float32(number)) for number in (0.3, 1.1, -2.0))  # as they come by DDS
    context = event_fields(messages.Point32(x=x, y=y, z=z))["context"]
    assert context == (
        RoleFiller("x", "", Kind.NUMBER, (0.3,)),
        RoleFiller("y", "", Kind.NUMBER, (1.1,)),
        RoleFiller("z", "", Kind.NUMBER, (-2.0,)),
    )
    memory = EpisodicMemory()
    memory.store_memory(action="DRIVE", x=context[0])
    assert memory.forget(where=[as_filler("x", 0.3)], dry_run=True) == 1
    whole = event_fields(messages.Pose(position=messages.Point(x=x)))["context"][0]
    assert whole.values == (x, 0.0, 0.0)  # a float64 is what it says
