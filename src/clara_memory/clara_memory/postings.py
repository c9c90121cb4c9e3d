# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""The inverted index of one column of ids: which entries hold an id, without reading them all.

Entries are sorted by id once in a while; those that came or changed since are looked at one by
one, so appending stays cheap. 4 bytes an entry.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

_UNSORTED_AT_LEAST = 4096
_UNSORTED_SHARE = 8  # sort again when more than one in 8 is not sorted


class Postings:
    """Finds the entries of a column by their ids; `counts` says how many each id has."""

    def __init__(self) -> None:
        self.counts: NDArray[np.int64] = np.zeros(64, dtype=np.int64)
        self._sorted: NDArray[np.uint32] = np.zeros(0, dtype=np.uint32)
        self._starts: NDArray[np.int64] = np.zeros(1, dtype=np.int64)
        self._changed: set[int] = set()

    def load(self, values: NDArray[Any]) -> None:
        """Count the ids of a whole column, shape (n,); sorting waits for the first question."""
        self.counts = np.bincount(values, minlength=64).astype(np.int64)
        self._sorted = np.zeros(0, dtype=np.uint32)
        self._starts = np.zeros(1, dtype=np.int64)
        self._changed.clear()

    def added(self, values: Sequence[int]) -> None:
        """Note that entries with these ids were appended."""
        self._make_room(max(values, default=0))
        np.add.at(self.counts, np.asarray(values, dtype=np.int64), 1)

    def changed(self, position: int, before: int, after: int) -> None:
        """Note that an entry has another id now."""
        if before == after:
            return
        self._make_room(after)
        self.counts[before] -= 1
        self.counts[after] += 1
        if position < len(self._sorted):
            self._changed.add(position)

    def _make_room(self, value: int) -> None:
        if value >= len(self.counts):
            grown = np.zeros(max(2 * len(self.counts), value + 1), dtype=np.int64)
            grown[: len(self.counts)] = self.counts
            self.counts = grown

    def entries(self, ids: NDArray[np.int64], values: NDArray[Any]) -> NDArray[np.int64]:
        """Return the positions in `values`, shape (n,), of these ids; ascending, each once."""
        unsorted = len(values) - len(self._sorted) + len(self._changed)
        if unsorted > max(_UNSORTED_AT_LEAST, len(values) // _UNSORTED_SHARE):
            self._sort(values)
        known = ids[ids < len(self._starts) - 1]
        parts = [self._sorted[self._starts[one] : self._starts[one + 1]] for one in known]
        late = [np.arange(len(self._sorted), len(values))]
        if self._changed:
            changed = np.fromiter(self._changed, dtype=np.int64)
            parts = [part[~np.isin(part, changed)] for part in parts]
            late.append(changed)
        wanted = np.zeros(len(self.counts), dtype=bool)
        wanted[ids] = True
        parts += [some[wanted[values[some]]] for some in late]
        found = np.concatenate(parts).astype(np.int64)
        found.sort()
        return found

    def _sort(self, values: NDArray[Any]) -> None:
        # Stable sorting of 16-bit ids is a radix sort, and leaves positions ascending.
        self._sorted = np.argsort(values, kind="stable").astype(np.uint32)
        self._starts = np.concatenate([[0], np.cumsum(np.bincount(values))])
        self._changed.clear()
