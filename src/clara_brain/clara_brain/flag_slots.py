# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Whether a sentence says true or false for a boolean parameter: "on" or "off".

By the words in which the skill's examples for true and for false differ. A model would guess.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from clara_brain.choice_slots import Slots, mentions
from clara_brain.skills import Parameter, Skill

_WORD = re.compile(r"[^\W\d_]+(?:['\u2019][^\W\d_]+)?")


def flag_slots(skill: Skill, text: str) -> Slots | None:
    """Return what is said for each boolean; where nothing is, it takes its default.

    None where both are said, or neither and there is no default.
    """
    values: dict[str, tuple[str, ...]] = {}
    words = _words(skill, text)
    for parameter in booleans(skill):
        told = [value for value, own in telling_words(skill, parameter).items() if own & words]
        if len(told) > 1 or not (told or parameter.default is not None):
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
    for example in skill.examples:
        value = example.use.get(parameter.name, parameter.default)
        if isinstance(value, bool):
            shown[value] |= _words(skill, example.say)
    if not all(shown.values()):
        return {True: set(), False: set()}
    return {value: shown[value] - shown[not value] for value in shown}


def written_flag(value: bool) -> str:
    """Write a boolean as the model is to write it."""
    return "true" if value else "false"


def _words(skill: Skill, text: str) -> set[str]:
    """Return the words of a sentence, but for those that name a choice."""
    for each in reversed(mentions(skill, text)):
        text = text[: each.start] + text[each.end :]
    return {word.lower().replace("\u2019", "'") for word in _WORD.findall(text)}
