# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""The memory's columns in RAM: one numpy array a role, grown amortised.

Per episode: 2 bytes for each standard role (4 past 65,535 symbols), 8 for the end, 8 for the row
number, 3 for outcome and robot. Other roles are sparse: 6 bytes only where an episode has them.
"""

import bisect
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clara_memory.episode import STANDARD_ROLES, Episode, Kind, RoleFiller
from clara_memory.formats import fillers_from_text
from clara_memory.item_memory import ItemMemory

Ids = NDArray[Any]
Rows = NDArray[np.int64]


class Column:
    """A numpy array that grows: appending is amortised O(1); ids widen when they must."""

    def __init__(self, dtype: str) -> None:
        self._data: NDArray[Any] = np.zeros(64, dtype=dtype)
        self.size = 0

    def append(self, value: int) -> None:
        """Add a value at the end."""
        if self.size == len(self._data):
            grown = np.zeros(2 * self.size, dtype=self._data.dtype)
            grown[: self.size] = self._data
            self._data = grown
        self.size += 1
        self.set(self.size - 1, value)

    def load(self, values: Sequence[int]) -> None:
        """Fill the empty column."""
        dtype = self._data.dtype
        if dtype == np.uint16 and max(values) > np.iinfo(np.uint16).max:
            dtype = np.dtype(np.uint32)
        self._data = np.array(values, dtype=dtype)
        self.size = len(values)

    def set(self, position: int, value: int) -> None:
        """Change the value at a position."""
        if self._data.dtype == np.uint16 and value > np.iinfo(np.uint16).max:
            self._data = self._data.astype(np.uint32)
        self._data[position] = value

    @property
    def values(self) -> NDArray[Any]:
        """Return the values, shape (size,); a view that the next `append` may leave behind."""
        return self._data[: self.size]


class Columns:
    """What retrieval needs of every episode, as ids into the item memory of each role."""

    def __init__(self) -> None:
        self.items: dict[str, ItemMemory] = {role: ItemMemory() for role in STANDARD_ROLES}
        self.robots = ItemMemory()
        self._dense = {role: Column("uint16") for role in STANDARD_ROLES}
        self._sparse: dict[str, tuple[Column, Column]] = {}
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

    def load(
        self,
        seq: Sequence[int],
        robot: Sequence[str],
        outcome: Sequence[int],
        end_ns: Sequence[int],
        subject: Sequence[str],
        action: Sequence[str],
        thing: Sequence[str],
        result: Sequence[str],
        context: Sequence[str],
        effects: Sequence[str],
    ) -> None:
        """Fill the empty columns from the store's rows, given column by column."""
        self._seq.load(seq)
        self._outcome.load(outcome)
        self._end.load(end_ns)
        self._robot.load([self.robots.add_text("robot", name) for name in robot])
        for (role, column), texts in zip(
            self._dense.items(), (subject, action, thing, result), strict=True
        ):
            add_text = self.items[role].add_text
            column.load([add_text(role, text) if text else 0 for text in texts])
        parsed = {written: fillers_from_text(written) for written in {*context, *effects}}
        for position, (before, after) in enumerate(zip(context, effects, strict=True)):
            if before or after:
                for filler in (*parsed[before], *parsed[after]):
                    self._put_sparse(position, filler)

    def append(self, seq: int, episode: Episode) -> None:
        """Add an episode that has been committed as row `seq`."""
        for column in (*self._dense.values(), self._robot, self._outcome, self._end):
            column.append(0)
        self._seq.append(seq)
        self._put(len(self) - 1, episode)

    def update(self, seq: int, episode: Episode) -> None:
        """Change the episode of row `seq`; roles that it had keep their entries."""
        self._put(bisect.bisect_left(self.seq, seq), episode)

    def _put(self, position: int, episode: Episode) -> None:
        for role, column in self._dense.items():
            text = getattr(episode, role)
            column.set(position, self.items[role].add_text(role, text) if text else 0)
        self._robot.set(position, self.robots.add_text("robot", episode.robot))
        self._outcome.set(position, episode.outcome)
        self._end.set(position, episode.end_ns)
        for filler in (*episode.context, *episode.effects):
            self._put_sparse(position, filler)

    def _put_sparse(self, position: int, filler: RoleFiller) -> None:
        role = filler.role
        if role not in self._sparse:
            self._sparse[role] = (Column("uint32"), Column("uint16"))
            self.items[role] = ItemMemory()
        items, (rows, ids) = self.items[role], self._sparse[role]
        if filler.kind is Kind.TEXT:
            identity = items.add_text(role, filler.filler)
        else:
            identity = items.add(filler)
        rows.append(position)
        ids.append(identity)

    def similarity(self, role: str, table: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return table[id] for each episode, shape (n,); 0 where it has no such role.

        An episode with two fillers of a role (before and after) counts with the better one.
        """
        if role in self._dense:
            dense: NDArray[np.float32] = table[self._dense[role].values]
            return dense
        rows, ids = (column.values for column in self._sparse[role])
        similar = np.zeros(len(self), dtype=np.float32)
        np.maximum.at(similar, rows, table[ids])
        return similar

    def fillers_of(self, role: str, chosen: NDArray[np.bool_]) -> tuple[Rows, Ids]:
        """Return positions and filler ids of a role among the chosen episodes, each pair once."""
        if role in self._dense:
            rows = np.flatnonzero(chosen & (self._dense[role].values != 0))
            return rows, self._dense[role].values[rows]
        if role not in self._sparse:
            return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
        rows, ids = (column.values for column in self._sparse[role])
        kept = chosen[rows]
        pairs = np.unique((rows[kept].astype(np.int64) << 32) | ids[kept])
        return pairs >> 32, pairs & 0xFFFFFFFF

    def robots_mask(self, robots: Iterable[str]) -> NDArray[np.bool_]:
        """Return which episodes were lived by one of these robots, shape (n,)."""
        known = [self.robots.identity(RoleFiller("robot", name)) for name in robots]
        return np.isin(self.robot, [identity for identity in known if identity])
