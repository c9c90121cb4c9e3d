# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Which thing of a sentence is for which parameter of a skill: "from the table to the shelf".

A name within a longer one is not meant: who says "tea cup" does not say "cup". Where the same
thing may be for several parameters, each has the preposition that it has in the skill's examples,
else the order there. What cannot be told is not guessed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from clara_brain.known_words import words_of
from clara_brain.skills import Example, Parameter, Skill
from clara_brain.slots import OR, Slots, rivals

_PREPOSITION_WORDS = (
    "at between by for from in inside into near of off on onto to toward towards with"
)
_AWAY = frozenset(["from", "off"])
_TOWARDS = frozenset(["to", "into", "onto", "toward", "towards"])
_AT_ONCE = frozenset(["right", "straight"])
_NOW = re.compile(r"\s+(?:now|away)\b", re.IGNORECASE)
_PREPOSITION = re.compile(rf"\b({'|'.join(_PREPOSITION_WORDS.split())})\b", re.IGNORECASE)


@dataclass(frozen=True)
class Mention:
    """A choice where it stands in a sentence; `before` is its preposition, or empty."""

    start: int
    end: int
    choice: str
    before: str = ""


def choice_slots(skill: Skill, text: str) -> Slots | None:
    """Return the choices that are meant for the parameters that must be said.

    None where a choice may be for several and nothing tells for which, where only a part of its
    name is said ("the dining room", for one who knows the living room), or where it is said "to"
    for what the examples say "from".
    """
    found = mentions(skill, text)
    parameters = [each for each in skill.parameters if each.type == "choice" and each.said]
    values: dict[str, tuple[str, ...]] = {}
    said_of = {p.name: {each.choice for each in found} & {*p.choices} for p in parameters}
    for group in rivals(parameters, said_of):
        own = [each for each in found if any(each.choice in other.choices for other in group)]
        if len(group) == 1 or len(own) > len(group):
            # Where there are too many, the check of the value says so, in a sentence.
            said = {each.choice for each in own}
            values |= {p.name: tuple(c for c in p.choices if c in said) for p in group}
            continue
        told = _tell(skill, group, own, text)
        if told is None:
            return None
        values |= {p.name: (told[p.name].choice,) if p.name in told else () for p in group}
    if _half_named(skill, text, found, values) or _turned_round(skill, found, values):
        return None
    return Slots(values, frozenset(name for name, said in values.items() if said))


def mentions(skill: Skill, text: str) -> tuple[Mention, ...]:
    """Return the choices of a skill that a sentence names, in order; none within a longer one."""
    return _mentions(tuple(c for each in skill.parameters for c in each.choices), text)


@lru_cache(1024)  # it is asked for choices, numbers and flags
def _mentions(choices: tuple[str, ...], text: str) -> tuple[Mention, ...]:
    names = set(choices)
    found = [
        (match.start(), match.end(), name)
        for name in names
        for match in as_said(name).finditer(text)
        # "Right now" says when, or it may.
        if not (name in _AT_ONCE and _NOW.match(text, match.end()))
    ]
    whole = sorted(
        (start, end, name)
        for start, end, name in found
        if not any(a <= start and end <= b and b - a > end - start for a, b, _ in found)
    )
    ends = [0, *(end for _, end, _ in whole)]
    return tuple(
        Mention(start, end, name, _preposition(text[before:start]))
        for before, (start, end, name) in zip(ends, whole, strict=False)
    )


@lru_cache(4096)  # more than re keeps, and a file may name thousands
def as_said(name: str) -> re.Pattern[str]:
    """Return the pattern of a name of the skills file, as people say it.

    "Room 3" is not said with "room 3.5"; "backwards" is "backward", too.
    """
    spaced = re.escape(name.replace("_", " ")).replace(r"\ ", r"[\s_-]+")
    spaced = re.sub(r"wards?\b", "wards?", spaced)
    return re.compile(rf"(?<!\w){spaced}(?!\w|[.,:/-]\d)", re.IGNORECASE)


def words_beside(skill: Skill, text: str) -> set[str]:
    """Return the words of a sentence, in lower case, but for those that name a choice."""
    for each in reversed(mentions(skill, text)):
        text = f"{text[: each.start]} {text[each.end :]}"
    return set(words_of(text))


def _half_named(
    skill: Skill, text: str, found: Sequence[Mention], values: dict[str, tuple[str, ...]]
) -> bool:
    """Whether a part of a choice is said where its parameter would take the default."""
    names = [
        choice
        for each in skill.parameters
        if each.type == "choice" and each.said and not values[each.name]
        for choice in each.choices
    ]
    parts = {word for name in names for word in words_of(name)}
    own = set(words_of(f"{skill.name} {skill.description}"))
    own = own.union(*(words_beside(skill, each.say) for each in skill.examples))
    return any(
        not parts.isdisjoint((word, word.removesuffix("s"), f"{word}s"))
        for word in words_beside(skill, text) - own
    )


def _turned_round(
    skill: Skill, found: Sequence[Mention], values: dict[str, tuple[str, ...]]
) -> bool:
    """Whether a thing is said "to" for what the examples say "from", or the other way round."""
    for parameter in skill.parameters:
        shown = {
            _shown(skill, each, [parameter]).get(parameter.name, "") for each in skill.examples
        }
        said = {each.before for each in found if each.choice in values.get(parameter.name, ())}
        for one, other in ((_AWAY, _TOWARDS), (_TOWARDS, _AWAY)):
            if shown - {""} and shown - {""} <= one and said and said <= other:
                return True
    return False


def _preposition(text: str) -> str:
    """Return the last preposition of what stands before a name."""
    found = _PREPOSITION.findall(text)
    return found[-1].lower() if found else ""


def _tell(
    skill: Skill, group: Sequence[Parameter], said: Sequence[Mention], text: str
) -> dict[str, Mention] | None:
    """Return the mention of each parameter, for as many at most; None where it is open."""
    if any(OR.search(text, one.end, other.start) for one, other in pairwise(said)):
        return None
    shown = [_shown(skill, example, group) for example in skill.examples]
    told: dict[str, Mention] = {}
    for mention in said:
        fitting = [
            each.name
            for each in group
            if mention.choice in each.choices
            and any(mention.before and mention.before == own.get(each.name) for own in shown)
        ]
        if len(fitting) == 1:
            if fitting[0] in told:
                return None
            told[fitting[0]] = mention
    left = [each for each in said if each not in told.values()]
    rest = [each for each in group if each.name not in told]
    if len(left) < len(rest):
        rest = [each for each in rest if each.default is None]
    if not left:
        return told
    if len(left) != len(rest):
        return None
    order = [each.name for each in rest]
    if len(left) > 1:
        orders = {tuple(n for n in own if n in order) for own in shown}
        orders = {each for each in orders if len(each) == len(order)}
        if len(orders) != 1 or any(each.before for each in left):
            return None
        order = list(orders.pop())
    told |= dict(zip(order, left, strict=True))
    fits = all(told[each.name].choice in each.choices for each in group if each.name in told)
    return told if fits else None


def _shown(skill: Skill, example: Example, group: Sequence[Parameter]) -> dict[str, str]:
    """Return the prepositions of parameters in an example, in the order in which it says them."""
    own = [each.name for each in group if each.name in example.use]
    names = {example.use[name]: name for name in own}
    if len(names) < len(own):
        return {}  # one thing for two
    said = mentions(skill, example.say)
    return {names[each.choice]: each.before for each in said if each.choice in names}
