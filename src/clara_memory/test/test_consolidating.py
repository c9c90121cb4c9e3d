# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""The numbers that are left of episodes: they stay, and they do not fill the memory."""

from clara_memory import Bounds, Episode, EpisodicMemory


def test_the_rarest_numbers_are_added_up_so_that_they_do_not_grow_for_ever():
    memory = EpisodicMemory(bounds=Bounds(max_episodes=40, forgetting_policy="consolidate"))
    for number in range(400):
        thing = "CUP" if number % 2 else f"THING_{number}"
        outcome = "FAILED" if number % 4 == 0 else "SUCCESS"
        memory.store(Episode(action="TAKE", object=thing, result=outcome, start_ns=number + 1))
    left = memory.consolidated()
    assert len(left) <= 101
    assert sum(one.count for one in left) + len(memory) == 400
    assert next(one for one in left if one.object == "CUP").count == 180
    coarse = [one for one in left if not one.object]
    assert {(one.action, one.result) for one in coarse} == {
        ("TAKE", "SUCCEEDED"),
        ("TAKE", "FAILED"),
    }
    assert min(one.first_ns for one in coarse) == 1
    assert sum(one.failed for one in left) == 90


def test_numbers_of_ever_new_things_leave_room_for_episodes_under_a_cap_on_bytes(tmp_path):
    bounds = Bounds(max_bytes=1_000_000, forgetting_policy="consolidate")
    with EpisodicMemory(tmp_path / "m.sqlite3", bounds=bounds) as memory:
        for batch in range(15):
            memory.store_all(
                Episode(action=f"TAKE_{batch}_{number}", object=f"THING_{batch}_{number}")
                for number in range(1000)
            )
        assert sum(one.count for one in memory.consolidated()) + len(memory) == 15_000
        assert len(memory) > 2000
