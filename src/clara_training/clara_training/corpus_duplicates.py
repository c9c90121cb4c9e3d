# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Documents that say the same: equal but for case and space, or nearly so, or one in the other.

Nearly equal are documents whose sets of five-word shingles have a Jaccard index of `NEAR` or more.
Candidates are found by MinHash in bands (Broder 1997; Leskovec et al., Mining of Massive Datasets,
ch. 3) and then compared exactly: nothing is left out for a likeness that is not there, and a pair
at 0.8 escapes with a probability of 2e-4.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

NEAR = 0.8
SHINGLE = 5  # words
_BANDS, _ROWS = 16, 4
_WORD = re.compile(r"\w+")
_FACTOR = np.uint64(0x9E3779B97F4A7C15)


def duplicates(texts: Sequence[str], near: float = NEAR) -> Iterator[tuple[int, int, float]]:
    """Yield (later, earlier, likeness) for each text that is like an earlier one that is kept."""
    hashes: dict[str, int] = {}
    equal: dict[bytes, int] = {}
    buckets: dict[tuple[int, bytes], list[int]] = {}
    shingles: dict[int, NDArray[np.uint64]] = {}
    for number, text in enumerate(texts):
        words = _WORD.findall(text.casefold())
        digest = hashlib.sha256(" ".join(words or [text]).encode()).digest()
        if (first := equal.setdefault(digest, number)) != number:
            yield number, first, 1.0
            continue
        own = _shingles(words, hashes)
        bands = [(band, row.tobytes()) for band, row in enumerate(_min_hashes(own))]
        candidates = {each for band in bands for each in buckets.get(band, ())}
        like = [(_jaccard(own, shingles[each]), each) for each in sorted(candidates)]
        best = max(like, default=(0.0, 0))
        if best[0] >= near:
            del equal[digest]
            yield number, best[1], best[0]
            continue
        shingles[number] = own
        for band in bands:
            buckets.setdefault(band, []).append(number)


def contained(
    parts: Sequence[str], wholes: Sequence[str], near: float = NEAR
) -> Iterator[tuple[int, int, float]]:
    """Yield (part, whole, share) for each part of which a share of `near` or more is in a whole.

    The share is that of its shingles (the containment of Broder 1997), in the whole with the most.
    """
    if not parts or not wholes:
        return
    hashes: dict[str, int] = {}
    own = [_shingles(_WORD.findall(text.casefold()), hashes) for text in parts]
    sizes = np.array([each.size for each in own])
    keys, of = np.concatenate(own), np.repeat(np.arange(len(own)), sizes)
    order = np.argsort(keys, kind="stable")
    keys, of = keys[order], of[order]
    most, where = np.zeros(len(own)), np.zeros(len(own), np.int64)
    for number, text in enumerate(wholes):
        theirs = _shingles(_WORD.findall(text.casefold()), hashes)
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


def _shingles(words: Sequence[str], hashes: dict[str, int]) -> NDArray[np.uint64]:
    """Return the sorted hashes of all runs of SHINGLE words, (n,) uint64; n >= 1."""
    for word in set(words) - hashes.keys():
        digest = hashlib.blake2b(word.encode(), digest_size=8).digest()
        hashes[word] = int.from_bytes(digest, "big")
    values = np.array([hashes[word] for word in words], dtype=np.uint64)
    length = min(SHINGLE, len(values))
    count = len(values) - length + 1 if length else 1
    total = np.zeros(count, dtype=np.uint64)
    for place in range(length):  # a polynomial in the words' hashes, modulo 2**64
        total = total * _FACTOR + values[place : place + count]
    return np.unique(total)


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
