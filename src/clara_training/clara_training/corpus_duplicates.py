# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Documents that say the same: equal but for case and space, or nearly so, or one in the other.

Nearly equal are documents whose sets of five-word shingles have a Jaccard index of `NEAR` or more.
Candidates are found by MinHash in bands (Broder 1997; Leskovec et al., Mining of Massive Datasets,
ch. 3). Where much is somewhat alike, as pages of one form, nearly all are candidates of each
other: so their likeness is first estimated by the share of MinHashes that are equal, and those
near enough are compared exactly. Nothing is left out for a likeness that is not there, and a pair
at 0.8 escapes with a probability of 3e-4.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

NEAR = 0.8
SHINGLE = 5  # words
_BANDS, _ROWS = 16, 4
_UNSURE = 0.2  # four standard deviations of an estimate by _BANDS * _ROWS MinHashes
_WORD = re.compile(r"\w+")
_FACTOR = np.uint64(0x9E3779B97F4A7C15)


class _Hashes(dict[str, int]):
    """The hash of each word, 64 bits, made where it is first met."""

    def __missing__(self, word: str) -> int:
        digest = hashlib.blake2b(word.encode(), digest_size=8).digest()
        self[word] = found = int.from_bytes(digest, "big")
        return found


def duplicates(texts: Iterable[str], near: float = NEAR) -> Iterator[tuple[int, int, float]]:
    """Yield (later, earlier, likeness) for each text that is like an earlier one that is kept."""
    hashes = _Hashes()
    equal: dict[bytes, int] = {}
    buckets: dict[tuple[int, bytes], list[int]] = {}
    shingles: dict[int, NDArray[np.uint64]] = {}
    signatures = _Signatures()
    for number, text in enumerate(texts):
        words = _words(text, hashes)
        digest = hashlib.sha256(words.tobytes() or text.encode()).digest()
        if (first := equal.setdefault(digest, number)) != number:
            yield number, first, 1.0
            continue
        own = _shingles(words)
        signature = _min_hashes(own)
        bands = [(band, row.tobytes()) for band, row in enumerate(signature)]
        candidates = sorted({each for band in bands for each in buckets.get(band, ())})
        alike = signatures.shared(candidates, signature) >= near - _UNSURE
        like = [
            (_jaccard(own, shingles[each]), each)
            for each in (candidates[at] for at in np.flatnonzero(alike))
        ]
        best = max(like, default=(0.0, 0))
        if best[0] >= near:
            del equal[digest]
            yield number, best[1], best[0]
            continue
        shingles[number] = own
        signatures.keep(number, signature)
        for band in bands:
            buckets.setdefault(band, []).append(number)


class _Signatures:
    """The MinHashes of texts by their numbers, of which 32 bits are enough to tell them apart."""

    def __init__(self) -> None:
        self._rows = np.zeros((64, _BANDS * _ROWS), np.uint32)

    def keep(self, number: int, signature: NDArray[np.uint64]) -> None:
        """Keep those of a text."""
        if number >= len(self._rows):
            self._rows = np.concatenate((self._rows, np.zeros_like(self._rows)))
        self._rows[number] = signature.ravel()

    def shared(self, numbers: Sequence[int], signature: NDArray[np.uint64]) -> NDArray[np.float64]:
        """Return the share of MinHashes that each of these texts has in common with one, (n,)."""
        rows = self._rows[np.asarray(numbers, np.int64)]
        found: NDArray[np.float64] = (rows == signature.ravel().astype(np.uint32)).mean(1)
        return found


def contained(
    parts: Sequence[str], wholes: Sequence[str], near: float = NEAR
) -> Iterator[tuple[int, int, float]]:
    """Yield (part, whole, share) for each part of which a share of `near` or more is in a whole.

    The share is that of its shingles (the containment of Broder 1997), in the whole with the most.
    """
    if not parts or not wholes:
        return
    hashes = _Hashes()
    own = [_shingles(_words(text, hashes)) for text in parts]
    sizes = np.array([each.size for each in own])
    keys, of = np.concatenate(own), np.repeat(np.arange(len(own)), sizes)
    order = np.argsort(keys, kind="stable")
    keys, of = keys[order], of[order]
    most, where = np.zeros(len(own)), np.zeros(len(own), np.int64)
    for number, text in enumerate(wholes):
        theirs = _shingles(_words(text, hashes))
        first, end = (np.searchsorted(keys, theirs, side) for side in ("left", "right"))
        found = [of[a:b] for a, b in zip(first[first < end], end[first < end], strict=True)]
        if not found:
            continue
        there, counts = np.unique(np.concatenate(found), return_counts=True)
        shared = counts / sizes[there]
        better = shared > most[there]
        where[there[better]], most[there[better]] = number, shared[better]
    for part in np.flatnonzero(most >= near):
        yield int(part), int(where[part]), float(most[part])


def _words(text: str, hashes: _Hashes) -> NDArray[np.uint64]:
    """Return the hashes of a text's words, in order and whatever their case, (n,) uint64."""
    found = (hashes[word[0]] for word in _WORD.finditer(text.casefold()))
    return np.fromiter(found, dtype=np.uint64)


def _shingles(words: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return the sorted hashes of all runs of SHINGLE words, (n,) uint64; n >= 1."""
    length = min(SHINGLE, len(words))
    count = len(words) - length + 1 if length else 1
    total = np.zeros(count, dtype=np.uint64)
    for place in range(length):  # a polynomial in the words' hashes, modulo 2**64
        total = total * _FACTOR + words[place : place + count]
    total.sort()  # quicker than np.unique, which hashes
    different: NDArray[np.uint64] = total[np.append(True, total[1:] != total[:-1])]
    return different


def _min_hashes(shingles: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return the MinHash signature, (_BANDS, _ROWS)."""
    draw = np.random.Generator(np.random.PCG64(0))
    factors = draw.integers(0, 2**64, _BANDS * _ROWS, dtype=np.uint64) | np.uint64(1)
    signature = np.empty(len(factors), dtype=np.uint64)
    mixed = shingles ^ (shingles >> np.uint64(31))
    for place, factor in enumerate(factors):
        turned = mixed * factor
        signature[place] = (turned ^ (turned >> np.uint64(29))).min()
    return signature.reshape(_BANDS, _ROWS)


def _jaccard(one: NDArray[np.uint64], other: NDArray[np.uint64]) -> float:
    shared = np.intersect1d(one, other, assume_unique=True).size
    return float(shared / (one.size + other.size - shared))
