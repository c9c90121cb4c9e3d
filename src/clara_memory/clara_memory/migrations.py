# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""The schema of a memory file, as a list of small named steps.

`PRAGMA user_version` counts the steps that a file has taken. A step that was released is never
changed: what comes later is a new function at the end of MIGRATIONS.
"""

import sqlite3


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


MIGRATIONS = [m001_episodes, m002_pending]
