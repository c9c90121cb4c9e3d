# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Which episodes a query admits, whatever its cue: by time, outcome, robot, subject, range."""

import numpy as np
from numpy.typing import NDArray

from clara_memory.columns import Columns, Rows
from clara_memory.episode import Kind, Outcome, RoleFiller
from clara_memory.item_memory import Reading
from clara_memory.past import When
from clara_memory.ranges import RoleRange
from clara_memory.retrieval import WHEN, CueMatch, Query


class Filters:
    """The filters of one query, over the columns as they are."""

    def __init__(self, columns: Columns, query: Query) -> None:
        self._columns = columns
        self._query = query
        self._within: list[NDArray[np.bool_]] = []
        self.readings: list[CueMatch] = []
        self.reason = ""  # why the ranges let no episode through, one of them alone
        for one in query.ranges:
            self._bound(one)

    def _bound(self, one: RoleRange) -> None:
        fits = self._fits(one)
        self._within.append(fits)
        told = one.told
        if fits.any():
            self.readings.append(CueMatch(told, told.filler, Reading.SAME, 1.0, True))
            return
        self.readings.append(CueMatch(told))
        self.reason = self.reason or _nowhere(self._columns, one)

    def _fits(self, one: RoleRange) -> NDArray[np.bool_]:
        """Return which episodes are within a range, shape (n,)."""
        if not self._columns.has(one.role):
            return np.zeros(len(self._columns), dtype=bool)
        return self._columns.with_any(one.role, self._columns.items[one.role].within(one))

    def admit(self, rows: Rows) -> Rows:
        """Return those of the rows that all filters let through."""
        columns, query = self._columns, self._query
        for fits in self._within:
            rows = rows[fits[rows]]
        if query.since_ns:
            rows = rows[columns.end_ns[rows] >= query.since_ns]
        if query.until_ns:
            rows = rows[columns.end_ns[rows] <= query.until_ns]
        if query.but:
            rows = rows[~np.isin(columns.seq[rows], query.but)]
        if query.outcomes:
            wanted = np.zeros(len(Outcome), dtype=bool)
            wanted[[int(outcome) for outcome in query.outcomes]] = True
            rows = rows[wanted[columns.outcome[rows]]]
        if query.robots:
            rows = rows[columns.robots_mask(query.robots, rows)]
        if query.subjects:
            rows = rows[columns.subjects_mask(query.subjects, rows)]
        return rows


def told(query: Query) -> tuple[RoleFiller, ...]:
    """Return the filters of a query in words, but for the ranges, which are understood as it is.

    A count says so over what it is.
    """
    when = When("", query.since_ns, query.until_ns).spoken
    named = {
        "result": [outcome.name for outcome in query.outcomes],
        "robot": query.robots,
        "subject": query.subjects,
        WHEN: [when] if when else [],
    }
    return tuple(RoleFiller(role, " or ".join(names)) for role, names in named.items() if names)


def _nowhere(columns: Columns, one: RoleRange) -> str:
    """Return the sentence that says that no episode is within a range."""
    if not columns.has(one.role):
        return f"no episode has the role '{one.role}'"
    if not columns.items[one.role].quantities(one.kind, one.frame):
        wanted = "a number" if one.kind is Kind.NUMBER else "a position"
        frame = f" in the frame '{one.frame}'" if one.frame else ""
        return f"the role '{one.role}' has never {wanted}{frame}"
    return f"no episode has {one.told}"
