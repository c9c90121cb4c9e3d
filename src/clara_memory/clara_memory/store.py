# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""The rows of episodes in a memory's file.

- Each has a checksum. A damaged row is never told: whoever opened the file hears of it, or reading
  it raises.
- What an episode was before a change is kept as a revision.
"""

import contextlib
import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from operator import attrgetter
from pathlib import Path
from typing import Any

from clara_memory.database import Database
from clara_memory.episode import UNKNOWN_ACTION, Episode, Outcome
from clara_memory.errors import InvalidRequest, StorageFailed
from clara_memory.formats import (
    episode_from_json,
    episode_to_json,
    fillers_from_text,
    fillers_to_text,
)
from clara_memory.migrations import CHECKED, checksum

MERGED = "merge:"  # begins the source of what another memory had
_COLUMNS = ", ".join(CHECKED)
_INSERT = (
    f"INSERT INTO episodes ({_COLUMNS}, checksum) "
    f"VALUES ({', '.join('?' * (1 + len(CHECKED)))}) ON CONFLICT DO NOTHING"
)
_LATEST = "WHERE action_id = ? AND action_id != '' AND robot = ? ORDER BY seq DESC LIMIT 1"
_BATCH = 500


class Store(Database):
    """A memory's file as rows of episodes."""

    def __init__(
        self,
        path: Path | None,
        *,
        read_only: bool = False,
        damaged: Callable[[str], None] | None = None,
    ) -> None:
        """Open the file as Database does, and raise what it raises.

        A damaged row is left out of what is read, and `damaged` told of it; without `damaged`
        reading it raises StorageFailed.
        """
        self.damaged = damaged
        super().__init__(path, read_only=read_only)

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

    def earlier(self, database: sqlite3.Connection, seq: int) -> list[Episode]:
        """Return what the episode of a row was before each change, the first form first.

        A form that cannot be read is left out.
        """
        forms = []
        for (before,) in database.execute(
            "SELECT before FROM revisions WHERE seq = ? ORDER BY rowid", (seq,)
        ):
            with contextlib.suppress(InvalidRequest, ValueError, TypeError, AttributeError):
                forms.append(episode_from_json(json.loads(before)))
        return forms

    def set_pinned(self, database: sqlite3.Connection, seqs: Iterable[int], pinned: bool) -> int:
        """Pin these rows, or have them pinned no more; returns how many changed."""
        return sum(
            database.execute(
                "UPDATE episodes SET pinned = ? WHERE seq = ? AND pinned != ?",
                (pinned, seq, pinned),
            ).rowcount
            for seq in seqs
        )

    def pinned(self) -> int:
        """Return how many rows are pinned."""
        return int(self.read("SELECT count(*) FROM episodes WHERE pinned != 0")[0][0])

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

    def starts_of(self, seqs: Sequence[int]) -> dict[int, int]:
        """Return when the episodes of these row numbers began, in ns."""
        return dict(self._in("SELECT seq, start_ns FROM episodes WHERE seq", seqs))

    def begun(self, since_ns: int, until_ns: int) -> dict[int, int]:
        """Return row numbers of what began within these times, both included, and when."""
        select = "SELECT seq, start_ns FROM episodes WHERE start_ns BETWEEN ? AND ?"
        return dict(self.read(select, (since_ns, until_ns)))

    def going_on_at(self, moment_ns: int) -> list[int]:
        """Return row numbers of what began before a moment and did not end before it."""
        select = "SELECT seq FROM episodes WHERE start_ns < ? AND end_ns >= ?"
        return [seq for (seq,) in self.read(select, (moment_ns, moment_ns))]

    def fetch(self, seqs: Sequence[int]) -> dict[int, Episode]:
        """Return the episodes of these row numbers; one that is damaged as `__init__` says."""
        rows = self._in(f"SELECT seq, {_COLUMNS}, checksum FROM episodes WHERE seq", seqs)
        return {row[0]: _from_row(row[1:-1]) for row in self._sound_of(rows)}

    def episodes(self) -> Iterator[Episode]:
        """Yield all episodes in the order they were stored."""
        for row in self._sound_of(self._rows()):
            yield _from_row(row[1:-1])

    def damage(self) -> Iterator[tuple[int, str]]:
        """Yield, for every row looked at, how many there were so far and what is wrong with it.

        The text is empty for a sound row; the file's own structure comes first, as row 0.
        """
        verdict = self.read("PRAGMA integrity_check(10)")
        yield 0, "" if verdict == [("ok",)] else "; ".join(str(line[0]) for line in verdict)
        for count, row in enumerate(self._rows(), start=1):
            yield count, "" if _sound(row) else _does_not_match(row)

    def _rows(self) -> Iterator[tuple[Any, ...]]:
        last = 0
        while rows := self.read(
            f"SELECT seq, {_COLUMNS}, checksum FROM episodes WHERE seq > ? "
            f"ORDER BY seq LIMIT {_BATCH}",
            [last],
        ):
            yield from rows
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


def _sound(row: tuple[Any, ...]) -> bool:
    return bool(checksum(row[1:-1]) == row[-1])


def _does_not_match(row: tuple[Any, ...]) -> str:
    return f"row {row[0]} (episode '{row[1]}') does not match its checksum"


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
