# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Guess the next tokens from the text itself: prompt lookup decoding.

Where the last three tokens stood before, what followed them there is guessed to follow again. The
guesses are checked in the same batch, so the text is what it would have been without them.
Source: A. Saxena, "Prompt Lookup Decoding", 2023.
"""

from __future__ import annotations

from collections.abc import Sequence

_NGRAM = 3


class Lookup:
    """Where each run of three tokens was last followed by another one."""

    def __init__(self, tokens: Sequence[int]) -> None:
        self._follows: dict[tuple[int, ...], int] = {}
        self._known = _NGRAM
        self._learn(tokens)

    def guess(self, tokens: Sequence[int], count: int) -> list[int]:
        """Return `count` tokens at most that may follow `tokens`, which only ever grow."""
        self._learn(tokens)
        place = self._follows.get(tuple(tokens[-_NGRAM:]))
        return list(tokens[place : place + max(0, count)]) if place else []

    def _learn(self, tokens: Sequence[int]) -> None:
        for place in range(self._known, len(tokens)):
            self._follows[tuple(tokens[place - _NGRAM : place])] = place
        self._known = max(self._known, len(tokens))
