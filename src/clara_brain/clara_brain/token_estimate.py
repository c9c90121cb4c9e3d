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


def fitted(request: Request, model: ServedModel, rate: float) -> tuple[int, int, int]:
    """Return how many of the oldest turns to drop, and the characters and tokens of what is left.

    `rate` is in tokens per character. Raises ContextOverflow where the server would cut the prompt
    without a word.
    """
    cuts = model.kind is Kind.OTHER
    parts = _parts(request.prompt)
    counts = [math.ceil(_tokens(part, rate, least=1.0 if cuts else 0.0)) for part in parts]
    turns = len(parts) - 1
    dropped = 0
    if turns:
        dropped = turns_to_drop(
            lambda number: sum(counts[: turns + 1 - number]),
            turns,
            model.n_ctx,
            request.max_tokens,
        )
    left = turns + 1 - dropped
    count, least = sum(counts[:left]), min(request.max_tokens, LEAST_REPLY)
    if cuts and count + least > model.n_ctx:
        raise ContextOverflow(
            f"persona and text have about {count} tokens, but the context has {model.n_ctx},"
            f" {least} of them kept for the reply; shorten the text or raise n_ctx"
        )
    return dropped, sum(map(len, parts[:left])), count


def _tokens(text: str, rate: float, least: float) -> float:
    """About how many tokens a text has; what is not ASCII has `least` a character at least.

    A rate of English text says little of Japanese, which has a token a character and more.
    """
    wide = len(text) - len(text.encode("ascii", "ignore"))
    return (len(text) - wide) * rate + wide * max(rate, least)


def _parts(prompt: ChatPrompt | RawPrompt) -> list[str]:
    """Return what always stays, then the turns of the history, the newest first."""
    if isinstance(prompt, RawPrompt):
        return [prompt.text]
    fixed = prompt.system + prompt.text + "".join(map(_said, prompt.shown))
    return [fixed, *map(_said, reversed(prompt.history))]


def _said(exchange: Exchange) -> str:
    return exchange.user + exchange.assistant
