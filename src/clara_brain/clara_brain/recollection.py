# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""What memory answered to a turn: episodes as facts, how often, and how the question was read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

_AHEAD_S = 10


class Outcome(Enum):
    """How an episode ended; the values are those of Episode.msg."""

    UNKNOWN = 0
    SUCCEEDED = 1
    FAILED = 2
    CANCELED = 3
    TIMED_OUT = 4


@dataclass(frozen=True)
class Age:
    """How long ago something ended: seconds, below 0 for a stamp that lies ahead, and days.

    Those are of the local calendar: what was late yesterday is one day ago this morning.
    """

    seconds: float
    days: int = 0

    @property
    def is_ahead(self) -> bool:
        """Whether the stamp lies ahead by more than clocks differ: nobody knows when that was."""
        return self.seconds < -_AHEAD_S


@dataclass(frozen=True)
class Fact:
    """One remembered episode. An empty `subject` is the robot itself.

    `context` has its other roles, with what fills them as text.
    """

    episode_id: str
    action: str
    object: str
    outcome: Outcome
    age: Age
    subject: str = ""
    detail: str = ""
    context: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class UnderWay:
    """What has begun, `since` when, and has no result yet; else as a Fact."""

    action: str
    object: str
    since: Age
    subject: str = ""
    context: Mapping[str, str] = field(default_factory=dict)


class Order(Enum):
    """Which of the episodes that fit comes first of the facts."""

    LATEST = "latest"
    FIRST = "first"
    BEST = "best"  # they do not fit equally well


@dataclass(frozen=True)
class Unread:
    """Words of the question that memory did not read, and what it knows that is most like them."""

    phrase: str
    nearest: str = ""


@dataclass(frozen=True)
class Recollection:
    """What memory answered; the facts are some of all that fit.

    `abstained`: it does not know, and `reason` says why. `missing` is what was asked about and not
    all facts have: they are only the nearest. `recognised` are the roles of what was read, as
    "action", "when" or "object/place", and `asked` what they are asked for, in words. `succeeded`
    and `failed` are counted over all that fit, as `matches` is. `counted` is what else the
    question wants counted (most, least, a total), in sentences of memory's own. `under_way` is
    what fits and is no episode yet. `relative` is what the question was taken relative to, or what
    it goes on from, in words.
    """

    facts: tuple[Fact, ...] = ()
    abstained: bool = False
    reason: str = ""
    counted: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    unread: tuple[Unread, ...] = ()
    recognised: tuple[str, ...] = ()
    asked: tuple[str, ...] = ()
    matches: int = 0
    succeeded: int = 0
    failed: int = 0
    order: Order = Order.LATEST
    under_way: tuple[UnderWay, ...] = ()
    relative: str = ""

    @property
    def told(self) -> tuple[Fact, ...]:
        """Return the facts that are said: none where what is counted was read otherwise.

        What comes nearest is not said where what was asked about is under way.
        """
        if self.counted and (self.unread or self.missing):
            return ()
        return () if self.under_way and self.missing else self.facts
