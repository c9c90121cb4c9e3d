# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Near-duplicates: examples that say the same in almost the same words.

Two texts are compared as sets of words in order (sorted, so that moving words about hides nothing)
by rapidfuzz's normalised indel similarity, 0 to 100. Of conversations that is so of the questions
and of each message before them, one by one: a long system message that all have makes none alike.
As each is compared with all before it, most are told apart by a bound on it first (Ukkonen 1992,
of q-grams): an insertion or deletion changes how often a letter is in a text by one, and how often
pairs of letters are by three at most.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from clara_training.examples import Example, KnowledgeExample, normalised
from clara_training.packages import load
from clara_training.turns import said_first

SIMILAR = 90.0
_LETTERS, _PAIRS = 40, 509  # buckets that they are counted in; few share one
_MOST = 127  # that is counted to, so that a difference of counts is a byte


def compared_text(example: Example) -> str:
    """Return what two examples of one dimension must differ in, words sorted.

    Where it does not differ, what was said before may.
    """
    if isinstance(example, KnowledgeExample):
        text = example.question
    else:
        text = f"{example.prompt} {example.neutral}"
    return _sorted_words(text)


def _before(example: Example) -> tuple[list[str], str]:
    """Return each message before the question, and what the person says first in them."""
    messages = [_sorted_words(said) for _, said in example.before]
    return messages, _sorted_words(said_first(example.before))


def _sorted_words(text: str) -> str:
    return " ".join(sorted(normalised(text).split()))


class Pool:
    """Examples of one dimension of which no two are alike."""

    def __init__(self, examples: Iterable[Example] = (), similar: float = SIMILAR) -> None:
        """Take the examples, the first of those that are alike."""
        self._extract = load("rapidfuzz.process", "finding near-duplicates").extract
        self._ratio = load("rapidfuzz.fuzz", "finding near-duplicates").ratio
        self._counts = _Counts()
        self._counts_of_first = _Counts()  # of what the person says first, before the question
        self.similar = similar
        self.kept: list[Example] = []
        self._texts: list[str] = []
        self._before: list[list[str]] = []
        for example in examples:
            self.add(example)

    def add(self, example: Example) -> Example | None:
        """Take an example, or return the one it is like."""
        text, (before, first) = compared_text(example), _before(example)
        like = self._like(text, before, first)
        if like is None:
            self.kept.append(example)
            self._texts.append(text)
            self._before.append(before)
            self._counts.add(text)
            self._counts_of_first.add(first)
        return like

    def like(self, example: Example) -> Example | None:
        """Return the one that an example is like, if there is one."""
        return self._like(compared_text(example), *_before(example))

    def _like(self, text: str, before: Sequence[str], first: str) -> Example | None:
        near = self._counts.near(text, self.similar)
        if before and near:  # of conversations, many may end with the same question
            begun = {*self._counts_of_first.near(first, self.similar)}
            near = [at for at in near if at in begun]
        texts = [self._texts[at] for at in near]
        # The likest first; those that are as like, in order.
        found = self._extract(
            text, texts, scorer=self._ratio, score_cutoff=self.similar, limit=None
        )
        places = (near[place] for _, _, place in found)
        alike = (at for at in places if self._alike(before, self._before[at]))
        return next((self.kept[at] for at in alike), None)

    def _alike(self, one: Sequence[str], other: Sequence[str]) -> bool:
        # As many messages are of the same roles. The latest first: a system message is long, and
        # most have the same.
        return len(one) == len(other) and all(
            self._ratio(said, text, score_cutoff=self.similar)
            for said, text in zip(reversed(one), reversed(other), strict=True)
        )


class _Counts:
    """How often each letter and each pair of neighbours is in each text."""

    def __init__(self) -> None:
        self._numpy = load("numpy", "finding near-duplicates")
        self._size = 0
        self._letters = self._numpy.zeros((_LETTERS, 64), dtype="int8")  # a text a column
        self._pairs = self._numpy.zeros((64, _PAIRS), dtype="int8")  # a text a row
        self._lengths = self._numpy.zeros(64, dtype="int64")

    def add(self, text: str) -> None:
        """Take one more text."""
        at = self._size
        if at == len(self._lengths):
            self._letters = self._numpy.pad(self._letters, ((0, 0), (0, at)))
            self._pairs = self._numpy.pad(self._pairs, ((0, at), (0, 0)))
            self._lengths = self._numpy.pad(self._lengths, (0, at))
        self._letters[:, at], self._pairs[at] = self._count(text)
        self._lengths[at] = len(text)
        self._size += 1

    def near(self, text: str, similar: float) -> list[int]:
        """Return the places of all texts that can be alike, and of few others, in order."""
        numpy = self._numpy
        letters, pairs = self._count(text)
        # similarity = 100 (1 - distance / both lengths); 1 more for rounding.
        allowed = (1 - similar / 100) * (self._lengths[: self._size] + len(text)) + 1
        apart = numpy.abs(self._letters[:, : self._size] - letters[:, None]).sum(axis=0)
        near = numpy.flatnonzero(apart <= allowed)
        apart = numpy.abs(self._pairs[near] - pairs).sum(axis=1)
        found: list[int] = near[apart <= 3 * allowed[near]].tolist()
        return found

    def _count(self, text: str) -> tuple[Any, Any]:
        numpy = self._numpy
        signs = numpy.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")
        pairs = signs[:-1] * 31 + signs[1:]
        letters, pairs = (
            numpy.bincount(each % buckets, minlength=buckets).clip(max=_MOST).astype("int8")
            for each, buckets in ((signs, _LETTERS), (pairs, _PAIRS))
        )
        return letters, pairs


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
