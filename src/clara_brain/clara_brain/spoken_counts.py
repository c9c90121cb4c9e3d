# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Counts and ordinals as the numbers that they are: "twice" is 2 times, "the 7th floor" floor 7.

The rules on numbers then hold for them as well: "drive 2 meters twice" is no order to drive once.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from clara_brain.known_words import is_idle, words_of
from clara_brain.number_names import said_for
from clara_brain.skills import Parameter, Skill
from clara_brain.spoken_numbers import unit_of

# "At once" and "once more" count nothing, and "once you are there" is when.
ONCE = r"(?<!\bat )\bonce\b(?=(?:\W+(?:please|now|thanks|clara|robot|for me))*\W*$)"
_COUNT_WORDS = {"once": 1, "twice": 2, "thrice": 3}
_COUNT = re.compile(rf"{ONCE}|\b(?:twice|thrice)\b", re.IGNORECASE)
_ORDINAL_WORDS = """
first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth
fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth twentieth
"""
_ORDINALS = {word: number for number, word in enumerate(_ORDINAL_WORDS.split(), start=1)}
_ORDINAL = rf"(?:the\s+)?\b(?:({'|'.join(_ORDINALS)})|(\d{{1,4}})(?:st|nd|rd|th))"


def with_counts(skill: Skill, text: str) -> str:
    """Return a text with counts and the ordinals of what a skill numbers as numbers."""
    numbered = [each for each in skill.parameters if each.numeric and not unit_of(each.unit)]
    if not numbered:
        return text
    text = _COUNT.sub(lambda match: f"{_COUNT_WORDS[match[0].lower()]} times", text)
    if re.search(_ORDINAL, text, re.IGNORECASE) is None:
        return text
    verbs = {word for example in skill.examples for word in words_of(example.say)[:1]}
    names = {name for each in numbered for name in _names(skill, each)}
    names = {re.escape(name) for name in names.difference(verbs, {""}) if not is_idle(name)}
    if not names:
        return text
    found = re.compile(rf"{_ORDINAL}\s+({'|'.join(sorted(names))})\b", re.IGNORECASE)
    return found.sub(lambda match: f"{match[3]} {match[2] or _ORDINALS[match[1].lower()]}", text)


def _names(skill: Skill, parameter: Parameter) -> Iterator[str]:
    """Return what stands before the number of a parameter: its name, and what examples have."""
    yield from words_of(parameter.name)[-1:]
    yield from (number.name for _, number in said_for(skill, parameter))
