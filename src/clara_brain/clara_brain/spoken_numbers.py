# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Numbers in a sentence, in digits and in English words, with the units that follow them.

A robot that reads "twenty-five" as five, or 1,000 as one, does damage. What looks like a number
but has no single reading ("1,5", "2-3", "3 / 4", "point five", "2 meters 50", "nan") is kept as it
was said, so that the check of the skill's parameter refuses it and says why.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

from clara_brain.spoken_units import UNIT_BEHIND, UNIT_OF
from clara_brain.units import TEMPERATURES, si_unit

# What may follow a number without being what it counts.
_NEUTRAL_WORDS = """
a across again ahead along and at away back backwards by clara down for forward forwards from
further left more now of on once onto out over please right robot slowly straight that then there
to towards up with you
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
_LARGEST = 10**12  # no parameter is that large, and what is larger yet fits into no float
_NOT_FINITE = {"nan": "nan", "inf": "inf", "infinity": "inf", "infinite": "inf", "∞": "inf"}
_EITHER = frozenset(["or", "to", "and"])
_MINUS = frozenset(["minus", "negative"])
_ARTICLES = frozenset(["a", "an", "the"])
# What makes another number of the one that follows.
_CHANGES = _MINUS | {"point", "dot", "comma", "half", "over", "per", "e"}
# Of these, what does so behind a number alone: "move over 2 meters" is two meters.
_BETWEEN = frozenset(["over", "e"])
# What may also be the name of a thing with a number: "go to point 5".
POINTS = frozenset(["point", "dot"])
# Marks that may stand beside a number and say nothing of it. A dash may be a minus.
_PUNCTUATION = frozenset(",;:.!?…#")
# What may stand between "at" or "in" and the number that belongs to it.
_ABOUT_WORDS = "a about another exactly just like maybe next only really some the"
_ABOUT = frozenset(_ABOUT_WORDS.split())

_TOKEN = re.compile(
    r"(?P<number>(?<![\w.])(?:[-+\u2212]\s*)?"
    r"(?:\d+(?:(?:[,_/:'\u2013-]|\.{1,3})\d+)*|\.\d+)(?:[eE][-+]?\d+)?)"
    r"|(?P<word>[^\W\d_]+(?:/[^\W\d_]+)?|[°%∞])"
    r"|(?P<other>\S)"
)
# "5 in north"; "5 in the corridor" may be metres.
_INCHES = re.compile(r"\s*in\b(?!\s+(?:an?|the)\b)", re.IGNORECASE)
_PLAIN = re.compile(r"(?:[-+\u2212])?(?:\d{1,9}(?:\.\d{1,9})?|\.\d{1,9})")


@dataclass(frozen=True)
class Said:
    """A number that was said.

    `unit` is None where none followed, "?" for what is no unit. `before` is the word that the
    number belongs to, as the "in" of "in about five minutes" and the "by" of "by x 3" where x is a
    label, and `name` is what is right before it, as the x; empty where none stands before it.
    From `start` to `end` it stands in the sentence, without its unit, which is up to `behind`.
    """

    written: str
    unit: str | None
    before: str = ""
    start: int = 0
    end: int = 0
    name: str = ""
    behind: int = 0


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str
    start: int
    end: int


@dataclass(frozen=True)
class _Place:
    """The tokens of a number: its first one, the one behind it, and the one behind its unit."""

    first: int
    end: int
    behind: int


def numbers(
    text: str, names: Collection[str] = (), labels: Collection[str] = ()
) -> tuple[Said, ...]:
    """Return the numbers of a sentence in the order in which they were said.

    `names` are those of POINTS that name a thing where a number without unit follows; `labels` are
    words that are no unit, though they follow a number.
    """
    return _numbers(text, frozenset(names), frozenset(labels))


@lru_cache(4096)  # the examples of a skill are read again for each of its parameters
def _numbers(text: str, names: frozenset[str], labels: frozenset[str]) -> tuple[Said, ...]:
    tokens = _tokens(text)
    found: list[Said] = []
    last = _Place(-1, -1, -1)
    at = 0
    while at < len(tokens):
        read = _read(tokens, at)
        if read is None:
            at += 1
            continue
        written, end = read
        unit, behind = _unit(tokens, end, labels)
        either = bool(found) and (at == last.end or _word(tokens, at - 1) in _EITHER)
        changes = _CHANGES.difference(names if unit in (None, "?") else ())
        goes_on = _goes_on(tokens, last, at, unit)
        first = last.first if goes_on else _first(tokens, at, last.end, changes)
        if found and first <= last.first:
            begun = found.pop()
            unit, before, name = unit or begun.unit, begun.before, begun.name
        else:
            before = _before(tokens, first, _ABOUT.union(labels))
            name = _before(tokens, first, _ABOUT)
        more = _more(tokens, end) or _more(tokens, behind)
        start, stop = tokens[first].start, tokens[(more or end) - 1].end
        if first < at or more:
            written = " ".join(text[start:stop].split())
        if either and unit is None and found:
            unit = found[-1].unit
        elif either:
            # "2 or 3 meters": the unit of the last is that of all.
            found = [
                replace(each, unit=unit if each.unit in (None, "?") else each.unit)
                for each in found
            ]
        unit_end = max(stop, tokens[behind - 1].end)
        found.append(Said(written, unit, before, start, stop, name, unit_end))
        last, at = _Place(first, end, behind), more or end
    return tuple(found)


def fitting(
    text: str,
    unit: str,
    others: Collection[str] = (),
    names: Collection[str] = (),
    labels: Collection[str] = (),
) -> list[Said]:
    """Return the numbers that may be meant for a parameter with this unit.

    `others` are the units of further parameters that a number may be meant for, `names` and
    `labels` as for `numbers`.
    """
    everything = numbers(text, names, labels)
    if unit in TEMPERATURES and "deg" not in others:
        everything = tuple(
            replace(each, unit=unit) if each.unit == "deg" else each for each in everything
        )
    if si_unit(unit) == "m":
        everything = tuple(
            replace(each, unit="?")
            if each.unit is None and _INCHES.match(text, each.end)
            else each
            for each in everything
        )
    said = [each for each in everything if not unit or each.unit in (None, unit)]
    # "2 meters and 3" is two meters: where a unit was said, the bare numbers mean something else.
    if unit and any(each.unit == unit for each in said):
        said = [each for each in said if each.unit == unit]
    if said and unit:
        alike = [
            each
            for each in everything
            if each.unit and each.unit not in others and si_unit(each.unit) == si_unit(unit)
        ]
        if any(each.unit != unit for each in alike):
            # "2 meters 50 centimeters" is neither of the two.
            written = " ".join(f"{each.written} {each.unit}" for each in alike)
            return [Said(written, unit, start=alike[0].start, end=alike[-1].end)]
    return said


def in_digits(text: str) -> str:
    """Return a text with its numbers in digits, and with their units as `units` has them."""
    for each in reversed(numbers(text)):
        known = each.unit not in (None, "?") and each.behind > each.end
        unit = f" {each.unit}" if known else text[each.end : each.behind]
        text = f"{text[: each.start]}{each.written}{unit}{text[each.behind :]}"
    return text


def spellings(said: Iterable[Said]) -> tuple[str, ...]:
    """Return how numbers were said, each once."""
    return tuple(dict.fromkeys(each.written for each in said))


def unit_of(word: str) -> str:
    """Return the unit that a word in lower case says; empty where it says none."""
    return UNIT_OF.get(word, "")


def unit_named(text: str) -> str:
    """Return the unit that a text of any case names behind a number: "degrees Celsius", "L"."""
    tokens = _tokens(text)
    unit, end = _unit(tokens, 0)
    return unit if unit and "?" not in unit and end == len(tokens) else ""


def word_of(digits: str) -> str:
    """Return the English word of a small number in digits; empty for another one."""
    words = _SMALL_WORDS.split()
    return words[int(digits)] if len(digits) < 3 and int(digits) < len(words) else ""


def is_number_word(word: str) -> bool:
    """Whether a word in lower case says a number, a part of one, or a unit."""
    return bool(
        _kind(word)
        or word in UNIT_OF
        or word in _NOT_FINITE
        or word in _MINUS
        or word in ("half", "point", "per", "e")
    )


def _tokens(text: str) -> list[_Token]:
    tokens = [
        _Token(match.lastgroup or "", match[0], *match.span()) for match in _TOKEN.finditer(text)
    ]
    # The hyphens of "twenty-five", "one-and-a-half" and "5-meter" are no signs.
    return [
        token
        for at, token in enumerate(tokens)
        if token.text != "-"
        or not 0 < at < len(tokens) - 1
        or not tokens[at - 1].end == token.start < token.end == tokens[at + 1].start
        or tokens[at + 1].kind != "word"
        or not _in_a_number(tokens[at - 1])
    ]


def _in_a_number(token: _Token) -> bool:
    word = token.text.lower()
    return token.kind == "number" or bool(_kind(word)) or word == "and" or word in _ARTICLES


def _goes_on(tokens: list[_Token], last: _Place, at: int, unit: str | None) -> bool:
    """Whether a number is a part of one that began before it: "3 / 4", "2. 5", "2 meters 50"."""
    if last.first < 0:
        return False
    if last.end == at:
        return _word(tokens, at) in _MINUS
    if _only_marks(tokens[last.end : at]):
        return True
    counted = _word(tokens, last.end) in UNIT_OF  # "aisle 4 shelf 2" is no such number
    return unit is None and counted and _only_marks(tokens[last.behind : at])


def _only_marks(tokens: list[_Token]) -> bool:
    return all(token.kind == "other" for token in tokens)


def _first(tokens: list[_Token], at: int, last_end: int, changes: frozenset[str]) -> int:
    """Return where a number begins: before it may stand what changes it and cannot be read.

    `last_end` is the token behind the number before it.
    """
    first = at
    while at > 0:
        token, word = tokens[at - 1], _word(tokens, at - 1)
        if token.kind == "other" and token.text not in _PUNCTUATION:
            # The hyphen of "left-90" and "gate B-12" may be no sign, so its word makes it neither.
            glued = _word(tokens, at - 2) and tokens[at - 2].end == token.start
            first = at - 2 if glued else at - 1
        elif word in changes and (word not in _BETWEEN or at - 1 == last_end):
            first = at - 1
        elif token.kind != "other" and word not in _ARTICLES:
            break
        at -= 1
    return first


def _before(tokens: list[_Token], at: int, passed: Collection[str]) -> str:
    """Return the word before a token; not one of those passed where another word is before it."""
    while _word(tokens, at - 1) in passed and _word(tokens, at - 2):
        at -= 1
    return _word(tokens, at - 1)


def _more(tokens: list[_Token], at: int) -> int:
    """Return the token behind "and a half" and the like where that follows; 0 otherwise."""
    if _word(tokens, at) != "and" or _word(tokens, at + 1) not in ("half", "a", "an"):
        return 0
    return min(at + 3, len(tokens)) if _word(tokens, at + 1) != "half" else at + 2


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
            part = min(max(part, 1) * _LARGE[word], _LARGEST)
            if _LARGE[word] >= 1000:
                total, part = total + part, 0
        elif (
            before == "large"
            and word == "and"
            and _kind(_word(tokens, at + 1)) in ("small", "ten")
        ):
            at, before = at + 1, "and"
            continue
        else:
            break
        at, before = at + 1, kind
    return (float(total + part), at) if at > start else None


def _kind(word: str) -> str:
    if word in _SMALL:
        return "small"
    return "ten" if word in _TENS else "large" if word in _LARGE else ""


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


def _unit(tokens: list[_Token], at: int, labels: Collection[str] = ()) -> tuple[str | None, int]:
    """Return the unit that follows a number, and the token behind it."""
    word = _word(tokens, at)
    if not word:
        # 5' and 5 € are not just five.
        sign = at < len(tokens) and tokens[at].kind == "other"
        return ("?", at) if sign and tokens[at].text not in _PUNCTUATION else (None, at)
    if _is_in_a_place(tokens, at):
        return None, at
    if word in _NEUTRAL or _kind(word) or (word in labels and word not in UNIT_BEHIND):
        return None, at
    unit, at = UNIT_BEHIND.get(word, "?"), at + 1
    scale = UNIT_BEHIND.get(_word(tokens, at), "")
    if unit == "deg" and scale in TEMPERATURES:
        unit, at = scale, at + 1  # "degrees Celsius"
    by, of = (tokens[at].text.lower() if at < len(tokens) else ""), _word(tokens, at + 1)
    if by in ("per", "/") or (by in ("a", "an", "each", "every") and of in UNIT_OF):
        if at + 2 < len(tokens) and tokens[at + 2].text.lower() in ("per", "/"):
            return "?", at + 2  # "1 meter per second per second"
        return f"{unit}/{UNIT_BEHIND.get(of, '?')}", at + 2
    if by.isdigit() and tokens[at].kind == "other":
        return "?", at  # "1m50"
    return unit, at


def _is_in_a_place(tokens: list[_Token], at: int) -> bool:
    """Whether "in" may say where: "on level 4 in aisle D"; at the end it may be inches."""
    following = _word(tokens, at + 1)
    return _word(tokens, at) == "in" and bool(following) and not _kind(following)


def _word(tokens: list[_Token], at: int) -> str:
    if not 0 <= at < len(tokens) or tokens[at].kind != "word":
        return ""
    return tokens[at].text.lower()


def _glued_to_a_word(tokens: list[_Token], at: int) -> bool:
    """Whether letters that are no unit follow at once, as in 0x10 or 3rd."""
    word = _word(tokens, at + 1)
    return bool(word) and tokens[at + 1].start == tokens[at].end and word not in UNIT_BEHIND


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
