# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Passages of a corpus, to judge a model by: sentences (about a verse of the Bible each).

Drawn from all over a split by a seed, a few of each document, so that two models that learned
from one corpus are judged by the same passages.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from clara_training.errors import ValidationError
from clara_training.shards import TokenStream, read_sources

if TYPE_CHECKING:
    from numpy.typing import NDArray

LEAST, MOST = 20, 96  # tokens of a passage
_REFERENCE = 32  # tokens of a document's beginning, where it has no heading
_HEADING = 16  # tokens of a heading, at most
_OF_A_DOCUMENT = 2  # passages, where there are documents enough
_ENDS = re.compile(r"(?<=[.!?:;])\s+|\n+")


@dataclass(frozen=True)
class Passage:
    """A passage. `reference` is how its document begins, boundary first (its heading, if any).

    `following` is the passage behind it; empty at the end of the document.
    """

    book: str
    reference: tuple[int, ...]
    tokens: tuple[int, ...]
    following: tuple[int, ...]


class Texts:
    """The documents of a split, as tokens, with the books they are of. Raises CorpusError."""

    def __init__(self, corpus: Path, split: str) -> None:
        self.split, self.stream = split, TokenStream(corpus, split)
        self._starts = [int(at) for at in np.load(corpus / f"{split}.documents.npy")]
        self.books = [book for book, _ in read_sources(corpus, split)]

    def __len__(self) -> int:
        return len(self._starts)

    def tokens(self, number: int) -> NDArray[np.int64]:
        """Return the tokens of a document, the boundary first."""
        ends = [*self._starts[1:], len(self.stream)]
        return self.stream.slice(self._starts[number], ends[number])


def draw_passages(texts: Texts, tokenizer: Any, count: int, seed: int = 0) -> list[Passage]:
    """Draw up to `count` passages of LEAST to MOST tokens. Raises ValidationError without any."""
    draw = np.random.default_rng([seed, len(texts)])
    most = max(_OF_A_DOCUMENT, -(-count // len(texts)))
    found: list[Passage] = []
    for number in draw.permutation(len(texts)).tolist():
        if len(found) >= count:
            break
        own = _passages(texts, number, tokenizer)
        chosen = draw.permutation(len(own))[:most]
        found += [own[at] for at in chosen.tolist()]
    if not found:
        raise ValidationError(
            f"the corpus has no sentence of {LEAST} to {MOST} tokens in its {texts.split} text:"
            " there is nothing to judge the model by"
        )
    return found[:count]


def _passages(texts: Texts, number: int, tokenizer: Any) -> list[Passage]:
    tokens = texts.tokens(number)
    text = tokenizer.decode(tokens[1:].tolist())
    heading, _, rest = text.partition("\n\n")
    opening = tokenizer.encode(f"{heading}\n\n").ids
    if not rest or len(opening) > _HEADING:
        opening, rest = tokens[1 : _REFERENCE + 1].tolist(), text
        rest = rest[len(tokenizer.decode(opening)) :]
    reference = (0, *opening)
    pieces = [piece for piece in _ENDS.split(rest) if piece.strip()]
    encoded = [tuple(tokenizer.encode(piece.strip()).ids) for piece in pieces]
    spaced = [tuple(tokenizer.encode(f" {piece.strip()}").ids) for piece in pieces[1:]] + [()]
    return [
        Passage(texts.books[number], reference, ids, following[:MOST])
        for ids, following in zip(encoded, spaced, strict=True)
        if LEAST <= len(ids) <= MOST
    ]


class Trigrams:
    """The likeliest next token by the last two (else the last one, else of all): a baseline."""

    def __init__(self, tokens: Sequence[int] | NDArray[np.int64], vocabulary: int) -> None:
        all_of_it = np.asarray(tokens, dtype=np.int64)
        self._vocabulary = vocabulary
        self._any = int(np.bincount(all_of_it).argmax())
        self._two = self._likeliest(all_of_it[:-1], all_of_it[1:])
        self._three = self._likeliest(all_of_it[:-2] * vocabulary + all_of_it[1:-1], all_of_it[2:])

    def generate(self, prompt: Sequence[int], count: int) -> list[int]:
        """Go on from a prompt of two tokens at least with the likeliest tokens."""
        written = list(prompt)
        for _ in range(count):
            pair = written[-2] * self._vocabulary + written[-1]
            following = self._next(self._three, pair)
            if following is None:
                following = self._next(self._two, written[-1])
            written.append(self._any if following is None else following)
        return written[len(prompt) :]

    def _likeliest(
        self, before: NDArray[np.int64], after: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return what was seen before, in order, and what most often followed it."""
        pairs, counts = np.unique(np.stack((before, after)), axis=1, return_counts=True)
        order = np.lexsort((pairs[1], -counts, pairs[0]))
        seen, first = np.unique(pairs[0][order], return_index=True)
        return seen, pairs[1][order][first]

    @staticmethod
    def _next(table: tuple[NDArray[np.int64], NDArray[np.int64]], key: int) -> int | None:
        seen, following = table
        at = int(np.searchsorted(seen, key))
        return int(following[at]) if at < len(seen) and seen[at] == key else None
