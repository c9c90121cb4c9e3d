# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""The memory's file: SQLite in WAL mode with `synchronous=FULL`.

- What `transaction` commits survives a killed process and a power cut.
- Reading has a connection of its own, so a query never waits for a commit.
- A file that is damaged or no SQLite file is set aside whole, never overwritten.
- A damaged row is never told: whoever opened the file hears of it, or reading it raises.
- Opened read-only (tools, exports) it changes nothing and needs no lock.
"""

import contextlib
import functools
import json
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from operator import attrgetter
from pathlib import Path
from typing import Any

from clara_memory.episode import UNKNOWN_ACTION, Episode, Outcome
from clara_memory.errors import NotAMemory, StorageFailed
from clara_memory.formats import episode_to_json, fillers_from_text, fillers_to_text
from clara_memory.locking import WriterLock
from clara_memory.migrations import CHECKED, MIGRATIONS, READABLE_FROM, checksum

MERGED = "merge:"  # begins the source of what another memory had
APPLICATION_ID = 0x434C4152  # "CLAR", so that another program's database is not taken for ours
HEADER = b"SQLite format 3\x00"
_COLUMNS = ", ".join(CHECKED)
_INSERT = (
    f"INSERT INTO episodes ({_COLUMNS}, checksum) "
    f"VALUES ({', '.join('?' * (1 + len(CHECKED)))}) ON CONFLICT DO NOTHING"
)
_LATEST = "WHERE action_id = ? AND action_id != '' AND robot = ? ORDER BY seq DESC LIMIT 1"
_BATCH = 500
_BUSY_MS = 5000  # how long to wait where another process is in the way
_TOLERANT = functools.partial(str, encoding="utf-8", errors="replace")


class Store:
    """Rows of episodes and pending messages in one SQLite file, or in RAM where path is None."""

    def __init__(
        self,
        path: Path | None,
        *,
        read_only: bool = False,
        damaged: Callable[[str], None] | None = None,
    ) -> None:
        """Open the file, making it and its folder where they do not exist.

        A damaged row is left out of what is read, and `damaged` told of it; without `damaged`
        reading it raises StorageFailed.

        Raises:
            StorageFailed: it cannot be opened, or (FileInUse) another process writes to it.
        """
        self.path = path
        self.read_only = read_only
        self.damaged = damaged
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
        try:
            # In RAM there is one connection for both.
            with self._reading if self.path is None else _no_lock(), _transaction(self._writer):
                yield self._writer
        except sqlite3.Error as error:
            raise StorageFailed(
                f"the memory {self.path} could not be written: {_reason(error)}"
            ) from error
        if self._log_to_empty:
            self.empty_log(wait=False)

    def insert(self, database: sqlite3.Connection, episode: Episode) -> int | None:
        """Add a row; returns its number, or None where the episode_id is already there."""
        return self.insert_all(database, [episode])[0]

    def insert_all(
        self, database: sqlite3.Connection, episodes: Sequence[Episode]
    ) -> list[int | None]:
        """Add rows; returns for each its number, or None where the episode_id is already there."""
        before, last = database.total_changes, _last_seq(database)
        rows = [_to_row(episode) for episode in episodes]
        database.executemany(_INSERT, [(*row, checksum(row)) for row in rows])
        if database.total_changes - before == len(rows):
            # AUTOINCREMENT counts on, and there is one writer: the numbers have no gaps.
            end = _last_seq(database) + 1
            return list(range(end - len(rows), end))
        added: dict[str, int] = dict(
            database.execute("SELECT episode_id, seq FROM episodes WHERE seq > ?", (last,))
        )
        return [added.pop(episode.episode_id, None) for episode in episodes]

    def update(
        self, database: sqlite3.Connection, seq: int, before: Episode, after: Episode, now_ns: int
    ) -> None:
        """Change a row; what it was before is kept in `revisions`."""
        database.execute(
            "INSERT INTO revisions VALUES (?, ?, ?)",
            (seq, now_ns, json.dumps(episode_to_json(before), ensure_ascii=False)),
        )
        assigned = ", ".join(f"{name} = ?" for name in (*CHECKED, "checksum"))
        row = _to_row(after)
        database.execute(
            f"UPDATE episodes SET {assigned} WHERE seq = ?", (*row, checksum(row), seq)
        )

    def holds(self, database: sqlite3.Connection, episode_id: str) -> bool:
        """Whether there is an episode with this id."""
        return (
            database.execute(
                "SELECT 1 FROM episodes WHERE episode_id = ?", (episode_id,)
            ).fetchone()
            is not None
        )

    def unfinished(self) -> dict[str, int]:
        """Return ids and row numbers of the episodes that may lack their result or their event."""
        return dict(
            self.read(
                "SELECT episode_id, seq FROM episodes WHERE outcome = ? OR action = ?",
                (int(Outcome.UNKNOWN), UNKNOWN_ACTION),
            )
        )

    def robots_not_merged(self) -> list[str]:
        """Return the robots of the episodes that were not taken in from another memory."""
        rows = self.read(
            "SELECT DISTINCT robot FROM episodes WHERE source NOT LIKE ?", (f"{MERGED}%",)
        )
        return [robot for (robot,) in rows]

    def latest_of_action(
        self, database: sqlite3.Connection, robot: str, action_id: str
    ) -> tuple[int, Episode] | None:
        """Return the latest episode of an action_id and its row number, or None.

        A damaged one is none: what is recorded after it must not wait for it.
        """
        row = database.execute(
            f"SELECT seq, {_COLUMNS}, checksum FROM episodes {_LATEST}", (action_id, robot)
        ).fetchone()
        if row is None or not _sound(row):
            if row is not None and self.damaged is not None:
                self.damaged(_does_not_match(row))
            return None
        return row[0], _from_row(row[1:-1])

    def latest_seq(self, robot: str, action_id: str) -> list[int]:
        """Return the row number of the latest episode of an action_id; empty without one."""
        return [
            seq for (seq,) in self.read(f"SELECT seq FROM episodes {_LATEST}", (action_id, robot))
        ]

    def seqs_of(self, episode_ids: Sequence[str]) -> dict[str, int]:
        """Return the row numbers of these ids; ids that are not there are left out."""
        return dict(self._in("SELECT episode_id, seq FROM episodes WHERE episode_id", episode_ids))

    def ids_of(self, seqs: Sequence[int]) -> dict[int, str]:
        """Return the episode ids of these row numbers."""
        return dict(self._in("SELECT seq, episode_id FROM episodes WHERE seq", seqs))

    def _in(self, select: str, values: Sequence[Any]) -> Iterator[tuple[Any, ...]]:
        """Yield the rows of a SELECT whose last column is one of the values."""
        for begin in range(0, len(values), _BATCH):
            some = values[begin : begin + _BATCH]
            yield from self.read(f"{select} IN ({', '.join('?' * len(some))})", some)

    def durations_of(self, seqs: Sequence[int]) -> dict[int, int]:
        """Return how long the episodes of these row numbers took, in ns; those that took any."""
        select = "SELECT seq, end_ns - start_ns FROM episodes WHERE end_ns > start_ns AND seq"
        return dict(self._in(select, seqs))

    def fetch(self, seqs: Sequence[int]) -> dict[int, Episode]:
        """Return the episodes of these row numbers; one that is damaged as `__init__` says."""
        rows = self._in(f"SELECT seq, {_COLUMNS}, checksum FROM episodes WHERE seq", seqs)
        return {row[0]: _from_row(row[1:-1]) for row in self._sound_of(rows)}

    def episodes(self) -> Iterator[Episode]:
        """Yield all episodes in the order they were stored."""
        last = 0
        while rows := self.read(
            f"SELECT seq, {_COLUMNS}, checksum FROM episodes WHERE seq > ? "
            f"ORDER BY seq LIMIT {_BATCH}",
            [last],
        ):
            for row in self._sound_of(rows):
                yield _from_row(row[1:-1])
            last = rows[-1][0]

    def damage(self) -> Iterator[tuple[int, str]]:
        """Yield, for every row looked at, how many there were so far and what is wrong with it.

        The text is empty for a sound row; the file's own structure comes first, as row 0.
        """
        verdict = self.read("PRAGMA integrity_check(10)")
        yield 0, "" if verdict == [("ok",)] else "; ".join(str(line[0]) for line in verdict)
        last = count = 0
        while rows := self.read(
            f"SELECT seq, {_COLUMNS}, checksum FROM episodes WHERE seq > ? "
            f"ORDER BY seq LIMIT {_BATCH}",
            [last],
        ):
            for row in rows:
                count += 1
                yield count, "" if _sound(row) else _does_not_match(row)
            last = rows[-1][0]

    def _sound_of(self, rows: Iterable[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
        for row in rows:
            if _sound(row):
                yield row
            elif self.damaged is not None:
                self.damaged(_does_not_match(row))
            else:
                raise StorageFailed(
                    f"the memory {self.path} is damaged: {_does_not_match(row)}; "
                    "clara-memory verify lists all of it"
                )

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


@contextmanager
def _no_lock() -> Iterator[None]:
    yield


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


def _sound(row: tuple[Any, ...]) -> bool:
    return bool(checksum(row[1:-1]) == row[-1])


def _does_not_match(row: tuple[Any, ...]) -> str:
    return f"row {row[0]} (episode '{row[1]}') does not match its checksum"


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


def _last_seq(database: sqlite3.Connection) -> int:
    """Return the greatest row number there is, 0 where there is none."""
    return int(database.execute("SELECT coalesce(max(seq), 0) FROM episodes").fetchone()[0])


# What stands in CHECKED before the outcome, and between it and the fillers.
_NAMES = attrgetter(*CHECKED[: CHECKED.index("outcome")])
_TOLD = attrgetter(*CHECKED[CHECKED.index("outcome") + 1 : CHECKED.index("context")])


def _to_row(episode: Episode) -> tuple[Any, ...]:
    """Return the values of CHECKED."""
    return (
        *_NAMES(episode),
        int(episode.outcome),
        *_TOLD(episode),
        fillers_to_text(episode.context),
        fillers_to_text(episode.effects),
        episode.source,
    )


def _from_row(row: tuple[Any, ...]) -> Episode:
    return Episode(
        episode_id=row[0],
        action_id=row[1],
        robot=row[2],
        subject=row[3],
        action=row[4],
        object=row[5],
        outcome=Outcome(row[6]),
        result=row[7],
        start_ns=row[8],
        end_ns=row[9],
        detail=row[10],
        context=fillers_from_text(row[11]),
        effects=fillers_from_text(row[12]),
        source=row[13],
    )
