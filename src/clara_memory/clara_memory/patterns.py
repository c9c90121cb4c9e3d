# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Patterns that episodes are watched for: "action=PICK_UP outcome=FAILED place='the dock'".

Every part must be equal, letter case and separators aside. Roles are those of the episode and of
its context and effects, beside `outcome` and `robot`.
"""

import shlex
from dataclasses import dataclass

from clara_memory.episode import (
    MAX_ROLES,
    STANDARD_ROLES,
    Episode,
    Outcome,
    RoleFiller,
    check_fillers,
    fold,
    outcome_of_word,
)
from clara_memory.errors import InvalidRequest


@dataclass(frozen=True, slots=True)
class Pattern:
    """A pattern as it was written, and what it asks for."""

    written: str
    fillers: tuple[RoleFiller, ...]
    outcome: Outcome | None = None

    def fits(self, episode: Episode) -> bool:
        """Whether the episode has all that the pattern asks for."""
        if self.outcome is not None and episode.outcome is not self.outcome:
            return False
        return all(_has(episode, filler) for filler in self.fillers)


def parse(field: str, written: str) -> Pattern:
    """Return the pattern of a text; raises InvalidRequest saying what is wrong with it."""
    try:
        parts = shlex.split(written)
    except ValueError as error:
        raise InvalidRequest(field, f"is {written!r}: {error}") from error
    if not parts:
        raise InvalidRequest(field, "is empty: write a pattern as 'action=PICK_UP outcome=FAILED'")
    fillers = []
    outcome = None
    for part in parts:
        role, equals, filler = part.partition("=")
        if not equals or not filler:
            raise InvalidRequest(field, f"has {part!r}: write each part as role=filler")
        named = outcome_of_word(filler)
        if role in ("outcome", "result") and named is not None:
            outcome = named
        elif role == "outcome":
            known = ", ".join(Outcome.__members__)
            raise InvalidRequest(field, f"has outcome={filler!r}, none of {known}")
        else:
            fillers.append(RoleFiller(role, filler))
    if len(fillers) > MAX_ROLES:
        raise InvalidRequest(field, f"has more than {MAX_ROLES} roles")
    check_fillers(field, fillers, standard=True)
    return Pattern(written, tuple(fillers), outcome)


def _has(episode: Episode, wanted: RoleFiller) -> bool:
    if wanted.role in (*STANDARD_ROLES, "robot"):
        return fold(getattr(episode, wanted.role)) == fold(wanted.filler)
    return any(
        filler.role == wanted.role and fold(filler.spoken) == fold(wanted.filler)
        for filler in (*episode.context, *episode.effects)
    )
