# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""What an adapter learns, what is held out, and what it is to leave as it is, as token ids."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from clara_training.chat_encoding import Encoded, encode
from clara_training.chat_turns import encode_turns, fitting
from clara_training.errors import DataError
from clara_training.examples import Example, Reply, TraitExample, conversation, split
from clara_training.lora_step import Lesson, examples_of
from clara_training.spec import DOMAINS, TRAITS
from clara_training.starter import starter_examples
from clara_training.turns import ASSISTANT, USER, Turn, exchanges

if TYPE_CHECKING:
    from clara_training.lora import LoraSettings

ANCHORS_OF_EACH = 16  # conversations, of each trait or domain of the starter data
_FEWEST_EXAMPLES = 2


@dataclass(frozen=True)
class Lessons:
    """What an adapter learns and what is held out, and the anchors.

    An example is a lesson, or where the chat template asks for it, one for each of its replies.
    `examples` counts those that are learned from and those that are held out; `shortened` are
    conversations whose `left_out` earliest exchanges there was no room for.
    """

    learned: list[Lesson]
    held: list[Lesson]
    anchors: list[Encoded]
    examples: tuple[int, int]
    shortened: int = 0
    left_out: int = 0

    def notes(self, longest: int) -> list[str]:
        """Return what is to be said of them, before they are learned in so many tokens."""
        learned, held = self.examples
        said = [f"{learned} examples to learn, {held} held out"]
        if (lessons := len(self.learned) + len(self.held)) > learned + held:
            said.append(
                "the base's chat template writes earlier replies otherwise than the last: the"
                f" {learned + held} examples are learned as {lessons}, each up to one reply"
            )
        if self.shortened:
            said.append(
                f"{self.shortened} conversations have more than {longest} tokens: their earliest"
                f" exchanges, {self.left_out} in all, are left out; --max-length takes more"
            )
        return said


def lessons_of(
    name: str, examples: Sequence[Example], tokenizer: Any, settings: LoraSettings, longest: int
) -> Lessons:
    """Return what there is to learn of a dimension, in examples of `longest` tokens at most.

    Of a longer conversation the earliest exchanges are left out. Raises DataError for too few
    examples and for those whose last exchange alone is too long, BaseModelError.
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
    numbers = {id(example): number for number, example in enumerate(examples, 1)}
    left_out: list[int] = []

    def encoded(chosen: Sequence[Example]) -> list[Lesson]:
        lessons = []
        for example in chosen:
            encode_it = partial(_encoded, example, tokenizer=tokenizer, settings=settings)
            fit, without = fitting(encode_it, _longest, example.before, longest)
            if (tokens := _longest(fit)) > longest:
                alone = " in its last exchange" if exchanges(example.before) else ""
                raise DataError(
                    f"{name}, entry {numbers[id(example)]} ({_shortened(example)!r}) has {tokens}"
                    f" tokens{alone}, the limit is {longest}: shorten it, or raise --max-length"
                    " where the base model has a longer context"
                )
            left_out.append(without)
            lessons += fit
        return lessons

    trait = isinstance(learned[0], TraitExample)
    turns = anchors_for(trait, settings.seed) if settings.anchor else []
    anchors = [encode(tokenizer, *turn, system=settings.system) for turn in turns]
    return Lessons(
        encoded(learned),
        encoded(held),
        # Those that are too long are Clara's own: nobody can shorten them.
        [anchor for anchor in anchors if len(anchor) <= longest],
        (len(learned), len(held)),
        sum(map(bool, left_out)),
        sum(left_out),
    )


def _encoded(
    example: Example, before: Sequence[Turn], tokenizer: Any, settings: LoraSettings
) -> list[Lesson]:
    """Return the lessons of an example, with no more before its question than this.

    Of a trait's the last reply is learned, for only there is it known how much of the trait is in
    it; of a domain's every one, or the last.
    """

    def last(reply: Reply) -> Encoded:
        said = conversation(example, reply)
        return encode(tokenizer, *said, system=settings.system, before=before)

    if isinstance(example, TraitExample):
        return [Lesson(last("high"), last("low") if settings.contrast else None)]
    if settings.loss_on == "last":
        return [Lesson(last("high"))]
    question, answer = conversation(example)
    turns = [*before, (USER, question), (ASSISTANT, answer)]
    return [Lesson(each) for each in encode_turns(tokenizer, turns, system=settings.system)]


def _longest(lessons: Sequence[Lesson]) -> int:
    return max(map(len, examples_of(lessons)))


def _shortened(example: Example) -> str:
    text = conversation(example)[0]
    return text if len(text) <= 40 else text[:39] + "…"


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
