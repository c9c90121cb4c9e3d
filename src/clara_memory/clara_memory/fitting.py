# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Which episodes fit a cue, and how well: factored scoring over the columns.

- The filler of each role of the cue is compared with the *known* fillers only; the table entries
  are then added up over the episodes: the dot product of role-filler hypervectors, without
  cross-talk. The inverted index leaves out the episodes that cannot fit.
- Score: sum over cue roles of w * similarity / sum of w, with
  w = given weight * log(1 + known fillers of the role) * log(1 + episodes / episodes that fit it).
- A filler that is known admits only itself, so exact cues find what SQL finds. A resemblance
  counts where chance would hardly offer as good a one, judged for each role by itself
  (clara_memory.evidence), unless a guess is asked for.
"""

import math
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from clara_memory import evidence
from clara_memory.columns import Columns, Rows
from clara_memory.episode import FAILURES, Outcome, RoleFiller, outcome_of_word
from clara_memory.item_memory import SAME_WORDS, Lookup, Reading
from clara_memory.retrieval import CueMatch, Query
from clara_memory.times import TIME_OF_DAY, DayTime, day_time

NEAR_BEST = 0.999  # share of the best score that an episode needs, to fit as well
NEAR_BEST_GRADED = 0.4  # the same where the cue holds a number, a position or a time
_INDEXED_SHARE = 4  # with more than one in 4 episodes to look at, reading all is faster


@dataclass(slots=True)
class Fit:
    """The episodes that fit a cue: positions ascending, their scores, or why there are none.

    `set_aside`: what was recognised in the text and not all of these episodes have.
    """

    positions: Rows
    scores: NDArray[np.float32]
    readings: tuple[CueMatch, ...] = ()
    reason: str = ""
    set_aside: tuple[RoleFiller, ...] = ()


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
            if self.lookup.certain:
                # Where the very filler is known nothing else fits if strict.
                exact = strict and self.lookup.similarity.max() >= 1.0
                self.lookup.keep(self.lookup.similarity >= (1.0 if exact else SAME_WORDS))
                if not strict:  # what was said names all inflections of a word alike
                    self.lookup.similarity[self.lookup.similarity > 0] = 1.0
            self._ids = np.flatnonzero(self.lookup.similarity > 0)
            self.count = columns.count(filler.role, self._ids)
        else:
            self.count = 0

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


def _outcomes_of(filler: RoleFiller, *, strict: bool) -> tuple[Outcome, ...]:
    """Return the outcomes that a result means; what a text says failed may have timed out."""
    outcome = outcome_of_word(filler.filler) if filler.role == "result" else None
    if outcome is Outcome.FAILED and not strict:
        return FAILURES
    return () if outcome is None else (outcome,)


def fit(columns: Columns, query: Query, recognised: Sequence[RoleFiller]) -> Fit:
    """Return the episodes that fit the cue, and as many of the recognised fillers as any does."""
    if not len(columns):
        return nothing("the memory is empty")
    weights = query.weights or (1.0,) * len(query.cue)
    cues = [
        Cue(columns, filler, strict=True, weight=weight)
        for filler, weight in zip(query.cue, weights, strict=True)
    ]
    cues += [Cue(columns, filler, strict=False, weight=1.0) for filler in recognised]
    missing = next((cue for cue in cues if not cue.count), None)
    if missing is not None:
        return nothing(missing.unknown(), [cue.reading(None, cue.certain) for cue in cues])
    found = _fitting(columns, query, cues)
    if found.reason:
        return found
    if query.recency_half_life_s > 0:
        ends = columns.end_ns[found.positions]
        age = (ends.max() - ends) / (query.recency_half_life_s * 1e9)
        found.scores = (found.scores * 0.5**age).astype(np.float32)
    return found


def nothing(reason: str, readings: Sequence[CueMatch] = ()) -> Fit:
    """Return the Fit of no episode at all."""
    return Fit(np.zeros(0, np.int64), np.zeros(0, np.float32), tuple(readings), reason)


def _fitting(columns: Columns, query: Query, cues: list[Cue]) -> Fit:
    strict = [cue for cue in cues if cue.strict]
    rows = _admitted(columns, query, _rows_of_all(columns, strict or cues))
    if not len(rows) and not strict and cues:
        # No episode has all that was recognised: those with most of it.
        rows = _admitted(columns, query, _rows_of_any(columns, cues))
    if not len(rows):
        readings = [cue.reading(None, _likely(columns, cue)) for cue in cues]
        if not len(_admitted(columns, query, np.arange(len(columns)))):
            return nothing("no episode is within the given times and filters", readings)
        doubtful = next((cue for cue in cues if not _likely(columns, cue)), None)
        if doubtful is not None and not query.guess:
            return nothing(doubtful.unknown(), readings)
        return nothing(f"no episode has {' and '.join(str(cue.filler) for cue in cues)}", readings)
    if not cues:
        return Fit(rows, np.ones(len(rows), dtype=np.float32))
    similar = [cue.at(rows) for cue in cues]
    fitting = np.zeros(len(rows), dtype=np.uint8)
    for one in similar:
        fitting += one > 0
    whole = fitting.max() == len(cues)
    most = fitting == fitting.max()
    rows, similar = rows[most], [one[most] for one in similar]
    weights = [cue.weight() for cue in cues]
    total = np.float32(sum(weights))
    scores = np.zeros(len(rows), dtype=np.float32)
    for weight, one in zip(weights, similar, strict=True):
        scores += np.float32(weight) * one
    scores = np.minimum(scores / total if total else np.ones_like(scores), np.float32(1.0))
    best = int(scores.argmax())
    read = [cue.filler_at(rows[best]) for cue in cues]
    fits_best = [one[best] > 0 for one in similar]
    readings = []
    reason = ""
    for cue, identity in zip(cues, read, strict=True):
        accepted = True
        if identity is not None and not cue.certain:
            others = [
                other.narrowed(filler)
                for other, filler, there in zip(cues, read, fits_best, strict=True)
                if there and other is not cue
            ]
            accepted = _believed(columns, query, cue, identity, others)
        readings.append(cue.reading(identity, accepted))
        if not accepted and not reason:
            reason = cue.unknown()
    if reason and not query.guess:
        return nothing(reason, readings)
    chosen = _near_best(cues, similar, scores, best)
    set_aside = (
        cue.filler
        for cue, one in zip(cues, similar, strict=True)
        if not (whole or one[chosen].all())
    )
    return Fit(rows[chosen], scores[chosen], tuple(readings), set_aside=tuple(set_aside))


def _near_best(
    cues: list[Cue], similar: list[NDArray[np.float32]], scores: NDArray[np.float32], best: int
) -> NDArray[np.bool_]:
    """Return which rows fit about as well as row `best`, shape of `scores`."""
    graded = any(cue.graded for cue in cues)
    near = NEAR_BEST_GRADED if graded else NEAR_BEST
    chosen: NDArray[np.bool_] = scores >= near * scores[best]
    if graded:
        # What is near in value may fit less well than the best; another name may not.
        for cue, one in zip(cues, similar, strict=True):
            if not cue.graded:
                chosen &= one >= NEAR_BEST * one[best]
    return chosen


def _rows_of_all(columns: Columns, cues: list[Cue]) -> Rows:
    """Return the positions that fit every cue, ascending."""
    indexed = [cue for cue in cues if cue.indexed]
    first = min(indexed, key=lambda cue: cue.count, default=None)
    if first is not None and first.count * _INDEXED_SHARE < len(columns):
        rows = first.rows()
    else:
        first, rows = None, np.arange(len(columns))
    for cue in sorted(cues, key=lambda cue: cue.count):
        if cue is not first:
            rows = rows[cue.at(rows) > 0]
    return rows


def _rows_of_any(columns: Columns, cues: list[Cue]) -> Rows:
    """Return the positions that fit at least one cue, ascending."""
    if sum(cue.count for cue in cues) * _INDEXED_SHARE < len(columns):
        return np.unique(np.concatenate([cue.rows() for cue in cues]))
    every = np.arange(len(columns))
    fits = np.zeros(len(columns), dtype=bool)
    for cue in cues:
        fits |= cue.at(every) > 0
    return np.flatnonzero(fits)


def _admitted(columns: Columns, query: Query, rows: Rows) -> Rows:
    """Return those of the rows that the query's times and filters let through."""
    if query.since_ns:
        rows = rows[columns.end_ns[rows] >= query.since_ns]
    if query.until_ns:
        rows = rows[columns.end_ns[rows] <= query.until_ns]
    if query.outcomes:
        wanted = np.zeros(len(Outcome), dtype=bool)
        wanted[[int(outcome) for outcome in query.outcomes]] = True
        rows = rows[wanted[columns.outcome[rows]]]
    if query.robots:
        rows = rows[columns.robots_mask(query.robots, rows)]
    if query.subjects:
        rows = rows[columns.subjects_mask(query.subjects, rows)]
    return rows


def _likely(columns: Columns, cue: Cue) -> bool:
    """Whether the cue's nearest filler is near enough by itself."""
    if cue.certain or cue.lookup is None:
        return cue.count > 0
    known = len(columns.items[cue.filler.role])
    best = float(cue.lookup.decades.max())
    return evidence.believable(best, known, cue.lookup.looks)


def _believed(columns: Columns, query: Query, cue: Cue, identity: int, others: list[Cue]) -> bool:
    """Whether the resemblance of a cue to a filler is more than chance.

    Chance chooses among the fillers of the episodes that fit the `others`.
    """
    assert cue.lookup is not None
    choice = len(columns.items[cue.filler.role])
    if others:
        rows = _admitted(columns, query, _rows_of_all(columns, others))
        choice = len(np.unique(columns.fillers_of(cue.filler.role, rows)[1]))
    decades = float(cue.lookup.decades[identity])
    return evidence.believable(decades, choice, cue.lookup.looks)
