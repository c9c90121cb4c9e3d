# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Conversations on disk: one SQLite file, written after every turn.

A file that is damaged is set aside whole, with a warning: conversations are dear, but not worth a
brain that does not start. One that only cannot be used now (a full disk, a lock, a missing right)
is left as it is.
"""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

from clara_brain.earlier_turns import MOST_SPANS, Span
from clara_brain.errors import StateError
from clara_brain.prompt import Exchange
from clara_brain.sessions import Session
from clara_brain.span_vector import SpanVector

_log = logging.getLogger(__name__)
_VERSION = 2  # 2: spans
# Whoever else has the file open holds up a turn for this long at most.
_BUSY_MS = 50
_SCHEMA = """
CREATE TABLE IF NOT EXISTS sessions (
    name TEXT PRIMARY KEY, created REAL NOT NULL, last_used REAL NOT NULL, turns INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS exchanges (
    id INTEGER PRIMARY KEY,
    session TEXT NOT NULL REFERENCES sessions(name) ON DELETE CASCADE,
    user TEXT NOT NULL, assistant TEXT NOT NULL, tokens INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS of_session ON exchanges(session);
CREATE TABLE IF NOT EXISTS spans (
    id INTEGER PRIMARY KEY,
    session TEXT NOT NULL REFERENCES sessions(name) ON DELETE CASCADE,
    heads TEXT NOT NULL, turn INTEGER NOT NULL, by_clara INTEGER NOT NULL,
    text TEXT NOT NULL, embedding BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS spans_of_session ON spans(session);
"""


class SessionStore:
    """The file behind a Sessions. Failures to write are logged once and cost only persistence.

    `fault` says in a sentence that the last write failed; what a conversation lacks on disk by
    then is written with its next turn. `heads` is the hash of the governance heads that embeddings
    are of, empty without any; those of other heads are not loaded. Raises StateError when the file
    is sound but cannot be used.
    """

    def __init__(self, path: Path, heads: str = "") -> None:
        self.path = path
        self._heads = heads
        self.fault = ""
        self._behind: set[str] = set()
        # Also what a process that was killed left of what was forgotten.
        self._log_has_more = True
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            try:
                self._database = self._open()
            except sqlite3.OperationalError:  # the disk, a lock or a right, but not the file
                raise
            except sqlite3.DatabaseError as error:
                aside = _set_aside(path)
                _log.warning("%s cannot be read (%s); it was set aside as %s", path, error, aside)
                self._database = self._open()
        except (OSError, sqlite3.Error) as error:
            raise StateError(f"{path} cannot be used: {error}") from error

    def load(self) -> list[Session]:
        """Return the conversations, the one used last at the end. Raises StateError."""
        try:
            return list(self._read())
        except sqlite3.Error as error:
            raise StateError(f"{self.path} cannot be read: {error}") from error

    def _read(self) -> Iterator[Session]:
        for name, created, last_used, turns in self._database.execute(
            "SELECT name, created, last_used, turns FROM sessions ORDER BY last_used"
        ).fetchall():
            rows = self._database.execute(
                "SELECT user, assistant, tokens FROM exchanges WHERE session = ? ORDER BY id",
                (name,),
            ).fetchall()
            history = [Exchange(user, assistant) for user, assistant, _ in rows]
            sizes = [tokens for _, _, tokens in rows]
            spans = [
                Span(turn, bool(by_clara), text, SpanVector.from_bytes(embedding))
                for turn, by_clara, text, embedding in self._database.execute(
                    "SELECT turn, by_clara, text, embedding FROM spans"
                    " WHERE session = ? AND heads = ? ORDER BY id",
                    (name, self._heads),
                )
            ]
            yield Session(name, created, last_used, turns, history, sizes, spans)

    def add(self, session: Session) -> None:
        """Write the last turn of a conversation, and drop what it no longer has."""
        behind = session.name in self._behind
        new = 0 if behind else len(session.history) - 1
        spans = [span for span in session.spans if behind or span.turn == session.turns - 1]
        written = self._write(
            (
                "INSERT INTO sessions VALUES (?, ?, ?, ?) ON CONFLICT(name) DO UPDATE SET "
                "last_used = excluded.last_used, turns = excluded.turns",
                (session.name, session.created, session.last_used, session.turns),
            ),
            *(
                (f"DELETE FROM {table} WHERE session = ?", (session.name,))
                for table in (("exchanges", "spans") if behind else ())
            ),
            *(
                (
                    "INSERT INTO exchanges (session, user, assistant, tokens) VALUES (?, ?, ?, ?)",
                    (session.name, said.user, said.assistant, tokens),
                )
                for said, tokens in zip(session.history[new:], session.sizes[new:], strict=True)
            ),
            (
                "DELETE FROM exchanges WHERE session = ? AND id NOT IN "
                "(SELECT id FROM exchanges WHERE session = ? ORDER BY id DESC LIMIT ?)",
                (session.name, session.name, len(session.history)),
            ),
            *(
                (
                    "INSERT INTO spans (session, heads, turn, by_clara, text, embedding)"
                    " VALUES (?, ?, ?, ?, ?, ?)",
                    (
                        *(session.name, self._heads, span.turn, span.by_clara, span.text),
                        span.embedding.to_bytes(),
                    ),
                )
                for span in spans
            ),
            (
                "DELETE FROM spans WHERE session = ? AND id NOT IN "
                "(SELECT id FROM spans WHERE session = ? ORDER BY id DESC LIMIT ?)",
                (session.name, session.name, MOST_SPANS),
            ),
        )
        if written:
            self._behind.discard(session.name)
        else:
            self._behind.add(session.name)

    def drop(self, name: str) -> None:
        """Give up a conversation."""
        self._write(("DELETE FROM sessions WHERE name = ?", (name,)))

    def forget(self, name: str) -> None:
        """Give up a conversation, also what the write-ahead log still has of it.

        Raises StateError where it stays in the file.
        """
        if not self._write(("DELETE FROM sessions WHERE name = ?", (name,)), forgets=True):
            raise StateError(f"the conversation {name!r} is not forgotten: {self.fault}")

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def _open(self) -> sqlite3.Connection:
        database = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False)
        self.path.chmod(0o600)
        try:
            version = database.execute("PRAGMA user_version").fetchone()[0]
            if version > _VERSION:
                raise sqlite3.DatabaseError(
                    f"it has format {version}, this Clara knows {_VERSION}"
                )
            database.execute("PRAGMA journal_mode=WAL")
            database.execute("PRAGMA foreign_keys=ON")
            database.execute("PRAGMA secure_delete=ON")
            database.executescript(_SCHEMA)
            if version < _VERSION:  # on a full disk what is there can be read, and nothing written
                database.execute(f"PRAGMA user_version={_VERSION}")
            if database.execute("PRAGMA quick_check").fetchone()[0] != "ok":
                raise sqlite3.DatabaseError("its pages are damaged")
            database.execute(f"PRAGMA busy_timeout={_BUSY_MS}")
        except sqlite3.DatabaseError:
            database.close()
            raise
        return database

    def _write(self, *statements: tuple[str, tuple[object, ...]], forgets: bool = False) -> bool:
        """Write all of it or nothing; return whether it is written."""
        try:
            self._database.execute("BEGIN")
            for statement, values in statements:
                self._database.execute(statement, values)
            self._database.execute("COMMIT")
        except sqlite3.Error as error:
            if self._database.in_transaction:
                self._database.execute("ROLLBACK")
            fault = f"conversations are not being written to {self.path}: {error}"
            if not self.fault:
                _log.error("%s", fault)
            self.fault = fault
            return False
        self.fault = ""
        if forgets or self._log_has_more:
            self._empty_log(warns=forgets)
        return True

    def _empty_log(self, warns: bool) -> None:
        try:
            busy = self._database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
            reason = "another program reads it" if busy else ""
        except sqlite3.Error as error:
            reason = str(error)
        self._log_has_more = bool(reason)
        if reason and warns:
            _log.warning(
                "%s-wal keeps a copy of what was forgotten: %s; it goes with the next turn after"
                " that",
                self.path,
                reason,
            )


def _set_aside(path: Path) -> Path:
    """Rename a database, and what belongs to it; return the new name."""
    aside = path.with_name(f"{path.name}.corrupt-{time.strftime('%Y%m%d-%H%M%S')}")
    for suffix in ("-wal", "-shm", ""):
        part = Path(f"{path}{suffix}")
        if part.exists():
            part.replace(f"{aside}{suffix}")
    return aside
