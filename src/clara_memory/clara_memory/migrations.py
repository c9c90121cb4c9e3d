# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""The schema of a memory file, as a list of small named steps.

`PRAGMA user_version` counts the steps that a file has taken. A step that was released is never
changed: what comes later is a new function at the end of MIGRATIONS.
"""

import sqlite3
import zlib
from typing import Any

CHECKED = (
    *("episode_id", "action_id", "robot", "subject", "action", "object", "outcome", "result"),
    *("start_ns", "end_ns", "detail", "context", "effects", "source"),
)


_CHECKED_TEXT = "\x1f".join(["%s"] * len(CHECKED))


def checksum(values: tuple[Any, ...]) -> int:
    """Return the CRC-32 of a row's CHECKED columns, in their order."""
    # Formatting takes half the time of joining, and every row comes through here.
    return zlib.crc32((_CHECKED_TEXT % values).encode("utf-8", "surrogatepass"))


def m001_episodes(database: sqlite3.Connection) -> None:
    """Episodes, and what they looked like before each change."""
    database.execute(
        """
        CREATE TABLE episodes (
            seq INTEGER PRIMARY KEY AUTOINCREMENT,
            episode_id TEXT NOT NULL UNIQUE,
            action_id TEXT NOT NULL,
            robot TEXT NOT NULL,
            subject TEXT NOT NULL,
            action TEXT NOT NULL,
            object TEXT NOT NULL,
            outcome INTEGER NOT NULL,
            result TEXT NOT NULL,
            start_ns INTEGER NOT NULL,
            end_ns INTEGER NOT NULL,
            detail TEXT NOT NULL,
            context TEXT NOT NULL,
            effects TEXT NOT NULL,
            source TEXT NOT NULL
        )
        """
    )
    database.execute(
        "CREATE INDEX episodes_by_action_id ON episodes (action_id) WHERE action_id != ''"
    )
    database.execute(
        """
        CREATE TABLE revisions (
            seq INTEGER NOT NULL,
            changed_ns INTEGER NOT NULL,
            before TEXT NOT NULL
        )
        """
    )


def m002_pending(database: sqlite3.Connection) -> None:
    """Events without a result yet, and results without their event."""
    database.execute(
        """
        CREATE TABLE pending (
            kind TEXT NOT NULL,
            action_id TEXT NOT NULL,
            received_ns INTEGER NOT NULL,
            message TEXT NOT NULL,
            PRIMARY KEY (kind, action_id)
        )
        """
    )


def m003_checksums(database: sqlite3.Connection) -> None:
    """Checksums of rows, so that a damaged one is never told as the truth."""
    database.execute("ALTER TABLE episodes ADD COLUMN checksum INTEGER NOT NULL DEFAULT 0")
    names = ", ".join(CHECKED)
    rows = database.execute(f"SELECT seq, {names} FROM episodes").fetchall()
    database.executemany(
        "UPDATE episodes SET checksum = ? WHERE seq = ?",
        ((checksum(row[1:]), row[0]) for row in rows),
    )


def m004_forgetting(database: sqlite3.Connection) -> None:
    """Pins, use, what was forgotten, and the numbers that are left of it."""
    database.execute("ALTER TABLE episodes ADD COLUMN pinned INTEGER NOT NULL DEFAULT 0")
    database.execute("ALTER TABLE episodes ADD COLUMN use_score REAL")
    database.execute("CREATE INDEX episodes_pinned ON episodes (seq) WHERE pinned != 0")
    database.execute(
        """
        CREATE TABLE audit (
            number INTEGER PRIMARY KEY AUTOINCREMENT,
            at_ns INTEGER NOT NULL,
            asked TEXT NOT NULL,
            reason TEXT NOT NULL,
            forgotten INTEGER NOT NULL,
            episode_ids TEXT NOT NULL
        )
        """
    )
    database.execute(
        """
        CREATE TABLE consolidated (
            subject TEXT NOT NULL,
            action TEXT NOT NULL,
            object TEXT NOT NULL,
            result TEXT NOT NULL,
            count INTEGER NOT NULL,
            succeeded INTEGER NOT NULL,
            failed INTEGER NOT NULL,
            first_ns INTEGER NOT NULL,
            last_ns INTEGER NOT NULL,
            PRIMARY KEY (subject, action, object, result)
        )
        """
    )


def m005_revisions_by_row(database: sqlite3.Connection) -> None:
    """Index the revisions: forgetting looks for those of each row that goes."""
    database.execute("CREATE INDEX revisions_by_row ON revisions (seq)")


MIGRATIONS = [
    m001_episodes,
    m002_pending,
    m003_checksums,
    m004_forgetting,
    m005_revisions_by_row,
]

# What came later is an index: a reader, which may not migrate, does without.
READABLE_FROM = 4
