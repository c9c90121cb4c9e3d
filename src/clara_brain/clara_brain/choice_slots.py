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

from clara_brain import spoken_numbers
from clara_brain.known_words import is_idle, is_way, words_of
from clara_brain.other_verbs import STANDS_FOR_A_THING, has_object
from clara_brain.skills import Example, Parameter, Skill
from clara_brain.slots import OR, Slots, rivals

_PREPOSITION_WORDS = (
    "at between by for from in inside into near of off on onto to toward towards with"
)
_AWAY = frozenset(["from", "off"])
_TOWARDS = frozenset(["to", "into", "onto", "toward", "towards"])
_AT_ONCE = frozenset(["right", "straight"])
# What else people say for a way. "Back to the dock" and "the back" are no way to move.
_BACK = r"(?<!the )(?<!my )(?<!your )back(?!\s+(?:at|from|home|in|into|on|onto|to)\b)"
_OTHER_WORDS = {
    "backward": _BACK,
    "backwards": _BACK,
    "back": "backwards?",
    "forward": r"ahead(?!\s+of\b)",
    "forwards": r"ahead(?!\s+of\b)",
    "ahead": "forwards?",
}
_NOW = re.compile(r"\s+(?:now|away|here|there|at (?:me|him|her|us|them|it))\b", re.IGNORECASE)
# A choice that is spelt as one of these is said in its own capitals, or behind what names it.
_FUNCTION_WORDS = "a an am as be do he i if is it me my no of or she so that this us we you"
_FUNCTION = frozenset(_FUNCTION_WORDS.split())
# Who writes "me" means the person that speaks.
_SPEAKER = frozenset(["me", "us"])
_PREPOSITION = re.compile(rf"\b({'|'.join(_PREPOSITION_WORDS.split())})\b", re.IGNORECASE)
# "Call me Ben" and "look, you are right" are told of somebody; "bring me gauze" and "tilt it down"
# are not.
_PRONOUN = re.compile(
    r"(\w+)\W+(me|us|him|them|you|he|she|it|we|they|i|who|what)"
    r"(?:\s+(?:are|is|am|was|were|has|have|had|just))?\s+$",
    re.IGNORECASE,
)
_GIVING = frozenset(["bring", "fetch", "get", "give", "hand", "make", "pass", "pour", "take"])
# "The left or right fixture", "rack a and b": what shares its noun with a choice.
_AND = (
    r"\s*(?:\b(?:or|and|nor)\b|[/,&+])"
    rf"(?:\s*\b(?:{_PREPOSITION_WORDS.replace(' ', '|')}|the|an?)\b)*\s*"
)
_AND_BEFORE = re.compile(rf"(\w+){_AND}$", re.IGNORECASE)
_AND_BEHIND = re.compile(rf"{_AND}(\w+)", re.IGNORECASE)


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
    name is said ("the dining room", for one who knows the living room; "the left or right door"),
    where it is said of somebody ("call me Ben"), or "to" for what the examples say "from".
    """
    found = mentions(skill, text)
    if _shares_its_noun(skill, text, found) or _told_of(skill, text):
        return None
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
    if _half_named(skill, text, found) or _turned_round(skill, found, values):
        return None
    return Slots(values, frozenset(name for name, said in values.items() if said))


def mentions(skill: Skill, text: str) -> tuple[Mention, ...]:
    """Return the choices of a skill that a sentence names, in order; none within a longer one."""
    choices = tuple(c for each in skill.parameters for c in each.choices)
    return _mentions(choices, text, _naming(skill))


def _naming(skill: Skill) -> frozenset[str]:
    """Return the words that name choices which are words of the language: the "bay" of "bay A"."""
    parameters = [
        p for p in skill.parameters if not _FUNCTION.isdisjoint(map(str.lower, p.choices))
    ]
    before = {
        match[1].lower()
        for each in parameters
        for example in skill.examples
        if each.name in example.use
        for match in re.finditer(
            rf"(\w+)\s+{re.escape(str(example.use[each.name]))}\b", example.say
        )
    }
    names = {word for each in parameters for word in words_of(each.name)}
    return frozenset(names | before.difference(_PREPOSITION_WORDS.split(), words_of(skill.name)))


@lru_cache(1024)  # it is asked for choices, numbers and flags
def _mentions(choices: tuple[str, ...], text: str, naming: frozenset[str]) -> tuple[Mention, ...]:
    names = set(choices)
    found = [
        (match.start(), match.end(), name)
        for name in names
        for match in as_said(name).finditer(text)
        if match[0].lower() not in names - {name}
        # "Right now" says when, or it may.
        and not (name in _AT_ONCE and _NOW.match(text, match.end()))
        and (name.lower() not in _FUNCTION or name in _SPEAKER or _is_named(name, match, naming))
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


def _is_named(name: str, match: re.Match[str], naming: frozenset[str]) -> bool:
    """Whether a word of the language names a thing where it stands."""
    before = words_of(match.string[: match.start()])
    own_capitals = match[0] == name and not name.islower() and name != "I"
    if own_capitals or (before and before[-1] in naming):
        return True
    # An article has something behind it: "from a to b".
    behind = words_of(match.string[match.end() :])
    return match[0] == "a" and (not behind or behind[0] in _TOWARDS | _AWAY | {"please", "now"})


@lru_cache(4096)  # more than re keeps, and a file may name thousands
def as_said(name: str) -> re.Pattern[str]:
    """Return the pattern of a name of the skills file, as people say it.

    "Room 3" is not said with "room 3.5"; "backwards" and "back" are "backward", too, "slow" is
    "slowly", "room two" and "room number 2" are "room 2", "nurses' station" is "nurses station".
    """
    spaced = re.sub(r"['\u2019]?s['\u2019]?(?= )", "\0", name.replace("_", " "))
    spaced = re.escape(spaced).replace(r"\ ", r"[\s_-]+").replace("\0", "['\u2019]?s['\u2019]?")
    spaced = re.sub(r"wards?\b", "wards?", spaced)
    spaced = re.sub(r"\band\b", "(?:and|&)", spaced)
    spaced = re.sub(r"(?<!\w)\d+(?!\w)", _digits_or_word, spaced)
    if name.isalpha():
        spaced += "(?:ly)?"
    if other := _OTHER_WORDS.get(name.lower()):
        spaced = f"(?:{spaced}|{other})"
    return re.compile(rf"(?<!\w){spaced}(?!\w|[.,:/-]\d)", re.IGNORECASE)


def _digits_or_word(match: re.Match[str]) -> str:
    word = spoken_numbers.word_of(match[0])
    return rf"(?:number\s+)?(?:{match[0]}|{word or match[0]})"


def beside_choices(skill: Skill, text: str) -> str:
    """Return a sentence without what names a choice."""
    for each in reversed(mentions(skill, text)):
        text = f"{text[: each.start]} {text[each.end :]}"
    return text


def words_beside(skill: Skill, text: str) -> set[str]:
    """Return the words of a sentence, in lower case, but for those that name a choice."""
    return set(words_of(beside_choices(skill, text)))


def _half_named(skill: Skill, text: str, found: Sequence[Mention]) -> bool:
    """Whether a part of a choice is said beside those that are meant.

    "Gin tonic" is no gin for one who knows gin and tonic, and "make tea" is not the default of one
    who knows green tea.
    """
    names = {
        choice
        for each in skill.parameters
        if each.type == "choice" and each.said
        for choice in each.choices
    }
    parts = {word for name in names for word in words_of(name) if not is_idle(word)}
    parts -= {word for each in found for word in words_of(each.choice)}
    own = set(words_of(f"{skill.name} {skill.description}"))
    own = own.union(*(words_beside(skill, each.say) for each in skill.examples))
    return any(
        not parts.isdisjoint((word, word.removesuffix("s"), f"{word}s"))
        for word in words_beside(skill, text) - own
    )


def _told_of(skill: Skill, text: str) -> bool:
    """Whether a choice is said of somebody, right behind a pronoun, as no example has it."""

    def is_so(said: str) -> bool:
        return any(
            before
            and before[1].lower() not in _GIVING
            and not (
                before[2].lower() in STANDS_FOR_A_THING
                and is_way(each.choice)
                and has_object(skill, before[1].lower())
            )
            for each in mentions(skill, said)
            if (before := _PRONOUN.search(said[: each.start]))
        )

    return is_so(text) and not any(is_so(example.say) for example in skill.examples)


def _shares_its_noun(skill: Skill, text: str, found: Sequence[Mention]) -> bool:
    """Whether a part of another choice is joined to one that is said: "rack a or b"."""
    for each in found:
        parts = {
            word
            for parameter in skill.parameters
            if each.choice in parameter.choices
            for choice in parameter.choices
            for word in choice.lower().replace("_", " ").split()
        }.difference(each.choice.lower().split())
        for joined in (_AND_BEFORE.search(text[: each.start]), _AND_BEHIND.match(text, each.end)):
            if joined is None or joined[1].lower() not in parts:
                continue
            start, end = joined.span(1)
            if not any(other.start <= start and end <= other.end for other in found):
                return True
    return False


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
