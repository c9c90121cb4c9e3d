# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Forgetting: exact, by policy, and what stays."""

import sqlite3
import time

import pytest

from clara_memory import (
    Bounds,
    Episode,
    EpisodicMemory,
    InvalidRequest,
    Outcome,
    RoleFiller,
    StorageFailed,
)


def filled(path=None, count=30, **options):
    memory = EpisodicMemory(path, **options)
    memory.store_all(
        Episode(
            action="PICK_UP" if number % 2 else "PLACE",
            object=f"THING_{number}",
            episode_id=f"e{number}",
            start_ns=(number + 1) * 10**9,
            result="SUCCESS" if number % 3 else "FAILED",
            context=(RoleFiller("place", f"room {number % 5}"),),
        )
        for number in range(count)
    )
    return memory


def objects(memory):
    return [episode.object for episode in memory.episodes()]


def test_what_is_forgotten_is_found_no_more_and_its_fillers_are_unknown():
    memory = filled()
    assert memory.forget(where=[RoleFiller("object", "thing 7")]) == 1
    assert memory.query(object="THING_7").abstained
    assert memory.query("what about thing 7").abstained
    assert memory.stats().vocabulary["object"] == 29 and len(memory) == 29
    assert memory.query(object="THING_8").episodes[0].episode.episode_id == "e8"
    assert memory.query(place="room 3").matches == 6


def test_all_conditions_must_hold():
    memory = filled()
    picked = RoleFiller("action", "pick up")
    assert memory.forget(where=[picked, RoleFiller("place", "ROOM 1")], dry_run=True) == 3
    assert memory.forget(where=[picked], since_ns=29 * 10**9, dry_run=True) == 1
    assert memory.forget(where=[picked], until_ns=4 * 10**9, dry_run=True) == 2
    assert memory.forget(episode_ids=["e1", "e2", "nobody"], where=[picked], dry_run=True) == 1
    assert memory.forget(where=[RoleFiller("result", "failure")], dry_run=True) == 10
    assert memory.forget(where=[RoleFiller("object", "THING")], dry_run=True) == 0
    assert len(memory) == 30


def test_a_result_of_its_own_is_not_the_word_for_its_outcome():
    memory = EpisodicMemory()
    memory.store(Episode(action="GO", result="COLLIDED"))
    memory.store(Episode(action="GO", result="SLIPPED", outcome=Outcome.FAILED))
    memory.store_all([Episode(action="GO"), Episode(action="GO", result="FAILURE")])
    memory.add([Episode(action="GO", episode_id="merged", outcome=Outcome.FAILED)])
    for result, count in (("UNKNOWN", 1), ("failed", 2), ("collided", 1), ("DONE", 0)):
        assert memory.forget(where=[RoleFiller("result", result)], dry_run=True) == count, result
    assert memory.query(result="FAILED").matches == 3


def test_forgetting_without_a_condition_is_refused():
    with pytest.raises(InvalidRequest, match="say what to forget"):
        filled().forget(reason="all of it")


def test_nothing_of_a_forgotten_episode_is_left_in_the_file(tmp_path):
    path = tmp_path / "m.sqlite3"
    with EpisodicMemory(path) as memory:
        memory.store_memory(action="READ", object="SECRETDIARY", note="verysecret")
        memory.store_memory(action="READ", object="NEWSPAPER")
        assert memory.forget(
            where=[RoleFiller("action", "READ"), RoleFiller("note", "verysecret")]
        )
        for file in tmp_path.iterdir():
            assert b"SECRETDIARY" not in file.read_bytes(), file
    with EpisodicMemory(path) as memory:
        assert objects(memory) == ["NEWSPAPER"]


def test_an_audit_row_says_when_why_and_which(tmp_path):
    with filled(tmp_path / "m.sqlite3") as memory:
        memory.forget(episode_ids=["e3"], reason="it was wrong", now_ns=77)
    rows = sqlite3.connect(tmp_path / "m.sqlite3").execute(
        "SELECT at_ns, reason, forgotten, episode_ids FROM audit"
    )
    assert rows.fetchall() == [(77, "it was wrong", 1, '["e3"]')]


def test_a_capped_memory_does_not_grow_by_the_audit_of_what_it_forgot(tmp_path):
    path = tmp_path / "m.sqlite3"
    with filled(path, count=20, bounds=Bounds(max_episodes=20)) as memory:
        memory.forget(episode_ids=["e3"], reason="the memory was full")
        for number in range(300):
            memory.store(Episode(action="LATER", object=f"THING_{number}"))
        assert memory.stats().forgotten == 299
    rows = sqlite3.connect(path).execute("SELECT asked FROM audit ORDER BY number").fetchall()
    assert '"episode_ids": 1' in rows[0][0] and rows[1:] == [('{"policy": "oldest"}',)] * 100


@pytest.mark.parametrize("policy", ["oldest", "least_used", "consolidate"])
def test_a_cap_is_kept_and_the_oldest_unused_go_first(policy):
    bounds = Bounds(max_episodes=20, forgetting_policy=policy)
    memory = filled(count=20, bounds=bounds)
    for number in range(20, 120):
        memory.store(Episode(action="LATER", object=f"THING_{number}"))
        assert len(memory) <= 20
    assert objects(memory) == [f"THING_{number}" for number in range(100, 120)]
    assert memory.stats().forgotten == 100


def test_pinned_episodes_stay():
    memory = filled(count=20, bounds=Bounds(max_episodes=20))
    assert memory.pin(["e0", "e5"]) == 2 and memory.pin(["e0"]) == 0
    memory.store_all(Episode(action="LATER", object=f"L{number}") for number in range(40))
    assert {"THING_0", "THING_5"} <= set(objects(memory)) and memory.stats().pinned == 2
    assert memory.pin(["e0"], pinned=False) == 1
    memory.store_all(Episode(action="LATER", object=f"M{number}") for number in range(40))
    assert "THING_0" not in objects(memory) and "THING_5" in objects(memory)


def test_a_memory_full_of_pinned_episodes_refuses_new_ones_and_loses_nothing():
    memory = filled(count=20, bounds=Bounds(max_episodes=20))
    memory.pin([f"e{number}" for number in range(20)])
    with pytest.raises(StorageFailed, match="of its 20 episodes only 0 are not pinned"):
        memory.store(Episode(action="LATER"))
    assert len(memory) == 20 and len(objects(memory)) == 20


def test_an_id_that_is_not_there_cannot_be_pinned_and_nothing_changes():
    memory = filled()
    with pytest.raises(InvalidRequest, match=r"episode_ids\[1\] 'nobody'"):
        memory.pin(["e1", "nobody"])
    assert memory.stats().pinned == 0


def test_what_was_asked_for_in_a_burst_outlives_what_never_was():
    second = 10**9
    now = time.time_ns()
    bounds = Bounds(max_episodes=3, forgetting_policy="least_used", use_half_life_s=0.05)
    memory = EpisodicMemory(bounds=bounds)
    for number, thing in enumerate(("NEVER_1", "NEVER_2", "ASKED")):
        at = now - (3000 - number) * second
        memory.store(Episode(action="SEE", object=thing, start_ns=at))
    assert memory.query(object="ASKED").matches == 1
    time.sleep(0.3)  # six half lives
    for number in range(2):
        memory.store(Episode(action="SEE", object=f"NEW_{number}", start_ns=now + second))
    assert objects(memory) == ["ASKED", "NEW_0", "NEW_1"]


def test_the_least_used_go_first():
    bounds = Bounds(max_episodes=20, forgetting_policy="least_used")
    memory = filled(count=20, bounds=bounds)
    for number in (0, 3):
        memory.query(object=f"THING_{number}")
    memory.store_all(Episode(action="LATER", object=f"L{number}") for number in range(15))
    assert {"THING_0", "THING_3"} <= set(objects(memory)) and len(memory) <= 20


def test_consolidated_episodes_leave_their_numbers():
    bounds = Bounds(max_episodes=10, forgetting_policy="consolidate")
    memory = EpisodicMemory(bounds=bounds)
    for number in range(50):
        result = "FAILED" if number % 5 == 0 else "SUCCESS"
        memory.store(Episode(action="PICK_UP", object="CUP", result=result, start_ns=number + 1))
    left = memory.consolidated()
    assert sum(one.count for one in left) + len(memory) == 50
    assert {one.result for one in left} == {"SUCCEEDED", "FAILED"}
    done = next(one for one in left if one.result == "SUCCEEDED")
    assert (done.subject, done.action, done.object) == ("CLARA", "PICK_UP", "CUP")
    assert done.succeeded == done.count and done.failed == 0 and done.first_ns == 2


def test_a_cap_on_bytes_is_kept(tmp_path):
    path = tmp_path / "m.sqlite3"
    with EpisodicMemory(path, bounds=Bounds(max_bytes=1_000_000)) as memory:
        for _ in range(30):
            memory.store_all(Episode(action="TELL", detail="x" * 1000) for _ in range(100))
        assert 100 < len(memory) < 1000
    assert path.stat().st_size < 1.2 * 1_000_000


@pytest.mark.parametrize(
    ("bounds", "field"),
    [
        (Bounds(max_episodes=-1), "max_episodes"),
        (Bounds(max_bytes=10), "max_bytes"),
        (Bounds(forgetting_policy="never"), "forgetting_policy"),
    ],
)
def test_bounds_that_are_not_valid_are_refused(bounds, field):
    with pytest.raises(InvalidRequest) as refusal:
        EpisodicMemory(bounds=bounds)
    assert refusal.value.field == field


def test_a_damaged_row_is_named_and_never_told(tmp_path):
    path = tmp_path / "m.sqlite3"
    filled(path).close()
    database = sqlite3.connect(path)
    database.execute("UPDATE episodes SET object = 'THING_99' WHERE episode_id = 'e4'")
    database.commit()
    database.close()
    with EpisodicMemory(path) as memory:
        wrong = [text for _, text in memory.verify() if text]
        assert len(wrong) == 1 and "'e4') does not match its checksum" in wrong[0]
        with pytest.raises(StorageFailed, match="verify"):
            memory.query(object="THING_99")
