# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Numbers between bounds as rules of a grammar, digit by digit.

Nothing outside of the bounds is let through, but not each way to write what is inside: a number
has no exponent, as many decimals as its bounds at least, and no more digits than a float holds.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from clara_brain.gbnf import NOTHING, Rules, either, times

INTEGER = '"-"? ("0" | [1-9] [0-9]{0,15})'
NUMBER = INTEGER + ' ("." [0-9]{1,16})? ([eE] [-+]? [0-9]{1,2})?'
_POINT = '"."'
_FLOAT_DIGITS = 15
FURTHEST = 10**100
_MOST_REMAINDERS = 2000


@dataclass(frozen=True)
class Bounds:
    """Where numbers lie; None is no bound, `above` and `below`: the bound itself is outside."""

    least: Fraction | None = None
    most: Fraction | None = None
    above: bool = False
    below: bool = False

    def mirrored(self) -> Bounds:
        """Return the bounds of the negated numbers."""
        least = None if self.most is None else -self.most
        most = None if self.least is None else -self.least
        return Bounds(least, most, self.below, self.above)


def bounds_of(schema: dict[str, Any]) -> Bounds:
    """Return the bounds that a JSON schema sets. Raises ValueError where no number is in them."""
    least, above = _end(schema, "minimum", "exclusiveMinimum", max)
    most, below = _end(schema, "maximum", "exclusiveMaximum", min)
    if (least or 0) > FURTHEST or (most or 0) < -FURTHEST:
        raise ValueError("a bound with more than 100 digits")
    # One that is too far away to matter is none.
    return Bounds(
        least if (least or 0) > -FURTHEST else None,
        most if (most or 0) < FURTHEST else None,
        above,
        below,
    )


def integers(bounds: Bounds, step: int, rules: Rules) -> str:
    """Return what stands for the multiples of `step` in bounds.

    It stands for all integers in bounds where a grammar would have too many remainders to count.
    Raises ValueError where there are none.
    """
    ends, negative = _whole(bounds, 0), _whole(bounds.mirrored(), 1)
    if step * len(str(max(*ends, *negative))) > _MOST_REMAINDERS:
        step = 1
    digits = _Digits(rules, step=step)
    return _any([*digits.between(*ends), *_minus(digits.between(*negative))])


def numbers(bounds: Bounds, rules: Rules) -> str:
    """Return what stands for the numbers in bounds. Raises ValueError where there are none."""
    ends = [each for each in (bounds.least, bounds.most) if each is not None]
    digits = _Digits(rules, max(map(_decimals, ends), default=0))
    return _any([*_positive(bounds, digits), *_minus(_positive(bounds.mirrored(), digits))])


def _whole(bounds: Bounds, first: int) -> tuple[int, int]:
    """Return the first and the last integer in bounds that is not below `first`."""
    low, high = first, None
    if bounds.least is not None:
        low = max(low, math.floor(bounds.least) + 1 if bounds.above else math.ceil(bounds.least))
    if bounds.most is not None:
        high = math.ceil(bounds.most) - 1 if bounds.below else math.floor(bounds.most)
    return low, _far(low) if high is None else high


def _positive(bounds: Bounds, digits: _Digits) -> list[str]:
    """Return the ways to write the numbers in bounds that are not negative."""
    least, most = max(bounds.least or Fraction(0), Fraction(0)), bounds.most
    low = math.ceil(least * digits.scale)
    above = bounds.above and least == bounds.least and low == least * digits.scale
    high = room = _far(low)
    spare = _FLOAT_DIGITS
    if most is not None:
        high = math.floor(most * digits.scale)
        room = high - 1  # below it there is room for further digits
        if bounds.below:
            # With more digits than a float holds they would be rounded up to the bound.
            spare -= len(str(high))
            high -= high == most * digits.scale
    found = digits.between(low + above, high)
    point = "" if digits.decimals else f"{_POINT} "
    if spare > 0:
        more = point + times("[0-9]", 1, spare)
        found += [f"{each} {more}" for each in digits.between(low + above, room)]
    half = (_FLOAT_DIGITS - len(str(low))) // 2
    if above and half > 0:
        more = f'{point}"0"{{0,{half}}} [1-9] [0-9]{{0,{half}}}'
        found += [f"{each} {more}" for each in digits.between(low, min(low, room))]
    return found


def _far(low: int) -> int:
    """Return the last of numbers without a bound."""
    return int(10 ** max(_FLOAT_DIGITS + 1, len(str(low)) + 1)) - 1


def _minus(ways: list[str]) -> list[str]:
    return [f'"-" {each}' for each in ways]


@dataclass
class _Digits:
    """Numerals of the multiples of `step`, the last `decimals` digits of each behind a point.

    Their values are meant as integers, as if there were no point.
    """

    rules: Rules
    decimals: int = 0
    step: int = 1
    _known: dict[tuple[int, int, int, int], str | None] = field(default_factory=dict)

    @property
    def scale(self) -> int:
        """By what a number is multiplied to have no decimals."""
        return int(10**self.decimals)

    def between(self, low: int, high: int) -> list[str]:
        """Return the ways to write the numerals from `low` to `high`, which are not negative."""
        if low > high:
            return []
        shortest = self.decimals + 1
        found: list[str | None] = []
        whole: list[int] = []
        for count in range(max(shortest, len(str(low))), max(shortest, len(str(high))) + 1):
            first = 10 ** (count - 1) if count > shortest else 0
            last = 10**count - 1
            if self.step == 1 and low <= first > 0 and last <= high:
                whole.append(count)
            else:
                found.append(self._rest(count, max(low, first), min(high, last), 0))
        if whole:
            found.append(f"[1-9] {self._free(whole[0] - 1, whole[-1] - 1)}")
        return [each for each in found if each is not None]

    def _rest(self, count: int, low: int, high: int, left: int) -> str | None:
        """Return what stands for the last `count` digits; None where there are none that fit.

        They make a number from `low` to `high`. What stands before them leaves `left` when it is
        divided by the step.
        """
        if count == 0:
            return None if left else NOTHING
        if self.step == 1 and low == 0 and high == 10**count - 1:
            return self._free(count, count)
        key = (count, low, high, left)
        if key not in self._known:
            self._known[key] = self._digit(count, low, high, left)
        return self._known[key]

    def _digit(self, count: int, low: int, high: int, left: int) -> str | None:
        unit = 10 ** (count - 1)
        digits: dict[str, str] = {}  # by what follows them
        for digit in range(low // unit, high // unit + 1):
            low_rest = max(0, low - digit * unit)
            high_rest = min(unit - 1, high - digit * unit)
            rest = self._rest(count - 1, low_rest, high_rest, (left * 10 + digit) % self.step)
            if rest is not None:
                digits[rest] = digits.get(rest, "") + str(digit)
        if not digits:
            return None
        ways = (
            f"[{each}]" + (f" {rest}" if rest != NOTHING else "") for rest, each in digits.items()
        )
        point = f"{_POINT} " if 0 < count == self.decimals else ""
        return point + self.rules.add(" | ".join(ways))

    def _free(self, least: int, most: int) -> str:
        """Return what stands for any `least` to `most` last digits."""
        before, behind = least - self.decimals, min(least, self.decimals)
        pieces = [times("[0-9]", before, most - self.decimals)] if before > 0 else []
        pieces += [_POINT] if before >= 0 < self.decimals else []
        pieces += [times("[0-9]", behind, behind)] if behind else []
        return " ".join(pieces)


def _end(
    schema: dict[str, Any],
    name: str,
    exclusive: str,
    tighter: Callable[[list[Fraction]], Fraction],
) -> tuple[Fraction | None, bool]:
    """Return a bound, and whether it is outside itself."""
    inside, outside = (
        None if isinstance(value, bool | None) else Fraction(str(value))
        for value in (schema.get(name), schema.get(exclusive))
    )
    if schema.get(exclusive) is True:  # as draft 4 has it
        outside = inside
    given = [each for each in (inside, outside) if each is not None]
    if not given:
        return None, False
    end = tighter(given)
    return end, end == outside


def _decimals(number: Fraction) -> int:
    """Return how many digits a number has behind the point, if a float can hold them."""
    counts = range(_FLOAT_DIGITS)
    return next((each for each in counts if 10**each % number.denominator == 0), _FLOAT_DIGITS)


def _any(ways: list[str]) -> str:
    if not ways:
        raise ValueError("its bounds leave no number")
    return either(ways)
