# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""The memory's columns in RAM: one numpy array a role, grown amortised.

Per episode: 2 bytes for each standard role (4 past 65,535 symbols) and 4 for its inverted index, 8
for the end, 8 for the row number, 3 for outcome and robot. Other roles are sparse: 10 bytes only
where an episode has them.
"""

import bisect
from collections.abc import Iterable, Sequence
from functools import lru_cache
from operator import attrgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clara_memory.column import Column
from clara_memory.episode import (
    STANDARD_ROLES,
    Episode,
    Kind,
    RoleFiller,
    check_filler,
    outcome_of_word,
)
from clara_memory.errors import InvalidRequest
from clara_memory.formats import fillers_from_text
from clara_memory.item_memory import ItemMemory, symbol
from clara_memory.meaning import Embedder
from clara_memory.postings import Postings
from clara_memory.store import Store

Ids = NDArray[Any]
Rows = NDArray[np.int64]
Spelling = tuple[str, int]  # a role, and the id of a filler that is spelt in several ways
_TEXTS_AT_ONCE = 4096
_ROWS = 20_000  # read at once
# Cast, for a damaged byte can make bytes of a text; who then asks for the row hears of it.
_LOADED = (
    "CAST(robot AS TEXT)",
    "CAST(outcome AS INTEGER)",
    "CAST(end_ns AS INTEGER)",
    *(f"CAST({name} AS TEXT)" for name in (*STANDARD_ROLES, "context", "effects")),
)


def _by_column(store: Store) -> list[list[Any]]:
    """Return the row numbers of all episodes, and for each of _LOADED its values."""
    columns: list[list[Any]] = [[] for _ in ("seq", *_LOADED)]
    # Rows mostly say what others do: with a text for each, opening takes thrice the room.
    once: dict[str, str] = {}
    select = f"SELECT seq, {', '.join(_LOADED)} FROM episodes"
    last = 0
    while rows := store.read(f"{select} WHERE seq > ? ORDER BY seq LIMIT {_ROWS}", [last]):
        last = rows[-1][0]
        for column, values in zip(columns, zip(*rows, strict=True), strict=True):
            texts = isinstance(values[0], str)
            column.extend(map(once.setdefault, values, values) if texts else values)
    return columns


def _readable(written: str) -> tuple[RoleFiller, ...]:
    """Return the fillers of a row's text; none where it is damaged: the checksum names the row."""
    try:
        fillers = fillers_from_text(written)
        for filler in fillers:
            if filler.kind is not Kind.TEXT:
                check_filler("filler", filler)
    except (InvalidRequest, ValueError, TypeError):
        return ()
    return fillers


class Indexed:
    """A column of ids with its inverted index."""

    def __init__(self) -> None:
        self._ids = Column("uint16")
        self._postings = Postings()

    @property
    def ids(self) -> Ids:
        """Return the ids, shape (n,)."""
        return self._ids.values

    def extend(self, ids: Sequence[int]) -> None:
        """Add ids at the end."""
        self._ids.extend(ids)
        self._postings.added(ids)

    def load(self, ids: Sequence[int] | Ids) -> None:
        """Replace all ids."""
        self._ids.load(ids)
        self._postings.load(self._ids.values)

    def set(self, position: int, identity: int) -> None:
        """Change the id at a position."""
        self._postings.changed(position, int(self.ids[position]), identity)
        self._ids.set(position, identity)

    def count(self, ids: Rows) -> int:
        """Return how many entries have one of these ids."""
        return int(self._postings.counts[ids[ids < len(self._postings.counts)]].sum())

    def entries(self, ids: Rows) -> Rows:
        """Return the positions of these ids, ascending."""
        return self._postings.entries(ids, self.ids)


class Columns:
    """What retrieval needs of every episode, as ids into the item memory of each role."""

    def __init__(self, embedder: Embedder | None = None) -> None:
        self._embedder = embedder
        self.items: dict[str, ItemMemory] = {role: ItemMemory(embedder) for role in STANDARD_ROLES}
        self.robots = ItemMemory()
        self._dense = {role: Indexed() for role in STANDARD_ROLES}
        self._sparse: dict[str, tuple[Column, Indexed]] = {}
        self._robot = Column("uint16")
        self._outcome = Column("uint8")
        self._end = Column("int64")
        self._seq = Column("int64")

    def __len__(self) -> int:
        return self._seq.size

    @property
    def outcome(self) -> Ids:
        """Outcome of each episode, shape (n,)."""
        return self._outcome.values

    @property
    def robot(self) -> Ids:
        """Id of each episode's robot, shape (n,)."""
        return self._robot.values

    @property
    def end_ns(self) -> Rows:
        """End of each episode in ns, shape (n,)."""
        return self._end.values

    @property
    def seq(self) -> Rows:
        """Row number of each episode in the store, shape (n,), ascending."""
        return self._seq.values

    def load(self, store: Store) -> None:
        """Fill the empty columns from the store's rows."""
        seq, robot, outcome, end_ns, *standard, context, effects = _by_column(store)
        self._seq.load(seq)
        self._outcome.load(outcome)
        self._end.load(end_ns)
        self._robot.load(self.robots.add_texts("robot", robot))
        for (role, column), texts in zip(self._dense.items(), standard, strict=True):
            column.load(self.items[role].add_texts(role, texts))
        # Many rows say the same, and where none does not all of it need be held at once.
        readable = lru_cache(_TEXTS_AT_ONCE)(_readable)
        entries: dict[str, tuple[list[int], list[int]]] = {}
        for position, (before, after) in enumerate(zip(context, effects, strict=True)):
            if before or after:
                for filler in (*readable(before), *readable(after)):
                    rows, ids = entries.setdefault(filler.role, ([], []))
                    rows.append(position)
                    ids.append(self._known_sparse(filler))
        for role, (rows, ids) in entries.items():
            self._sparse[role][0].extend(rows)
            self._sparse[role][1].extend(ids)

    def extend(self, seqs: Sequence[int], episodes: Sequence[Episode]) -> None:
        """Add episodes that have been committed as rows `seqs`."""
        for role, indexed in self._dense.items():
            texts = map(attrgetter(role), episodes)
            indexed.extend(self.items[role].add_texts(role, texts))
        self._robot.extend(self.robots.add_texts("robot", [each.robot for each in episodes]))
        self._outcome.extend([each.outcome for each in episodes])
        self._end.extend([each.end_ns for each in episodes])
        begin = len(self)
        self._seq.extend(seqs)
        for position, episode in enumerate(episodes, start=begin):
            if episode.context or episode.effects:
                for filler in (*episode.context, *episode.effects):
                    self._put_sparse(position, filler)

    def update(self, seq: int, episode: Episode) -> list[Spelling]:
        """Change the episode of row `seq`; roles that it had keep their entries.

        Returns the fillers that may have lost the spelling they are told by.
        """
        position = bisect.bisect_left(self.seq, seq)
        varied = []
        for role, indexed in self._dense.items():
            before, now = int(indexed.ids[position]), self._identity(role, episode)
            indexed.set(position, now)
            if before and not indexed.count(np.array([before])):
                self.items[role].drop(before)
            varied += [(role, one) for one in {before, now} & self.items[role].varied]
        self._robot.set(position, self.robots.add_text("robot", episode.robot))
        self._outcome.set(position, episode.outcome)
        self._end.set(position, episode.end_ns)
        for filler in (*episode.context, *episode.effects):
            identity = self._put_sparse(position, filler)
            if identity in self.items[filler.role].varied:
                varied.append((filler.role, identity))
        return varied

    def respell(self, spelling: Spelling, first: Episode) -> None:
        """Let a filler be told as the first episode that has it spells it."""
        role, identity = spelling
        key = symbol(self.items[role].fillers[identity])
        there = (RoleFiller(role, getattr(first, role)),) if role in self._dense else ()
        for filler in there or (*first.context, *first.effects):
            if filler.role == role and filler.kind is Kind.TEXT and symbol(filler) == key:
                self.items[role].respell(identity, filler.filler)
                return

    def first_seq(self, spelling: Spelling) -> int | None:
        """Return the row number of the first episode that has a filler, None without one."""
        role, identity = spelling
        if not self.has(role):
            return None
        rows = self.rows_of(role, np.array([identity]))
        return int(self.seq[rows[0]]) if len(rows) else None

    def _identity(self, role: str, episode: Episode) -> int:
        text = getattr(episode, role)
        return self.items[role].add_text(role, text) if text else 0

    def _known_sparse(self, filler: RoleFiller) -> int:
        role = filler.role
        if role not in self._sparse:
            self._sparse[role] = (Column("uint32"), Indexed())
            self.items[role] = ItemMemory(self._embedder)
        if filler.kind is Kind.TEXT:
            return self.items[role].add_text(role, filler.filler)
        return self.items[role].add(filler)

    def _put_sparse(self, position: int, filler: RoleFiller) -> int:
        identity = self._known_sparse(filler)
        rows, ids = self._sparse[filler.role]
        rows.extend((position,))
        ids.extend((identity,))
        return identity

    def has(self, role: str) -> bool:
        """Whether any episode may have this role."""
        return role in self.items

    def count(self, role: str, ids: Rows) -> int:
        """Return how many episodes (of sparse roles: entries) have one of these fillers."""
        if role in self._dense:
            return self._dense[role].count(ids)
        return self._sparse[role][1].count(ids)

    def rows_of(self, role: str, ids: Rows) -> Rows:
        """Return the positions of the episodes with one of these fillers, ascending, each once."""
        if role in self._dense:
            return self._dense[role].entries(ids)
        rows, indexed = self._sparse[role]
        return np.unique(rows.values[indexed.entries(ids)].astype(np.int64))

    def with_any(self, role: str, wanted: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return which episodes have any of the wanted fillers of a role, shape (n,).

        `wanted` is indexed by filler id, as a Lookup is; that of no filler must be False.
        """
        if role in self._dense:
            return wanted[self._dense[role].ids]
        there = np.zeros(len(self), dtype=bool)
        rows, indexed = self._sparse[role]
        there[rows.values[wanted[indexed.ids]]] = True
        return there

    def similarity(self, role: str, table: NDArray[np.float32], rows: Rows) -> NDArray[np.float32]:
        """Return table[filler id] for each of the rows, shape (len(rows),); 0 without the role.

        An episode with two fillers of a role (before and after) counts with the better one.
        """
        if role in self._dense:
            dense: NDArray[np.float32] = table[self._dense[role].ids[rows]]
            return dense
        similar = np.zeros(len(rows), dtype=np.float32)
        there, ids = self._sparse_at(role, rows)
        np.maximum.at(similar, there, table[ids])
        return similar

    def _sparse_at(self, role: str, rows: Rows) -> tuple[Rows, Ids]:
        """Return places within `rows` and the filler ids of a role found there."""
        held, indexed = self._sparse[role]
        place = np.full(len(self), -1, dtype=np.int32)
        place[rows] = np.arange(len(rows), dtype=np.int32)
        there = place[held.values]
        kept = there >= 0
        return there[kept], indexed.ids[kept]

    def fillers_of(self, role: str, rows: Rows) -> tuple[Rows, Ids]:
        """Return places within `rows` (ascending) and filler ids of a role, each pair once."""
        if role in self._dense:
            ids = self._dense[role].ids[rows]
            there = np.flatnonzero(ids)
            return there, ids[there]
        if role not in self._sparse:
            return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
        there, ids = self._sparse_at(role, rows)
        pairs = np.unique((there.astype(np.int64) << 32) | ids)
        return pairs >> 32, pairs & 0xFFFFFFFF

    def rows_equal(self, fillers: Iterable[RoleFiller]) -> Rows:
        """Return the positions of the episodes that have all these fillers, ascending.

        Equal is what is one symbol; an episode without a result has the word for its outcome.
        """
        rows: Rows = np.arange(len(self))
        for filler in fillers:
            known = self.items.get(filler.role)
            identity = known.identity(filler) if known is not None else 0
            there = self.rows_of(filler.role, np.array([identity])) if identity else rows[:0]
            fits = np.isin(rows, there)
            outcome = outcome_of_word(filler.filler) if filler.role == "result" else None
            if outcome is not None:
                unsaid = self._dense["result"].ids[rows] == 0
                fits |= unsaid & (self.outcome[rows] == outcome)
            rows = rows[fits]
        return rows

    def remove(self, seqs: Iterable[int]) -> list[Spelling]:
        """Drop the episodes of these row numbers, and the fillers that only they had; O(n).

        Returns the fillers that may have lost the spelling they are told by.
        """
        varied: list[Spelling] = []
        kept = ~np.isin(self.seq, np.fromiter(seqs, dtype=np.int64))
        for column in (self._seq, self._end, self._outcome):
            column.load(column.values[kept])
        robots = self.robot[kept]
        self._robot.load(self.robots.keep(np.unique(robots))[robots])
        for role, indexed in self._dense.items():
            ids = indexed.ids[kept]
            gone = self.items[role].varied.intersection(indexed.ids[~kept].tolist())
            became = self.items[role].keep(np.unique(ids))
            indexed.load(became[ids])
            varied += [(role, int(became[one])) for one in gone if became[one]]
        place = np.cumsum(kept) - 1
        for role, (rows, indexed) in list(self._sparse.items()):
            still = kept[rows.values]
            ids = indexed.ids[still]
            if not len(ids):
                del self._sparse[role], self.items[role]
                continue
            gone = self.items[role].varied.intersection(indexed.ids[~still].tolist())
            became = self.items[role].keep(np.unique(ids))
            indexed.load(became[ids])
            rows.load(place[rows.values[still]])
            varied += [(role, int(became[one])) for one in gone if became[one]]
        return varied

    def robots_mask(self, robots: Iterable[str], rows: Rows) -> NDArray[np.bool_]:
        """Return which of the rows were lived by one of these robots, shape (len(rows),)."""
        known = [self.robots.identity(RoleFiller("robot", name)) for name in robots]
        return np.isin(self.robot[rows], [identity for identity in known if identity])

    def subjects_mask(self, subjects: Iterable[str], rows: Rows) -> NDArray[np.bool_]:
        """Return in which of the rows one of these acted, shape (len(rows),)."""
        known = [self.items["subject"].identity(RoleFiller("subject", name)) for name in subjects]
        ids = self._dense["subject"].ids[rows]
        return np.isin(ids, [identity for identity in known if identity])
