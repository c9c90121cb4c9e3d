# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Units of numbers: which of them measure the same, and what a number is in the SI unit.

A unit is written as in a skills file: "cm", "deg", or one by another, as "km/h".
"""

from __future__ import annotations

import math

CELSIUS, FAHRENHEIT = "\u00b0C", "\u00b0F"
# Degrees of a temperature whose scale nobody names. An angle is in deg.
DEGREE = "\u00b0"
TEMPERATURES = frozenset([CELSIUS, FAHRENHEIT, DEGREE])

# The SI unit of each, and how much of that it is.
_SI = {
    "m": ("m", 1.0),
    "cm": ("m", 0.01),
    "mm": ("m", 0.001),
    "km": ("m", 1000.0),
    "in": ("m", 0.0254),
    "ft": ("m", 0.3048),
    "yd": ("m", 0.9144),
    "mi": ("m", 1609.344),
    "s": ("s", 1.0),
    "ms": ("s", 0.001),
    "min": ("s", 60.0),
    "h": ("s", 3600.0),
    "rad": ("rad", 1.0),
    "deg": ("rad", math.pi / 180),
    "kg": ("kg", 1.0),
    "g": ("kg", 0.001),
    "lb": ("kg", 0.45359237),
}


def si_unit(unit: str) -> str:
    """Return the SI unit of what a unit measures, as "m/s" for "km/h".

    A unit that is not known, as "%", is its own, and so are those of volumes and temperatures.
    """
    return "/".join(_SI[part][0] if part in _SI else part for part in unit.split("/"))


def to_si(value: float, unit: str) -> float:
    """Return a number in the SI unit of what it measures; as it is where its unit is not known."""
    first, *others = (_SI[part][1] if part in _SI else 1.0 for part in unit.split("/"))
    return value * first / math.prod(others)
