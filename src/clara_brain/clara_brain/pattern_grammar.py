# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
r"""The strings that a pattern finds something in, as rules of a grammar of JSON.

Patterns are read by the parser of Python's own `re`, which is what replies are checked with. Each
character is let through as JSON writes it, and \d and \w mean ASCII: all that comes out fits.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from clara_brain.gbnf import NOTHING, Ranges, Rules, all_but, either, one_of, quoted, times

if sys.version_info >= (3, 11):
    from re import _constants as sre  # type: ignore[attr-defined]
    from re import _parser as sre_parse  # type: ignore[attr-defined]
else:
    import sre_constants as sre
    import sre_parse

LONGEST_RUN = 1000
_Item = tuple[Any, Any]

# What strings of a format look like: some of them, where the format has more.
FORMATS = {
    "date": r"^[12]\d{3}-(02-(0[1-9]|1\d|2[0-8])|(0[13-9]|1[0-2])-(0[1-9]|[12]\d|30)"
    r"|(0[13578]|1[02])-31)$",
    "time": r"^([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,6})?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)$",
    "duration": r"^P(\d{1,4}D|(\d{1,4}D)?T(\d{1,4}H|(\d{1,4}H)?(\d{1,4}M|(\d{1,4}M)?\d{1,4}S)))$",
    "uuid": r"^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$",
    "ipv4": r"^((\d|[1-9]\d|1\d\d|2[0-4]\d|25[0-5])\.){3}(\d|[1-9]\d|1\d\d|2[0-4]\d|25[0-5])$",
}
FORMATS["ipv6"] = r"^([0-9a-f]{1,4}:){7}[0-9a-f]{1,4}$"
FORMATS["uri"] = r"^[a-z][a-z0-9+-]{1,9}://[A-Za-z0-9._~:/?#@!$&()*+,;=%-]{1,200}$"
# Bounded, for a model that repeats itself would never come to the end.
_LABEL = "[a-z0-9]{1,24}(-[a-z0-9]{1,24}){0,2}"
FORMATS["hostname"] = rf"^{_LABEL}(\.{_LABEL}){{0,3}}$"
FORMATS["email"] = (
    rf"^[a-z0-9]{{1,24}}([._+-][a-z0-9]{{1,24}}){{0,2}}@({_LABEL}\.){{1,3}}[a-z]{{2,10}}$"
)
FORMATS["date-time"] = f"{FORMATS['date'][:-1]}T{FORMATS['time'][1:]}"

_ESCAPED = '\\"\b\f\n\r\t'
_UNWRITTEN: Ranges = [(0, 0x1F), (0x22, 0x22), (0x5C, 0x5C), (0x7F, 0x7F), (0xD800, 0xDFFF)]
_LINE_ENDS: Ranges = [(0xA, 0xA), (0xD, 0xD), (0x2028, 0x2029)]
_BEYOND_ASCII = (0x80, 0x10FFFF)
_DIGITS: Ranges = [(0x30, 0x39)]
_WORD: Ranges = [(0x30, 0x39), (0x41, 0x5A), (0x5F, 0x5F), (0x61, 0x7A)]
_SPACE: Ranges = [(0x9, 0xD), (0x20, 0x20)]
_FURTHER_SPACE: Ranges = [(0x1C, 0x1F), (0x85, 0x85), (0xA0, 0xA0), (0x1680, 0x1680)]
_FURTHER_SPACE += [(0x2000, 0x200A), (0x2028, 0x2029), (0x202F, 0x202F), (0x205F, 0x205F)]
_FURTHER_SPACE += [(0x3000, 0x3000), (0xFEFF, 0xFEFF)]
# What surely is in a category, and what might be: dialects differ beyond ASCII.
_CATEGORIES: dict[Any, tuple[Ranges, Ranges]] = {
    sre.CATEGORY_DIGIT: (_DIGITS, [*_DIGITS, _BEYOND_ASCII]),
    sre.CATEGORY_WORD: (_WORD, [*_WORD, _BEYOND_ASCII]),
    sre.CATEGORY_SPACE: (_SPACE, [*_SPACE, *_FURTHER_SPACE]),
}
for _kind, _opposite in (
    (sre.CATEGORY_DIGIT, sre.CATEGORY_NOT_DIGIT),
    (sre.CATEGORY_WORD, sre.CATEGORY_NOT_WORD),
    (sre.CATEGORY_SPACE, sre.CATEGORY_NOT_SPACE),
):
    _surely, _maybe = _CATEGORIES[_kind]
    _CATEGORIES[_opposite] = all_but(_maybe), all_but(_surely)
_BEGINNINGS = ((sre.AT, sre.AT_BEGINNING), (sre.AT, sre.AT_BEGINNING_STRING))
_ENDS = ((sre.AT, sre.AT_END), (sre.AT, sre.AT_END_STRING))
_REPETITIONS = (sre.MAX_REPEAT, sre.MIN_REPEAT)
_KINDS = {
    sre.ASSERT: "lookahead or lookbehind",
    sre.ASSERT_NOT: "lookahead or lookbehind",
    sre.GROUPREF: "back reference",
    sre.AT: "anchor in the middle",
}
_GROUPS = (sre.BRANCH, sre.SUBPATTERN)


def character() -> str:
    """Return what stands for any character of a JSON string."""
    half = "[0-9a-fA-F]{2}"
    # No half of a surrogate pair: two of them would be one character.
    code = f'"u" ([0-9a-cA-CefEF] [0-9a-fA-F] | [dD] [0-7]) {half}'
    return rf'[^"\\\x00-\x1F\x7F] | "\\" (["\\/bfnrt] | {code})'


def string_with(pattern: str, least: int, most: int | None, rules: Rules) -> str:
    """Return what stands for the strings that a pattern finds something in, without their quotes.

    Their lengths are bounded where the pattern is simple. Raises ValueError.
    """
    try:
        parsed: Any = sre_parse.parse(pattern)
    except (re.error, OverflowError) as error:
        raise ValueError(f"{pattern!r} is no pattern: {error}") from error
    widths = [parsed[place : place + 1].getwidth() for place in range(len(parsed))]
    items = _fitted(list(parsed), widths, least, most)
    try:
        if parsed.state.flags & (re.IGNORECASE | re.LOCALE):
            raise ValueError("flags")
        return _Pattern(rules).sequence(items, opens=True, closes=True)
    except ValueError as error:
        raise ValueError(f"the pattern {pattern!r} with its {error}") from None


def string_without(names: Iterable[str], rules: Rules) -> str:
    """Return what stands for the strings that are none of these, without their quotes."""
    tails: dict[str, list[str]] = {}
    for name in names:
        tails.setdefault(name[:1], []).append(name[1:])
    may_end = tails.pop("", None) is None
    heads = [(ord(head), ord(head)) for head in tails]
    plain = all_but(_UNWRITTEN)
    anything = rules.add(one_of(plain) + "*")
    ways = [NOTHING] if may_end else []
    ways.append(f"{one_of(all_but([*_UNWRITTEN, *heads]))} {anything}")
    ways += [
        f"{quoted(head)} {string_without(rest, rules)}"
        for head, rest in tails.items()
        if any(first <= ord(head) <= last for first, last in plain)
    ]
    return rules.add(" | ".join(ways))


def _fitted(
    items: list[_Item], widths: list[tuple[int, int]], least: int, most: int | None
) -> list[_Item]:
    """Return the items of a pattern with their repetitions so bounded that the length fits.

    Only a character that is repeated is bounded, and only outside of any group.
    """
    fitted = list(items)
    lengths = [
        place
        for place, (kind, value) in enumerate(items)
        if kind in _REPETITIONS and value[2].getwidth() == (1, 1)
    ]
    missing = least - sum(width[0] for width in widths)
    for place in lengths:
        kind, (low, high, body) = items[place]
        longer = min(max(0, missing), high - low)
        fitted[place] = kind, (low + longer, high, body)
        missing -= longer
    if most is None:
        return fitted
    ends = (fitted[at][1][0] if at in lengths else width[1] for at, width in enumerate(widths))
    spare = max(0, most - sum(ends))
    for share, place in zip(_shares(spare, len(lengths)), lengths, strict=True):
        kind, (low, high, body) = fitted[place]
        fitted[place] = kind, (low, min(high, low + share), body)
    return fitted


def _shares(whole: int, count: int) -> list[int]:
    return [whole // count + (place < whole % count) for place in range(count)]


class _Pattern:
    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._anything = rules.add(character()) + "*"

    def sequence(
        self, items: Sequence[_Item], run: int = 1, opens: bool = False, closes: bool = False
    ) -> str:
        """Return what stands for items one after another.

        `opens` and `closes`: nothing stands before them or behind them, so that the string may
        have more there unless an anchor says otherwise. `run`: how often they are repeated.
        """
        begins = opens and bool(items) and items[0] in _BEGINNINGS
        ends = closes and bool(items) and items[-1] in _ENDS
        inner = items[begins : len(items) - ends]
        before, behind = opens and not begins, closes and not ends
        if not inner:
            return self._anything if before or behind else NOTHING
        into_first = before and inner[0][0] in _GROUPS
        into_last = behind and inner[-1][0] in _GROUPS
        last = len(inner) - 1
        pieces = [
            self._item(item, run, into_first and place == 0, into_last and place == last)
            for place, item in enumerate(inner)
        ]
        pieces[:0] = [self._anything] * (before and not into_first)
        return " ".join(pieces + [self._anything] * (behind and not into_last))

    def _item(self, item: _Item, run: int, opens: bool, closes: bool) -> str:
        kind, value = item
        if kind is sre.LITERAL:
            return _written([(value, value)])
        if kind is sre.NOT_LITERAL:
            return _written(all_but([(value, value)]))
        if kind is sre.ANY:
            return _written(all_but(_LINE_ENDS))
        if kind is sre.IN:
            return _written(_set(value))
        if kind is sre.BRANCH:
            return either(self.sequence(each, run, opens, closes) for each in value[1])
        if kind is sre.SUBPATTERN and not value[1] and not value[2]:
            return f"({self.sequence(value[3], run, opens, closes)})"
        if kind in _REPETITIONS:
            least, most, items = value
            return self._repeated(items, least, most, run)
        raise ValueError(_KINDS.get(kind, str(kind).lower()))

    def _repeated(self, items: Sequence[_Item], least: int, most: int, run: int) -> str:
        longest = max(1, least if most == sre.MAXREPEAT else most)
        if run * longest > LONGEST_RUN:
            raise ValueError(f"repetitions; at most {LONGEST_RUN:,} of anything can be asked for")
        piece = self._rules.add(self.sequence(items, run * longest))
        return times(piece, least, None if most == sre.MAXREPEAT else most)


def _set(items: Sequence[_Item]) -> Ranges:
    negated = items[0][0] is sre.NEGATE
    found: Ranges = []
    for kind, value in items[negated:]:
        if kind is sre.CATEGORY:
            found += _CATEGORIES[value][negated]
        else:
            found.append(value if kind is sre.RANGE else (value, value))
    return all_but(found) if negated else found


def _written(ranges: Ranges) -> str:
    """Return what stands for one of these characters in a JSON string."""
    plain = all_but([*all_but(ranges), *_UNWRITTEN])
    ways = [quoted(chr(plain[0][0]))] if len(plain) == 1 and plain[0][0] == plain[0][1] else []
    if plain and not ways:
        ways = [one_of(plain)]
    ways += [
        quoted(json.dumps(each)[1:-1])
        for each in _ESCAPED
        if any(first <= ord(each) <= last for first, last in ranges)
    ]
    if not ways:
        raise ValueError("control characters")
    return either(ways)
