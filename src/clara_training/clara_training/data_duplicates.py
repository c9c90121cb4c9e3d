# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Near-duplicates: examples that say the same in almost the same words.

Two texts are compared as sets of words in order (sorted, so that moving words about hides nothing)
by rapidfuzz's normalised indel similarity, 0 to 100.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from clara_training.examples import Example, KnowledgeExample, normalised
from clara_training.packages import load

SIMILAR = 90.0


def compared_text(example: Example) -> str:
    """Return what two examples of one dimension must differ in, words sorted."""
    if isinstance(example, KnowledgeExample):
        text = example.question
    else:
        text = f"{example.prompt} {example.neutral}"
    return " ".join(sorted(normalised(text).split()))


class Pool:
    """Examples of one dimension of which no two are alike."""

    def __init__(self, examples: Iterable[Example] = (), similar: float = SIMILAR) -> None:
        """Take the examples, the first of those that are alike."""
        self._extract = load("rapidfuzz.process", "finding near-duplicates").extractOne
        self._ratio = load("rapidfuzz.fuzz", "finding near-duplicates").ratio
        self.similar = similar
        self.kept: list[Example] = []
        self._texts: list[str] = []
        for example in examples:
            self.add(example)

    def add(self, example: Example) -> Example | None:
        """Take an example, or return the one it is like."""
        like = self.like(example)
        if like is None:
            self.kept.append(example)
            self._texts.append(compared_text(example))
        return like

    def like(self, example: Example) -> Example | None:
        """Return the one that an example is like, if there is one."""
        text = compared_text(example)
        found = self._extract(text, self._texts, scorer=self._ratio, score_cutoff=self.similar)
        return self.kept[found[2]] if found else None


def without_duplicates(
    examples: Iterable[Example], similar: float = SIMILAR
) -> tuple[list[Example], list[tuple[Example, Example]]]:
    """Return the examples, the first of those that are alike kept, and the pairs left out.

    Each pair is the one left out and the one kept that it is like.
    """
    pool = Pool(similar=similar)
    left_out = []
    for example in examples:
        if (like := pool.add(example)) is not None:
            left_out.append((example, like))
    return pool.kept, left_out


def duplicate_numbers(
    examples: Sequence[Example], similar: float = SIMILAR
) -> list[tuple[int, int]]:
    """Return pairs of numbers (from 1) of examples that are alike: the later, the earlier."""
    _, pairs = without_duplicates(examples, similar)
    place = {id(example): number for number, example in enumerate(examples, 1)}
    return [(place[id(later)], place[id(earlier)]) for later, earlier in pairs]
