# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""What an adapter learns, what is held out, and what it is to leave as it is, as token ids."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from clara_training.chat_encoding import Encoded, encode, encode_all
from clara_training.errors import DataError
from clara_training.examples import Example, Reply, TraitExample, conversation, split
from clara_training.lora_step import Lesson
from clara_training.spec import DOMAINS, TRAITS
from clara_training.starter import starter_examples

if TYPE_CHECKING:
    from clara_training.lora import LoraSettings

ANCHORS_OF_EACH = 16  # conversations, of each trait or domain of the starter data
_FEWEST_EXAMPLES = 2


@dataclass(frozen=True)
class Lessons:
    """What an adapter learns and what is held out, and the anchors."""

    learned: list[Lesson]
    held: list[Lesson]
    anchors: list[Encoded]


def lessons_of(
    name: str, examples: Sequence[Example], tokenizer: Any, settings: LoraSettings, longest: int
) -> Lessons:
    """Return what there is to learn of a dimension, in examples of `longest` tokens at most.

    Raises DataError for too few and too long examples, BaseModelError.
    """
    learned, held = split(examples)
    if len(learned) < _FEWEST_EXAMPLES:
        raise DataError(
            f"{name} has {len(learned)} examples to learn from; there must be at least "
            f"{_FEWEST_EXAMPLES}, and some hundred to be of use"
        )
    if settings.examples and settings.examples < len(learned):
        learned = random.Random(settings.seed).sample(learned, settings.examples)
    held = held[: settings.held_out_examples]
    trait = isinstance(learned[0], TraitExample)
    numbers = {id(example): number for number, example in enumerate(examples, 1)}

    def replies(chosen: Sequence[Example], reply: Reply) -> list[Encoded]:
        return encode_all(
            tokenizer,
            [conversation(example, reply) for example in chosen],
            longest,
            system=settings.system,
            called=lambda at: f"{name}, entry {numbers[id(chosen[at])]}",
        )

    def encoded(chosen: Sequence[Example]) -> list[Lesson]:
        wanted = replies(chosen, "high")
        if not (settings.contrast and trait):
            return [Lesson(one) for one in wanted]
        unwanted = replies(chosen, "low")
        return [Lesson(high, low) for high, low in zip(wanted, unwanted, strict=True)]

    turns = anchors_for(trait, settings.seed) if settings.anchor else []
    anchors = [encode(tokenizer, *turn, system=settings.system) for turn in turns]
    # Those that are too long are Clara's own: nobody can shorten them.
    fit = [anchor for anchor in anchors if len(anchor) <= longest]
    return Lessons(encoded(learned), encoded(held), fit)


def anchors_for(trait: bool, seed: int) -> list[tuple[str, str]]:
    """Return conversations of the starter data that an adapter is to leave as they are.

    For a domain, everyday ones: of each trait as many replies with much of it as with little, for
    knowledge of a subject says nothing on how warm or how formal a robot is. For a trait,
    questions on the domains and their answers.
    """
    draw = random.Random(seed)
    chosen = []
    for name in DOMAINS if trait else TRAITS:
        learned = split(starter_examples(name, not trait))[0]
        replies: Sequence[Reply] = ("high",) if trait else ("high", "low")
        for example in draw.sample(learned, ANCHORS_OF_EACH // len(replies)):
            chosen += [conversation(example, reply) for reply in replies]
    draw.shuffle(chosen)
    return chosen
