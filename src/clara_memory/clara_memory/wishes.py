# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""What a question wants counted, of which role, and of which episodes."""

from collections.abc import Collection
from dataclasses import dataclass, field
from enum import Enum


class Wish(Enum):
    """What is wanted of a tally or of figures."""

    MOST = "most"
    LEAST = "least"
    DIFFERENT = "different"  # which, how many different, and how often each
    MORE = "more"  # which of two more often
    EACH = "each"  # how often each of some
    NEVER = "never"  # which of all that are known is never there
    TIMES = "times"  # how often, of what is narrowed
    TOTAL = "total"
    MEAN = "mean"
    SMALLEST = "smallest"
    LARGEST = "largest"


OF_NUMBERS = (Wish.TOTAL, Wish.MEAN, Wish.SMALLEST, Wish.LARGEST)


@dataclass(frozen=True, slots=True)
class Role:
    """A role that may be meant; `among`: only where its fillers are all known of one of these."""

    name: str
    among: tuple[str, ...] = ()
    kind: frozenset[int] = frozenset()  # ids of its fillers that alone count; empty: all
    called: str = ""  # what these are called


@dataclass(frozen=True, slots=True)
class Reading:
    """One way to read a question: what is wanted, of the first of these roles that is there.

    `idle` are words that say nothing more beside this role: "get" beside who got something.
    """

    wish: Wish
    roles: tuple[Role, ...]
    rest: str
    idle: Collection[str] = field(default=())
    of_a_deed: bool = False  # whether the rest must name an action
    of_all: bool = False  # whether it may name nothing: "where have you been?"
