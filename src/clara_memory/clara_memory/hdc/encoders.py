# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Codes for things that are more or less alike: texts, numbers, angles, places, vectors."""

import hashlib
import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from clara_memory.hdc.codes import WORD, Codes, Space, bind


def text(space: Space, written: str, size: int = 3) -> Codes:
    """Return the code of a text: the bundle of its n-grams, shape (words,).

    An n-gram is the binding of its characters' codes, each permuted by its place. The text is
    padded with one space at both ends. Texts that share n-grams are alike. O(length D).
    Joshi, Halseth & Kanerva (2016).
    """
    if size < 1:
        raise ValueError(f"n-grams of {size} characters: at least 1 expected")
    padded = f" {written} ".ljust(size)
    letters = {
        (letter, place): space.permute(space.symbol(f"letter {letter}"), place)
        for letter in set(padded)
        for place in range(size)
    }
    grams = []
    for begin in range(len(padded) - size + 1):
        gram = letters[padded[begin], 0]
        for place in range(1, size):
            gram = bind(gram, letters[padded[begin + place], place])
        grams.append(gram)
    return space.bundle(np.stack(grams))


def sequence(space: Space, codes: Codes) -> Codes:
    """Return the code of a sequence, shape (n, words) to (words,): bundle of permute(code, place).

    Permuting back by a place gives a code like the one that stood there. O(n D). Kanerva (2009).
    """
    return space.bundle(
        np.stack([space.permute(code, place) for place, code in enumerate(space.check(codes))])
    )


def level(space: Space, name: str, value: float, low: float, high: float) -> Codes:
    """Return the code of a number between low and high, shape (words,).

    The share (value - low) / (high - low) of half the bits is flipped, in an order given by the
    name: similarity(a, b) = 1 - |a - b| / (high - low), to 1 / D. Values outside count as the
    nearest bound. O(D). Rachkovskij et al. (2005).
    """
    if not (math.isfinite(value) and low < high):
        raise ValueError(
            f"value {value} between {low} and {high}: finite, low below high expected"
        )
    share = (min(max(value, low), high) - low) / (high - low)
    flipped = _order(space, name)[: round(share * space.dimensions / 2)]
    return _flip(space, space.symbol(f"level {name}"), flipped)


def circular(space: Space, name: str, value: float, period: float) -> Codes:
    """Return the code of a quantity that comes round again, as time of day or heading: (words,).

    Half of the bits are flipped: a window that slides round an order given by the name. With
    c = 2 pi |a - b| / period taken on the circle, similarity(a, b) = 1 - 2 c / pi, from 1 to -1
    at the opposite side. O(D). Kleyko et al. (2022), section 3.2.
    """
    if not (math.isfinite(value) and period > 0):
        raise ValueError(f"value {value}, period {period}: finite and positive expected")
    order = _order(space, name)
    begin = round(value / period % 1.0 * space.dimensions)
    window = np.take(order, np.arange(begin, begin + space.dimensions // 2), mode="wrap")
    return _flip(space, space.symbol(f"circle {name}"), window)


def position(space: Space, name: str, metres: Sequence[float], low: float, high: float) -> Codes:
    """Return the code of a position, x y (z) in metres within [low, high] each: (words,).

    The binding of one level code an axis: similarity falls off with the distance along each axis,
    as the product of (1 - distance / (high - low)). O(D). Komer et al. (2019) for the idea.
    """
    if len(metres) not in (2, 3):
        raise ValueError(f"a position of {len(metres)} coordinates: 2 or 3 expected")
    code = np.zeros(space.words, dtype=WORD)
    for axis, value in zip("xyz", metres, strict=False):
        code = bind(code, level(space, f"{name} {axis}", value, low, high))
    return code


def embedding(space: Space, vectors: ArrayLike) -> Codes:
    """Return codes of real vectors, shape (..., d) to (..., words): the signs of D projections.

    The projections are random vectors of +1 and -1 from the seed. With angle t between two
    vectors, similarity = 1 - 2 t / pi in the mean. O(d D). Charikar (2002).
    """
    given = np.asarray(vectors, dtype=np.float64)
    if given.ndim < 1 or not np.isfinite(given).all():
        raise ValueError(f"vectors of shape {given.shape}: finite numbers, (..., d), expected")
    axes = space.symbols([f"axis {number}" for number in range(given.shape[-1])])
    projected = given @ (space.to_bits(axes).astype(np.float64) * 2.0 - 1.0)
    return space.from_bits(projected > 0)


def _order(space: Space, name: str) -> NDArray[np.int64]:
    """Return all places of a code in an order that depends on seed and name only."""
    key = f"clara:{space.seed}:order {name}".encode("utf-8", "surrogatepass")
    drawn = np.frombuffer(hashlib.shake_256(key).digest(space.dimensions * 8), dtype=WORD)
    order: NDArray[np.int64] = np.argsort(drawn, kind="stable")
    return order


def _flip(space: Space, code: Codes, places: NDArray[np.int64]) -> Codes:
    bits = space.to_bits(code).copy()
    bits[places] ^= 1
    return space.from_bits(bits)
