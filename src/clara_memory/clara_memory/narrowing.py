# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""What a question leaves out or bounds: "everything except row 7", "above 5 kg".

Found in the text and taken out of it, so that the rest can be read as any other; then the episodes
that fit the rest are narrowed to those that are meant. A number without the name of its role is
known by its unit ("kg") or by what is compared ("heavier than"), where only one role can be meant.
"""

import operator
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from clara_memory.columns import Columns, Rows
from clara_memory.episode import RoleFiller, spoken_number
from clara_memory.fitting import Fit
from clara_memory.inflection import WORD, words_of
from clara_memory.item_memory import ItemMemory
from clara_memory.tally import ROBOT, measured_in

WEIGHTS = ("weight", "mass", "load", "payload")
LENGTHS = ("distance", "length", "range")
_ANY = r"(?:(?:every|any)(?:thing|where|one|body)|all)"
_EXCEPT = re.compile(
    rf",? ?\b(?:(?:{_ANY} (?:else )?)?(?:except|besides|excluding|apart from|aside from|other than"
    rf"|not counting)(?: for)?|{_ANY} but) (?P<left_out>.+)"
)
_MORE = "above|over|more than|greater than|higher than|larger than|exceeding"
_LESS = "below|under|less than|lower than|smaller than"
_OF_WHAT = {
    **dict.fromkeys(("heavier than", "lighter than"), WEIGHTS),
    **dict.fromkeys(
        ("warmer than", "hotter than", "colder than", "cooler than"), ("temperature",)
    ),
    "faster than": ("speed",),
    "slower than": ("speed",),
}
_COMPARING = {
    **dict.fromkeys(_MORE.split("|"), operator.gt),
    **dict.fromkeys(_LESS.split("|"), operator.lt),
    **dict.fromkeys(("at least", "no less than"), operator.ge),
    **dict.fromkeys(("at most", "no more than"), operator.le),
    **dict.fromkeys(("heavier than", "warmer than", "hotter than", "faster than"), operator.gt),
    **dict.fromkeys(("lighter than", "colder than", "cooler than", "slower than"), operator.lt),
}
_UNITS = {
    "kg": WEIGHTS,
    "kilos": WEIGHTS,
    "kilograms": WEIGHTS,
    "degrees": ("temperature",),
    "m/s": ("speed",),
    "litres": ("volume",),
    "liters": ("volume",),
    "m": (*LENGTHS, "altitude", "height", "depth"),
    "metres": (*LENGTHS, "altitude", "height", "depth"),
    "meters": (*LENGTHS, "altitude", "height", "depth"),
}
_HOW = "|".join(sorted(_COMPARING, key=len, reverse=True))
_LIMIT = re.compile(
    r" (?:(?:at|with|in|by) )?(?:(?:an?|the) )?(?:(?P<role>\w+(?: \w+)??) (?:of )?)??"
    rf"\b(?P<how>{_HOW}) (?:(?:an?|the) )?(?:(?P<name>\w+(?: \w+)?) of )?"
    rf"(?P<number>-?\d+(?:\.\d+)?)(?: ?(?P<unit>{'|'.join(_UNITS)})\b)?"
    r"(?: of (?P<of>\w+))?(?![\w.,:]*\d| ?[%°/])"
)


@dataclass(frozen=True, slots=True)
class Without:
    """Fillers that an episode must not have."""

    fillers: tuple[RoleFiller, ...]

    @property
    def spoken(self) -> str:
        """Return what is left out in words."""
        return f"without {', '.join(dict.fromkeys(one.spoken for one in self.fillers))}"

    def rows(self, columns: Columns, found: Fit) -> tuple[Rows, int]:
        """Return the positions found that are left, and of how many."""
        rows = found.positions
        for filler in self.fillers:
            if filler.role == ROBOT and not columns.has(ROBOT):
                rows = rows[~columns.robots_mask([filler.filler], rows)]
            elif identity := columns.items[filler.role].identity(filler):
                rows = rows[~np.isin(rows, columns.rows_of(filler.role, np.array([identity])))]
        return rows, len(found.positions)


@dataclass(frozen=True, slots=True)
class Limit:
    """A number that the one of an episode is compared with."""

    role: str
    how: str
    number: float

    @property
    def spoken(self) -> str:
        """Return the limit in words."""
        return f"{self.role} {self.how} {spoken_number(self.number)}"

    def rows(self, columns: Columns, found: Fit) -> tuple[Rows, int]:
        """Return the positions found that are within it, and of how many that have a number."""
        measured = measured_in(columns, self.role, found)
        fits = _COMPARING[self.how](measured.numbers, self.number)
        within = np.isin(columns.seq[found.positions], measured.seqs[fits])
        return found.positions[within], len(np.unique(measured.seqs))


Narrowing = Without | Limit


def narrowings_in(
    text: str, items: Mapping[str, ItemMemory], robot: str
) -> Iterator[tuple[str, tuple[Narrowing, ...]]]:
    """Yield a text without what narrows it, and that; the text alone where nothing does."""
    limit = _LIMIT.search(text)
    excepting = _EXCEPT.search(text)
    if limit and excepting:
        return  # one narrowing at a time is read
    if limit:
        yield from _limited(text, limit, items)
    elif excepting:
        yield from _excepted(text, excepting, items, robot)
    else:
        yield text, ()


def _limited(
    text: str, found: re.Match[str], items: Mapping[str, ItemMemory]
) -> Iterator[tuple[str, tuple[Narrowing, ...]]]:
    named = found["role"] or found["name"] or ""
    known = [role for role, one in items.items() if one.has_numbers]
    kept = ""  # words before the comparison that do not name the role
    roles = [role for role in known if words_of(role) == words_of(named)] if named else []
    if not roles and found["role"]:
        *first, last = found["role"].split()
        roles = [role for role in known if words_of(role) == words_of(last)]
        kept = " ".join(first) if roles else found["role"]
    if not roles and not found["name"]:
        bases = _OF_WHAT.get(found["how"]) or _UNITS.get(found["unit"] or "", ())
        roles = [role for role in known if {role, role.split("_")[-1]} & set(bases)]
    if found["of"]:
        roles = [role for role in roles if found["of"] in role.split("_")]
    if len(roles) == 1:
        rest = f"{text[: found.start()]} {kept} {text[found.end() :]}"
        yield rest, (Limit(roles[0], found["how"], float(found["number"])),)


def _excepted(
    text: str, found: re.Match[str], items: Mapping[str, ItemMemory], robot: str
) -> Iterator[tuple[str, tuple[Narrowing, ...]]]:
    left_out = found["left_out"]
    words = list(WORD.finditer(left_out))
    for count in range(len(words), 0, -1):
        end = words[count - 1].end()
        fillers = _named(left_out[:end], items, robot)
        if fillers:
            yield f"{text[: found.start()]} {left_out[end:]}", (Without(fillers),)
            return


def _named(phrase: str, items: Mapping[str, ItemMemory], robot: str) -> tuple[RoleFiller, ...]:
    """Return what a phrase names, in all roles that know it; nothing where a part is unknown."""
    fillers: list[RoleFiller] = []
    for part in re.split(r",| and | or ", phrase):
        name = re.sub(r"^ *(?:the|an?|my|your|in|at|to|for) ", "", f" {part.strip()}").strip()
        if name in ("you", "yourself"):
            known = [RoleFiller(ROBOT, robot)] if robot else []
        else:
            stems = words_of(name)
            known = [
                one.fillers[identity]
                for one in items.values()
                for identity in one.with_words(stems)
            ]
        if not known:
            return ()
        fillers += known
    return tuple(fillers)


def narrow(columns: Columns, found: Fit, narrowings: tuple[Narrowing, ...]) -> tuple[Fit, int]:
    """Return the episodes found that are meant, and of how many that could be."""
    of = len(found.positions)
    for one in narrowings:
        rows, of = one.rows(columns, found)
        kept = np.isin(found.positions, rows)
        found = replace(found, positions=found.positions[kept], scores=found.scores[kept])
    return found, of
