# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""The memory's file: SQLite in WAL mode with `synchronous=FULL`.

- What `transaction` commits survives a killed process and a power cut.
- Reading has a connection of its own, so a query never waits for a commit.
- A file that is damaged or no SQLite file is set aside whole, never overwritten.
- Opened read-only (tools, exports) it changes nothing and needs no lock.
"""

import contextlib
import functools
import os
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from clara_memory.errors import NotAMemory, StorageFailed
from clara_memory.locking import WriterLock
from clara_memory.migrations import MIGRATIONS, READABLE_FROM

APPLICATION_ID = 0x434C4152  # "CLAR", so that another program's database is not taken for ours
HEADER = b"SQLite format 3\x00"
_BUSY_MS = 5000  # how long to wait where another process is in the way
_TOLERANT = functools.partial(str, encoding="utf-8", errors="replace")


class Database:
    """One SQLite file of a memory, or one in RAM where path is None."""

    def __init__(self, path: Path | None, *, read_only: bool = False) -> None:
        """Open the file, making it and its folder where they do not exist.

        Raises:
            StorageFailed: it cannot be opened, or (FileInUse) another process writes to it.
        """
        self.path = path
        self.read_only = read_only
        self.set_aside: Path | None = None
        self._lock: WriterLock | None = None
        self._reading = threading.RLock()
        self._writer: sqlite3.Connection | None = None
        self._log_to_empty = False
        if path is None:
            self._writer = self._reader = _connect(":memory:")
            self._migrate(self._writer)
            return
        try:
            if read_only:
                self._reader = self._open_reader(path)
                return
            path.parent.mkdir(parents=True, exist_ok=True)
            self._lock = WriterLock(path)
            self._open_writer(path)
        except (OSError, sqlite3.Error) as error:
            self.close()
            raise StorageFailed(f"the memory {path} cannot be opened: {_reason(error)}") from error
        except StorageFailed:
            self.close()
            raise

    def _open_writer(self, path: Path) -> None:
        damage = _damage(path)
        if damage:
            self.set_aside = _set_aside(path)
        self._writer = _connect(path)
        self._check_schema(self._writer)
        self._writer.execute("PRAGMA journal_mode=WAL")
        self._writer.execute("PRAGMA synchronous=FULL")
        self._writer.execute("PRAGMA secure_delete=ON")
        self._migrate(self._writer)
        self._reader = _connect(path)
        self._reader.execute("PRAGMA query_only=ON")
        # A process that was killed while it forgot may have left its log.
        self.empty_log(wait=False)

    def _open_reader(self, path: Path) -> sqlite3.Connection:
        if not path.is_file():
            raise StorageFailed(f"there is no memory {path}")
        damage = _damage(path)
        if damage:
            raise NotAMemory(f"{path} cannot be read as a memory: {damage}")
        location = path.absolute().as_uri()
        reader = _connect(f"{location}?mode=ro", uri=True)
        try:
            reader.execute("SELECT count(*) FROM sqlite_master")
        except sqlite3.OperationalError:
            # A WAL database in a folder we may not write to: safe to read as it lies
            # only while nobody else has it open, that is without a WAL file.
            reader.close()
            if Path(f"{path}-wal").exists():
                raise
            reader = _connect(f"{location}?mode=ro&immutable=1", uri=True)
        self._check_schema(reader)
        if _pragma(reader, "user_version") < READABLE_FROM:
            reader.close()
            raise NotAMemory(
                f"{path} has an older format: open it once for writing to bring it up to date"
            )
        return reader

    def _check_schema(self, database: sqlite3.Connection) -> None:
        version = _pragma(database, "user_version")
        tables = database.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if tables and _pragma(database, "application_id") != APPLICATION_ID:
            raise NotAMemory(f"{self.path} is a database of another program, not a memory")
        if version > len(MIGRATIONS):
            raise NotAMemory(
                f"{self.path} has format {version}, this version of Clara reads up to "
                f"{len(MIGRATIONS)}: it was written by a newer one"
            )

    def _migrate(self, database: sqlite3.Connection) -> None:
        self._check_schema(database)
        for version, migration in enumerate(MIGRATIONS, start=1):
            if _pragma(database, "user_version") < version:
                with _transaction(database):
                    migration(database)
                    database.execute(f"PRAGMA application_id={APPLICATION_ID}")
                    database.execute(f"PRAGMA user_version={version}")

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Commit what happens inside, all or nothing.

        Raises:
            StorageFailed: the disk refused; nothing was stored.
        """
        if self._writer is None:
            raise StorageFailed(f"the memory {self.path} is open for reading only")
        # In RAM there is one connection for both.
        alone = self._reading if self.path is None else contextlib.nullcontext()
        try:
            with alone, _transaction(self._writer):
                yield self._writer
        except sqlite3.Error as error:
            raise StorageFailed(
                f"the memory {self.path} could not be written: {_reason(error)}"
            ) from error
        if self._log_to_empty:
            self.empty_log(wait=False)

    def read(self, statement: str, values: Iterable[Any] = ()) -> list[tuple[Any, ...]]:
        """Return the rows of a SELECT; raises StorageFailed.

        A text that is damaged comes with replacement characters, so that its row's checksum can
        say which it is.
        """
        wanted = tuple(values)
        try:
            with self._reading:
                try:
                    return self._reader.execute(statement, wanted).fetchall()
                except sqlite3.OperationalError as error:
                    if "Could not decode to UTF-8" not in str(error):
                        raise
                # Only from here on, for it takes longer.
                self._reader.text_factory = _TOLERANT
                return self._reader.execute(statement, wanted).fetchall()
        except sqlite3.Error as error:
            raise StorageFailed(
                f"the memory {self.path} could not be read: {_reason(error)}"
            ) from error

    def empty_log(self, *, wait: bool = True) -> None:
        """Write the log back into the file, so that what was deleted is in neither.

        Where a reader is in the way it is waited for a while (unless told not to), and if it
        stays, this is tried again after each commit.
        """
        if self._writer is None or self.path is None:
            return
        self._log_to_empty = True
        with contextlib.suppress(sqlite3.Error):
            self._writer.execute(f"PRAGMA busy_timeout={_BUSY_MS if wait else 0}")
            busy, _, _ = self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            self._log_to_empty = bool(busy)
        self._writer.execute(f"PRAGMA busy_timeout={_BUSY_MS}")

    def bytes_on_disk(self) -> int:
        """Return the size of the file with its write-ahead log, in bytes."""
        if self.path is None:
            return 0
        files = (self.path, Path(f"{self.path}-wal"))
        return sum(file.stat().st_size for file in files if file.exists())

    def close(self) -> None:
        """Close the file and let the next writer in."""
        with self._reading:
            reader = getattr(self, "_reader", None)
            if reader is not None and reader is not self._writer:
                reader.close()
            if self._writer is not None:
                self._writer.close()
        if self._lock is not None:
            self._lock.release()
            self._lock = None


def _connect(path: Path | str, *, uri: bool = False) -> sqlite3.Connection:
    return sqlite3.connect(
        path, uri=uri, isolation_level=None, check_same_thread=False, timeout=_BUSY_MS / 1000
    )


@contextmanager
def _transaction(database: sqlite3.Connection) -> Iterator[None]:
    database.execute("BEGIN IMMEDIATE")
    try:
        yield
        database.execute("COMMIT")
    except BaseException:
        if database.in_transaction:
            database.execute("ROLLBACK")
        raise


def _pragma(database: sqlite3.Connection, name: str) -> int:
    return int(database.execute(f"PRAGMA {name}").fetchone()[0])


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror} ({error.filename})" if error.filename else error.strerror
    return str(error)


def _damage(path: Path) -> str:
    """Return why the file is no sound SQLite file, or an empty text."""
    if not path.exists() or path.stat().st_size == 0:
        return ""
    with path.open("rb") as file:
        if file.read(len(HEADER)) != HEADER:
            return "it is not an SQLite file"
    location = path.absolute().as_uri()
    try:
        database = _connect(f"{location}?mode=ro", uri=True)
        try:
            verdict = str(database.execute("PRAGMA quick_check(1)").fetchone()[0])
        finally:
            database.close()
    except sqlite3.OperationalError:
        return ""  # locked or not permitted: not a sign of damage; opening says why
    except sqlite3.DatabaseError as error:
        return str(error)
    return "" if verdict == "ok" else verdict


def _set_aside(path: Path) -> Path:
    stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime())
    aside = path.with_name(f"{path.name}.corrupt-{stamp}")
    number = 1
    while aside.exists():
        number += 1
        aside = path.with_name(f"{path.name}.corrupt-{stamp}-{number}")
    for suffix in ("-wal", "-shm", ""):
        part = Path(f"{path}{suffix}")
        if part.exists():
            os.replace(part, f"{aside}{suffix}")
    return aside
