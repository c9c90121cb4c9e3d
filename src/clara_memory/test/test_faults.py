# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Real processes killed, real full disks, real torn logs: nothing acknowledged is ever lost."""

import random
import sqlite3
import subprocess
import sys
import time

import pytest

from clara_memory import Episode, EpisodicMemory, FileInUse, StorageFailed

KILLS = 30

WRITER = """
import sys
from clara_memory import Episode, EpisodicMemory
memory = EpisodicMemory(sys.argv[1])
number = int(sys.argv[2])
print("ready", flush=True)
while True:
    memory.store_all(
        Episode(action="A", object=f"O{n}", episode_id=f"e{n}") for n in range(number, number + 7)
    )
    number += 7
    print(number, flush=True)
"""


def test_no_acknowledged_episode_is_lost_to_kill_9(tmp_path):
    path = tmp_path / "m.sqlite3"
    chance = random.Random(9)
    acknowledged = begin = 0
    for _ in range(KILLS):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path), str(begin)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert writer.stdout.readline() == "ready\n", writer.stderr.read()
        for _ in range(chance.randrange(1, 12)):
            acknowledged = int(writer.stdout.readline())
        time.sleep(chance.random() * 0.004)  # anywhere within the next commit
        writer.kill()
        for line in writer.stdout:
            acknowledged = int(line) if line.endswith("\n") and line.strip() else acknowledged
        writer.wait()
        with EpisodicMemory(path) as memory:
            held = {episode.episode_id for episode in memory.episodes()}
            assert memory.set_aside is None and not any(text for _, text in memory.verify())
        assert {f"e{number}" for number in range(acknowledged)} <= held
        assert len(held) % 7 == 0  # a commit is whole or not there
        begin = len(held)
    assert acknowledged > KILLS


def test_a_torn_log_loses_only_what_it_tore(tmp_path):
    path = tmp_path / "m.sqlite3"
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path), "0"], stdout=subprocess.PIPE, text=True
    )
    for _ in range(60):
        writer.stdout.readline()
    writer.kill()
    writer.wait()
    log = path.with_name("m.sqlite3-wal")
    whole = log.read_bytes()
    assert len(whole) > 100_000
    held = []
    for share in (1.0, 0.8, 0.5):
        for old in tmp_path.glob("copy*"):
            old.unlink()
        copy = tmp_path / "copy.sqlite3"
        copy.write_bytes(path.read_bytes())
        copy.with_name("copy.sqlite3-wal").write_bytes(whole[: int(len(whole) * share)])
        with EpisodicMemory(copy) as memory:
            held.append(len(memory))
            assert not any(text for _, text in memory.verify()) and held[-1] % 7 == 0
    assert held[0] > held[1] > held[2] > 0


def test_a_full_disk_refuses_and_loses_nothing_and_goes_on_when_there_is_room(tmp_path):
    path = tmp_path / "m.sqlite3"
    with EpisodicMemory(path) as memory:
        memory.store_memory(action="FIRST")
        # SQLITE_FULL, from SQLite itself.
        memory._store._writer.execute("PRAGMA max_page_count=60")
        stored = 1
        with pytest.raises(StorageFailed, match="full"):
            while True:
                memory.store_all(Episode(action="A", detail="x" * 900) for _ in range(20))
                stored += 20
        assert len(memory) == stored and memory.query(action="FIRST").matches == 1
        memory._store._writer.execute("PRAGMA max_page_count=100000")
        memory.store_memory(action="LAST")
        assert len(memory) == stored + 1
    with EpisodicMemory(path) as memory:
        assert len(memory) == stored + 1


def test_two_writers_are_refused_and_readers_are_not(tmp_path):
    path = tmp_path / "m.sqlite3"
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path), "0"], stdout=subprocess.PIPE, text=True
    )
    try:
        for _ in range(3):
            writer.stdout.readline()
        with pytest.raises(FileInUse, match=f"process {writer.pid}"):
            EpisodicMemory(path)
        with EpisodicMemory(path, read_only=True) as memory:
            assert len(memory) >= 14
    finally:
        writer.kill()
        writer.wait()


def test_a_clock_that_goes_backwards_keeps_the_order_of_storing(tmp_path):
    with EpisodicMemory(tmp_path / "m.sqlite3") as memory:
        for moment in (300, 200, 100):
            memory.store(Episode(action=f"AT_{moment}"), now_ns=moment)
        assert [one.action for one in memory.episodes()] == ["AT_300", "AT_200", "AT_100"]
        latest = [match.episode.action for match in memory.query().episodes]
        assert latest == ["AT_300", "AT_200", "AT_100"]


def test_a_file_of_the_first_format_is_brought_up_to_date(tmp_path):
    from clara_memory.migrations import m001_episodes, m002_pending
    from clara_memory.store import APPLICATION_ID

    path = tmp_path / "old.sqlite3"
    database = sqlite3.connect(path)
    m001_episodes(database)
    m002_pending(database)
    database.execute(f"PRAGMA application_id={APPLICATION_ID}")
    database.execute("PRAGMA user_version=2")
    columns = "episode_id, action_id, robot, subject, action, object, outcome, result, start_ns"
    database.execute(
        f"INSERT INTO episodes ({columns}, end_ns, detail, context, effects, source) VALUES "
        "('old', '', 'R', 'R', 'TAKE', 'CUP', 1, 'SUCCEEDED', 5, 6, '', '', '', 'topic')"
    )
    database.commit()
    database.close()
    with EpisodicMemory(path) as memory:
        assert memory.query(object="CUP").episodes[0].episode.episode_id == "old"
        assert not any(text for _, text in memory.verify())
        assert memory.pin(["old"]) == 1
