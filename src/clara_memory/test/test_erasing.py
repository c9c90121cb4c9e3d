# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Nothing of what was forgotten is left: not in the log, nor of what waits, nor in numbers."""

import contextlib
import sqlite3

from clara_memory import Bounds, Episode, EpisodicMemory, Event, Outcome, Result, RoleFiller


def reader_in_the_way(path):
    """Return a connection that reads as another process does, until it is closed."""
    reader = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM episodes").fetchall()
    return contextlib.closing(reader)


def files_with(text, folder):
    return [file.name for file in folder.iterdir() if text in file.read_bytes()]


def objects(memory):
    return [episode.object for episode in memory.episodes()]


def test_a_reader_in_the_way_has_the_log_emptied_after_a_later_commit(tmp_path, monkeypatch):
    monkeypatch.setattr("clara_memory.database._BUSY_MS", 50)
    path = tmp_path / "m.sqlite3"
    with EpisodicMemory(path) as memory:
        memory.store_memory(action="READ", object="SECRETDIARY")
        with reader_in_the_way(path) as reader:
            assert memory.forget(where=[RoleFiller("object", "secretdiary")]) == 1
            assert files_with(b"SECRETDIARY", tmp_path)
            memory.store_memory(action="READ", object="NEWSPAPER")
            assert reader.execute("SELECT object FROM episodes").fetchall() == [("SECRETDIARY",)]
        memory.store_memory(action="READ", object="MAGAZINE")
        assert not files_with(b"SECRETDIARY", tmp_path)
        assert objects(memory) == ["NEWSPAPER", "MAGAZINE"]


def test_a_log_that_could_not_be_emptied_is_emptied_when_the_memory_opens_again(
    tmp_path, monkeypatch
):
    monkeypatch.setattr("clara_memory.database._BUSY_MS", 50)
    path = tmp_path / "m.sqlite3"
    memory = EpisodicMemory(path)
    memory.store_memory(action="READ", object="SECRETDIARY")
    with reader_in_the_way(path):
        assert memory.forget(where=[RoleFiller("object", "secretdiary")]) == 1
        memory.close()
    assert files_with(b"SECRETDIARY", tmp_path)
    with EpisodicMemory(path):
        assert not files_with(b"SECRETDIARY", tmp_path)


def test_what_waits_for_its_other_half_is_forgotten_too(tmp_path):
    path = tmp_path / "m.sqlite3"
    second = 10**9
    with EpisodicMemory(path) as memory:
        visitor = (RoleFiller("visitor", "ANNA"),)
        messages = [
            Event("one", "GREET", object="ANNA"),
            Event("two", "GREET", object="BERT"),
            Event("three", "GREET", object="BERT", context=visitor),
            Result("four", Outcome.SUCCEEDED, effects=visitor),
        ]
        memory.record(messages, 100 * second)
        anna = [RoleFiller("object", "anna")]
        assert memory.forget(where=anna, since_ns=1) == 0  # it has not ended
        assert memory.forget(where=anna, until_ns=200 * second) == 0
        assert memory.forget(where=anna, dry_run=True) == 1 and memory.pending == 3
        assert memory.forget(where=anna) == 1 and memory.pending == 2
        assert memory.forget(where=[RoleFiller("visitor", "Anna")]) == 2 and memory.pending == 1
        assert not files_with(b'"ANNA"', tmp_path)
        left = memory.expire(1000 * second)
        assert [(one.action_id, one.object) for one in left] == [("two", "BERT")]


def test_what_waits_without_a_subject_is_forgotten_as_the_robots_own():
    memory = EpisodicMemory(robot="REX")
    memory.record([Event("one", "GREET"), Event("two", "GREET", subject="MIA")], 100 * 10**9)
    assert memory.forget(where=[RoleFiller("subject", "rex")]) == 1
    assert [one.subject for one in memory.expire(1000 * 10**9)] == ["MIA"]


def test_the_numbers_left_of_consolidated_episodes_are_forgotten_too(tmp_path):
    path = tmp_path / "m.sqlite3"
    bounds = Bounds(max_episodes=2, forgetting_policy="consolidate")
    with EpisodicMemory(path, bounds=bounds) as memory:
        for number, visitor in enumerate(["ANNA", "ANNA", "ANNA", "BERT", "CARL", "DORA"], 1):
            episode = Episode(action="GREET", object=visitor, start_ns=number, result="OK")
            memory.store(episode)
        assert {one.object: one.count for one in memory.consolidated()} == {"ANNA": 3, "BERT": 1}
        anna = [RoleFiller("object", "anna"), RoleFiller("result", "success")]
        assert memory.forget(where=anna, until_ns=2) == 0  # one of the three ended later
        assert memory.forget(where=[*anna, RoleFiller("place", "dock")]) == 0
        assert memory.forget(where=anna, dry_run=True) == 3
        assert memory.forget(where=anna) == 3 and len(memory) == 2
        assert [one.object for one in memory.consolidated()] == ["BERT"]
        assert not files_with(b"GREETANNA", tmp_path)


def test_the_revisions_of_what_is_forgotten_are_found_by_an_index(tmp_path):
    path = tmp_path / "m.sqlite3"
    EpisodicMemory(path).close()
    with contextlib.closing(sqlite3.connect(path)) as database:
        plan = database.execute("EXPLAIN QUERY PLAN DELETE FROM revisions WHERE seq = 1")
        assert "INDEX revisions_by_row" in plan.fetchone()[3]
