# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Passages of a corpus, to judge a model by: sentences (about a verse of the Bible each).

Drawn from all over a split by a seed, a few of each document, so that two models that learned
from one corpus are judged by the same passages. Text without a sentence that fits (lists, code, a
script whose sentences are not known here) is cut evenly.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise, zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from clara_training.shards import TokenStream, read_sources

if TYPE_CHECKING:
    from numpy.typing import NDArray

LEAST, MOST = 20, 96  # tokens of a passage
_REFERENCE = 32  # tokens of a document's beginning, where it has no heading
_HEADING = 16  # tokens of a heading, at most
_OF_A_DOCUMENT = 2  # passages, where there are documents enough
_WINDOW = 48  # tokens of a passage, where there are no sentences
_READ = 200_000  # tokens of a document, at most
_STOPS, _CLOSING = "。！？；：｡．।॥།؟۔؛։።፧၊။។", "”’」』》】）)"  # noqa: RUF001
_ENDS = re.compile(
    # A space ends a sentence behind a stop, and behind those of other scripts nothing need follow.
    rf"(?<=[.!?:;])\s+|(?<=[{_STOPS}])(?![{_STOPS}{_CLOSING}])\s*|(?<=[{_STOPS}][{_CLOSING}])\s*"
    r"|(?P<lines>\n+)"
)
_NARROWEST, _WIDEST = 16, 120  # characters of lines that are wrapped
_ENOUGH, _NEARLY_ALL = 4, 0.8  # newlines within paragraphs to tell it by, and the share of them
_WORD = re.compile(r"[\u2e80-\u9fff\uff00-\uffef]|\S[^\s\u2e80-\u9fff]*")


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
        starts = [int(at) for at in np.load(corpus / f"{split}.documents.npy")]
        # Of each document, the place of its boundary and of what comes after it.
        self.places = list(pairwise([*starts, len(self.stream)]))
        self.books = [book for book, _ in read_sources(corpus, split)]

    def __len__(self) -> int:
        return len(self.places)

    def tokens(self, number: int, most: int | None = None) -> NDArray[np.int64]:
        """Return the first tokens of a document, or all of them; the boundary is one."""
        start, end = self.places[number]
        return self.stream.slice(start, end if most is None else min(end, start + most))


def draw_passages(texts: Texts, tokenizer: Any, count: int, seed: int = 0) -> list[Passage]:
    """Draw up to `count` passages of LEAST to MOST tokens; none where all text is too short."""
    for cut in (partial(_sentences, tokenizer), _windows):
        draw = np.random.default_rng([seed, len(texts)])
        most = max(_OF_A_DOCUMENT, -(-count // len(texts)))
        found: list[Passage] = []
        for number in draw.permutation(len(texts)).tolist():
            if len(found) >= count:
                break
            own = cut(texts.books[number], *_read(texts, number, draw))
            chosen = draw.permutation(len(own))[:most]
            found += [own[at] for at in chosen.tolist()]
        if found:
            break
    return found[:count]


def _read(
    texts: Texts, number: int, draw: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64] | None]:
    """Return the tokens of a document; of a very long one its beginning, and a part of it."""
    start, end = texts.places[number]
    if end - start <= _READ:
        return texts.tokens(number), None
    at = int(draw.integers(start + 1, end - _READ))
    return texts.tokens(number, 8 * _REFERENCE), texts.stream.slice(at, at + _READ)


def _sentences(
    tokenizer: Any, book: str, tokens: NDArray[np.int64], part: NDArray[np.int64] | None
) -> list[Passage]:
    text = tokenizer.decode(tokens[1:].tolist())
    heading, _, rest = text.partition("\n\n")
    opening = tokenizer.encode(f"{heading}\n\n").ids
    if not rest or len(opening) > _HEADING:
        opening, rest = tokens[1 : _REFERENCE + 1].tolist(), text
        rest = rest[len(tokenizer.decode(opening)) :]
    # The first and the last sentence of a part are cut.
    pieces = sentences(rest) if part is None else sentences(tokenizer.decode(part.tolist()))[1:-1]
    encoded = [tuple(tokenizer.encode(piece).ids) for piece in pieces]
    following = [tuple(tokenizer.encode(f" {piece}").ids) for piece in pieces[1:]]
    return _passages(book, (0, *opening), encoded, following)


def _windows(
    book: str, tokens: NDArray[np.int64], part: NDArray[np.int64] | None
) -> list[Passage]:
    reference = tuple(tokens[: _REFERENCE + 1].tolist())
    ids = (tokens[_REFERENCE + 1 :] if part is None else part).tolist()
    windows = [tuple(ids[at : at + _WINDOW]) for at in range(0, len(ids), _WINDOW)]
    return _passages(book, reference, windows, windows[1:])


def _passages(
    book: str,
    reference: tuple[int, ...],
    pieces: Sequence[tuple[int, ...]],
    following: Sequence[tuple[int, ...]],
) -> list[Passage]:
    return [
        Passage(book, reference, ids, after[:MOST])
        for ids, after in zip_longest(pieces, following, fillvalue=())
        if LEAST <= len(ids) <= MOST
    ]


def sentences(text: str) -> list[str]:
    """Return the sentences of a text; a line is one too, unless it ends where it was full."""
    wrapped = _wraps(text)
    found, begin = [], 0
    for end in _ENDS.finditer(text):
        if end["lines"] and end.start() in wrapped:
            continue
        found.append(text[begin : end.start()].strip())
        begin = end.end()
    found.append(text[begin:].strip())
    return [each for each in found if each]


def _wraps(text: str) -> set[int]:
    """Return the places of the newlines that are there because a line was full.

    Lines were wrapped if at nearly all newlines within paragraphs the next word would not have
    fitted into the width that lines have. Verses and lists end where they will.
    """
    lines = text.split("\n")
    lengths = sorted(len(line) for line in lines if line)
    width = lengths[len(lengths) * 9 // 10] if lengths else 0
    full: set[int] = set()
    within = end = 0
    for line, after in pairwise(lines):
        end += len(line)
        if line and (word := _WORD.match(after)):
            within += 1
            if len(line) + len(word[0]) >= width:
                full.add(end)
        end += 1
    wrapped = within >= _ENOUGH and len(full) >= _NEARLY_ALL * within
    return full if wrapped and _NARROWEST <= width <= _WIDEST else set()


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
        # One number for both: numpy sorts numbers far more quickly than pairs of them.
        pairs, counts = np.unique(before * self._vocabulary + after, return_counts=True)
        before, after = np.divmod(pairs, self._vocabulary)
        seen, first = np.unique(before, return_index=True)
        most = np.maximum.reduceat(counts, first)
        likeliest = np.flatnonzero(counts == np.repeat(most, np.diff(first, append=len(pairs))))
        return seen, after[likeliest[np.searchsorted(likeliest, first)]]

    @staticmethod
    def _next(table: tuple[NDArray[np.int64], NDArray[np.int64]], key: int) -> int | None:
        seen, following = table
        at = int(np.searchsorted(seen, key))
        return int(following[at]) if at < len(seen) and seen[at] == key else None
