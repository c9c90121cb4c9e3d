# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Forgetting on request: what conditions hold for goes, with every trace of what it was.

That is episodes, what waits for its event or result, and the numbers left of episodes that were
consolidated; the latter two have no ids, and go by conditions alone.
"""

from dataclasses import dataclass
from sqlite3 import Connection

from clara_memory.columns import Columns
from clara_memory.episode import MAX_DETAIL, check_fillers, check_text, check_time
from clara_memory.errors import InvalidRequest
from clara_memory.forgetting import Conditions, Consolidated, erase, erase_numbers, numbers_left
from clara_memory.formats import filler_to_json
from clara_memory.pairing import Pairing
from clara_memory.store import Store


@dataclass(frozen=True, slots=True)
class Request:
    """What to forget, and why; without `episode_ids` whatever the conditions hold for."""

    episode_ids: tuple[str, ...]
    conditions: Conditions
    reason: str

    @property
    def asked(self) -> dict[str, object]:
        """Return what the audit says was asked."""
        return {
            "episode_ids": len(self.episode_ids),
            "where": [filler_to_json(filler) for filler in self.conditions.where],
            "since_ns": self.conditions.since_ns,
            "until_ns": self.conditions.until_ns,
        }


@dataclass(frozen=True, slots=True)
class Found:
    """What a request is about: rows of episodes, messages by kind and action_id, and numbers."""

    seqs: list[int]
    waiting: list[tuple[str, str]]
    numbers: list[Consolidated]

    @property
    def others(self) -> int:
        """Return how many there are that are no rows."""
        return len(self.waiting) + sum(one.count for one in self.numbers)

    @property
    def count(self) -> int:
        """Return how many there are in all."""
        return len(self.seqs) + self.others


def check_request(request: Request) -> None:
    """Raise InvalidRequest with the name of the first field that is not valid."""
    conditions = request.conditions
    check_fillers("where", conditions.where, standard=True)
    check_text("reason", request.reason, MAX_DETAIL, lines=True)
    check_time("since", conditions.since_ns)
    check_time("until", conditions.until_ns)
    if not (request.episode_ids or conditions.where or conditions.since_ns or conditions.until_ns):
        raise InvalidRequest("where", "is empty, as are all other conditions: say what to forget")


def rows_meeting(conditions: Conditions, columns: Columns) -> list[int]:
    """Return the row numbers of the episodes that the conditions hold for."""
    rows = columns.rows_equal(conditions.where)
    ends = columns.end_ns[rows]
    until_ns = conditions.until_ns
    within = (ends >= conditions.since_ns) & ((ends <= until_ns) if until_ns else True)
    return [int(seq) for seq in columns.seq[rows[within]]]


def found_by(request: Request, seqs: list[int], store: Store, pairing: Pairing) -> Found:
    """Return what a request is about, where its conditions hold for the episodes `seqs`."""
    if request.episode_ids:
        named = set(store.seqs_of(request.episode_ids).values())
        return Found([seq for seq in seqs if seq in named], [], [])
    conditions = request.conditions
    numbers = [
        one
        for one in numbers_left(store)
        if conditions.hold(one.fillers, one.first_ns, one.last_ns)
    ]
    return Found(seqs, pairing.matching(conditions), numbers)


def erase_found(
    database: Connection, found: Found, request: Request, pairing: Pairing, now_ns: int
) -> None:
    """Delete what was found, and leave an audit row."""
    pairing.drop(database, found.waiting)
    erase_numbers(database, found.numbers)
    erase(database, found.seqs, now_ns, request.asked, request.reason, found.others)
