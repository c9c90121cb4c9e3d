# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""How many tokens a text has, reckoned from what a server counted so far, and what of it to send.

A server counts tokens only when it has the prompt. One that finds it too long mostly refuses it,
and the caller tries again with a higher rate; others cut it without a word, so for them it is
refused here.
"""

from __future__ import annotations

import math

from clara_brain.backend import Request
from clara_brain.errors import ContextOverflow
from clara_brain.prompt import LEAST_REPLY, ChatPrompt, Exchange, RawPrompt, turns_to_drop
from clara_brain.served_model import Kind, ServedModel

# Before the server has counted anything: English text has a quarter of a token a character.
_FIRST_GUESS = 1 / 3
# Of a shorter prompt the chat template is too large a part to tell the length of others by it.
_TELLING_CHARACTERS = 200
# Some servers count only what they had not in their cache.
_LOWEST, _HIGHEST = 0.2, 2.0
# What a rate is multiplied by when a prompt turned out too long.
RAISE = 1.5


class TokenRate:
    """Tokens per character of the last prompt that tells. From any thread."""

    def __init__(self) -> None:
        self.value = _FIRST_GUESS

    def learn(self, characters: int, tokens: int) -> None:
        """Take in what a server counted; 0 tokens tell nothing."""
        if tokens and characters >= _TELLING_CHARACTERS:
            self.value = min(max(tokens / characters, _LOWEST), _HIGHEST)

    def count(self, text: str) -> int:
        """Return about how many tokens a text has."""
        return math.ceil(len(text) * self.value)


def fitted(request: Request, model: ServedModel, rate: float) -> tuple[int, int]:
    """Return how many of the oldest turns to drop, and the characters of what is left.

    `rate` is in tokens per character. Raises ContextOverflow where the server would cut the prompt
    without a word.
    """
    parts = _sizes(request.prompt)
    turns = len(parts) - 1
    dropped = 0
    if turns:
        dropped = turns_to_drop(
            lambda number: math.ceil(sum(parts[: turns + 1 - number]) * rate),
            turns,
            model.n_ctx,
            request.max_tokens,
        )
    size = sum(parts[: turns + 1 - dropped])
    count, least = math.ceil(size * rate), min(request.max_tokens, LEAST_REPLY)
    if model.kind is Kind.OTHER and count + least > model.n_ctx:
        raise ContextOverflow(
            f"persona and text have about {count} tokens, but the context has {model.n_ctx},"
            f" {least} of them kept for the reply; shorten the text or raise n_ctx"
        )
    return dropped, size


def _sizes(prompt: ChatPrompt | RawPrompt) -> list[int]:
    """Characters of what always stays, then of the turns of the history, the newest first."""
    if isinstance(prompt, RawPrompt):
        return [len(prompt.text)]
    fixed = len(prompt.system) + len(prompt.text) + sum(map(_size, prompt.shown))
    return [fixed, *map(_size, reversed(prompt.history))]


def _size(exchange: Exchange) -> int:
    return len(exchange.user) + len(exchange.assistant)
