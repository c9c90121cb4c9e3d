# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Bounds of a role, to leave out episodes exactly: a number from ... to, a place within metres."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from clara_memory.episode import (
    MAX_FILLER,
    MAX_ROLES,
    Kind,
    RoleFiller,
    check_role,
    check_text,
    spoken_number,
)
from clara_memory.errors import InvalidRequest


@dataclass(frozen=True, slots=True)
class RoleRange:
    """Only episodes in which a role lies within bounds; as clara_interfaces/RoleRange.

    A number from `low` to `high`, both included and in the unit it was stored in; or, with a
    `center` (x, y, z in metres, in `frame`; an empty one means any), a position at most `radius`
    metres away from it.
    """

    role: str
    low: float = -math.inf
    high: float = math.inf
    center: tuple[float, ...] = ()
    frame: str = ""
    radius: float = 0.0

    def __post_init__(self) -> None:
        # Whole numbers are floats here, as they are on the wire.
        for name in ("low", "high", "radius"):
            object.__setattr__(self, name, float(getattr(self, name)))
        object.__setattr__(self, "center", tuple(map(float, self.center)))

    @property
    def kind(self) -> Kind:
        """Return what it bounds: NUMBER or POSITION."""
        return Kind.POSITION if self.center else Kind.NUMBER

    @property
    def told(self) -> RoleFiller:
        """Return it in words, as the filler of its role: battery=`0.1 to 0.3`."""
        return RoleFiller(self.role, self._spoken())

    def _spoken(self) -> str:
        if self.center:
            around = RoleFiller(self.role, self.frame, Kind.POSITION, self.center)
            return f"within {spoken_number(self.radius)} m of {around.spoken}"
        low, high = (spoken_number(bound) for bound in (self.low, self.high))
        if self.low == self.high:
            return low
        if math.isinf(self.low) and math.isinf(self.high):
            return "any number"
        if math.isinf(self.low):
            return f"at most {high}"
        return f"at least {low}" if math.isinf(self.high) else f"{low} to {high}"


def check_ranges(ranges: Sequence[RoleRange]) -> None:
    """Raise InvalidRequest with the name of the first field that is not valid."""
    if len(ranges) > MAX_ROLES:
        raise InvalidRequest("ranges", f"has {len(ranges)}, at most {MAX_ROLES} are allowed")
    seen: set[str] = set()
    for number, one in enumerate(ranges):
        here = f"ranges[{number}]"
        check_role(f"{here}.role", one.role)
        if one.role in seen:
            raise InvalidRequest(f"{here}.role", f"is '{one.role}', which is given twice")
        seen.add(one.role)
        if one.center:
            _check_place(here, one)
        else:
            _check_number(here, one)


def _check_number(here: str, one: RoleRange) -> None:
    for name, bound in (("low", one.low), ("high", one.high)):
        if math.isnan(bound):
            raise InvalidRequest(f"{here}.{name}", f"of '{one.role}' is not a number")
    if one.low > one.high:
        low, high = spoken_number(one.low), spoken_number(one.high)
        raise InvalidRequest(f"{here}.low", f"of '{one.role}' is {low}, above high, {high}")
    if one.radius or one.frame:
        raise InvalidRequest(
            f"{here}.center", f"of '{one.role}' is empty: a place has x, y, z beside its radius"
        )


def _check_place(here: str, one: RoleRange) -> None:
    if len(one.center) != 3:
        raise InvalidRequest(
            f"{here}.center", f"of '{one.role}' has {len(one.center)} numbers: give x, y, z"
        )
    if not all(map(math.isfinite, one.center)):
        raise InvalidRequest(f"{here}.center", f"of '{one.role}' holds what is not finite")
    check_text(f"{here}.frame", one.frame, MAX_FILLER)
    if not one.radius >= 0:
        raise InvalidRequest(f"{here}.radius", f"of '{one.role}' is not 0 or more metres")
    for name, bound in (("low", one.low), ("high", one.high)):
        if bound and not math.isinf(bound):
            raise InvalidRequest(
                f"{here}.{name}", f"of '{one.role}' is given beside a center: one or the other"
            )
