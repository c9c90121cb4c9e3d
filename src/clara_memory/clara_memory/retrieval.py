# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Factored retrieval: which episodes fit a cue, and what they say about the roles asked for.

- The cue filler of each role is compared with the *known* fillers only; one pass over the id
  columns adds the table entries: the dot product of role-filler hypervectors without cross-talk.
- Score of an episode: sum over cue roles of w * similarity / sum of w, with
  w = log(1 + known fillers of the role) * log(1 + episodes / episodes that fit the role).
- A cue filler that is known exactly admits only itself, so exact cues find what SQL finds.
- Abstention is judged per role: a filler unlike everything known ends the search with a reason.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from clara_memory.columns import Columns, Ids, Rows
from clara_memory.episode import (
    MAX_FILLER,
    MAX_ROLES,
    MAX_TEXT,
    STANDARD_ROLES,
    Episode,
    Outcome,
    RoleFiller,
    check_fillers,
    check_role,
    check_text,
    check_time,
    outcome_of_word,
)
from clara_memory.errors import InvalidRequest
from clara_memory.item_memory import SAME_WORDS

SIMILARITY_THRESHOLD = 0.24  # the 4th power of a spelling similarity of 0.7
NEAR_BEST = 0.8  # share of the best score that an episode needs, to fit as well
DEFAULT_TOP_K = 10
MAX_TOP_K = 100
DEFAULT_MAX_EPISODES = 10
MAX_EPISODES = 1000
MAX_EPISODE_IDS = 5


@dataclass(frozen=True, slots=True)
class Query:
    """What is asked; the fields are those of clara_interfaces/QueryMemory, times in ns."""

    cue: tuple[RoleFiller, ...] = ()
    text: str = ""
    ask: tuple[str, ...] = ()
    top_k: int = 0
    max_episodes: int = 0
    since_ns: int = 0
    until_ns: int = 0
    outcomes: tuple[Outcome, ...] = ()
    robots: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Candidate:
    """One possible filler for a role that was asked for."""

    filler: str
    score: float
    support: int
    succeeded: int
    failed: int
    last_ns: int
    episode_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RoleAnswer:
    """What memory says about one role; abstained: it does not know, and `reason` says why."""

    role: str
    candidates: tuple[Candidate, ...] = ()
    reason: str = ""

    @property
    def abstained(self) -> bool:
        """Whether memory does not know."""
        return not self.candidates


@dataclass(frozen=True, slots=True)
class EpisodeMatch:
    """An episode found, and how well it fits: 1 is an exact match of every role of the cue."""

    score: float
    episode: Episode


@dataclass(frozen=True, slots=True)
class Answer:
    """What memory says to a query; the fields are those of clara_interfaces/QueryMemory."""

    answers: tuple[RoleAnswer, ...]
    episodes: tuple[EpisodeMatch, ...]
    understood: tuple[RoleFiller, ...]
    matches: int
    searched: int

    @property
    def abstained(self) -> bool:
        """Whether nothing in memory fits what was asked."""
        return self.matches == 0

    def __getitem__(self, role: str) -> RoleAnswer:
        for answer in self.answers:
            if answer.role == role:
                return answer
        raise KeyError(f"role '{role}' was not asked for")


def check_query(query: Query) -> None:
    """Raise InvalidRequest with the name of the first field that is not valid."""
    check_fillers("cue", query.cue, standard=True)
    check_text("text", query.text, MAX_TEXT, lines=True)
    if len(query.ask) > MAX_ROLES:
        raise InvalidRequest("ask", f"has more than {MAX_ROLES} roles")
    for number, role in enumerate(query.ask):
        check_role(f"ask[{number}]", role)
        if role in query.ask[:number]:
            raise InvalidRequest(f"ask[{number}]", f"is '{role}', which is given twice")
    for name, limit in (("top_k", MAX_TOP_K), ("max_episodes", MAX_EPISODES)):
        if not 0 <= getattr(query, name) <= limit:
            raise InvalidRequest(name, f"is {getattr(query, name)}, at most {limit:,} is allowed")
    check_time("since", query.since_ns)
    check_time("until", query.until_ns)
    if query.until_ns and query.since_ns > query.until_ns:
        raise InvalidRequest("until", "is before since")
    for number, robot in enumerate(query.robots):
        check_text(f"robots[{number}]", robot, MAX_FILLER)


@dataclass(slots=True)
class Fit:
    """The episodes that fit a cue: which, how well, and why none does."""

    chosen: NDArray[np.bool_]
    scores: NDArray[np.float32]
    reason: str = ""


@dataclass(slots=True)
class Ranking:
    """An Answer that still has positions in the columns where Answer has episodes."""

    answers: list["RoleRanking"]
    positions: Rows
    scores: NDArray[np.float32]
    matches: int
    searched: int


@dataclass(slots=True)
class RoleRanking:
    """A RoleAnswer whose candidates have positions in place of episode ids."""

    role: str
    reason: str = ""
    candidates: list[tuple[Candidate, Rows]] = field(default_factory=list)


def rank(
    columns: Columns, query: Query, recognised: Sequence[RoleFiller], *, reason: str = ""
) -> Ranking:
    """Return what fits the query's cue and the fillers recognised in its text.

    Every role of the cue must fit; of the recognised ones as many as any episode fits. A `reason`
    given means that nothing can fit.
    """
    if reason:
        fit = Fit(np.zeros(len(columns), bool), np.zeros(len(columns), np.float32), reason)
    else:
        fit = _fit(columns, query, recognised)
    asked = query.ask or tuple(
        role for role in STANDARD_ROLES if role not in {cue.role for cue in query.cue}
    )
    answers = [_rank_role(columns, role, fit, query.top_k or DEFAULT_TOP_K) for role in asked]
    positions = best_positions(
        np.flatnonzero(fit.chosen), fit.scores, columns, query.max_episodes or DEFAULT_MAX_EPISODES
    )
    return Ranking(
        answers,
        positions,
        fit.scores[positions],
        int(np.count_nonzero(fit.chosen)),
        len(columns),
    )


def _admitted(columns: Columns, query: Query) -> NDArray[np.bool_]:
    admitted = np.ones(len(columns), dtype=bool)
    if query.since_ns:
        admitted &= columns.end_ns >= query.since_ns
    if query.until_ns:
        admitted &= columns.end_ns <= query.until_ns
    if query.outcomes:
        admitted &= np.isin(columns.outcome, [int(outcome) for outcome in query.outcomes])
    if query.robots:
        admitted &= columns.robots_mask(query.robots)
    return admitted


def _fit(columns: Columns, query: Query, recognised: Sequence[RoleFiller]) -> Fit:
    total = len(columns)
    chosen = _admitted(columns, query)
    scores = np.zeros(total, dtype=np.float32)
    if not total:
        return Fit(chosen, scores, "the memory is empty")
    if not chosen.any():
        return Fit(chosen, scores, "no episode is within the given times, outcomes and robots")
    cues = [*query.cue, *recognised]
    if not cues:
        return Fit(chosen, np.ones(total, dtype=np.float32))
    fitting = np.zeros(total, dtype=np.uint8)
    weights = 0.0
    for number, cue in enumerate(cues):
        similar = _similarity(columns, cue, strict=number < len(query.cue))
        if similar is None:
            return Fit(np.zeros(total, bool), scores, _unknown(columns, cue))
        fits = similar > 0
        # What is admitted by times, outcomes and robots does not change how telling a role is.
        weight = math.log(1 + len(columns.items[cue.role])) * math.log(
            1 + total / int(np.count_nonzero(fits))
        )
        weights += weight
        scores += np.float32(weight) * similar
        fitting += fits
        if number < len(query.cue):
            chosen &= fits
    scores /= np.float32(weights)
    most = int(fitting[chosen].max(initial=0))
    if not most:
        together = " and ".join(str(cue) for cue in cues)
        return Fit(np.zeros(total, bool), scores, f"no episode has {together}")
    chosen &= fitting == most
    chosen &= scores >= NEAR_BEST * scores[chosen].max()
    return Fit(chosen, np.minimum(scores, 1.0))


def _similarity(columns: Columns, cue: RoleFiller, *, strict: bool) -> NDArray[np.float32] | None:
    """Return how well each episode fits one cue, shape (n,); None where nothing known is near.

    Where the very filler is known nothing else fits if `strict`, else the same words inflected.
    """
    outcome = outcome_of_word(cue.filler) if cue.role == "result" else None
    if outcome is not None:
        # FAILED also finds the episodes that failed with a result word of their own.
        ended = (columns.outcome == int(outcome)).astype(np.float32)
        return ended if ended.any() else None
    if cue.role not in columns.items:
        return None
    table = columns.items[cue.role].similarities(cue)
    table[table < SIMILARITY_THRESHOLD] = 0.0
    if table.max() >= 1.0:
        table[table < (1.0 if strict else SAME_WORDS)] = 0.0
    similar = columns.similarity(cue.role, table)
    return similar if similar.any() else None


def _unknown(columns: Columns, cue: RoleFiller) -> str:
    if cue.role not in columns.items:
        return f"no episode has the role '{cue.role}'"
    return f"no {cue.role} like '{cue.spoken}' is known"


def _rank_role(columns: Columns, role: str, fit: Fit, top_k: int) -> RoleRanking:
    if fit.reason:
        return RoleRanking(role, fit.reason)
    positions, ids = columns.fillers_of(role, fit.chosen)
    if not len(ids):
        return RoleRanking(role, f"none of the episodes that fit has the role '{role}'")
    known = columns.items[role].fillers
    weight = np.bincount(ids, weights=fit.scores[positions], minlength=len(known))
    # An episode can have two fillers of a role, one before and one after.
    total = max(float(fit.scores[fit.chosen].sum(dtype=np.float64)), float(weight.sum()))
    support = np.bincount(ids, minlength=len(known))
    outcomes = columns.outcome[positions]
    succeeded = np.bincount(ids[outcomes == Outcome.SUCCEEDED], minlength=len(known))
    failed = np.bincount(
        ids[(outcomes == Outcome.FAILED) | (outcomes == Outcome.TIMED_OUT)], minlength=len(known)
    )
    last = np.zeros(len(known), dtype=np.int64)
    np.maximum.at(last, ids, columns.end_ns[positions])
    order = np.lexsort((-last, -weight))[: min(top_k, np.count_nonzero(support))]
    ranking = RoleRanking(role)
    for identity in order:
        candidate = Candidate(
            filler=known[identity].spoken,
            score=float(weight[identity]) / total,
            support=int(support[identity]),
            succeeded=int(succeeded[identity]),
            failed=int(failed[identity]),
            last_ns=int(last[identity]),
            episode_ids=(),
        )
        behind = best_positions(positions[ids == identity], fit.scores, columns, MAX_EPISODE_IDS)
        ranking.candidates.append((candidate, behind))
    return ranking


def best_positions(
    positions: Rows, scores: NDArray[np.float32], columns: Columns, count: int
) -> Rows:
    """Return the `count` best of the positions: best score first, then latest end, then latest."""
    ends = columns.end_ns
    if len(positions) > 4 * count:
        # Sorting all of 100,000 costs more than the search itself.
        wanted = scores[positions]
        least = np.partition(wanted, len(wanted) - count)[len(wanted) - count]
        better, equal = positions[wanted > least], positions[wanted == least]
        room = count - len(better)
        if len(equal) > room:
            latest = np.partition(ends[equal], len(equal) - room)[len(equal) - room]
            equal = np.concatenate(
                [equal[ends[equal] > latest], equal[ends[equal] == latest][-room:]]
            )
        positions = np.concatenate([better, equal])
    order = np.lexsort((-positions, -ends[positions], -scores[positions]))
    return positions[order][:count]


def resolve(
    ranking: Ranking,
    understood: Iterable[RoleFiller],
    fetch: Callable[[Iterable[int]], Mapping[int, Episode]],
    seq: Ids,
) -> Answer:
    """Return the Answer of a Ranking, with its episodes read from the store by `fetch`."""
    behind = [rows for answer in ranking.answers for _, rows in answer.candidates]
    numbers = seq[np.unique(np.concatenate([ranking.positions, *behind]))]
    episodes = fetch(int(number) for number in numbers)
    answers = []
    for answer in ranking.answers:
        candidates = tuple(
            Candidate(
                candidate.filler,
                candidate.score,
                candidate.support,
                candidate.succeeded,
                candidate.failed,
                candidate.last_ns,
                tuple(episodes[int(seq[row])].episode_id for row in rows),
            )
            for candidate, rows in answer.candidates
        )
        answers.append(RoleAnswer(answer.role, candidates, answer.reason))
    matches = tuple(
        EpisodeMatch(float(score), episodes[int(seq[row])])
        for row, score in zip(ranking.positions, ranking.scores, strict=True)
    )
    return Answer(tuple(answers), matches, tuple(understood), ranking.matches, ranking.searched)
