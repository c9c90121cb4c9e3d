# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""What can be asked of memory, and what it answers.

A Query holds a cue, free text, filters and wishes; an Answer the candidates for each role asked
for, the episodes behind them, and how the cue was read. The search itself is in
clara_memory.fitting and clara_memory.ranking.
"""

import math
from dataclasses import dataclass

from clara_memory.episode import (
    MAX_FILLER,
    MAX_ROLES,
    MAX_TEXT,
    Episode,
    Outcome,
    RoleFiller,
    check_fillers,
    check_role,
    check_text,
    check_time,
)
from clara_memory.errors import InvalidRequest
from clara_memory.item_memory import Reading
from clara_memory.messages import Event
from clara_memory.ranges import RoleRange, check_ranges
from clara_memory.times import check_cue_time

DEFAULT_TOP_K = 10
MAX_TOP_K = 100
DEFAULT_MAX_EPISODES = 10
MAX_EPISODES = 1000
MAX_EPISODE_IDS = 5
MAX_WEIGHT = 100.0
WHEN = "when"  # the role, in what was understood, of the stretch of time that a text names
RELATIVE = "relative"  # the same of what a question is relative to, in words


@dataclass(frozen=True, slots=True)
class Query:
    """What is asked; the fields are those of clara_interfaces/QueryMemory, times in ns.

    `but` are row numbers of episodes that are not meant: it is the memory's own, for what a text
    is relative to.
    """

    cue: tuple[RoleFiller, ...] = ()
    text: str = ""
    ask: tuple[str, ...] = ()
    top_k: int = 0
    max_episodes: int = 0
    since_ns: int = 0
    until_ns: int = 0
    outcomes: tuple[Outcome, ...] = ()
    robots: tuple[str, ...] = ()
    subjects: tuple[str, ...] = ()
    ranges: tuple[RoleRange, ...] = ()
    weights: tuple[float, ...] = ()
    recency_half_life_s: float = 0.0
    guess: bool = False
    but: tuple[int, ...] = ()

    @property
    def is_text(self) -> bool:
        """Whether beside filters a text is all that chooses episodes: it may want a count."""
        return bool(self.text) and not self.cue

    @property
    def filters(self) -> "Query":
        """Return the query of its filters alone, which asks for nothing."""
        return Query(
            since_ns=self.since_ns,
            until_ns=self.until_ns,
            outcomes=self.outcomes,
            robots=self.robots,
            subjects=self.subjects,
            ranges=self.ranges,
        )


@dataclass(frozen=True, slots=True)
class CueMatch:
    """How one role of the cue was read; `accepted` is False where it is unlike all that is known.

    `similarity` to `nearest` is 0 to 1.
    """

    cue: RoleFiller
    nearest: str = ""
    by: Reading = Reading.NOTHING
    similarity: float = 0.0
    accepted: bool = False


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
    readings: tuple[CueMatch, ...]
    matches: int
    searched: int
    under_way: tuple[Event, ...] = ()

    @property
    def abstained(self) -> bool:
        """Whether nothing in memory fits what was asked."""
        return self.matches == 0

    @property
    def set_aside(self) -> tuple[RoleFiller, ...]:
        """Cues that were recognised in the text, but that no episode has with all the rest."""
        return tuple(one.cue for one in self.readings if one.cue not in self.understood)

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
    for field in ("robots", "subjects"):
        for number, name in enumerate(getattr(query, field)):
            check_text(f"{field}[{number}]", name, MAX_FILLER)
    check_ranges(query.ranges)
    if query.weights and len(query.weights) != len(query.cue):
        raise InvalidRequest(
            "weights", f"has {len(query.weights)} numbers for {len(query.cue)} roles of the cue"
        )
    for number, weight in enumerate(query.weights):
        if not 0.0 <= weight <= MAX_WEIGHT:
            raise InvalidRequest(f"weights[{number}]", f"is {weight:g}, not 0 to {MAX_WEIGHT:g}")
    if not (math.isfinite(query.recency_half_life_s) and query.recency_half_life_s >= 0):
        raise InvalidRequest("recency_half_life", "is not 0 or a positive number of seconds")
    for number, filler in enumerate(query.cue):
        check_cue_time(f"cue[{number}]", filler)
