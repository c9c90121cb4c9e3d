# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Real processes killed, real full disks, real torn logs: nothing acknowledged is ever lost."""

import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from clara_memory import Episode, EpisodicMemory, FileInUse

KILLS = 200

WRITER = """
import sys
from clara_memory import Episode, EpisodicMemory
memory = EpisodicMemory(sys.argv[1])
number = len(memory)
print("holds", number, flush=True)
while True:
    memory.store_all(
        Episode(action="A", object=f"O{n}", episode_id=f"e{n}") for n in range(number, number + 7)
    )
    number += 7
    print(number, flush=True)
"""

# Imports once, and makes a process of its own for each writer: 200 imports would take minutes.
FORKER = f"""
import os, sys
from clara_memory import Episode, EpisodicMemory
WRITER = {WRITER!r}
for line in sys.stdin:
    writer = os.fork()
    if not writer:
        print("pid", os.getpid(), flush=True)
        exec(WRITER)
    os.waitpid(writer, 0)
    print("\\nended", flush=True)  # its last line may be torn
"""


def test_no_acknowledged_episode_is_lost_to_200_times_kill_9(tmp_path):
    path = tmp_path / "m.sqlite3"
    chance = random.Random(9)
    acknowledged = 0
    forker = subprocess.Popen(
        [sys.executable, "-c", FORKER, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )

    def told(word):
        while not (line := forker.stdout.readline()).startswith(word):
            assert line, f"waited for {word!r}"
        return int(line.removeprefix(word))

    try:
        for _ in range(KILLS):
            forker.stdin.write("go\n")
            forker.stdin.flush()
            writer, held = told("pid "), told("holds ")
            assert held >= acknowledged and held % 7 == 0  # a commit is whole or not there
            for _ in range(chance.randrange(1, 12)):
                acknowledged = int(forker.stdout.readline())
            time.sleep(chance.random() * 0.004)  # anywhere within the next commit
            os.kill(writer, signal.SIGKILL)
            while (line := forker.stdout.readline()) != "ended\n":
                acknowledged = max(acknowledged, int(line.strip() or 0))
    finally:
        forker.stdin.close()
        forker.wait(20)
    with EpisodicMemory(path) as memory:
        held = [episode.episode_id for episode in memory.episodes()]
        assert memory.set_aside is None and not any(text for _, text in memory.verify())
    assert held == [f"e{number}" for number in range(len(held))] and len(held) % 7 == 0
    assert len(held) >= acknowledged > 7 * KILLS


def test_a_torn_log_loses_only_what_it_tore(tmp_path):
    path = tmp_path / "m.sqlite3"
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True
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


FILLER = """
import os, signal, sys
from clara_memory import Episode, EpisodicMemory, StorageFailed
path, stored = sys.argv[1], 1
with EpisodicMemory(path) as memory:
    memory.store_memory(action="FIRST")
    before_full()
    refusals = []
    while len(refusals) < 3:
        try:
            memory.store_all(Episode(action="A", detail="x" * 900) for _ in range(20))
            stored += 20
        except StorageFailed as error:
            refusals.append(str(error))
            assert len(memory) == stored and memory.query(action="FIRST").matches == 1
    print(*refusals, sep="\\n")
    after_full()
    memory.store_memory(action="LAST")
    stored += 1
    assert len(memory) == stored
with EpisodicMemory(path) as memory:
    assert len(memory) == stored and memory.query(action="LAST").matches == 1
    assert not any(text for _, text in memory.verify()) and memory.set_aside is None
print("held", stored)
"""
# A file of its own shares the disk, and goes when there must be room again.
SHARED_DISK = """
before_full = lambda: open(sys.argv[2], "wb").write(bytes(1_500_000))
after_full = lambda: os.remove(sys.argv[2])
"""
SIZE_LIMIT = """
import resource
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
def before_full(): resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, -1))
def after_full(): resource.setrlimit(resource.RLIMIT_FSIZE, (-1, -1))
"""
# Where a user may have a namespace of his own, he may mount a disk as small as he likes in it.
NAMESPACE = ["unshare", "--user", "--map-root-user", "--mount", "--"]


def fill(parameters, *words, before=()):
    script = FILLER.replace("path, stored", f"{parameters}\npath, stored")
    return subprocess.run(
        [*before, sys.executable, "-c", script, *map(str, words)], capture_output=True, text=True
    )


def may_mount():
    try:
        mounted = subprocess.run([*NAMESPACE, "mount", "-t", "tmpfs", "none", "/mnt"])
    except FileNotFoundError:
        return False
    return mounted.returncode == 0


@pytest.mark.skipif(not may_mount(), reason="this user may not mount a small disk")
def test_a_full_disk_refuses_and_loses_nothing_and_goes_on_when_there_is_room(tmp_path):
    mount = f'mount -t tmpfs -o size=3m none {tmp_path} && exec "$@"'
    done = fill(
        SHARED_DISK,
        tmp_path / "m.sqlite3",
        tmp_path / "other",
        before=[*NAMESPACE, "sh", "-c", mount, "sh"],
    )
    assert done.returncode == 0, done.stderr
    *refusals, held = done.stdout.splitlines()
    assert all("could not be written: database or disk is full" in one for one in refusals)
    assert int(held.removeprefix("held ")) > 300


def test_a_limit_of_file_size_refuses_and_loses_nothing_and_goes_on_without_it(tmp_path):
    done = fill(SIZE_LIMIT, tmp_path / "m.sqlite3")
    assert done.returncode == 0, done.stderr
    *refusals, held = done.stdout.splitlines()
    assert len(refusals) == 3 and all("could not be written" in one for one in refusals)
    assert int(held.removeprefix("held ")) > 100


LOCKER = """
import resource, sys
from clara_memory import EpisodicMemory, StorageFailed
resource.setrlimit(resource.RLIMIT_FSIZE, (0, -1))
try:
    EpisodicMemory(sys.argv[1]).close()
except StorageFailed as error:
    print(error)
resource.setrlimit(resource.RLIMIT_FSIZE, (-1, -1))
with EpisodicMemory(sys.argv[1]) as memory:
    memory.store_memory(action="GO")
    print(len(memory))
"""


def test_a_memory_that_could_not_be_opened_on_a_full_disk_opens_when_there_is_room(tmp_path):
    path = tmp_path / "m.sqlite3"
    EpisodicMemory(path).close()
    done = subprocess.run(
        [sys.executable, "-c", LOCKER, str(path)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "1" and "in use" not in done.stdout


READER = """
import os, sys
from clara_memory import EpisodicMemory, StorageFailed
if os.geteuid() == 0:
    os.setuid(65534)  # what is not permitted is permitted to root
try:
    EpisodicMemory(sys.argv[1])
except StorageFailed as error:
    print(error)
with EpisodicMemory(sys.argv[1], read_only=True) as memory:
    print(len(memory), memory.query(object="CUP").matches)
    try:
        memory.store_memory(action="GO")
    except StorageFailed as error:
        print(error)
try:
    EpisodicMemory(os.path.join(os.path.dirname(sys.argv[1]), "new", "m.sqlite3"))
except StorageFailed as error:
    print(error)
"""


def test_a_folder_that_may_not_be_written_to_is_said_and_its_memory_can_be_read():
    with tempfile.TemporaryDirectory() as name:
        folder, path = Path(name), Path(name, "m.sqlite3")
        with EpisodicMemory(path) as memory:
            memory.store_memory(action="TAKE", object="CUP")
        path.with_name("m.sqlite3.lock").unlink()
        path.chmod(0o444)
        folder.chmod(0o555)
        try:
            done = subprocess.run(
                [sys.executable, "-c", READER, str(path)], capture_output=True, text=True
            )
        finally:
            folder.chmod(0o755)
        whole = path.read_bytes()
        left = [one.name for one in folder.iterdir()]
    assert done.returncode == 0, done.stderr
    writing, reading, storing, making = done.stdout.splitlines()
    assert "cannot be opened: Permission denied" in writing and "m.sqlite3" in writing
    assert reading == "1 1" and "open for reading only" in storing
    assert "cannot be opened: Permission denied" in making
    assert left == ["m.sqlite3"] and whole.startswith(b"SQLite format 3")


def test_two_writers_are_refused_and_readers_are_not(tmp_path):
    path = tmp_path / "m.sqlite3"
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True
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
    from clara_memory.database import APPLICATION_ID
    from clara_memory.migrations import m001_episodes, m002_pending

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
