# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Whether what stands behind a verb makes it another one than that of a skill.

"Close to the gate" does not close it, and "take it off" takes off nothing that flies.
"""

from __future__ import annotations

import re
from itertools import dropwhile, pairwise

from clara_brain import spoken_numbers
from clara_brain.known_words import (
    BEFORE_A_NOUN,
    DIRECTIONS,
    PERSONS,
    is_idle,
    is_way,
    words_of,
)
from clara_brain.skills import Skill
from clara_brain.verbs import trigger_words

# A verb and one of these may be another verb: take and take up, close and close to.
_PARTICLE_WORDS = "about after at away by for from in into off on out over to up with"
_PARTICLES = frozenset(_PARTICLE_WORDS.split())
# Between a verb and its particle, or behind the verb, they are an object.
STANDS_FOR_A_THING = frozenset(["it", "that", "them", "this", "these", "those"])
# "Go over to the gate" and "go on to the gate" go to it, and "turn to the left" turns left.
_ON_TO = re.compile(r"^\s*(?:over|on)\s+(?=(?:to|here|there)\b)", re.IGNORECASE)
_FIRST_WORD = re.compile(r"\s*([^\W\d_]+)")
_TO_A_SIDE = re.compile(r"\s*to (?:the |your )?(left|right)\b", re.IGNORECASE)


def another_verb(skill: Skill, verb: str, rest: str) -> bool:
    """Whether what follows a verb makes it one that the skill's file does not have.

    "Close to the gate" is not "close the gate"; "go to the gate" is, where an example goes to
    something.
    """
    rest = _ON_TO.sub("", rest)
    side = _TO_A_SIDE.match(rest)
    if side and any(side[1].lower() in each.choices for each in skill.parameters):
        return False
    following = _FIRST_WORD.match(rest)
    particle = following[1].lower() if following else ""
    if particle in STANDS_FOR_A_THING:
        # "Switch it to quiet" says enough for it.
        needs = any(each.said and each.default is None for each in skill.parameters)
        return not needs and not has_object(skill, verb)
    if particle not in _PARTICLES:
        return False
    if any(particle in each.choices for each in skill.parameters):
        return False  # "fly up"
    said = [skill.name, *(example.say for example in skill.examples)]
    pairs = {pair for text in said for pair in pairwise(words_of(text))}
    return not any(second == particle and first in _forms(verb, skill) for first, second in pairs)


def has_object(skill: Skill, verb: str) -> bool:
    """Whether a verb is done to something: "take it off" is not done by a skill that takes off.

    An example with the verb tells, else those with other verbs.
    """
    shown = [words_of(example.say) for example in skill.examples]
    own = [words for words in shown if verb in words]
    behind = [words[words.index(verb) + 1 :] for words in own] or [words[1:] for words in shown]
    return any(_begins_with_object(words) for words in behind) or not shown


def _begins_with_object(words: list[str]) -> bool:
    if words and words[0] in DIRECTIONS | {"in", "on", "over"}:
        words = words[1:]
    measured = len(words)
    words = list(dropwhile(spoken_numbers.is_number_word, words))
    word = words[0] if words else ""
    if word == "of" and len(words) < measured:
        return True  # "add 50 grams of salt"
    thing = word and not is_way(word) and not is_idle(word)
    return bool(thing) or word in BEFORE_A_NOUN | PERSONS | STANDS_FOR_A_THING


def _forms(verb: str, skill: Skill) -> set[str]:
    """Return the verbs of a skill: a particle that goes with one goes with the others."""
    return {verb, *trigger_words(skill), *words_of(skill.name)}
