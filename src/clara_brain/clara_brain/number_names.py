# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""By which words beside a number the examples of a skill tell whose it is.

It may have its name before it, as the "drawer" of "drawer 3", or behind it what it counts, as the
"times" of "3 times". Where all examples have that, an order must as well: "get pallet 3" is not
from level 3.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from clara_brain import spoken_numbers
from clara_brain.known_words import is_idle, words_of
from clara_brain.skills import Parameter, Skill, Value
from clara_brain.spoken_numbers import Said

_BEFORE_A_NAMED = frozenset(["number", "of"])
_COUNTS = frozenset(["count", "number", "repeats", "repetitions"])
_WORDS_BEHIND = re.compile(r"\s*[^\W\d_]+(?:\s+[^\W\d_]+)?")


def naming_words(skill: Skill, parameter: Parameter) -> set[str]:
    """Return the words that stand before a number as its name: the "drawer" of "drawer one"."""
    verbs = {word for example in skill.examples for word in words_of(example.say)[:1]}
    before = {_name_before(say, number) for say, number in said_for(skill, parameter)}
    choices = [word for each in skill.parameters for c in each.choices for word in words_of(c)]
    words = {*words_of(parameter.name), *before} - verbs.union(skill.words, choices)
    if sum(each.numeric for each in skill.parameters) == 1:
        words.add("number")
    return {word for word in words if word and not is_idle(word)}


def _name_before(text: str, number: Said) -> str:
    """Return the word before a number, which may be its name: "drawer 3", "drawer number 3"."""
    words = ["", "", *words_of(text[: number.start])]
    return words[-2] if words[-1] in _BEFORE_A_NAMED and words[-2] else words[-1]


def is_named(text: str, number: Said, naming: set[str]) -> bool:
    """Whether one of the words that name it stands before a number."""
    last = words_of(text[: number.start])[-1:]
    return _name_before(text, number) in naming or not naming.isdisjoint(last)


def says_whose(text: str, number: Said, naming: set[str], counted: frozenset[str]) -> bool:
    """Whether a number has its name before it, or behind it what it counts."""
    return is_named(text, number, naming) or not counted.isdisjoint(words_behind(text, number))


def must_be_named(
    skill: Skill, parameter: Parameter, naming: set[str], counted: frozenset[str]
) -> bool:
    """Whether a number has its name beside it in all examples, as "drawer 3", and no unit.

    But for coordinates: "go to 3 4" is to x 3 y 4.
    """
    shown = said_for(skill, parameter)
    if parameter.unit or len(parameter.name) == 1 or not shown:
        return False
    if sum(each.numeric for each in skill.parameters) == 1:
        return all(not each.unit and is_named(say, each, naming) for say, each in shown)
    return all(says_whose(say, each, naming, counted) for say, each in shown)


def may_be_a_thing(skill: Skill, text: str, number: Said, counted: frozenset[str]) -> bool:
    """Whether "one" may stand for a thing, as in "that one" and "one of the drawers"."""
    if text[number.start : number.end].lower() != "one" or number.unit not in (None, "?"):
        return False
    behind = words_behind(text, number)
    countable = counted if number.unit else labels_of(skill)
    return not countable & behind and not any(map(spoken_numbers.unit_of, behind))


def counted_words(
    skill: Skill, parameter: Parameter, shown: Sequence[tuple[str, Said]]
) -> frozenset[str]:
    """Return what a number for a parameter may count: what an example does, or choices.

    "Open 5 drawers" is not drawer 5, but "honk 3 times" is as many as its "times".
    """
    words = set[str]().union(
        *(words_behind(say, number) for say, number in shown if number.unit == "?")
    )
    words |= {word for each in skill.parameters for c in each.choices for word in words_of(c)}
    words |= {word for word in words_of(parameter.name) if word.endswith("s")}
    if _COUNTS & set(words_of(parameter.name)):
        words.add("times")
    return frozenset(form for word in words for form in (word, word.removesuffix("s")))


def words_behind(text: str, number: Said) -> set[str]:
    """Return the one or two words behind a number: "3 ripe peppers"."""
    match = _WORDS_BEHIND.match(text, number.end)
    return set(words_of(match[0])) if match else set()


def said_for(skill: Skill, parameter: Parameter) -> list[tuple[str, Said]]:
    """Return the numbers of the examples that are this parameter's, each with its example."""
    return [
        (example.say, number)
        for example in skill.examples
        for number in spoken_numbers.numbers(example.say, labels=labels_of(skill))
        if number.written == written_number(example.use.get(parameter.name, ""))
    ]


def labels_of(skill: Skill) -> frozenset[str]:
    """Return words behind a number that are no unit of measure: of the names in "4 x 3 y".

    So are units that are not known as such, as the times of "3 times".
    """
    numeric = [each for each in skill.parameters if each.numeric]
    units = {each.unit.lower() for each in numeric if not spoken_numbers.unit_of(each.unit)} - {""}
    names = {word for each in numeric for word in each.name.split("_")}
    units = units.union(*map(forms_of, units))
    return frozenset(units | (names if len(numeric) > 1 else set()))


def forms_of(unit: str) -> set[str]:
    """Return a word that is no unit of measure as one, and as several: liter and liters."""
    return {unit.removesuffix("s"), f"{unit.removesuffix('s')}s"} if unit.isalpha() else set()


def written_number(value: Value) -> str:
    """Write a value as a number that was said is written; a text stays one."""
    return value if isinstance(value, str) else f"{value:.9g}"
