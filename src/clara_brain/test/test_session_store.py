# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""The file of the conversations, when it is damaged, cannot be used, or has to forget."""

from __future__ import annotations

import resource
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from clara_brain.errors import StateError
from clara_brain.prompt import Exchange
from clara_brain.session_store import SessionStore
from clara_brain.sessions import Sessions

SAID = Exchange("The code of the door is 7391.", "Noted.")


def opened(path: Path) -> Sessions:
    return Sessions(time.monotonic, max_sessions=4, max_turns=64, store=SessionStore(path))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file with two conversations."""
    path = tmp_path / "sessions.sqlite3"
    sessions = opened(path)
    sessions.add("s", SAID, 9)
    sessions.add("other", Exchange("Hello!", "Hi."), 3)
    sessions.close()
    return path


@contextmanager
def full_disk() -> Iterator[None]:
    """Let no file grow that this process writes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_file_that_a_full_disk_keeps_shut_is_left_as_it_is(path):
    with full_disk(), pytest.raises(StateError, match="cannot be used"):
        SessionStore(path)
    assert not list(path.parent.glob("*.corrupt-*"))
    sessions = opened(path)
    assert sessions.history("s") == (SAID,)
    sessions.close()


def test_a_folder_in_which_nothing_can_be_made_is_a_sentence(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StateError, match="cannot be used"):
        SessionStore(tmp_path / "file" / "sessions.sqlite3")


@pytest.mark.parametrize("damage", ["garbage", "version"])
def test_a_file_that_is_no_such_database_is_set_aside_and_another_begun(path, damage):
    if damage == "garbage":
        path.write_bytes(b"no database " * 1000)
    else:
        with sqlite3.connect(path) as database:
            database.execute("PRAGMA user_version=99")
        database.close()
    before = path.read_bytes()
    sessions = opened(path)
    assert sessions.latest_first() == []
    sessions.add("s", SAID, 9)
    sessions.close()
    (aside,) = path.parent.glob("*.corrupt-*")
    assert aside.read_bytes() == before


def test_what_was_forgotten_is_in_none_of_the_files(path):
    sessions = opened(path)
    sessions.add("s", SAID, 9)
    sessions.reset("s")
    for part in path.parent.iterdir():
        assert b"7391" not in part.read_bytes(), part
    sessions.close()
    sessions = opened(path)
    assert sessions.history("s") == () and len(sessions.history("other")) == 1
    sessions.close()


def test_a_conversation_that_makes_room_for_another_does_not_wait_for_the_disk(path):
    sessions = opened(path)
    for number in range(8):
        sessions.add(f"n{number}", SAID, 9)
    assert Path(f"{path}-wal").stat().st_size > 0
    sessions.reset("n7")
    assert Path(f"{path}-wal").stat().st_size == 0
    assert [each.name for each in sessions.latest_first()] == ["n6", "n5", "n4"]
    sessions.close()


def test_what_a_full_disk_keeps_from_being_forgotten_or_written_is_said(path):
    sessions = opened(path)
    with full_disk():
        with pytest.raises(StateError, match=r"'s' is not forgotten.*not being written"):
            sessions.reset("s")
        assert sessions.history("s") == (SAID,)
        sessions.add("s", Exchange("Lost?", "No."), 3)
        assert "not being written" in sessions.fault
    sessions.add("s", Exchange("And now?", "Yes."), 3)
    assert not sessions.fault
    sessions.close()
    sessions = opened(path)
    # The turn that was not written came with the next one.
    assert [each.user for each in sessions.history("s")] == [SAID.user, "Lost?", "And now?"]
    assert sessions.reset("s") == 3
    sessions.close()


def test_a_reader_of_the_file_keeps_a_copy_of_what_was_forgotten_no_longer_than_it_reads(
    path, caplog
):
    log = Path(f"{path}-wal")
    sessions = opened(path)
    sessions.add("s", SAID, 9)
    reader = sqlite3.connect(path, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT * FROM sessions").fetchall()
    sessions.add("s", SAID, 9)
    began = time.monotonic()
    sessions.reset("s")
    assert time.monotonic() - began < 1.0
    assert b"7391" in log.read_bytes() and "another program reads it" in caplog.text
    reader.close()
    sessions.add("other", Exchange("Hello again!", "Hi."), 3)
    assert b"7391" not in log.read_bytes() + path.read_bytes()
    sessions.close()
