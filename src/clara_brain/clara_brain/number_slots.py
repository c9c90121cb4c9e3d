# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Which number of a sentence is for which parameter of a skill: slot filling, without a model.

Where a skill takes several numbers, a model can swap them or use one twice, and each would still
be one that was said. So every number is for one parameter: by its unit, else by the parameter's
name beside it ("y 4, x 3"), else by the order in which the skill's examples say them, or in which
its parameters stand where these are alike. What cannot be told is not guessed.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from itertools import pairwise

from clara_brain import spoken_numbers
from clara_brain.choice_slots import Mention, as_said, mentions, words_beside
from clara_brain.known_words import words_of
from clara_brain.number_names import (
    counted_words,
    forms_of,
    is_named,
    labels_of,
    may_be_a_thing,
    must_be_named,
    naming_words,
    said_for,
    says_whose,
    words_behind,
    written_number,
)
from clara_brain.skills import Example, Parameter, Skill
from clara_brain.slots import OR, Slots, rivals
from clara_brain.spoken_numbers import POINTS, Said, spellings, unit_of
from clara_brain.units import si_unit

_AT_FULL = re.compile(r"\b(?:at|with) full\b", re.IGNORECASE)
_FOR_ONE = re.compile(r"\bfor an?(?:other)? (?:second|sec|min|foot|yard)\b(?! \w)", re.IGNORECASE)
_MINUS = re.compile(r"\b(?:minus|negative)\b", re.IGNORECASE)
_HALF = re.compile(r"\bhalf\b", re.IGNORECASE)
_AND = re.compile(r"(?:,|\band)\s*$", re.IGNORECASE)
_ONE = re.compile(r"\ban?(?:other)? ([a-z]+)\b", re.IGNORECASE)  # "an hour"
_ORDINARY = frozenset(["second", "foot", "yard", "in", "m", "s", "g", "min"])
_A_UNIT = re.compile(
    r"\b(\w+) an?(?:other)? ([a-z]+)( and a half)?\b(?! and\b|[\s,]*\d)", re.IGNORECASE
)
_MORE = "more"
_MORE_BEFORE = re.compile(r"\b(?:another|further|more|extra) $", re.IGNORECASE)
_MORE_BEHIND = re.compile(
    r"[\s%°]*(?:[\w/]+ )?"
    r"(?<!once )(?:more|further|extra|less|(?:high|low|fast|slow|bright|dark|warm|cool)er)\b",
    re.IGNORECASE,
)
# "5 seconds or more" and "each 5 seconds" are not five seconds.
_OPEN = re.compile(r"\bor (?:more|less|further|longer|higher|lower)\b|\b(?:each|every)\b", re.I)


def number_slots(skill: Skill, text: str) -> Slots | None:
    """Return the numbers that are meant for the parameters that must be said.

    None where a number may be for several and nothing tells for which, where it is for none
    ("drive 2 meters at 10 cm/s" is no order to drive as fast as usual), where a minus does not
    stand at its number ("a negative angle of 90 degrees"), or where one is meant by another word
    than a number ("at top speed").
    """
    parameters = [each for each in skill.parameters if each.numeric and each.said]
    things = mentions(skill, text)
    fitting = {each.name: _fitting(skill, each, text, things) for each in parameters}
    if _left_over(skill, text, things, fitting) or _loose_minus(skill, text):
        return None
    if any(not fitting[each.name] and _named_alone(skill, each, text) for each in parameters):
        return None
    if len(parameters) < 2:
        values = {name: spellings(found) for name, found in fitting.items()}
        return Slots(values, frozenset(name for name, said in values.items() if said))
    values, named = dict.fromkeys(fitting, ()), set()
    meant = {name: set(found) for name, found in fitting.items()}
    for group in rivals([each for each in parameters if fitting[each.name]], meant):
        said = sorted({number for each in group for number in fitting[each.name]}, key=_place)
        if len(group) == 1 or len(said) > len(group):
            # Too many: the check of the value says so, in a sentence.
            values |= {each.name: spellings(fitting[each.name]) for each in group}
            named |= {each.name for each in group if not _also_read(each, said, fitting)}
            continue
        told = _tell(skill, group, said, text)
        if told is None:
            return None
        for name, number in told.items():
            if number not in fitting[name]:
                return None
            values[name] = (number.written,)
        named |= told.keys()
    return Slots(values, frozenset(named))


def _also_read(parameter: Parameter, said: Sequence[Said], fitting: dict[str, list[Said]]) -> bool:
    """Whether its numbers are read in another way for another parameter, as in "point 5"."""
    others = [each for name, found in fitting.items() if name != parameter.name for each in found]
    return any(
        one.start < other.end and other.start < one.end and one not in others
        for one in said
        for other in others
    )


def _fitting(
    skill: Skill, parameter: Parameter, text: str, things: Sequence[Mention]
) -> list[Said]:
    """Return the numbers that may be meant for a parameter, as if it were the only one.

    Those in the name of a thing are none, as the "3" of "room 3". A parameter without a unit takes
    those that have one only where an example says it, as "honk 3 times" does; and what changes a
    value by so much is told from what sets it, by the preposition of the examples.
    """
    numeric = [each for each in skill.parameters if each.numeric]
    others = [each.unit for each in skill.parameters if each is not parameter]
    names = frozenset() if parameter.unit else _named_points(skill, parameter)
    found = spoken_numbers.fitting(text, parameter.unit, others, names, labels_of(skill))
    shown = said_for(skill, parameter)
    units = {None, *(number.unit for _, number in shown)} - {"?"}
    counted = counted_words(skill, parameter, shown)
    alike = [each for each in numeric if si_unit(each.unit) == si_unit(parameter.unit)]
    before = {number.before for other in alike for _, number in said_for(skill, other)}
    foreign = _own_units(each for each in numeric if each.unit != parameter.unit)
    naming = naming_words(skill, parameter)
    named_only = must_be_named(skill, parameter, naming, counted)
    return [
        number
        for number in found or _one_of_a_unit(skill, parameter, text)
        if not _within(number.start, number.end, things)
        and (parameter.unit or number.unit in units or counted & words_behind(text, number))
        and (is_named(text, number, naming) or not may_be_a_thing(skill, text, number, counted))
        and (not named_only or says_whose(text, number, naming, counted))
        and _is_so_set(parameter, _change(number, text), before)
        and not foreign.intersection(words_of(text[number.end :])[:1])
    ]


def _own_units(parameters: Iterable[Parameter]) -> set[str]:
    """Return the units that only the file knows, as the "rpm" of "500 rpm"."""
    units = {each.unit for each in parameters if not unit_of(each.unit.lower())}
    return set[str]().union(*map(forms_of, units))


def _one_of_a_unit(skill: Skill, parameter: Parameter, text: str) -> list[Said]:
    """Return the 1 of "a meter" and "another meter", and the 1.5 of "a meter and a half"."""
    return [
        Said(
            "1.5" if match[3] else "1",
            parameter.unit,
            match[1].lower(),
            match.start(2),
            match.end(),
        )
        for match in _A_UNIT.finditer(text)
        if parameter.unit
        and not spoken_numbers.is_number_word(match[1].lower())
        and match[2].lower() not in _ORDINARY
        and (unit_of(match[2].lower()) or match[2].lower())
        in (parameter.unit, *forms_of(parameter.unit))
    ]


def _change(number: Said, text: str) -> str:
    """Return the preposition of a number; "another 10 cm" and "10 cm more" are by so much."""
    if _MORE_BEFORE.search(text[: number.start]) or _MORE_BEHIND.match(text, number.end):
        return _MORE
    return number.before


def _left_over(
    skill: Skill, text: str, things: Sequence[Mention], fitting: dict[str, list[Said]]
) -> bool:
    """Whether a number was said that is for nothing."""
    if any(
        (each.type == "text" and each.default is None) or (each.numeric and not each.said)
        for each in skill.parameters
    ):
        return False  # there it may be for what need not be said
    if _has_open_number(text) and not any(_has_open_number(each.say) for each in skill.examples):
        return True
    numeric = any(each.numeric for each in skill.parameters)
    units = set[str]().union(*(forms_of(each.unit) for each in skill.parameters))
    taken = [(each.start, each.end) for found in fitting.values() for each in found]
    said = [
        (each.start, each.end)
        for each in spoken_numbers.numbers(text)
        # "Pick that one up" is no number, but "one minute" is.
        if numeric or text[each.start : each.end].lower() != "one" or each.unit not in (None, "?")
    ]
    said += [match.span() for each in (_HALF, _FOR_ONE) for match in each.finditer(text)]
    said += [
        match.span()
        for match in _ONE.finditer(text)
        if (unit_of(match[1].lower()) or match[1].lower() in units)
        and match[1].lower() not in _ORDINARY
        # "6 kilometers an hour" is one number.
        and not any(map(unit_of, words_of(text[: match.start()])[-1:]))
    ]
    return any(
        not _within(start, end, things) and not any(a < end and start < b for a, b in taken)
        for start, end in said
    )


def _named_alone(skill: Skill, parameter: Parameter, text: str) -> bool:
    """Whether a parameter is named, and no example that leaves it out names it like that."""
    if parameter.default is None:
        return False  # it is missed anyway
    if _AT_FULL.search(text):
        return True
    *_, noun = parameter.name.split("_")
    one = rf"\ban? (?:\w+ )?{noun.removesuffix('s')}\b"
    if noun.endswith("s") and parameter.default == 1 and re.search(one, text, re.IGNORECASE):
        return False  # "a large portion" is one
    shown = {
        word
        for each in skill.examples
        if parameter.name not in each.use
        for word in words_beside(skill, each.say)
    }
    return not {noun, f"{noun}s", noun.removesuffix("s")}.isdisjoint(
        words_beside(skill, text) - shown
    )


def _loose_minus(skill: Skill, text: str) -> bool:
    """Whether a minus is said that belongs to no number, and that no example says like that."""
    if any(each.type == "text" for each in skill.parameters):
        return False
    return _has_loose_minus(skill, text) and not any(
        _has_loose_minus(skill, each.say) for each in skill.examples
    )


def _has_loose_minus(skill: Skill, text: str) -> bool:
    spans = [(each.start, each.end) for each in spoken_numbers.numbers(text)]
    spans += [(each.start, each.end) for each in mentions(skill, text)]
    return any(
        not any(start <= match.start() < end for start, end in spans)
        for match in _MINUS.finditer(text)
    )


def _has_open_number(text: str) -> bool:
    return bool(_OPEN.search(text) and spoken_numbers.numbers(text))


def _within(start: int, end: int, things: Sequence[Mention]) -> bool:
    return any(each.start <= start and end <= each.end for each in things)


def _is_so_set(parameter: Parameter, said: str, before: Collection[str]) -> bool:
    """Whether a number sets a parameter in the way in which the examples set it.

    Where they say "to", "by" changes it; where they say neither, "to" may be a place or a heading
    and they a way. More of a length or a time is as much again; more percent are not so many.
    """
    if said == _MORE and (parameter.unit == "%" or "/" in parameter.unit):
        return "by" in before
    if said in ("by", _MORE):
        return "by" in before or "to" not in before
    if said == "to" and si_unit(parameter.unit) in ("m", "rad"):
        return not before or "to" in before
    # "Raise it 10 cm" is by so much, where they all say "to".
    return before != {"to"} or said in ("to", "at", "of", "number", *words_of(parameter.name))


def _named_points(skill: Skill, parameter: Parameter) -> frozenset[str]:
    """Return the "point" of "go to point 5", where that is an example and this parameter is 5."""
    found = set()
    for example in skill.examples:
        written = written_number(example.use.get(parameter.name, ""))
        for number in spoken_numbers.numbers(example.say, POINTS):
            if number.before in POINTS and number.written == written:
                found.add(number.before)
    return frozenset(found)


def _tell(
    skill: Skill, group: Sequence[Parameter], said: Sequence[Said], text: str
) -> dict[str, Said] | None:
    """Return the number of each parameter, for as many numbers at most; None where it is open."""
    if any(OR.search(text, one.end, other.start) for one, other in pairwise(said)):
        return None
    told = _by_name(group, said, text)
    if told is None:
        return None
    rest = [each for each in group if each.name not in told]
    left = [each for each in said if each not in told.values()]
    if not left:
        return told
    if any(_AND.search(text[: each.start]) for each in left):
        # "To room 2 and 3" and "rooms 2 and 3" are two rooms, and not one with 3 of something that
        # need not be said.
        rest = [each for each in rest if each.default is None]
    if len(left) < len(rest):
        rest = [each for each in rest if each.default is None]
    if len(left) != len(rest):
        return None
    order = _in_order(skill, rest)
    return None if order is None else told | dict(zip(order, left, strict=True))


def _by_name(
    group: Sequence[Parameter], said: Sequence[Said], text: str
) -> dict[str, Said] | None:
    """Return the numbers that have the name of a parameter beside them; None where it is open.

    Where there are as many names as numbers, the first name has the first number: "x 3, y 4", "3 x
    4 y" and "x and y are 3 and 4". Else a name has the number right before it, or the next one
    behind it.
    """
    names = sorted(
        (*match.span(), each.name) for each in group for match in as_said(each.name).finditer(text)
    )
    if len({name for _, _, name in names}) < len(names):
        return None
    if len(names) == len(said):
        return {name: number for (_, _, name), number in zip(names, said, strict=True)}
    found: dict[str, Said] = {}
    for start, end, name in names:
        before = next((each for each in reversed(said) if each.end <= start), None)
        after = next((each for each in said if each.start >= end), None)
        follows = (
            before is not None
            and before not in found.values()
            and _only_a_unit(text[before.end : start])
        )
        if follows and after is not None and not text[end : after.start].strip():
            return None  # "3 x 4"
        number = before if follows else after
        if number is None:
            continue
        if number in found.values():
            return None
        found[name] = number
    return found


def _only_a_unit(text: str) -> bool:
    word = text.strip().lower()
    return not word or bool(spoken_numbers.unit_of(word))


def _in_order(skill: Skill, parameters: Sequence[Parameter]) -> list[str] | None:
    """Return the names of parameters in the order in which their numbers are said."""
    names = [each.name for each in parameters]
    known = {order for each in skill.examples if (order := _order_of(skill, each, names))}
    if len(names) == 1 or (not known and len({each.unit for each in parameters}) == 1):
        return names
    return list(known.pop()) if len(known) == 1 else None


def _order_of(skill: Skill, example: Example, names: Sequence[str]) -> tuple[str, ...]:
    """Return the order in which an example says the numbers of parameters; () if it does not."""
    written = {written_number(example.use[name]): name for name in names if name in example.use}
    said = spoken_numbers.numbers(example.say, labels=labels_of(skill))
    order = tuple(written[each.written] for each in said if each.written in written)
    return order if sorted(order) == sorted(names) else ()


def _place(number: Said) -> int:
    return number.start
