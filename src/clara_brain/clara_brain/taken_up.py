# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Whether an answer says again what was asked, or a part of it, and nothing else.

After "Shall I open drawer 2?", "open it" and "yes, drawer 2" are as good as a yes; "yes, drawer
3", "yes, open it slowly" and "yes, in five minutes" are none.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from clara_brain import spoken_numbers
from clara_brain.choice_slots import beside_choices, mentions
from clara_brain.known_words import is_idle, words_of
from clara_brain.number_names import labels_of, written_number
from clara_brain.orders import is_plain_order, opens_as_order
from clara_brain.skill_decision import Decision
from clara_brain.skills import Skill
from clara_brain.verbs import trigger_words

_POLITE = frozenset(["a", "and", "clara", "it", "now", "please", "robot", "that", "the", "this"])
_POINTING = frozenset(["it", "that", "this", "them", "him", "her", "there"])
# Only with a verb: "okay, could you" and "okay, thank you" are no yes.
_BESIDE_A_VERB_WORDS = """
ahead can could do go just may must ok okay should thank thanks then will would yes you
"""
_BESIDE_A_VERB = _POINTING.union(_BESIDE_A_VERB_WORDS.split())
_FIELD = re.compile(r"\{\w+\}")


def takes_up(skill: Skill, asked: Decision, answer: str) -> bool:
    """Whether an order, which names no more than a thing or says "it", is the one that was asked.

    "Take off" may be to another height than that which was asked.
    """
    points = _POINTING.intersection(words_of(answer)) or mentions(skill, answer)
    return bool(points) and opens_as_order(skill, answer) and says_a_part(skill, asked, answer)


def says_a_part(skill: Skill, asked: Decision, answer: str) -> bool:
    """Whether what follows a yes has only words, things and numbers of what was asked."""
    if "?" in answer or not is_plain_order(answer):
        return False
    named = mentions(skill, answer)
    if not all(_is_as_asked(skill, asked, each.choice) for each in named):
        return False
    beside = beside_choices(skill, answer)
    numbers = spoken_numbers.numbers(beside, labels=labels_of(skill))
    if not _are_as_asked(skill, asked, numbers):
        return False
    for each in reversed(numbers):
        beside = f"{beside[: each.start]} {beside[each.end :]}"
    words = words_of(beside)
    verbs = {word for verb in trigger_words(skill) for word in words_of(verb)}
    ordered = not verbs.isdisjoint(words)
    if ordered and not opens_as_order(skill, answer):
        return False  # "take it off" does not take off
    # "Quietly" is the value and not the name of what may be done quietly.
    named_values = [each for each in skill.parameters if each.type != "boolean"]
    names = [word for each in named_values for word in words_of(each.name)]
    own = verbs.union(words_of(f"{skill.name} {_FIELD.sub(' ', skill.in_words)}"), names)
    units = {each.unit for each in skill.parameters if numbers} - {""}
    known = own | _POLITE | (_BESIDE_A_VERB if ordered else frozenset())
    says_something = named or numbers or any(word in own and not is_idle(word) for word in words)
    return bool(says_something) and all(
        word in known or spoken_numbers.unit_of(word) in units for word in words
    )


def _is_as_asked(skill: Skill, asked: Decision, choice: str) -> bool:
    """Whether a choice was asked about; of one for several parameters nothing tells for which."""
    taking = [each.name for each in skill.parameters if choice in each.choices]
    return len(taking) == 1 and asked.values.get(taking[0]) == choice


def _are_as_asked(skill: Skill, asked: Decision, numbers: Sequence[spoken_numbers.Said]) -> bool:
    """Whether all numbers are the one that was asked; of two, nothing tells which is meant."""
    numeric = [each for each in skill.parameters if each.numeric]
    if not numbers:
        return True
    return len(numeric) == 1 and all(
        number.unit in (None, numeric[0].unit)
        and number.written == written_number(asked.values.get(numeric[0].name, ""))
        for number in numbers
    )
