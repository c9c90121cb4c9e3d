# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Whether a sentence says true or false for a boolean parameter: "on" or "off".

By the words in which the skill's examples for true and for false differ. A model would guess.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from clara_brain.choice_slots import as_said, beside_choices, words_beside
from clara_brain.known_words import words_of
from clara_brain.skills import Example, Parameter, Skill
from clara_brain.slots import Slots
from clara_brain.spoken_numbers import is_number_word

# In which examples may differ without saying anything.
_IDLE_WORDS = """
a an the this that these those some any my your our to at in into onto of for by and or so well
just now again please kindly can could would will you i me it them there here hey hi hello ok
okay clara robot thanks thank
"""
_IDLE = frozenset(_IDLE_WORDS.split())
_BEHIND_A_NUMBER = re.compile(r"\d\s+([^\W\d_]+)")


def flag_slots(skill: Skill, text: str) -> Slots | None:
    """Return what is said for each boolean; where nothing is, it takes its default.

    None where both are said, or neither and there is no default, or it is named all the same.
    """
    values: dict[str, tuple[str, ...]] = {}
    words = words_beside(skill, text)
    for parameter in booleans(skill):
        told = [value for value, own in telling_words(skill, parameter).items() if own & words]
        named = as_said(parameter.name).search(text)
        if len(told) > 1 or not (told or (parameter.default is not None and not named)):
            return None
        values[parameter.name] = tuple(written_flag(value) for value in told)
    return Slots(values, frozenset(name for name, said in values.items() if said))


def booleans(skill: Skill) -> Iterable[Parameter]:
    """Return the boolean parameters of a skill."""
    return (each for each in skill.parameters if each.type == "boolean")


def telling_words(skill: Skill, parameter: Parameter) -> dict[bool, set[str]]:
    """Return the words that only examples for true have, and those that only ones for false have.

    Both are empty where one of the two has no example: nothing tells then.
    """
    shown: dict[bool, set[str]] = {True: set(), False: set()}
    said = {each.use[parameter.name] for each in skill.examples if parameter.name in each.use}
    for example in skill.examples:
        # Where both are said, what says neither may differ in anything.
        value = example.use.get(parameter.name, parameter.default if len(said) < 2 else None)
        if isinstance(value, bool):
            shown[value] |= words_beside(skill, example.say)
    if not all(shown.values()):
        return {True: set(), False: set()}
    counted = _counted_words(skill)
    told = {value: shown[value] - shown[not value] - _IDLE for value in shown}
    told = {value: words - counted or words for value, words in told.items()}
    verbs = {*skill.words, *skill.name.split("_"), *map(_first_word, skill.examples)}
    bare = {value: words - verbs for value, words in told.items()}
    if isinstance(parameter.default, bool):
        # "Bring it urgently" is told by no verb, beside "deliver it", for which nothing is said.
        return bare if bare[not parameter.default] else told
    return bare if all(bare.values()) else told


def _first_word(example: Example) -> str:
    return next((word for word in words_of(example.say) if word not in _IDLE), "")


def _counted_words(skill: Skill) -> set[str]:
    """Return number words, the names of numbers, and what stands behind one in an example."""
    numeric = [each for each in skill.parameters if each.numeric]
    said = " ".join(beside_choices(skill, example.say) for example in skill.examples)
    words = {word for each in numeric for word in words_of(each.name)}
    words |= {match[1].lower() for match in _BEHIND_A_NUMBER.finditer(said)}
    return words | {word for word in words_of(said) if is_number_word(word)}


def written_flag(value: bool) -> str:
    """Write a boolean as the model is to write it."""
    return "true" if value else "false"
