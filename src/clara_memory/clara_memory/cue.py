# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""One role of a cue, compared with all that memory knows: how well each episode fits it.

A word of a text that may fill one of several roles is one cue, too: what has it in any of them
fits, and where one of them is called as it begins ("aisle 7"), what has that number there.
"""

import math
from copy import copy
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from clara_memory import evidence
from clara_memory.columns import Columns, Rows
from clara_memory.episode import FAILURES, Kind, Outcome, RoleFiller, outcome_of_word
from clara_memory.inflection import words_of
from clara_memory.item_memory import SAME_WORDS, ItemMemory, Lookup, Reading
from clara_memory.retrieval import CueMatch
from clara_memory.times import TIME_OF_DAY, DayTime, day_time

EITHER = "/"  # between the roles of a filler that may fill any of them


class Cue:
    """One role of a cue, compared with all that is known."""

    def __init__(self, columns: Columns, filler: RoleFiller, *, strict: bool, weight: float):
        self.filler = filler
        self.strict = strict
        self.given_weight = weight
        self._columns = columns
        self.outcomes = _outcomes_of(filler, strict=strict)
        self.time: DayTime | None = None
        self.lookup: Lookup | None = None
        if self.outcomes:
            # FAILED also finds the episodes that failed with a result word of their own.
            self.count = int(np.count_nonzero(np.isin(columns.outcome, self.outcomes)))
        elif filler.role == TIME_OF_DAY and not columns.has(TIME_OF_DAY):
            self.time = day_time("cue", filler)
            self.count = len(columns)
        elif columns.has(filler.role):
            self.lookup = columns.items[filler.role].look_up(filler)
            if not strict and not self.lookup.certain:
                self._read_as_kind(columns.items[filler.role])
            if self.lookup.certain:
                # Where the very filler is known nothing else fits if strict. In a text an action
                # is all its inflections, but glass is no glasses.
                exact = strict or filler.kind is Kind.NUMBER or filler.role != "action"
                exact = exact and self.lookup.similarity.max() >= 1.0
                self.lookup.keep(self.lookup.similarity >= (1.0 if exact else SAME_WORDS))
                if not strict:
                    self.lookup.similarity[self.lookup.similarity > 0] = 1.0
            self._ids = np.flatnonzero(self.lookup.similarity > 0)
            self.count = columns.count(filler.role, self._ids)
        else:
            self.count = 0

    def _read_as_kind(self, known: ItemMemory) -> None:
        """Let all names of a kind fit where a text means it: "rows" is ROW_1, ROW_2, ..."""
        kind = known.of_kind(words_of(self.filler.filler)) if self.filler.filler else []
        if self.lookup is not None and len(kind) > 1:
            self.lookup.similarity[:] = 0.0
            self.lookup.put(kind, SAME_WORDS, evidence.INFLECTED, Reading.INFLECTION)

    @property
    def certain(self) -> bool:
        """Whether the reading is beyond doubt."""
        return self.lookup is None or self.lookup.certain or self.lookup.graded

    @property
    def graded(self) -> bool:
        """Whether episodes fit more or less."""
        return self.time is not None or (self.lookup is not None and self.lookup.graded)

    @property
    def indexed(self) -> bool:
        """Whether the rows that fit are found without reading a column."""
        return self.lookup is not None

    def rows(self) -> Rows:
        """Return the positions that fit, ascending."""
        if self.lookup is not None:
            return self._columns.rows_of(self.filler.role, self._ids)
        every = np.arange(len(self._columns))
        return every[self.at(every) > 0]

    def at(self, rows: Rows) -> NDArray[np.float32]:
        """Return how well each of the rows fits, shape (len(rows),), 0 to 1."""
        if self.outcomes:
            return np.isin(self._columns.outcome[rows], self.outcomes).astype(np.float32)
        if self.time is not None:
            return self.time.similarity(self._columns.end_ns[rows])
        if self.lookup is None:
            return np.zeros(len(rows), dtype=np.float32)
        return self._columns.similarity(self.filler.role, self.lookup.similarity, rows)

    def weight(self) -> float:
        """Return how telling the role is."""
        known = len(self._columns.items.get(self.filler.role, ())) or 24  # hours of a day
        share = math.log(1 + len(self._columns) / max(1, self.count))
        return self.given_weight * math.log(1 + known) * share

    def filler_at(self, row: int) -> int | None:
        """Return the id of the filler by which a row fits, None where there is no such filler."""
        if self.lookup is None:
            return None
        _, ids = self._columns.fillers_of(self.filler.role, np.array([row]))
        similarity = self.lookup.similarity
        return int(ids[similarity[ids].argmax()]) if similarity[ids].any() else None

    def narrowed(self, identity: int | None) -> "Cue":
        """Return the cue with only one filler left that fits, or itself for None."""
        if identity is None or self.lookup is None:
            return self
        one = copy(self)
        one.lookup = replace(self.lookup, similarity=np.zeros_like(self.lookup.similarity))
        one.lookup.similarity[identity] = 1.0
        one._ids = np.array([identity])
        one.count = self._columns.count(self.filler.role, one._ids)
        return one

    def reading(self, identity: int | None, accepted: bool) -> CueMatch:
        """Return how the cue was read, as the filler `identity` (None: the nearest one)."""
        if self.outcomes or self.time is not None:
            by = Reading.SAME if self.outcomes else Reading.NUMBER
            found = self.count > 0
            return CueMatch(self.filler, self.filler.spoken if found else "", by, 1.0, found)
        if self.lookup is None or not self.lookup.similarity.max(initial=0.0):
            return CueMatch(self.filler)
        best = int(self.lookup.similarity.argmax()) if identity is None else identity
        return CueMatch(
            self.filler,
            self._columns.items[self.filler.role].fillers[best].spoken,
            Reading(int(self.lookup.by[best])),
            float(self.lookup.similarity[best]),
            accepted,
        )

    def unknown(self) -> str:
        """Return the sentence that says that nothing like the filler is known."""
        if self.outcomes:
            return f"no episode has {self.filler}"
        if self.lookup is None:
            return f"no episode has the role '{self.filler.role}'"
        sentence = f"no {self.filler.role} like '{self.filler.spoken}' is known"
        nearest = self.reading(None, False).nearest
        return f"{sentence} (the nearest is '{nearest}')" if nearest else sentence


class Either(Cue):
    """A word that may fill one of several roles, as object/place=kitchen."""

    def __init__(self, columns: Columns, filler: RoleFiller) -> None:
        roles = filler.role.split(EITHER)
        super().__init__(columns, replace(filler, role=roles[0]), strict=False, weight=1.0)
        self.filler = filler
        self._parts = [
            Cue(columns, _in_role(filler, role), strict=False, weight=1.0) for role in roles
        ]
        self.lookup = None
        self.count = sum(part.count for part in self._parts)

    @property
    def indexed(self) -> bool:
        """Whether the rows that fit are found without reading a column."""
        return True

    def rows(self) -> Rows:
        """Return the positions that fit, ascending."""
        return np.unique(np.concatenate([part.rows() for part in self._parts]))

    def at(self, rows: Rows) -> NDArray[np.float32]:
        """Return how well each of the rows fits, shape (len(rows),), 0 to 1."""
        fits: NDArray[np.float32] = np.max([part.at(rows) for part in self._parts], axis=0)
        return fits

    def weight(self) -> float:
        """Return how telling the role is."""
        return max(part.weight() for part in self._parts)

    def reading(self, identity: int | None, accepted: bool) -> CueMatch:
        """Return how the cue was read: as a filler that is known."""
        return replace(self._parts[0].reading(None, accepted), cue=self.filler)


def _in_role(filler: RoleFiller, role: str) -> RoleFiller:
    """Return a text as a filler of this role: AISLE_7 is the number 7 of the role "aisle"."""
    name, words = words_of(role), words_of(filler.filler)
    if words[:-1] == name and words[-1].isdecimal():
        return RoleFiller(role, "", Kind.NUMBER, (float(words[-1]),))
    return replace(filler, role=role)


def cue_of(columns: Columns, filler: RoleFiller) -> Cue:
    """Return the cue of a filler that was recognised in a text."""
    if EITHER in filler.role:
        return Either(columns, filler)
    return Cue(columns, filler, strict=False, weight=1.0)


def _outcomes_of(filler: RoleFiller, *, strict: bool) -> tuple[Outcome, ...]:
    """Return the outcomes that a result means; what a text says failed may have timed out."""
    if filler.role != "result":
        return ()
    outcomes: list[Outcome] = []
    for word in [filler.filler] if strict else filler.filler.split(EITHER):
        outcome = outcome_of_word(word)
        if outcome is None:
            return ()
        outcomes += FAILURES if outcome is Outcome.FAILED and not strict else (outcome,)
    return tuple(outcomes)
