# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Numbers in a sentence, in digits and in English words, with the units that follow them.

A robot that reads "twenty-five" as five, or 1,000 as one, does damage. What looks like a number
but has no single reading ("1,5", "2-3", "1e3", "nan") is kept as it was said, so that the check of
the skill's parameter refuses it and says why.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

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
    "%": "% percent",
    "m/s": "m/s mps",
    "km/h": "km/h kmh kph",
    "mi/h": "mph",
}
_UNIT_OF = {word: unit for unit, words in _UNITS.items() for word in words.split()}
# What may follow a number without being what it counts.
_NEUTRAL_WORDS = """
a across ahead along and at away back backwards by clara down for forward forwards from further
left more now of on onto over please right robot slowly straight that then there to towards up with
you
"""
_NEUTRAL = frozenset(_NEUTRAL_WORDS.split())
_SMALL_WORDS = """
zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen
sixteen seventeen eighteen nineteen
"""
_SMALL = {word: number for number, word in enumerate(_SMALL_WORDS.split())}
_TENS_WORDS = "twenty thirty forty fifty sixty seventy eighty ninety"
_TENS = {word: 10 * number for number, word in enumerate(_TENS_WORDS.split(), start=2)}
_LARGE = {"dozen": 12, "hundred": 100, "thousand": 1000, "million": 10**6, "billion": 10**9}
_NOT_FINITE = {"nan": "nan", "inf": "inf", "infinity": "inf", "infinite": "inf", "∞": "inf"}
_EITHER = frozenset(["or", "to", "and"])
_MINUS = frozenset(["minus", "negative"])

_TOKEN = re.compile(
    r"(?P<number>(?<![\w.])(?:[-+\u2212]\s*)?"
    r"(?:\d+(?:[.,_/:'\u2013-]\d+)*|\.\d+)(?:[eE][-+]?\d+)?)"
    r"|(?P<word>[^\W\d_]+(?:/[^\W\d_]+)?|[°%∞])"
    r"|(?P<other>\S)"
)
_PLAIN = re.compile(r"(?:[-+\u2212])?(?:\d{1,9}(?:\.\d{1,9})?|\.\d{1,9})")


@dataclass(frozen=True)
class Said:
    """A number that was said. `unit` is None where none followed, "?" for what is no unit."""

    written: str
    unit: str | None


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str
    start: int
    end: int


def numbers(text: str) -> list[Said]:
    """Return the numbers of a sentence in the order in which they were said."""
    tokens = [
        _Token(match.lastgroup or "", match[0], *match.span()) for match in _TOKEN.finditer(text)
    ]
    found: list[Said] = []
    at, end = 0, -1
    while at < len(tokens):
        read = _read(tokens, at)
        if read is None:
            at += 1
            continue
        either = bool(found) and (at == end or _word(tokens, at - 1) in _EITHER)
        written, at = read
        unit, end = _unit(tokens, at), at
        if either and unit is None:
            unit = found[-1].unit
        elif either:
            # "2 or 3 meters": the unit of the last is that of all.
            found = [
                Said(each.written, unit if each.unit in (None, "?") else each.unit)
                for each in found
            ]
        found.append(Said(written, unit))
    return found


def spellings(text: str, unit: str) -> tuple[str, ...]:
    """Return the numbers that may be meant for a parameter with this unit, each once."""
    said = [each for each in numbers(text) if not unit or each.unit in (None, unit)]
    # "2 meters and 3" is two meters: where a unit was said, the bare numbers mean something else.
    if unit and any(each.unit == unit for each in said):
        said = [each for each in said if each.unit == unit]
    return tuple(dict.fromkeys(each.written for each in said))


def with_unit(text: str, unit: str) -> bool:
    """Whether a number with this very unit was said."""
    return bool(unit) and any(each.unit == unit for each in numbers(text))


def is_number_word(word: str) -> bool:
    """Whether a word in lower case says a number, a part of one, or a unit."""
    return bool(
        _kind(word)
        or word in _UNIT_OF
        or word in _NOT_FINITE
        or word in _MINUS
        or word in ("half", "point", "per", "e")
    )


def _read(tokens: list[_Token], at: int) -> tuple[str, int] | None:
    """Read the number that begins at a token; return it and the token behind it."""
    start = at
    minus = _word(tokens, at) in _MINUS
    at += minus
    if _word(tokens, at) in _NOT_FINITE:
        return ("-" * minus) + _NOT_FINITE[_word(tokens, at)], at + 1
    token = tokens[at] if at < len(tokens) else None
    if token and token.kind == "number":
        if not _PLAIN.fullmatch(token.text) or _glued_to_a_word(tokens, at):
            glued = _word(tokens, at + 1) if _glued_to_a_word(tokens, at) else ""
            return " ".join(token.text.split()) + glued, at + 1
        value, at = float(token.text.replace("\u2212", "-")), at + 1
        while _word(tokens, at) in _LARGE:
            value, at = value * _LARGE[_word(tokens, at)], at + 1
    else:
        words = _read_words(tokens, at)
        if words is None:
            return None
        value, at = words
    value, at = _fraction(tokens, at, value)
    if minus and tokens[start + 1].text[0] in "-+\u2212":
        return f"minus {tokens[start + 1].text}", at
    return f"{-value if minus else value:.9g}", at


def _read_words(tokens: list[_Token], at: int) -> tuple[float, int] | None:
    if _word(tokens, at) == "half" and _word(tokens, at + 1) in ("a", "an"):
        return 0.5, at + 2
    total = part = 0
    start, before = at, "start"
    while True:
        word = _word(tokens, at)
        kind = _kind(word)
        joined = before in ("start", "large", "and")
        if kind == "small" and (joined or (before == "ten" and 0 < _SMALL[word] < 10)):
            part += _SMALL[word]
        elif kind == "ten" and joined:
            part += _TENS[word]
        elif kind == "large" and before != "and":
            part = max(part, 1) * _LARGE[word]
            if _LARGE[word] >= 1000:
                total, part = total + part, 0
        elif (before == "ten" and _is_hyphen(tokens, at) and _digit(tokens, at + 1)) or (
            before == "large"
            and word == "and"
            and _kind(_word(tokens, at + 1)) in ("small", "ten")
        ):
            at += 1
            before = "and" if word == "and" else before
            continue
        else:
            break
        at, before = at + 1, kind
    return (float(total + part), at) if at > start else None


def _kind(word: str) -> str:
    if word in _SMALL:
        return "small"
    return "ten" if word in _TENS else "large" if word in _LARGE else ""


def _digit(tokens: list[_Token], at: int) -> bool:
    return 0 < _SMALL.get(_word(tokens, at), 0) < 10


def _fraction(tokens: list[_Token], at: int, value: float) -> tuple[float, int]:
    """Read "point five" or "and a half" behind a number."""
    following = [_word(tokens, at + ahead) for ahead in range(3)]
    if following == ["and", "a", "half"]:
        return value + (0.5 if value >= 0 else -0.5), at + 3
    if following[0] != "point":
        return value, at
    at, digits = at + 1, ""
    while at < len(tokens):
        if _word(tokens, at) in _SMALL and _SMALL[_word(tokens, at)] < 10:
            digits += str(_SMALL[_word(tokens, at)])
        elif tokens[at].kind == "number" and tokens[at].text.isdigit():
            digits += tokens[at].text
        else:
            break
        at += 1
    part = float(f"0.{digits or 0}")
    return (value + part if value >= 0 else value - part), at


def _unit(tokens: list[_Token], at: int) -> str | None:
    """Return the unit that follows a number."""
    if _is_hyphen(tokens, at):
        at += 1
    word = _word(tokens, at)
    if not word or word in _NEUTRAL or _kind(word):
        return None
    unit = _UNIT_OF.get(word, "?")
    if _word(tokens, at + 1) == "per":
        return f"{unit}/{_UNIT_OF.get(_word(tokens, at + 2), '?')}"
    return unit


def _word(tokens: list[_Token], at: int) -> str:
    if at >= len(tokens) or tokens[at].kind != "word":
        return ""
    return tokens[at].text.lower()


def _is_hyphen(tokens: list[_Token], at: int) -> bool:
    return at < len(tokens) and tokens[at].text == "-"


def _glued_to_a_word(tokens: list[_Token], at: int) -> bool:
    """Whether letters that are no unit follow at once, as in 0x10 or 3rd."""
    word = _word(tokens, at + 1)
    return bool(word) and tokens[at + 1].start == tokens[at].end and word not in _UNIT_OF


def distinct(written: tuple[str, ...]) -> Iterator[str]:
    """Return each value once, however it was written."""
    seen: set[float | str] = set()
    for each in written:
        try:
            value: float | str = float(each)
        except ValueError:
            value = each
        if value not in seen:
            seen.add(value)
            yield each
