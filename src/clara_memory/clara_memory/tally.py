# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""A tally: how often each filler of one role is in the episodes that fit a query.

- Exact, over the columns: most and least, how many different, what was left out, all of it are
  read off one tally. Figures are the same of a role's numbers: total, mean, extremes.
- Beside the roles that episodes have there are `robot`, `day` (the local one on which an episode
  ended) and, for figures, `duration` (seconds; of episodes that have a begin of their own).
- Memory keeps no units: a number is told in the one it was stored in.
"""

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from clara_memory.columns import Columns, Ids, Rows
from clara_memory.episode import FAILURES, Episode, Kind, Outcome, RoleFiller
from clara_memory.fitting import Fit
from clara_memory.store import Store
from clara_memory.times import local_days

ROBOT = "robot"
DAY = "day"
DURATION = "duration"


@dataclass(frozen=True, slots=True)
class Count:
    """How many episodes have one filler, how they ended, and when the latest of them did in ns.

    `failed` counts what timed out, too.
    """

    filler: RoleFiller
    episodes: int
    succeeded: int
    failed: int
    last_ns: int


@dataclass(frozen=True, slots=True)
class Tally:
    """The counts of a role's fillers, most first, then latest first.

    Of the `matches` episodes that fit (and that `succeeded` or `failed`), `episodes` have the
    role; one that has two fillers of it (before and after) is counted with each. `understood` is
    what they fit, `reason` why none does.
    """

    role: str
    counts: tuple[Count, ...]
    episodes: int
    matches: int
    succeeded: int
    failed: int
    understood: tuple[RoleFiller, ...] = ()
    reason: str = ""

    @property
    def most(self) -> tuple[Count, ...]:
        """Return the counts of what is there most often: several where they tie."""
        return tuple(one for one in self.counts if one.episodes == self.counts[0].episodes)

    @property
    def least(self) -> tuple[Count, ...]:
        """Return the counts of what is there least often, but is there; several where they tie."""
        return tuple(one for one in self.counts if one.episodes == self.counts[-1].episodes)


@dataclass(frozen=True, slots=True)
class Figures:
    """The numbers of a role, in the unit they were stored in; of `duration` in seconds.

    Of the `matches` episodes that fit (and that `succeeded` or `failed`), `episodes` have a
    number; one that has two of the role is counted with both. `of_smallest` and `of_largest` are
    the episodes stored last that have those numbers, None where they cannot be read. All numbers
    are 0 where no episode has one.
    """

    role: str
    episodes: int
    matches: int
    succeeded: int
    failed: int
    understood: tuple[RoleFiller, ...] = ()
    reason: str = ""
    total: float = 0.0
    mean: float = 0.0
    median: float = 0.0
    smallest: float = 0.0
    largest: float = 0.0
    of_smallest: Episode | None = None
    of_largest: Episode | None = None


def tally_of(
    columns: Columns,
    role: str,
    found: Fit,
    understood: Sequence[RoleFiller] = (),
    *,
    only: Collection[int] = (),
) -> Tally:
    """Return how often each filler of a role is in the episodes found; O(episodes + fillers).

    `only` are the ids of the fillers that count, where not all do.
    """
    there, ids, filler_of = _fillers(columns, role, found.positions)
    if only:
        kept = np.isin(ids, tuple(only))
        there, ids = there[kept], ids[kept]
    # By counting: to sort a million ids takes ten times as long.
    lowest = int(ids.min()) if len(ids) else 0
    ids = ids.astype(np.int64) - lowest
    rows = found.positions[there]
    outcomes = columns.outcome[rows]
    episodes = np.bincount(ids)
    succeeded = np.bincount(ids[outcomes == Outcome.SUCCEEDED], minlength=len(episodes))
    failed = np.bincount(ids[np.isin(outcomes, FAILURES)], minlength=len(episodes))
    last = np.zeros(len(episodes), dtype=np.int64)
    np.maximum.at(last, ids, columns.end_ns[rows])
    order = np.lexsort((-last, -episodes))[: np.count_nonzero(episodes)]
    counts = tuple(
        Count(
            filler_of(one + lowest),
            int(episodes[one]),
            int(succeeded[one]),
            int(failed[one]),
            int(last[one]),
        )
        for one in order.tolist()
    )
    having = int(np.count_nonzero(np.diff(there, prepend=-1)))
    matches, ended = len(found.positions), _ended(columns, found)
    return Tally(role, counts, having, matches, *ended, tuple(understood), found.reason)


def count_of(columns: Columns, filler: RoleFiller, found: Fit) -> Count:
    """Return how many episodes were found, where all of them have a filler."""
    last_ns = int(columns.end_ns[found.positions].max(initial=0))
    return Count(filler, len(found.positions), *_ended(columns, found), last_ns)


def _fillers(
    columns: Columns, role: str, rows: Rows
) -> tuple[Rows, Ids, Callable[[int], RoleFiller]]:
    """Return places within `rows`, the ids found there, and what an id stands for."""
    if columns.has(role) or role not in (ROBOT, DAY):
        there, ids = columns.fillers_of(role, rows)
        known = columns.items[role].fillers if columns.has(role) else []
        return there, ids, known.__getitem__
    every = np.arange(len(rows))
    if role == ROBOT:
        return every, columns.robot[rows], columns.robots.fillers.__getitem__
    return every, local_days(columns.end_ns[rows]), _day


def _day(since_1970: int) -> RoleFiller:
    return RoleFiller(DAY, (date(1970, 1, 1) + timedelta(days=since_1970)).isoformat())


class Measured(NamedTuple):
    """The rows of the store that have a number of a role, and the numbers; (n,) both.

    `of_store` says that the rows are all that fit, and that the store knows the numbers.
    """

    figures: Figures  # but for the numbers
    seqs: NDArray[np.int64]
    numbers: NDArray[np.float64]
    of_store: bool

    @property
    def holds(self) -> bool:
        """Whether there is any number, as far as is known."""
        return self.of_store or len(self.numbers) > 0


def measured_in(
    columns: Columns, role: str, found: Fit, understood: Sequence[RoleFiller] = ()
) -> Measured:
    """Return the numbers of a role in the episodes found; O(episodes + fillers)."""
    ended = _ended(columns, found)
    none = Figures(role, 0, len(found.positions), *ended, tuple(understood), found.reason)
    every = columns.seq[found.positions]
    if role == DURATION and not columns.has(role):
        return Measured(none, every, np.zeros(0), len(every) > 0)
    there, ids = columns.fillers_of(role, found.positions)
    known = columns.items[role].fillers if columns.has(role) else []
    of_id = np.full(len(known), np.nan)
    for identity in np.unique(ids):
        if known[identity].kind is Kind.NUMBER:
            of_id[identity] = known[identity].values[0]
    numbers = of_id[ids]
    kept = ~np.isnan(numbers)
    return Measured(none, every[there[kept]], numbers[kept], False)


def figures_of(measured: Measured, store: Store) -> Figures:
    """Return the figures of what was measured; raises StorageFailed."""
    figures, seqs, numbers, of_store = measured
    if of_store:
        took = sorted(store.durations_of(seqs.tolist()).items())
        both = np.array(took, dtype=np.int64).reshape(-1, 2)
        seqs, numbers = both[:, 0], both[:, 1] / 1e9
    if not len(numbers):
        return figures
    smallest, largest = float(numbers.min()), float(numbers.max())
    rows = [int(seqs[numbers == extreme][-1]) for extreme in (smallest, largest)]
    told = store.fetch(rows)
    total = math.fsum(numbers)
    return replace(
        figures,
        episodes=len(np.unique(seqs)),
        total=total,
        mean=total / len(numbers),
        median=float(np.median(numbers)),
        smallest=smallest,
        largest=largest,
        of_smallest=told.get(rows[0]),
        of_largest=told.get(rows[1]),
    )


def _ended(columns: Columns, found: Fit) -> tuple[int, int]:
    """Return how many of the episodes found succeeded, and how many failed or timed out."""
    outcomes = np.bincount(columns.outcome[found.positions], minlength=len(Outcome))
    return int(outcomes[Outcome.SUCCEEDED]), int(sum(outcomes[outcome] for outcome in FAILURES))
