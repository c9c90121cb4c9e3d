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

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clara_memory import evidence
from clara_memory.columns import Columns, Rows
from clara_memory.cue import Cue, cue_of
from clara_memory.episode import RoleFiller
from clara_memory.filters import Filters
from clara_memory.retrieval import CueMatch, Query

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


def fit(columns: Columns, query: Query, recognised: Sequence[RoleFiller]) -> Fit:
    """Return the episodes that fit the cue, and as many of the recognised fillers as any does."""
    if not len(columns):
        return nothing("the memory is empty")
    weights = query.weights or (1.0,) * len(query.cue)
    cues = [
        Cue(columns, filler, strict=True, weight=weight)
        for filler, weight in zip(query.cue, weights, strict=True)
    ]
    cues += [cue_of(columns, filler) for filler in recognised]
    missing = next((cue for cue in cues if not cue.count), None)
    filters = Filters(columns, query)
    unfit = missing.unknown() if missing is not None else filters.reason
    if unfit:
        readings = [cue.reading(None, cue.certain) for cue in cues]
        return nothing(unfit, [*readings, *filters.readings])
    found = _fitting(columns, query, cues, filters)
    found.readings = (*found.readings, *filters.readings)
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


def _fitting(columns: Columns, query: Query, cues: list[Cue], filters: Filters) -> Fit:
    strict = [cue for cue in cues if cue.strict]
    rows = filters.admit(_rows_of_all(columns, strict or cues))
    if not len(rows) and not strict and cues:
        # No episode has all that was recognised: those with most of it.
        rows = filters.admit(_rows_of_any(columns, cues))
    if not len(rows):
        readings = [cue.reading(None, _likely(columns, cue)) for cue in cues]
        if not len(filters.admit(np.arange(len(columns)))):
            return nothing("no episode is within the given times and filters", readings)
        doubtful = next((cue for cue in cues if not _likely(columns, cue)), None)
        if doubtful is not None and not query.guess:
            return nothing(doubtful.unknown(), readings)
        return nothing(_not_there(columns, query, cues), readings)
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
            accepted = _believed(columns, filters, cue, identity, others)
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


def _not_there(columns: Columns, query: Query, cues: list[Cue]) -> str:
    """Return the sentence that says that no admitted episode fits."""
    asked = " and ".join(str(cue.filler) for cue in cues)
    if not len(_rows_of_all(columns, cues)):
        return f"no episode has {asked}"
    if query.robots and not (query.outcomes or query.subjects or query.ranges):
        then = " then" if query.since_ns or query.until_ns else ""
        return f"there are episodes with {asked}, but none of {' or '.join(query.robots)}{then}"
    if query.outcomes or query.subjects or query.ranges:
        return f"there are episodes with {asked}, but not within the given times and filters"
    return f"there are episodes with {asked}, but not then"


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


def _likely(columns: Columns, cue: Cue) -> bool:
    """Whether the cue's nearest filler is near enough by itself."""
    if cue.certain or cue.lookup is None:
        return cue.count > 0
    known = len(columns.items[cue.filler.role])
    best = float(cue.lookup.decades.max())
    return evidence.believable(best, known, cue.lookup.looks)


def _believed(
    columns: Columns, filters: Filters, cue: Cue, identity: int, others: list[Cue]
) -> bool:
    """Whether the resemblance of a cue to a filler is more than chance.

    Chance chooses among the fillers of the episodes that fit the `others`.
    """
    assert cue.lookup is not None
    choice = len(columns.items[cue.filler.role])
    if others:
        rows = filters.admit(_rows_of_all(columns, others))
        choice = len(np.unique(columns.fillers_of(cue.filler.role, rows)[1]))
    decades = float(cue.lookup.decades[identity])
    return evidence.believable(decades, choice, cue.lookup.looks)
