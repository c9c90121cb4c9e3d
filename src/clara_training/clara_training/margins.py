# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Measures on held-out examples: how much of a trait a model has, what it knows of a domain.

- A trait's margin is the mean over held-out prompts of the log-probability of the reply with much
  of the trait less that of the reply with little, each divided by its number of tokens (nats a
  token), so that a longer reply is not punished for its length. 0: no preference.
- A domain's accuracy is how often the right answer is likelier, token for token, than the right
  answers of other questions; its perplexity is that of the right answers.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from clara_training.chat_encoding import Encoded, encode
from clara_training.chat_turns import fitting
from clara_training.errors import ValidationError
from clara_training.examples import (
    Example,
    KnowledgeExample,
    TraitExample,
    conversation,
    split,
)
from clara_training.gguf_scores import GgufScores, token_log_probabilities

OTHER_ANSWERS = 3
LONGEST = 2048  # tokens of a case


@dataclass(frozen=True)
class Case:
    """A prompt and the replies that are compared, as tokens; the first reply is the wanted one.

    `left_out` of the earliest exchanges there was no room for.
    """

    prompt: tuple[int, ...]
    replies: tuple[tuple[int, ...], ...]
    left_out: int = 0


@dataclass(frozen=True)
class Margin:
    """A trait's margin with its standard error, and the share of prompts where it is above 0."""

    mean: float
    error: float
    prefers: float
    prompts: int

    def as_json(self) -> dict[str, float]:
        """Return all figures."""
        return asdict(self)


@dataclass(frozen=True)
class Knowledge:
    """What a model knows of a domain."""

    accuracy: float
    perplexity: float
    questions: int

    def as_json(self) -> dict[str, float]:
        """Return all figures."""
        return asdict(self)


def trait_cases(
    examples: Sequence[TraitExample], tokenizer: Any, limit: int | None, longest: int = LONGEST
) -> list[Case]:
    """Encode the held-out examples of a trait, `limit` of them at most, evenly chosen.

    Of a conversation of more than `longest` tokens the earliest exchanges are left out. Raises
    ValidationError when none is held out.
    """
    return [
        _case(example, [example.high, example.low], tokenizer, longest)
        for example in _chosen(split(examples)[1], limit, examples)
    ]


def knowledge_cases(
    examples: Sequence[KnowledgeExample], tokenizer: Any, limit: int | None, longest: int = LONGEST
) -> list[Case]:
    """Encode the held-out questions of a domain, each with answers of other questions.

    Of a conversation it is the last, and of one of more than `longest` tokens the earliest
    exchanges are left out. Raises ValidationError when none is held out, or there is no other
    answer.
    """
    held = split(examples)[1]
    chosen = _chosen(held, limit, examples)
    others = held if len(held) > OTHER_ANSWERS else examples
    cases = []
    for example in chosen:
        place = others.index(example)
        wrong = [others[(place + step) % len(others)] for step in range(1, len(others))]
        answers = [each.answer for each in wrong if each.answer != example.answer]
        if not answers:
            raise ValidationError(
                f"the domain {example.domain} needs more than one answer to be judged"
            )
        compared = [example.answer, *answers[:OTHER_ANSWERS]]
        cases.append(_case(example, compared, tokenizer, longest))
    return cases


def _case(example: Example, replies: Sequence[str], tokenizer: Any, longest: int) -> Case:
    question = conversation(example)[0]
    encoded, left_out = fitting(
        lambda before: [encode(tokenizer, question, each, before=before) for each in replies],
        lambda found: max(map(len, found)),
        example.before,
        longest,
    )
    prompt = encoded[0].ids[: encoded[0].prompt]
    return Case(prompt, tuple(_reply(each) for each in encoded), left_out)


def margin(model: GgufScores, cases: Sequence[Case]) -> Margin:
    """Measure a trait as the model is now, adapters included."""
    found = []
    for case in cases:
        high, low = _per_token(model, case)
        found.append(high - low)
    spread = statistics.stdev(found) / math.sqrt(len(found)) if len(found) > 1 else 0.0
    return Margin(
        mean=statistics.fmean(found),
        error=spread,
        prefers=sum(value > 0 for value in found) / len(found),
        prompts=len(found),
    )


def knowledge(model: GgufScores, cases: Sequence[Case]) -> Knowledge:
    """Measure a domain as the model is now, adapters included."""
    right, total, count = 0, 0.0, 0
    for case in cases:
        first, *rest = _per_token(model, case)
        right += first > max(rest)
        total += first * len(case.replies[0])
        count += len(case.replies[0])
    return Knowledge(right / len(cases), math.exp(-total / count), len(cases))


def text_perplexity(model: GgufScores, texts: Sequence[Sequence[int]]) -> float:
    """Perplexity of plain text, each list of tokens by itself."""
    total, count = 0.0, 0
    for text in texts:
        logits = model.logits(text[:-1])
        total += float(token_log_probabilities(logits, text[1:]).sum())
        count += len(text) - 1
    return math.exp(-total / count)


def _per_token(model: GgufScores, case: Case) -> list[float]:
    sums = model.log_probabilities(case.prompt, case.replies)
    return [total / len(reply) for total, reply in zip(sums, case.replies, strict=True)]


def _reply(encoded: Encoded) -> tuple[int, ...]:
    return encoded.ids[encoded.prompt :]


def _chosen(held: Sequence[Any], limit: int | None, everything: Sequence[Any]) -> list[Any]:
    if not held:
        name = everything[0].dimension if everything else "a dimension"
        raise ValidationError(
            f"{name} has {len(everything)} examples, and none of them is held out: it cannot be"
            " judged; add examples"
        )
    if limit is None or len(held) <= limit:
        return list(held)
    return [held[place * len(held) // limit] for place in range(limit)]
