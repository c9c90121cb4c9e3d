# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Let a model that was trained from scratch write: KV cache, temperature, top-p, repetition.

A text begins with `<|endoftext|>`, as every document in training does. At temperature 0 the
likeliest token is taken, and llama.cpp writes the same from the f16 GGUF.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from clara_training.decoder import KVCache
from clara_training.errors import PretrainError
from clara_training.scratch import Model

BOUNDARY = 0  # <|endoftext|>


@dataclass(frozen=True)
class Sampling:
    """How the next token is drawn. Temperature 0 draws nothing: it takes the likeliest."""

    temperature: float = 0.8
    top_p: float = 0.95
    repetition_penalty: float = 1.1
    seed: int = 0


def generate(model: Model, prompt: Sequence[int], most: int, how: Sampling) -> Iterator[int]:
    """Yield up to `most` tokens after a prompt, up to the document's end or the context's.

    The model computes where it is; what is drawn depends on the seed and nothing of the device.

    Raises PretrainError when the prompt alone is longer than the context.
    """
    context = model.config.context
    if not 0 < len(prompt) <= context:
        raise PretrainError(f"a prompt has to have 1 to {context} tokens, not {len(prompt)}")
    draw = torch.Generator().manual_seed(how.seed)
    cache, seen, new = KVCache(), list(prompt), list(prompt)
    device = next(model.parameters()).device
    model.eval()
    for _ in range(min(most, context - len(prompt) + 1)):
        with torch.inference_mode():
            logits = model(torch.tensor([new], device=device), cache=cache)[0, -1].float().cpu()
        token = next_token(logits, seen, how, draw)
        if token == BOUNDARY:
            return
        yield token
        seen.append(token)
        new = [token]


def next_token(logits: Tensor, seen: Sequence[int], how: Sampling, draw: torch.Generator) -> int:
    """Choose a token from logits (V,).

    The logits of what was seen are divided by the repetition penalty where positive, else
    multiplied (Keskar et al. 2019); then temperature, then the fewest tokens whose probabilities
    sum to `top_p` (Holtzman et al. 2020).
    """
    if how.repetition_penalty != 1.0 and seen:
        before = torch.tensor(sorted(set(seen)))
        values = logits[before]
        penalty = how.repetition_penalty
        logits = logits.index_put(
            (before,), torch.where(values > 0, values / penalty, values * penalty)
        )
    if how.temperature == 0:
        return int(logits.argmax())
    probabilities, order = (logits / how.temperature).softmax(-1).sort(descending=True)
    left_out = probabilities.cumsum(-1) - probabilities >= how.top_p  # the first is never
    probabilities[left_out] = 0.0
    return int(order[torch.multinomial(probabilities, 1, generator=draw)])
