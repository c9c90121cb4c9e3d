# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Damaged bytes cost what they are in, are named, and nothing else."""

import contextlib
import sqlite3

import pytest

from clara_memory import (
    Episode,
    EpisodicMemory,
    Event,
    Kind,
    Outcome,
    Result,
    RoleFiller,
    StorageFailed,
)


@pytest.mark.parametrize(
    "damage",
    [
        "context = replace(context, '[', '{')",
        "context = replace(context, '\"role\"', '\"rolf\"')",
        "context = replace(context, '\"values\"', '\"valuer\"')",
        "context = '7'",
        "object = CAST(x'54ff' AS TEXT)",
        "detail = CAST(x'54ff' AS TEXT)",
        "context = CAST(x'ff' AS TEXT)",
        "object = CAST(object AS BLOB)",
        "outcome = ''",
    ],
)
def test_a_damaged_byte_in_any_text_costs_only_its_own_episode(tmp_path, damage):
    path = tmp_path / "m.sqlite3"
    with EpisodicMemory(path) as memory:
        for number in range(3):
            memory.store(
                Episode(
                    action="TAKE",
                    object=f"THING_{number}",
                    episode_id=f"e{number}",
                    context=(RoleFiller("speed", "", Kind.NUMBER, (float(number),)),),
                )
            )
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.execute(f"UPDATE episodes SET {damage} WHERE episode_id = 'e1'")
        database.commit()
    for read_only in (True, False):
        with EpisodicMemory(path, read_only=read_only) as memory:
            assert memory.set_aside is None and len(memory) == 3
            wrong = [text for _, text in memory.verify() if text]
            assert len(wrong) == 1 and "'e1') does not match its checksum" in wrong[0]
            (match,) = memory.query(object="THING_2").episodes
            assert match.episode.episode_id == "e2"
            assert memory.query(speed=0.0, max_episodes=1).episodes[0].episode.episode_id == "e0"
            with pytest.raises(StorageFailed, match="'e1'"):
                list(memory.episodes())


def test_recording_goes_on_where_a_damaged_episode_has_the_action_id(tmp_path):
    path, damaged = tmp_path / "m.sqlite3", []
    with EpisodicMemory(path) as memory:
        memory.record([Event("a1", "TAKE"), Result("a1", Outcome.SUCCEEDED)])
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.execute("UPDATE episodes SET object = 'DUCK'")
        database.commit()
    with EpisodicMemory(path, damaged=damaged.append) as memory:
        memory.record([Event("a1", "GO"), Result("a1", Outcome.FAILED)])
        memory.record([Result("a2", Outcome.SUCCEEDED), Event("a2", "GO")])
        assert [one.action for one in memory.episodes()] == ["GO", "GO"]
    assert damaged and all("does not match its checksum" in row for row in damaged)


def test_a_damaged_message_that_waits_is_named_and_a_new_one_takes_its_place(tmp_path):
    path = tmp_path / "m.sqlite3"
    with EpisodicMemory(path) as memory:
        memory.record([Event("a1", "TAKE"), Event("a2", "TAKE")])
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.execute("UPDATE pending SET message = '{' WHERE action_id = 'a1'")
        database.commit()
    with EpisodicMemory(path) as memory:
        wrong = [text for _, text in memory.verify() if text]
        assert wrong == ["the event of action 'a1' that waits cannot be read"]
        assert memory.pending == 1
        memory.record([Event("a1", "TAKE", object="CUP"), Result("a1", Outcome.SUCCEEDED)])
        assert [one.object for one in memory.episodes()] == ["CUP"]
    with EpisodicMemory(path) as memory:
        assert not [text for _, text in memory.verify() if text] and memory.pending == 1
