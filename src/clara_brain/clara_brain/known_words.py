# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Whether an order has only words that its skill explains.

"Open the window" is no order for a skill that opens the gripper, though the verb is right and a
small model would do it. So every word must be one of the skills file's own for this skill (its
name, description, examples, choices), or one of those that mean nothing by themselves. A word of
direction is none of the latter: "drive 2 meters back" is no order for a skill that drives ahead.
"""

from __future__ import annotations

import re
from itertools import pairwise

from clara_brain import spoken_numbers
from clara_brain.skills import Skill
from clara_brain.units import si_unit

# Words of the closed classes, politeness, and plain adjectives and adverbs of place, size, colour.
_NEUTRAL_WORDS = """
a an the this that these those some any each other another same my your our their his its
i me you we us he him she her they them it mine yours
to at in on into onto of for with by over across along around through
towards toward near beside between next until then than and or so well just only also too
here there straight top bottom side
front inside outside now again quickly slowly carefully gently please kindly once more further
still yet immediately already directly exactly maybe really very little bit
can could would will shall may must should want need like mind have has do does did be is are am
go and let get ready time
hey hi hello ok okay clara robot thanks thank
red blue green yellow black white brown orange grey gray pink purple big small large tiny old new
first second third last middle full empty clean dirty heavy light near far high low
"""
_NEUTRAL = frozenset(_NEUTRAL_WORDS.split())
# Words that may turn an order round. So may "left" and "right", but there is a left cup as well.
_DIRECTION_WORDS = "away back backward backwards behind down from off out under up"
_DIRECTIONS = frozenset(_DIRECTION_WORDS.split())
# Nor may these stand before a thing as "the chipped cup" has it: "go past the dock".
_EXCEPT_WORDS = """
besides before beyond but except excluding minus opposite other outside past save than unlike via
"""
_EXCEPT = frozenset(_EXCEPT_WORDS.split())
# A description that names both of these, as "a positive angle is to the left, a negative one to
# the right", does not say which of them an order without a sign is.
_OPPOSITES = (
    ("left", "right"),
    ("up", "down"),
    ("forward", "backward"),
    ("forwards", "backwards"),
)
# The way a robot moves anyway, unless its skill is about the other way.
_FORWARD = frozenset(["ahead", "forward", "forwards"])
_BACKWARD = frozenset(["back", "backward", "backwards", "reverse"])
# "Back home", "back to the dock" and "back on the shelf" say where to, by a choice that follows.
_BACK_TO = frozenset(["to", "on", "onto", "in", "into"])
_AT_ONCE = frozenset([("right", "now"), ("right", "away"), ("straight", "away")])
# What can be to the right: lengths, angles, and numbers that may be either.
_SIDED = frozenset(["m", "rad", "m/s", "rad/s", ""])
_PREPOSITION_WORDS = "to at for with in on into onto by from"
_PREPOSITIONS = frozenset(_PREPOSITION_WORDS.split())
# A verb and one of these may be another verb: take and take up, close and close to.
_PARTICLES = frozenset(
    [
        "about",
        "after",
        "at",
        "away",
        "by",
        "for",
        "from",
        "in",
        "into",
        "off",
        "on",
        "out",
        "over",
        "to",
        "up",
        "with",
    ]
)
_WORD = re.compile(r"[^\W\d_]+(?:['\u2019][^\W\d_]+)?")
_OWNER = re.compile(r"['\u2019]s?$")


def explained(skill: Skill, text: str) -> bool:
    """Whether all words of an order are known to a skill.

    Unknown may be one word right before a choice ("the chipped cup"), and, where a skill needs
    nothing to be said, what follows a preposition that follows the verb in an example ("wave to
    grandma", for "wave to the people"). Where a skill takes a free text, its words are free.
    """
    if any(parameter.type == "text" for parameter in skill.parameters):
        return True
    words = [_plain(word) for word in _WORD.findall(text)]
    known = _vocabulary(skill)
    choices = {
        word
        for parameter in skill.parameters
        for choice in parameter.choices
        for word in words_of(choice)
    }
    needs = any(each.said and each.default is None for each in skill.parameters)
    openings = frozenset() if needs else _openings(skill)
    neutral = _NEUTRAL if known & _BACKWARD else _NEUTRAL | _FORWARD
    for at, word in enumerate(words):
        if word in known or word in neutral or spoken_numbers.is_number_word(word):
            continue
        following = words[at + 1] if at + 1 < len(words) else ""
        free = word == "back" or word not in _DIRECTIONS | _EXCEPT
        if following in choices and free:
            continue
        if _says_when(skill, choices, words, at):
            continue
        if word == "back" and following in _BACK_TO and choices.intersection(words[at + 2 :]):
            continue
        # All that follows the preposition is who or what it is done to.
        return any(pair in openings for pair in pairwise(words[: at + 1]))
    return True


def _says_when(skill: Skill, choices: set[str], words: list[str], at: int) -> bool:
    """Whether a word belongs to "right now" and the like.

    "Turn 90 degrees right now" may mean right, so a skill with a length, an angle or a bare number
    has it only behind a choice or what measures neither of them, as "0.3 m/s".
    """
    begin = next((each for each in (at, at - 1) if tuple(words[each : each + 2]) in _AT_ONCE), -1)
    if begin <= 0:
        return False
    # "Turn right, away from the wall": behind the verb it may be the side, whatever follows.
    if words[begin + 1] == "away" and (begin > 1 or words[begin] != "right"):
        return True
    sided = any(each.numeric and si_unit(each.unit) in _SIDED for each in skill.parameters)
    unit = spoken_numbers.unit_of(words[begin - 1])
    return not sided or words[begin - 1] in choices or bool(unit and si_unit(unit) not in _SIDED)


def _vocabulary(skill: Skill) -> frozenset[str]:
    said = [example.say for example in skill.examples]
    choices = [choice for parameter in skill.parameters for choice in parameter.choices]
    names = [parameter.name for parameter in skill.parameters]
    described = set(words_of(skill.description))
    for pair in _OPPOSITES:
        if any(each.numeric for each in skill.parameters) and described.issuperset(pair):
            described -= set(pair)
    texts = [skill.name, skill.action, skill.in_words, *said, *choices, *names]
    words = {word for text in texts for word in words_of(text)} | described | set(skill.words)
    # "picking", "drives": the verbs of the file in their other forms.
    stems = {word.removesuffix("e") for word in words}
    doubled = {word + word[-1] for word in words if word}
    return frozenset(
        words | {f"{stem}ing" for stem in stems | doubled} | {f"{word}s" for word in words}
    )


def _openings(skill: Skill) -> frozenset[tuple[str, str]]:
    """Return the pairs of a word and the preposition behind it in the examples."""
    return frozenset(
        pair
        for example in skill.examples
        for pair in pairwise(words_of(example.say))
        if pair[1] in _PREPOSITIONS
    )


def words_of(text: str) -> list[str]:
    """Return the words of a text in lower case, without the s of an owner."""
    return [_plain(word) for word in _WORD.findall(text.replace("_", " "))]


def _plain(word: str) -> str:
    return _OWNER.sub("", word.lower())


def another_verb(skill: Skill, verb: str, rest: str) -> bool:
    """Whether what follows a verb makes it one that the skill's file does not have.

    "Close to the gate" is not "close the gate"; "go to the gate" is, where an example goes to
    something.
    """
    following = _WORD.match(rest.lstrip())
    if following is None or following[0].lower() not in _PARTICLES:
        return False
    said = [skill.name, *(example.say for example in skill.examples)]
    pairs = {pair for text in said for pair in pairwise(words_of(text))}
    particle = following[0].lower()
    return not any(second == particle and first in _forms(verb, skill) for first, second in pairs)


def _forms(verb: str, skill: Skill) -> set[str]:
    """Return the verbs of a skill: a particle that goes with one goes with the others."""
    return {verb, *skill.words, *words_of(skill.name)}
