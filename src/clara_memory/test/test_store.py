# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""The file: nothing acknowledged is lost, nothing of others is touched."""

import io
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
from clara_memory.formats import read_jsonl, write_jsonl
from clara_memory.migrations import MIGRATIONS, READABLE_FROM, m001_episodes

from clara_memory import (
    Episode,
    EpisodicMemory,
    FileInUse,
    InvalidRequest,
    NotAMemory,
    RoleFiller,
    StorageFailed,
)

WRITER = """
import sys
from clara_memory import EpisodicMemory, Event, Outcome, Result
memory = EpisodicMemory(sys.argv[1])
for number in range(100_000):
    name = f"{sys.argv[2]}-{number}"
    if number % 2:
        memory.store_memory(action="STORE", object=name)
    else:
        memory.record([Event(name, "PAIR", object=name), Result(name, Outcome.SUCCEEDED)])
    print(name, flush=True)
"""


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "deep" / "memory.sqlite3"


def test_the_folder_is_made_and_episodes_are_there_after_opening_again(path):
    fillers = (RoleFiller("place", "dock"),)
    with EpisodicMemory(path) as memory:
        stored = memory.store(Episode(action="GO", object="HOME", context=fillers))
    with EpisodicMemory(path) as memory:
        assert list(memory.episodes()) == [stored]
        assert memory.query(place="dock").episodes[0].episode == stored


def test_killed_writers_lose_nothing_that_was_acknowledged(path):
    acknowledged = []
    for trial in range(5):
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path), str(trial)],
            stdout=subprocess.PIPE,
            text=True,
        ) as writer:
            for _ in range(15 + 7 * trial):
                acknowledged.append(writer.stdout.readline().strip())
            writer.kill()
            acknowledged += writer.stdout.read().split("\n")[:-1]
    assert len(acknowledged) >= 5 * 15
    with EpisodicMemory(path) as memory:
        assert memory.set_aside is None
        stored = [episode.object for episode in memory.episodes()]
        assert set(acknowledged) <= set(stored) and len(set(stored)) == len(stored)
        assert memory.query(object=acknowledged[-1]).matches == 1


@pytest.mark.parametrize(
    "content", [b"this is no database\n" * 100, b"SQLite format 3\x00" + b"\xff" * 9000]
)
def test_a_damaged_file_is_set_aside_whole_and_reported(path, content):
    path.parent.mkdir()
    path.write_bytes(content)
    with EpisodicMemory(path) as memory:
        memory.store_memory(action="GO")
        aside = memory.set_aside
    assert re.fullmatch(r"memory\.sqlite3\.corrupt-\d{8}T\d{6}", aside.name)
    assert aside.read_bytes() == content
    with EpisodicMemory(path) as memory:
        assert len(memory) == 1 and memory.set_aside is None


def test_a_file_damaged_in_the_middle_is_set_aside(path):
    with EpisodicMemory(path) as memory:
        memory.store_all([Episode(action="GO", object=f"R{i}") for i in range(500)])
    whole = bytearray(path.read_bytes())
    whole[4096 * 4 : 4096 * 9] = b"\xa5" * (4096 * 5)
    path.write_bytes(whole)
    with EpisodicMemory(path) as memory:
        assert memory.set_aside.read_bytes() == whole and len(memory) == 0


def test_reading_a_damaged_file_leaves_it_where_it_is(path):
    path.parent.mkdir()
    path.write_bytes(b"no database")
    with pytest.raises(NotAMemory, match="not an SQLite file"):
        EpisodicMemory(path, read_only=True)
    assert [file.name for file in path.parent.iterdir()] == ["memory.sqlite3"]


def test_a_database_of_another_program_is_refused_and_not_touched(path):
    path.parent.mkdir()
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE theirs (x)")
    other.close()
    before = path.read_bytes()
    with pytest.raises(NotAMemory, match="another program"):
        EpisodicMemory(path)
    assert path.read_bytes() == before


def test_a_second_writer_is_refused_with_the_pid_of_the_first(path):
    with EpisodicMemory(path) as memory:
        code = f"from clara_memory import EpisodicMemory; EpisodicMemory({str(path)!r})"
        second = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        assert second.returncode == 1 and f"in use by process {os.getpid()}" in second.stderr
        with pytest.raises(FileInUse):
            EpisodicMemory(path)
        memory.store_memory(action="STILL_WRITES")
    EpisodicMemory(path).close()


def test_the_lock_of_a_killed_writer_is_gone(path):
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path), "x"], stdout=subprocess.PIPE, text=True
    ) as writer:
        writer.stdout.readline()
        with pytest.raises(FileInUse):
            EpisodicMemory(path)
        writer.send_signal(signal.SIGKILL)
        writer.stdout.read()
    EpisodicMemory(path).close()


def test_a_reader_sees_what_a_writer_has_committed(path):
    with EpisodicMemory(path) as writer:
        writer.store_memory(action="ONE")
        with EpisodicMemory(path, read_only=True) as reader:
            assert len(reader) == 1
            with pytest.raises(StorageFailed, match="reading only"):
                reader.store_memory(action="TWO")
        writer.store_memory(action="THREE")
        assert len(writer) == 2


@pytest.mark.parametrize("place", ["a_file/memory.sqlite3", "a_folder"])
def test_a_path_that_cannot_be_a_file_is_refused_with_a_sentence(tmp_path, place):
    (tmp_path / "a_file").write_text("not a folder")
    (tmp_path / "a_folder").mkdir()
    with pytest.raises(StorageFailed, match=re.escape(str(tmp_path / place))) as refusal:
        EpisodicMemory(tmp_path / place)
    assert "\n" not in str(refusal.value)
    assert (tmp_path / "a_file").read_text() == "not a folder"


def test_a_folder_that_cannot_be_written_is_refused_with_a_sentence():
    # /proc refuses new files to everyone, root included.
    with pytest.raises(StorageFailed, match="/proc/clara"):
        EpisodicMemory("/proc/clara/memory.sqlite3")


def test_a_full_disk_is_refused_and_stores_nothing(path):
    with EpisodicMemory(path) as memory:
        memory.store_memory(action="FITS")
        memory._store._writer.execute("PRAGMA max_page_count=1")
        with pytest.raises(StorageFailed, match="full"):
            memory.store_all([Episode(action="GO", detail="x" * 1000) for _ in range(100)])
        assert len(memory) == 1 and memory.query(action="GO").abstained
        memory._store._writer.execute("PRAGMA max_page_count=1000000")
        memory.store_memory(action="FITS_AGAIN")
        assert len(list(memory.episodes())) == 2


def test_an_older_format_is_brought_up_to_date(path):
    path.parent.mkdir()
    with sqlite3.connect(path) as old:
        m001_episodes(old)
        old.execute("PRAGMA application_id=0x434C4152")
        old.execute("PRAGMA user_version=1")
    old.close()
    with pytest.raises(NotAMemory, match="older format"):
        EpisodicMemory(path, read_only=True)
    with EpisodicMemory(path) as memory:
        memory.store_memory(action="GO")
    with sqlite3.connect(path) as now:
        assert now.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS),)
    now.close()


def test_a_format_that_only_lacks_an_index_is_read_and_merged_as_it_lies(path):
    with EpisodicMemory(path) as memory:
        memory.store_memory(action="GO", object="DOCK")
    with sqlite3.connect(path) as old:
        old.execute("DROP INDEX revisions_by_row")
        old.execute(f"PRAGMA user_version={READABLE_FROM}")
    old.close()
    with EpisodicMemory(path, read_only=True) as memory:
        assert memory.query(action="GO").matches == 1
        assert not any(text for _, text in memory.verify())
    with EpisodicMemory() as other:
        assert other.merge(path).added == 1
    with sqlite3.connect(path) as old:
        assert old.execute("PRAGMA user_version").fetchone() == (READABLE_FROM,)
    old.close()


@pytest.mark.parametrize("version", range(1, len(MIGRATIONS)))
def test_a_reader_refuses_the_formats_that_it_cannot_read_and_only_those(path, version):
    path.parent.mkdir()
    with sqlite3.connect(path) as old:
        for migration in MIGRATIONS[:version]:
            migration(old)
        old.execute("PRAGMA application_id=0x434C4152")
        old.execute(f"PRAGMA user_version={version}")
    old.close()
    if version < READABLE_FROM:
        with pytest.raises(NotAMemory, match="older format"):
            EpisodicMemory(path, read_only=True)
    else:
        with EpisodicMemory(path, read_only=True) as memory:
            assert memory.stats().episodes == 0 and memory.query(action="GO").abstained


def test_a_newer_format_is_refused(path):
    EpisodicMemory(path).close()
    with sqlite3.connect(path) as newer:
        newer.execute("PRAGMA user_version=99")
    newer.close()
    with pytest.raises(NotAMemory, match="newer"):
        EpisodicMemory(path)


def test_an_export_comes_back_the_same(path, tmp_path):
    file = tmp_path / "episodes.jsonl"
    with EpisodicMemory(path) as memory:
        for number in range(20):
            memory.store_memory(action="GÅ", object=f"R{number}", speed=0.5, at=(1, 2, 3))
        episodes = list(memory.episodes())
        with file.open("w") as written:
            assert write_jsonl(memory.episodes(), written) == 20
    with EpisodicMemory() as memory, file.open() as written:
        memory.store_all(read_jsonl(written), source="service")
        assert list(memory.episodes()) == episodes
        assert memory.query(speed=0.5).matches == 20


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "line 2"),
        ('{"object": "CUP"}', "action"),
        ('{"action": "GO", "colour": "red"}', "colour"),
        ('{"action": "GO", "outcome": "MAYBE"}', "outcome"),
        ('{"action": "GO", "start_ns": "now"}', "start_ns"),
        ('{"action": "GO", "context": [{"role": "v", "values": ["x"]}]}', "context[0].values"),
    ],
)
def test_a_line_that_is_no_episode_is_refused_by_number_and_nothing_is_taken(line, said):
    memory = EpisodicMemory()
    with pytest.raises(InvalidRequest, match=re.escape(said)) as refusal:
        memory.store_all(read_jsonl(io.StringIO('{"action": "GO"}\n' + line)))
    assert "line 2" in str(refusal.value) and len(memory) == 0


def test_a_query_does_not_wait_for_a_commit(path):
    with EpisodicMemory(path) as memory:
        memory.store_memory(action="GO", object="HOME")
        with memory._writing, memory._store.transaction() as database:
            database.execute("DELETE FROM episodes")
            begun = time.monotonic()
            assert memory.query(object="HOME").matches == 1
            assert time.monotonic() - begun < 1.0
            database.execute("ROLLBACK")
            database.execute("BEGIN")
