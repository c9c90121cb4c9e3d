# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""What the episodes that fit say about the roles asked for: candidates, best first.

A candidate's score is its share of the scores of all that fit; its support, successes and latest
time are counted over the same episodes.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from clara_memory.columns import Columns, Rows
from clara_memory.cue import Cue
from clara_memory.episode import FAILURES, MAX_TIME_NS, STANDARD_ROLES, Outcome, RoleFiller
from clara_memory.fitting import Fit, fit, nothing
from clara_memory.retrieval import (
    DEFAULT_MAX_EPISODES,
    DEFAULT_TOP_K,
    MAX_EPISODE_IDS,
    Answer,
    Candidate,
    CueMatch,
    EpisodeMatch,
    Query,
    RoleAnswer,
)
from clara_memory.store import Store
from clara_memory.unread import UNREAD, UNREAD_TIME, Unread

_UNREAD_TOLD = 5
AHEAD_NS = 10 * 10**9  # what clocks may differ by
_HEAD = 4096  # rows that are put in order first: most candidates have their episodes there


@dataclass(slots=True)
class Ranking:
    """An Answer that still has row numbers of the store where Answer has episodes."""

    answers: list["RoleRanking"]
    seqs: Rows
    scores: NDArray[np.float32]
    readings: tuple[CueMatch, ...]
    set_aside: tuple[RoleFiller, ...]
    matches: int
    searched: int


@dataclass(slots=True)
class RoleRanking:
    """A RoleAnswer whose candidates have row numbers of the store in place of episode ids."""

    role: str
    reason: str = ""
    candidates: list[tuple[Candidate, Rows]] = field(default_factory=list)


def rank(
    columns: Columns,
    query: Query,
    recognised: Sequence[RoleFiller],
    unread: Sequence[Unread] = (),
    now_ns: int = MAX_TIME_NS,
    *,
    reason: str = "",
    first: bool = False,
) -> Ranking:
    """Return what fits the query's cue and the fillers recognised in its text.

    Every role of the cue must fit; of the recognised ones as many as any episode fits. What was
    `unread` and is missing, or a `reason` given, means that nothing can fit. The episodes are the
    best and latest, with `first` the oldest of all that fit.
    """
    found = find(columns, query, recognised, unread, reason=reason)
    asked = query.ask or tuple(
        role for role in STANDARD_ROLES if role not in {cue.role for cue in query.cue}
    )
    count = query.max_episodes or DEFAULT_MAX_EPISODES
    head = _best(found.scores, _ends(columns, found, now_ns), max(count, _HEAD))
    top_k = query.top_k or DEFAULT_TOP_K
    best = _oldest(columns.end_ns[found.positions], count) if first else head[:count]
    return Ranking(
        [_rank_role(columns, role, found, head, top_k) for role in asked],
        columns.seq[found.positions[best]],
        found.scores[best],
        found.readings,
        found.set_aside,
        len(found.positions),
        len(columns),
    )


def find(
    columns: Columns,
    query: Query,
    recognised: Sequence[RoleFiller],
    unread: Sequence[Unread] = (),
    *,
    reason: str = "",
) -> Fit:
    """Return the episodes that fit, as `rank` says, before they are put in order."""
    readings = unread_readings(columns, unread)
    missing = [reading for reading, one in zip(readings, unread, strict=False) if one.missing]
    if missing and not query.guess:
        reason = reason or _not_known(missing[0], unread)
    found = nothing(reason) if reason else fit(columns, query, recognised)
    found.readings = (*found.readings, *readings)
    return found


def _not_known(reading: CueMatch, unread: Sequence[Unread]) -> str:
    phrase = reading.cue.filler
    said = next((one.reason for one in unread if one.phrase == phrase and one.reason), "")
    if said:
        return said
    if any(one.role == UNREAD_TIME for one in unread if one.phrase == phrase):
        return f"the time '{phrase}' is not understood"
    nearest = f" (the nearest is '{reading.nearest}')" if reading.nearest else ""
    return f"nothing like '{phrase}' is known{nearest}"


def unread_readings(columns: Columns, unread: Sequence[Unread]) -> list[CueMatch]:
    """Return how the first few of what was not read would be read, had one to guess."""
    readings = []
    for one in unread[:_UNREAD_TOLD]:
        guess = CueMatch(RoleFiller(UNREAD, one.phrase))
        if columns.has(one.role):
            nearest = Cue(columns, RoleFiller(one.role, one.phrase), strict=False, weight=1.0)
            guess = replace(nearest.reading(None, False), cue=guess.cue)
        readings.append(guess)
    return readings


def _rank_role(columns: Columns, role: str, found: Fit, head: Rows, top_k: int) -> RoleRanking:
    if found.reason:
        return RoleRanking(role, found.reason)
    there, ids = columns.fillers_of(role, found.positions)
    if not len(ids):
        return RoleRanking(role, f"none of the episodes that fit has the role '{role}'")
    known = columns.items[role].fillers
    positions, scores = found.positions[there], found.scores[there]
    weight = np.bincount(ids, weights=scores, minlength=len(known))
    # An episode can have two fillers of a role, one before and one after.
    total = max(float(found.scores.sum(dtype=np.float64)), float(weight.sum()))
    support = np.bincount(ids, minlength=len(known))
    outcomes = columns.outcome[positions]
    succeeded = np.bincount(ids[outcomes == Outcome.SUCCEEDED], minlength=len(known))
    failed = np.bincount(ids[np.isin(outcomes, FAILURES)], minlength=len(known))
    ends = columns.end_ns[positions]
    last = np.zeros(len(known), dtype=np.int64)
    np.maximum.at(last, ids, ends)
    order = np.lexsort((-last, -weight))[: min(top_k, np.count_nonzero(support))]
    head_rows = found.positions[head]
    head_there, head_ids = columns.fillers_of(role, head_rows)
    ranking = RoleRanking(role)
    for identity in order:
        candidate = Candidate(
            filler=known[identity].spoken,
            # Nothing that counts fits where only roles of next to no weight do.
            score=float(weight[identity]) / total if total else 0.0,
            support=int(support[identity]),
            succeeded=int(succeeded[identity]),
            failed=int(failed[identity]),
            last_ns=int(last[identity]),
            episode_ids=(),
        )
        behind = head_rows[head_there[head_ids == identity][:MAX_EPISODE_IDS]]
        if len(behind) < min(MAX_EPISODE_IDS, candidate.support):
            places = np.flatnonzero(ids == identity)
            behind = positions[places[_best(scores[places], ends[places], MAX_EPISODE_IDS)]]
        ranking.candidates.append((candidate, columns.seq[behind]))
    return ranking


def _ends(columns: Columns, found: Fit, now_ns: int) -> Rows:
    """Return when the episodes found ended, by what was known `now_ns`.

    A stamp that lies ahead is of a clock that was wrong: nothing is said to be later than that.
    """
    ends = columns.end_ns[found.positions]
    return np.where(ends > now_ns + AHEAD_NS, 0, ends)


def _best(scores: NDArray[np.float32], ends: Rows, count: int) -> Rows:
    """Return the places of the `count` best: best score first, then latest end, then latest."""
    places = np.arange(len(scores))
    if len(places) > 4 * count:
        # Sorting all of 100,000 costs more than the search itself.
        least = np.partition(scores, len(scores) - count)[len(scores) - count]
        better, equal = np.flatnonzero(scores > least), np.flatnonzero(scores == least)
        room = count - len(better)
        if len(equal) > room:
            latest = np.partition(ends[equal], len(equal) - room)[len(equal) - room]
            equal = np.concatenate(
                [equal[ends[equal] > latest], equal[ends[equal] == latest][-room:]]
            )
        places = np.concatenate([better, equal])
    order = np.lexsort((-places, -ends[places], -scores[places]))
    return places[order][:count]


def _oldest(ends: Rows, count: int) -> Rows:
    """Return the places of the `count` earliest ends, in order."""
    places = np.arange(len(ends))
    if len(ends) > 4 * count:
        places = np.flatnonzero(ends <= np.partition(ends, count - 1)[count - 1])
    return places[np.argsort(ends[places], kind="stable")][:count]


def _without_episodes(ranking: Ranking) -> Ranking:
    """Return the Ranking where none of the episodes found can be read: nothing vouches for it."""
    reason = "the episodes that fit are damaged, or were forgotten just now"
    answers = [RoleRanking(one.role, reason) for one in ranking.answers]
    return replace(
        ranking, answers=answers, seqs=ranking.seqs[:0], scores=ranking.scores[:0], matches=0
    )


def resolve(ranking: Ranking, understood: Iterable[RoleFiller], store: Store) -> Answer:
    """Return the Answer of a Ranking, with its episodes and their ids read from the store.

    What was forgotten in between or is damaged is left out, and of what was understood what was
    set aside.
    """
    behind = [seqs for answer in ranking.answers for _, seqs in answer.candidates]
    wanted = np.unique(np.concatenate([ranking.seqs[:0], *behind]))
    ids = store.ids_of(wanted.tolist())
    episodes = store.fetch(ranking.seqs.tolist())
    if len(ranking.seqs) and not episodes:
        ranking = _without_episodes(ranking)
    answers = []
    for answer in ranking.answers:
        candidates = tuple(
            replace(candidate, episode_ids=tuple(ids[seq] for seq in seqs.tolist() if seq in ids))
            for candidate, seqs in answer.candidates
        )
        answers.append(RoleAnswer(answer.role, candidates, answer.reason))
    matches = tuple(
        EpisodeMatch(float(score), episodes[int(seq)])
        for seq, score in zip(ranking.seqs, ranking.scores, strict=True)
        if int(seq) in episodes
    )
    return Answer(
        tuple(answers),
        matches,
        tuple(filler for filler in understood if filler not in ranking.set_aside),
        ranking.readings,
        ranking.matches,
        ranking.searched,
    )
