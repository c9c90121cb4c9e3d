# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""What people call the units that `units` knows, and some more, in lower case.

The words of UNIT_OF say a unit wherever they stand, those of UNIT_BEHIND do right behind a number.
"""

from __future__ import annotations

from clara_brain.units import CELSIUS, FAHRENHEIT, TEMPERATURES

_UNITS = {
    "m": "m meter meters metre metres",
    "cm": "cm centimeter centimeters centimetre centimetres",
    "mm": "mm millimeter millimeters millimetre millimetres",
    "km": "km kilometer kilometers kilometre kilometres",
    "in": "inch inches",
    "ft": "foot feet ft",
    "yd": "yard yards",
    "mi": "mile miles",
    "s": "s sec second seconds",
    "min": "min minute minutes",
    "h": "h hour hours",
    "deg": "deg degree degrees °",
    "rad": "rad radian radians",
    "kg": "kg kilogram kilograms kilo kilos",
    "g": "g gram grams",
    "lb": "lb lbs pound pounds",
    "%": "% percent",
    "m/s": "m/s mps",
    "km/h": "km/h kmh kph",
    "mi/h": "mph",
    "ms": "ms millisecond milliseconds",
    "l": "liter liters litre litres",
    "ml": "ml milliliter milliliters millilitre millilitres",
    "V": "volt volts",
    "W": "watt watts",
    "Pa": "pascal pascals",
    CELSIUS: "celsius centigrade degc \u00b0c",
    FAHRENHEIT: "fahrenheit degf \u00b0f",
}
UNIT_OF = {word: unit for unit, words in _UNITS.items() for word in words.split()}
# These may be something else, as in "rack C" and "go to the bar".
_ONLY_UNITS_BEHIND_A_NUMBER = {
    **{"l": "l", "v": "V", "w": "W", "pa": "Pa", "c": CELSIUS, "f": FAHRENHEIT},
    **dict.fromkeys(("bar", "bars"), "bar"),
}
UNIT_BEHIND = UNIT_OF | _ONLY_UNITS_BEHIND_A_NUMBER


def unit_words(unit: str) -> frozenset[str]:
    """Return the words that say a unit behind a number."""
    words = {word for word, meant in UNIT_BEHIND.items() if meant == unit}
    return frozenset(words | {"degrees", "degree"} if unit in TEMPERATURES else words)
