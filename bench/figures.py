# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""A figure of a benchmark: how it is read from the result, shown, and held against its target."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

Result = dict[str, Any]


@dataclass(frozen=True)
class Figure:
    """One figure: how it is read from a result, shown, and judged.

    `value` raises KeyError where the result does not have it. `target` is a bound from below, or
    with `most` from above; None: nothing was set.
    """

    what: str
    value: Callable[[Result], float]
    show: Callable[[float], str]
    against: str = ""
    target: float | None = None
    most: bool = False

    def met(self, value: float) -> bool:
        """Tell whether a value reaches the target."""
        assert self.target is not None
        return value <= self.target if self.most else value >= self.target


def at(*path: str | int) -> Callable[[Result], float]:
    """Return what reads a value at a path of keys, or of places in a list."""

    def read(result: Result) -> float:
        for key in path:
            result = result[key]  # type: ignore[index]
        return float(result)  # type: ignore[arg-type]

    return read


def over(one: Callable[[Result], float], other: Callable[[Result], float]) -> Callable[..., float]:
    """Return what reads a ratio."""
    return lambda result: one(result) / other(result)


def number(digits: int, unit: str, value: float, scale: float = 1.0) -> str:
    """Return a number with its unit."""
    return f"{value * scale:,.{digits}f}{unit}"


ratio = partial(number, 2, " ×")
times = partial(number, 1, " ×")
count = partial(number, 0, "")
seconds = partial(number, 1, " s")
plain = partial(number, 2, "")
percent = partial(number, 1, " %", scale=100.0)
ms = partial(number, 1, " ms", scale=1e3)
mb = partial(number, 0, " MB", scale=1e-6)


def bits(value: float) -> str:
    """Return a difference in bits per byte."""
    return f"{value:+.4f}"


def gain(value: float) -> str:
    """Return a difference of a share or a correlation."""
    return f"{value:+.3f}"


def small(value: float) -> str:
    """Return a number in powers of ten."""
    return f"{value:.1e}"
