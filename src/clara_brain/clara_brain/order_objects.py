# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Whether an order is about the thing that its skill is about, and not about a person.

"Turn on the light" has the verb of a skill that turns on a blade, and "release me" that of one
that releases the gripper. Where every example with a verb names a thing beside the choices, the
order must name one as well, or say "it": "put the fries on" is not "put salt on the fries". And it
is done to a person only where an example is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

from clara_brain import spoken_numbers
from clara_brain.choice_slots import mentions, words_beside
from clara_brain.flag_slots import booleans, telling_words
from clara_brain.known_words import PREPOSITIONS, is_idle, words_of
from clara_brain.number_names import forms_of
from clara_brain.other_verbs import STANDS_FOR_A_THING
from clara_brain.skills import Example, Skill
from clara_brain.text_slots import text_leads

# Each with what an example may say for it.
_PERSONS: Mapping[str, frozenset[str]] = {
    word: frozenset(group)
    for group in (("me", "us"), ("him", "her"), ("you", "yourself"))
    for word in group
}
_DETERMINER_WORDS = "the a an that this these those my your some all another"
_DETERMINERS = frozenset(_DETERMINER_WORDS.split())
# "Stand up to them", and to it, is another thing to do.
_TO_SOMEBODY = frozenset(["at", "to", "with"])
# "Turn off me": between a verb and a person. Prepositions are there wherever they stand.
_PARTICLE_WORDS = "up off over down out away back right"
_PARTICLES = frozenset(_PARTICLE_WORDS.split())


def names_its_thing(skill: Skill, verb: str, order: str) -> bool:
    """Whether an order that begins with a verb names what the skill's examples name with it."""
    own = [each for each in skill.examples if _verb_of(each, skill) == verb]
    words = words_of(order)
    if not STANDS_FOR_A_THING.isdisjoint(words):
        return True
    if mentions(skill, order):
        shared = _shared_things(skill, own)
        return not shared or _is_among(words, shared) or _has_unit(skill, order)
    shown = own or skill.examples
    return not shown or not all(_things(skill, each) for each in shown) or _named(skill, words)


def begins_like_an_example(skill: Skill, order: str) -> bool:
    """Whether what follows a verb may be what a skill is about: "grab the", "go to"."""
    words = words_of(order)
    after = words[1] if len(words) > 1 else ""
    pairs = {pair for example in skill.examples for pair in pairwise(words_of(example.say))}
    led = any(pair[1] == after and after in PREPOSITIONS for pair in pairs)
    alone = all(is_idle(word) or spoken_numbers.is_number_word(word) for word in words[1:])
    named = bool(mentions(skill, order)) or _named(skill, words[1:])
    return alone or named or led or after in _DETERMINERS


def _named(skill: Skill, words: Sequence[str]) -> bool:
    """Whether one of the words is a thing, choices aside, that an example of the skill names."""
    return _is_among(words, set[str]().union(*(_things(skill, each) for each in skill.examples)))


def _is_among(words: Sequence[str], things: set[str]) -> bool:
    forms = (
        (word, word.removesuffix("s"), f"{word}s", word.removesuffix("ing")) for word in words
    )
    return any(not things.isdisjoint(each) for each in forms)


def _shared_things(skill: Skill, examples: Sequence[Example]) -> set[str]:
    """Return the things that each of some examples names, but for the names of its values.

    "Photograph the basil 5 times" is about no times, and "switch to crawl gait" about no gait.
    """
    values = {"time", *(word for each in skill.parameters for word in words_of(each.name))}
    values |= {word.removesuffix("s") for word in values}
    shared = [{word.removesuffix("s") for word in _things(skill, each)} for each in examples]
    return set[str].intersection(*shared) - values if shared else set()


def _has_unit(skill: Skill, order: str) -> bool:
    """Whether a number is said in a unit of the skill: "give the basil 2 liters" is of water."""
    units = {each.unit for each in skill.parameters}
    spelt = set[str]().union(*map(forms_of, units))
    return any(
        number.unit in units or spelt.intersection(words_of(order[number.end :])[:1])
        for number in spoken_numbers.numbers(order)
    )


def is_done_to_a_person(skill: Skill, order: str) -> bool:
    """Whether an order is done to a person, or with or to one or a thing, as no example has it."""
    words = words_of(order)
    said = {word for example in skill.examples for word in words_of(example.say)}
    for at, word in enumerate(words[1:], start=1):
        before = words[at - 1]
        if word in STANDS_FOR_A_THING and before in _TO_SOMEBODY - said:
            return True
        if word not in _PERSONS or not said.isdisjoint(_PERSONS[word]):
            continue
        if at == 1 or (at == 2 and before in _PARTICLES):
            return True
        if before in PREPOSITIONS | {"over"} and before not in said | {"for"}:
            return True
    return False


def _things(skill: Skill, example: Example) -> set[str]:
    """Return the words of an example that name what it is about, choices and numbers aside."""
    values = {_verb_of(example, skill), *text_leads(skill)}
    for each in booleans(skill):
        values = values.union(*telling_words(skill, each).values())
    for each in skill.parameters:
        values |= {word for unit in words_of(each.unit) for word in (unit, unit.removesuffix("s"))}
        if each.type == "text":
            values |= set(words_of(str(example.use.get(each.name, ""))))
    values |= {each.name for each in skill.parameters if len(each.name) == 1}  # x and y
    return {
        word
        for word in words_beside(skill, example.say) - values
        if not is_idle(word) and not spoken_numbers.is_number_word(word)
    }


def _verb_of(example: Example, skill: Skill) -> str:
    """Return the verb with which an example begins: its first word that means something."""
    words = words_of(example.say)
    verbs = [word for word in words if word in skill.words]
    return next((word for word in (*verbs, *words) if word in verbs or not is_idle(word)), "")
