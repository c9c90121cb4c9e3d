# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""The item memory of one role: every filler known for it, and how similar a cue is to each.

Similarity is 1 for the same symbol (letter case, spaces and underscores aside), 0.95 for the same
words inflected, else the 4th power of the spelling similarity (rapidfuzz ratio), which keeps
chance resemblance small. Numbers compare by their distance within the range of known numbers,
positions by exp(-metres) within one frame.
"""

from collections.abc import Hashable

import numpy as np
from numpy.typing import NDArray
from rapidfuzz import fuzz, process

from clara_memory.episode import Kind, RoleFiller, fold, outcome_of_word
from clara_memory.inflection import words_of

SPELLING_POWER = 4
SAME_WORDS = 0.95


def text_key(role: str, text: str) -> str:
    """Return the symbol of a text: folded; words for outcomes are one symbol each."""
    if role == "result":
        outcome = outcome_of_word(text)
        if outcome is not None:
            return fold(outcome.name)
    return fold(text)


class ItemMemory:
    """Known fillers of one role; ids count from 1, 0 means that an episode has none."""

    def __init__(self) -> None:
        self.fillers: list[RoleFiller] = [RoleFiller("none")]
        self._keys: list[str] = [""]
        self._by_key: dict[Hashable, int] = {}
        self._by_text: dict[str, int] = {}
        self._by_words: dict[tuple[str, ...], list[int]] = {}
        self._numeric: dict[tuple[Kind, str], tuple[list[int], list[tuple[float, ...]]]] = {}

    def __len__(self) -> int:
        return len(self.fillers) - 1

    def add_text(self, role: str, text: str) -> int:
        """Return the id of a text, made known if it was not."""
        identity = self._by_text.get(text)
        if identity is None:
            identity = self._by_text[text] = self.add(RoleFiller(role, text))
        return identity

    def add(self, filler: RoleFiller) -> int:
        """Return the id of a filler, made known if it was not."""
        key = _key(filler)
        identity = self._by_key.get(key)
        if identity is not None:
            return identity
        identity = self._by_key[key] = len(self.fillers)
        self.fillers.append(filler)
        self._keys.append(key if isinstance(key, str) else "")
        if isinstance(key, str):
            self._by_words.setdefault(words_of(key), []).append(identity)
        if filler.kind is not Kind.TEXT:
            frame = fold(filler.filler)
            ids, values = self._numeric.setdefault((filler.kind, frame), ([], []))
            ids.append(identity)
            values.append(filler.values)
        return identity

    def identity(self, filler: RoleFiller) -> int:
        """Return the id of a filler, 0 where it is not known."""
        return self._by_key.get(_key(filler), 0)

    def with_words(self, words: tuple[str, ...]) -> list[int]:
        """Return the ids of the texts with these stems of words, the first known first."""
        return self._by_words.get(words, [])

    def similarities(self, cue: RoleFiller) -> NDArray[np.float32]:
        """Return the similarity of a cue to each known filler, shape (1 + known,), 0 to 1."""
        table = np.zeros(len(self.fillers), dtype=np.float32)
        if cue.kind is Kind.TEXT and len(self):
            key = text_key(cue.role, cue.filler)
            ratios = process.cdist([key], self._keys, scorer=fuzz.ratio, dtype=np.float32)[0]
            # Only the same symbol is 1: a long text one edit away must not round up to it.
            table = np.minimum((ratios / 100.0) ** SPELLING_POWER, np.float32(0.999))
            table[0] = 0.0
            words = words_of(cue.filler)
            table[self.with_words(words) if words else []] = SAME_WORDS
        number = _as_number(cue)
        if number is not None and (Kind.NUMBER, "") in self._numeric:
            ids, known = self._numeric[(Kind.NUMBER, "")]
            distances = np.abs(np.asarray(known, dtype=np.float64)[:, 0] - number)
            spread = max(float(distances.max()), float(np.ptp(np.asarray(known)[:, 0])))
            near = 1.0 - distances / spread if spread else np.ones(len(ids))
            table[ids] = np.maximum(table[ids], np.minimum(near**SPELLING_POWER, 0.999))
            table[np.asarray(ids)[distances == 0]] = 1.0
        if cue.kind is Kind.POSITION and (Kind.POSITION, fold(cue.filler)) in self._numeric:
            ids, known = self._numeric[(Kind.POSITION, fold(cue.filler))]
            table[ids] = np.exp(
                -np.linalg.norm(np.asarray(known) - np.asarray(cue.values), axis=1)
            )
        same = self.identity(cue)
        if same:
            table[same] = 1.0
        return table


def _key(filler: RoleFiller) -> Hashable:
    if filler.kind is Kind.TEXT:
        return text_key(filler.role, filler.filler)
    return (filler.kind, fold(filler.filler), filler.values)


def _as_number(cue: RoleFiller) -> float | None:
    if cue.kind is Kind.NUMBER:
        return cue.values[0]
    if cue.kind is Kind.TEXT:
        try:
            number = float(cue.filler)
        except ValueError:
            return None
        return number if np.isfinite(number) else None
    return None
