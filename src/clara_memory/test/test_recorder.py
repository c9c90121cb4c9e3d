# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""The writing thread: group commits, a disk that refuses, a queue that is full."""

import threading
import time

import pytest
from clara_memory.recorder import Recorder
from clara_memory.settings import RecorderSettings

from clara_memory import (
    Episode,
    EpisodicMemory,
    Event,
    InvalidRequest,
    Outcome,
    Result,
    RoleFiller,
    StorageFailed,
)


@pytest.fixture
def memory(tmp_path):
    with EpisodicMemory(tmp_path / "m.sqlite3") as made:
        yield made


def until(condition):
    end = time.monotonic() + 10.0
    while not condition():
        assert time.monotonic() < end, "waited 10 s"
        time.sleep(0.01)


def record(memory, commits, **settings):
    return Recorder(memory, RecorderSettings(**settings), time.time_ns, commits.append)


def stored(recorder, episode):
    answers, come = [], threading.Event()
    recorder.store(episode, lambda answer: (answers.append(answer), come.set()))
    assert come.wait(10.0)
    return answers[0]


def pair(number):
    return Event(f"a{number}", "GO"), Result(f"a{number}", Outcome.SUCCEEDED)


def test_messages_share_commits_and_are_all_written_at_the_stop(memory):
    commits = []
    recorder = record(memory, commits)
    for number in range(1000):
        for message in pair(number):
            assert recorder.offer(message)
    assert recorder.stop() == 0
    assert len(memory) == 1000 and memory.pending == 0
    assert sum(map(len, commits)) == 1000 and len(commits) < 100


def test_a_message_alone_is_written_soon(memory):
    recorder = record(memory, [])
    for message in pair(1):
        recorder.offer(message)
    until(lambda: len(memory) == 1)
    recorder.stop()


def test_a_store_is_answered_after_it_can_be_read(memory, tmp_path):
    recorder = record(memory, [])
    whole = memory.complete(Episode(action="GO", episode_id="one"), "service", 1)
    assert stored(recorder, whole) is whole
    with EpisodicMemory(tmp_path / "m.sqlite3", read_only=True) as reader:
        assert len(reader) == 1
    assert isinstance(stored(recorder, whole), InvalidRequest)
    recorder.stop()


def test_a_disk_that_refuses_delays_messages_and_loses_none(memory):
    recorder = record(memory, [])
    with memory._writing:
        memory._store._writer.execute("PRAGMA max_page_count=1")
    for number in range(200):
        for message in (Event(f"a{number}", "x" * 200), pair(number)[1]):
            assert recorder.offer(message)
    until(lambda: "full" in recorder.fault)
    fillers = tuple(RoleFiller(f"r{number}", "x" * 256) for number in range(16))
    large = memory.complete(Episode(action="GO", context=fillers), "service", 1)
    assert isinstance(stored(recorder, large), StorageFailed)
    assert recorder.queued > 0
    with memory._writing:
        memory._store._writer.execute("PRAGMA max_page_count=1000000")
    until(lambda: len(memory) == 200)
    assert recorder.fault == "" and recorder.stop() == 0
    assert memory.stats().counts.events == 200 and memory.stats().counts.duplicates == 0


def test_a_full_queue_drops_and_counts(memory):
    recorder = record(memory, [], queue_size=5)
    with memory._writing:
        # The recorder can take nothing off its queue while somebody else writes.
        taken = [recorder.offer(pair(number)[0]) for number in range(20)]
    assert taken == [True] * 5 + [False] * 15 and recorder.dropped == 15
    assert recorder.stop() == 0 and memory.pending == 5


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_recorder_that_broke_off_refuses_instead_of_keeping_people_waiting(memory):
    def broken(episodes):
        raise ZeroDivisionError("a fault nobody foresaw")

    recorder = Recorder(memory, RecorderSettings(), time.time_ns, broken)
    for message in pair(1):
        recorder.offer(message)
    until(lambda: "nobody foresaw" in recorder.fault)
    until(lambda: not recorder.offer(pair(2)[0]))
    answer = stored(recorder, memory.complete(Episode(action="GO"), "service", 1))
    assert isinstance(answer, StorageFailed) and "nobody foresaw" in str(answer)
    recorder.stop()


def test_a_stopped_recorder_refuses(memory):
    recorder = record(memory, [])
    recorder.stop()
    assert not recorder.offer(pair(1)[0])
    answer = stored(recorder, memory.complete(Episode(action="GO"), "service", 1))
    assert isinstance(answer, StorageFailed) and len(memory) == 0
