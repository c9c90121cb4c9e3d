# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Which figure of which numbers a question asks for: "how much ... in total", "longest patrol".

A number belongs to a role, which is named ("the highest wind speed") or told by a word for what is
measured: what is heavy has a `weight`, litres are of a `volume`, what is long took its time.
"""

import re
from collections.abc import Iterator, Mapping

from clara_memory.inflection import words_of
from clara_memory.item_memory import ItemMemory
from clara_memory.narrowing import LENGTHS, WEIGHTS
from clara_memory.roles_called import apart, is_deed, is_thing
from clara_memory.tally import DURATION
from clara_memory.wishes import Reading, Role, Wish

_AMOUNTS = ("volume", "amount", "quantity", *WEIGHTS)
# The wish of an adjective, and the roles whose numbers it is said of where none is named.
_ADJECTIVES: dict[str, tuple[Wish, tuple[str, ...]]] = {
    **dict.fromkeys(("average", "mean"), (Wish.MEAN, ())),
    **dict.fromkeys(("total", "overall", "sum of", "sum of the"), (Wish.TOTAL, ())),
    **dict.fromkeys(
        ("highest", "largest", "biggest", "greatest", "maximum", "maximal"), (Wish.LARGEST, ())
    ),
    **dict.fromkeys(("lowest", "smallest", "minimum", "minimal"), (Wish.SMALLEST, ())),
    "longest": (Wish.LARGEST, (DURATION,)),
    "shortest": (Wish.SMALLEST, (DURATION,)),
    "heaviest": (Wish.LARGEST, WEIGHTS),
    "lightest": (Wish.SMALLEST, WEIGHTS),
    **dict.fromkeys(("hottest", "warmest"), (Wish.LARGEST, ("temperature",))),
    **dict.fromkeys(("coldest", "coolest"), (Wish.SMALLEST, ("temperature",))),
}
_UNITS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("litres", "liters"), ("volume",)),
    **dict.fromkeys(("kilos", "kilograms", "kilogrammes", "kg"), WEIGHTS),
    **dict.fromkeys(("metres", "meters"), LENGTHS),
}
_TIME = frozenset(words_of("time duration"))
_TAKING = r"(?:it )?(?:takes?|took|taken)(?: you)?(?: to)?"
_ALL = r"in total|altogether|overall|in all"
_EXTREME = re.compile(
    rf"(?:what|which)(?: is| was| were| are|s)? (?P<whose>the |your )?"
    rf"(?P<adjective>{'|'.join(sorted(_ADJECTIVES, reverse=True))}) (?P<rest>.+)"
)
_HOW_LONG = re.compile(
    rf"how (?:long|much time) (?P<rest>.+?)(?: (?P<mean>on average)| (?:{_ALL}))(?P<more>.*)"
)
_LONGEST = re.compile(
    r"(?P<rest>.+?) (?:takes?|took) (?:you )?(?:the )?"
    r"(?P<how>longest|shortest|most time|least time)(?: to)?(?P<more>.*)"
)
_HOW_MUCH = re.compile(r"how (?:much|many (?P<unit>\w+)(?: of)?) ?(?P<rest>.+)")
_ON_AVERAGE = re.compile(r" on average\b")
_IN_TOTAL = re.compile(rf" (?:{_ALL})\b")


def without_total(text: str) -> str:
    """Return a text without the words that say that all of it is meant."""
    return _IN_TOTAL.sub("", text)


def figures_in(text: str, items: Mapping[str, ItemMemory]) -> Iterator[Reading]:
    """Yield the readings of a question that ask for a figure of numbers."""
    if found := _EXTREME.fullmatch(text):
        yield from _extreme(found, items)
    elif found := _HOW_LONG.fullmatch(text):
        wish = Wish.MEAN if found["mean"] else Wish.TOTAL
        rest = re.sub(rf"\b{_TAKING}\b", " ", found["rest"], count=1)
        yield Reading(wish, (Role(DURATION),), f"what {rest} {found['more']}")
    elif found := _LONGEST.fullmatch(text):
        wish = Wish.LARGEST if found["how"] in ("longest", "most time") else Wish.SMALLEST
        rest = found["rest"].removeprefix("which ")
        yield Reading(wish, (Role(DURATION),), f"what {rest} {found['more']}")
    elif found := _HOW_MUCH.fullmatch(text):
        yield from _how_much(found)


def _extreme(found: re.Match[str], items: Mapping[str, ItemMemory]) -> Iterator[Reading]:
    """Yield the readings of "the highest wind speed" and of "your longest patrol"."""
    wish, implied = _ADJECTIVES[found["adjective"]]
    roles = tuple(map(Role, implied))
    whose = found["whose"] or ""
    for count in (3, 2, 1):
        noun, rest = apart(found["rest"], count)
        if not noun:
            continue
        stems = words_of(noun)
        # Of "soil moisture" a part may be what was measured, and the rest how it is called.
        for role in items:
            name = words_of(role)
            if stems[-len(name) :] == name and (role in implied or not implied or len(name) > 1):
                said = "" if stems == name else noun
                yield Reading(wish, (Role(role),), f"what {whose}{said} {_of(rest)}")
        if stems[0] in _TIME and count == 1 and not implied:
            rest = re.sub(rf"^(?:for|of|{_TAKING})\b", "", rest)
            yield Reading(wish, (Role(DURATION),), f"what {whose} {rest}")
        if implied and count == 1:
            said = "" if is_thing(noun) else noun
            if said and implied == (DURATION,) and not is_deed(noun, items):
                continue  # the longest rope took no time
            yield Reading(wish, roles, f"what {whose}{said} {rest}")


def _of(rest: str) -> str:
    """Return what something was measured at: the speed "while spraying" is that of spraying."""
    return re.sub(r"\b(?:when|whenever|while)\b", " ", rest)


def _how_much(found: re.Match[str]) -> Iterator[Reading]:
    """Yield the readings of "how much copper did you spray" and "how many litres ..."."""
    unit = found["unit"]
    roles = _UNITS.get(unit, ()) if unit else _AMOUNTS
    if not roles:
        return
    rest, of_all = _IN_TOTAL.subn("", found["rest"])
    rest, on_average = _ON_AVERAGE.subn("", rest)
    if of_all and on_average:
        return
    wish = Wish.MEAN if on_average else Wish.TOTAL
    yield Reading(wish, tuple(map(Role, roles)), f"what {rest}", of_a_deed=True)
