# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Build the tokens of a prompt, so that they fit into the context.

Persona and text always stay; the oldest turns of the history go first. Text from outside loses
every control token of the model's vocabulary, and the marks that chat templates write as plain
text, so it can never open or close a turn.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from clara_brain.chat_template import ChatTemplate, Message, turn_marks
from clara_brain.errors import ContextOverflow
from clara_brain.llama_runtime import LlamaRuntime

LEAST_REPLY = 16


@dataclass(frozen=True)
class Exchange:
    """One completed turn of a conversation."""

    user: str
    assistant: str


@dataclass(frozen=True)
class ChatPrompt:
    """A conversation to go on with; `history` is oldest first.

    `shown` are examples of how to answer, set between the history and the text; they are never
    dropped.
    """

    system: str
    text: str
    history: tuple[Exchange, ...] = ()
    shown: tuple[Exchange, ...] = ()


@dataclass(frozen=True)
class RawPrompt:
    """A text to go on with, without the chat template.

    Control tokens in `text` are not understood as such.
    """

    text: str


def turns_to_drop(count: Callable[[int], int], turns: int, n_ctx: int, max_tokens: int) -> int:
    """Return how many of the oldest turns must go for prompt and reply to fit into the context.

    `count` tells the tokens of the prompt with so many turns dropped. With all of them dropped it
    may still not fit.
    """
    reserve = min(max_tokens, n_ctx // 4)
    if count(0) + reserve <= n_ctx:
        return 0
    # Some room is won beyond the need, so that the next turns still find the same beginning in the
    # cache.
    room = n_ctx - reserve - n_ctx // 8
    low, high = 1, turns
    while low < high:
        middle = (low + high) // 2
        if count(middle) <= room:
            high = middle
        else:
            low = middle + 1
    return min(low, turns)


class PromptBuilder:
    """Turns prompts into tokens for one model."""

    def __init__(self, runtime: LlamaRuntime, template: ChatTemplate, bos: str) -> None:
        self._runtime = runtime
        self._template = template
        self._bos = bos
        self._marks = turn_marks(runtime.control_texts())

    def neutralise(self, text: str) -> str:
        """Replace all that could open or close a turn in a text from outside by a space."""
        return self._marks.sub(" ", text)

    def build(self, prompt: ChatPrompt | RawPrompt, max_tokens: int) -> tuple[list[int], int]:
        """Return the tokens and how many of the oldest turns were dropped.

        Raises ContextOverflow.
        """
        n_ctx = self._runtime.n_ctx
        if isinstance(prompt, RawPrompt):
            tokens = self._runtime.tokenize(self.neutralise(prompt.text), add_special=True)
            self._check(len(tokens), max_tokens)
            return tokens, 0
        counted: dict[int, list[int]] = {}

        def count(dropped: int) -> int:
            counted[dropped] = self._chat(prompt, dropped)
            return len(counted[dropped])

        dropped = turns_to_drop(count, len(prompt.history), n_ctx, max_tokens)
        tokens = counted.get(dropped) or self._chat(prompt, dropped)
        self._check(len(tokens), max_tokens)
        return tokens, dropped

    def _check(self, count: int, max_tokens: int) -> None:
        least = min(max_tokens, LEAST_REPLY)
        n_ctx = self._runtime.n_ctx
        if count + least > n_ctx:
            what = "text has" if self._runtime.continues_text else "persona and text have"
            more = " or raise n_ctx" if n_ctx < self._runtime.n_ctx_train else ""
            raise ContextOverflow(
                f"{what} {count} tokens, but the context has {n_ctx}, {least} of them kept for the"
                f" reply; shorten the text{more}"
            )

    def _chat(self, prompt: ChatPrompt, dropped: int) -> list[int]:
        messages = [Message("system", self.neutralise(prompt.system))] if prompt.system else []
        for exchange in (*prompt.history[dropped:], *prompt.shown):
            messages.append(Message("user", self.neutralise(exchange.user)))
            messages.append(Message("assistant", self.neutralise(exchange.assistant)))
        messages.append(Message("user", self.neutralise(prompt.text)))
        rendered = self._template.render(messages)
        # A template may write the BOS itself; the tokeniser must not add it a second time.
        has_bos = bool(self._bos) and rendered.startswith(self._bos)
        return self._runtime.tokenize(rendered, add_special=not has_bos)
