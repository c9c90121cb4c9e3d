# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Binary spatter codes (Kanerva, 1997; 2009), packed 64 bits to a word, in numpy alone.

- A code is an array of shape (words,), dtype '<u8'; a stack of codes has shape (..., n, words).
  Bits past the dimensions are zero.
- Codes are pure functions of (dimensions, seed, symbol): the same on every robot, processor,
  Python and numpy, so memories made apart can be merged.
- Ties of a majority are broken by the data and the seed, never by chance and never one way only.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

Codes = NDArray[np.uint64]
WORD = np.dtype("<u8")
DIMENSIONS = 10_000


def bind(first: Codes, second: Codes) -> Codes:
    """Return the binding of two codes: first XOR second, elementwise; shapes broadcast.

    Binding is its own inverse, commutative, associative, and keeps distances: d(a^c, b^c) =
    d(a, b). The result is unlike both. O(D / 64). Kanerva (2009), section 4.
    """
    bound: Codes = np.bitwise_xor(first, second)
    return bound


def unbind(bound: Codes, one: Codes) -> Codes:
    """Return what `one` was bound to: bound XOR one, since binding is its own inverse."""
    return bind(bound, one)


if hasattr(np, "bitwise_count"):  # numpy 2

    def _ones(codes: Codes) -> NDArray[np.int64]:
        counted: NDArray[np.int64] = np.bitwise_count(codes).sum(axis=-1, dtype=np.int64)
        return counted

else:
    _ONES_OF_16 = np.array([bin(value).count("1") for value in range(1 << 16)], dtype=np.uint8)

    def _ones(codes: Codes) -> NDArray[np.int64]:
        parts = np.ascontiguousarray(codes).view(np.uint16)
        counted: NDArray[np.int64] = _ONES_OF_16[parts].sum(axis=-1, dtype=np.int64)
        return counted


def hamming(first: Codes, second: Codes) -> NDArray[np.int64]:
    """Return in how many bits codes differ; shapes (..., words) broadcast to (...). O(D / 64)."""
    return _ones(bind(first, second))


@dataclass(frozen=True)
class Space:
    """A space of codes: how many dimensions they have, and the seed that names them.

    Raises:
        ValueError: dimensions are neither 10,000 nor a positive multiple of 64.
    """

    dimensions: int = DIMENSIONS
    seed: int = 0

    def __post_init__(self) -> None:
        if self.dimensions != DIMENSIONS and (self.dimensions < 64 or self.dimensions % 64):
            raise ValueError(
                f"{self.dimensions} dimensions: give {DIMENSIONS:,} or a positive multiple of 64"
            )

    @property
    def words(self) -> int:
        """Words of 64 bits in a code."""
        return -(-self.dimensions // 64)

    @cached_property
    def _last(self) -> np.uint64:
        # numpy 1 refuses to combine a uint64 with an int.
        last: np.uint64 = np.uint64((1 << (self.dimensions % 64 or 64)) - 1)
        return last

    def check(self, codes: Codes) -> Codes:
        """Return the codes; raises ValueError where they are none of this space."""
        if codes.dtype != WORD or codes.ndim < 1 or codes.shape[-1] != self.words:
            raise ValueError(
                f"an array of shape {codes.shape} and dtype {codes.dtype}: codes of "
                f"{self.dimensions:,} dimensions have shape (..., {self.words}) and dtype uint64"
            )
        return codes

    def symbol(self, name: str) -> Codes:
        """Return the code of a symbol: the first D bits of SHAKE-256(seed, name), shape (words,).

        Codes of different symbols are unlike: their similarity has mean 0 and standard deviation
        1 / sqrt(D). O(D).
        """
        key = f"clara:{self.seed}:{name}".encode("utf-8", "surrogatepass")
        octets = hashlib.shake_256(key).digest(self.words * 8)
        drawn: Codes = np.frombuffer(octets, dtype=WORD).copy()
        drawn[-1] &= self._last
        return drawn

    def symbols(self, names: Sequence[str]) -> Codes:
        """Return the codes of symbols, shape (n, words)."""
        codes = np.empty((len(names), self.words), dtype=WORD)
        for number, name in enumerate(names):
            codes[number] = self.symbol(name)
        return codes

    def random(self, count: int, generator: np.random.Generator) -> Codes:
        """Return codes drawn from the generator, shape (count, words)."""
        drawn = np.frombuffer(generator.bytes(count * self.words * 8), dtype=WORD)
        codes: Codes = drawn.reshape(count, self.words).copy()
        codes[:, -1] &= self._last
        return codes

    def similarity(self, first: Codes, second: Codes) -> NDArray[np.float64]:
        """Return 1 - 2 d(first, second) / D: 1 for the same, 0 for unrelated, -1 for opposite.

        It is the cosine of the codes as vectors of +1 and -1. Shapes broadcast as in `hamming`.
        """
        distance = hamming(self.check(first), self.check(second))
        alike: NDArray[np.float64] = 1.0 - 2.0 * distance / self.dimensions
        return alike

    def permute(self, codes: Codes, shift: int = 1) -> Codes:
        """Return the codes with their D bits rotated by `shift`; `-shift` undoes it exactly.

        Permuting marks a place in a sequence; it keeps distances and distributes over binding and
        bundling. O(D). Gayler (2003); Kanerva (2009), section 5.
        """
        bits = self.to_bits(codes)
        return self.from_bits(np.roll(bits, shift % self.dimensions, axis=-1))

    def to_bits(self, codes: Codes) -> NDArray[np.uint8]:
        """Return the D bits of codes as 0 and 1, shape (..., D)."""
        octets = np.ascontiguousarray(self.check(codes)).view(np.uint8)
        bits: NDArray[np.uint8] = np.unpackbits(octets, axis=-1, bitorder="little")
        return bits[..., : self.dimensions]

    def from_bits(self, bits: ArrayLike) -> Codes:
        """Return codes of arrays of 0 and 1 (or bool), shape (..., D) to (..., words)."""
        given = np.asarray(bits)
        if given.shape[-1:] != (self.dimensions,):
            raise ValueError(
                f"bits of shape {given.shape}: the last axis must be {self.dimensions}"
            )
        octets = np.packbits(given.astype(bool), axis=-1, bitorder="little")
        missing = self.words * 8 - octets.shape[-1]
        padded = np.pad(octets, [(0, 0)] * (octets.ndim - 1) + [(0, missing)])
        codes: Codes = np.ascontiguousarray(padded).view(WORD)
        return codes

    def bundle(self, codes: Codes, weights: Sequence[int] | None = None) -> Codes:
        """Return the majority of codes bit by bit, shape (..., n, words) to (..., words).

        The result is like each of them: similarity about sqrt(2 / (pi n)). `weights` are whole
        numbers that say how often each counts. The majority is exact: counted in bit slices, as a
        carry-save adder does, O(n D / 64). A tie goes to the XOR of all inputs, shifted by a word,
        XOR a code of the seed: it depends on the data, not on their order, and has no bias.
        Kanerva (2009), section 4; ties after Kleyko et al. (2022).

        Raises:
            ValueError: there is nothing to bundle, or the weights do not fit.
        """
        self.check(codes)
        if codes.ndim < 2 or not codes.shape[-2]:
            raise ValueError(
                f"an array of shape {codes.shape}: (..., n, words) with n >= 1 expected"
            )
        count = codes.shape[-2]
        if weights is None and count == 4:
            more, equal, parity = _compare_four(codes)
        else:
            weights = [1] * count if weights is None else weights
            total = self._total(count, weights)
            more, equal = _compare(_add_up(_columns(codes, weights)), total // 2)
            if total % 2:
                return more
            parity = np.bitwise_xor.reduce(codes, axis=-2)
        voter = np.concatenate([parity[..., -1:], parity[..., :-1]], axis=-1)
        np.bitwise_xor(voter, self._voter, out=voter)
        np.bitwise_and(voter, equal, out=voter)
        np.bitwise_or(voter, more, out=voter)
        voter[..., -1] &= self._last
        return voter

    @staticmethod
    def _total(count: int, weights: Sequence[int]) -> int:
        if len(weights) != count or any(weight < 0 for weight in weights) or not any(weights):
            raise ValueError(
                f"weights {list(weights)[:8]}: {count} whole numbers, not all 0, expected"
            )
        return sum(weights)

    @cached_property
    def _voter(self) -> Codes:
        return self.symbol("\x00tie")

    def record(self, roles: Codes, fillers: Codes) -> Codes:
        """Return the bundle of roles bound to fillers, both (..., n, words): (..., words).

        Unbinding with a role gives a code that is like its filler: `cleanup` names it.
        O(n D / 64). Kanerva (2009), section 4: "the holistic record"; Plate (1995) for the idea.
        """
        return self.bundle(bind(roles, fillers))


def _columns(codes: Codes, weights: Sequence[int]) -> list[list[Codes]]:
    """Return columns of bits: column k has the codes that count 2^k each."""
    columns: list[list[Codes]] = [[] for _ in range(int(max(weights)).bit_length())]
    for number, weight in enumerate(weights):
        for power, column in enumerate(columns):
            if weight >> power & 1:
                column.append(codes[..., number, :])
    return columns


def _add_up(columns: list[list[Codes]]) -> list[Codes]:
    """Return the sums of columns of bits as bit slices: slice k has bit k of each sum."""
    slices = []
    power = 0
    while power < len(columns):
        column = columns[power]
        carries: list[Codes] = []
        while len(column) > 2:
            first, second, third = column.pop(), column.pop(), column.pop()
            half = first ^ second
            carries.append((first & second) | (half & third))
            column.append(half ^ third)
        if len(column) == 2:
            first, second = column
            carries.append(first & second)
            column = [first ^ second]
        if carries:
            if power + 1 == len(columns):
                columns.append([])
            columns[power + 1].extend(carries)
        if not column:
            anything = next(one for later in columns[power + 1 :] for one in later)
            column = [np.zeros_like(anything)]
        slices.append(column[0])
        power += 1
    return slices


def _compare(slices: list[Codes], threshold: int) -> tuple[Codes, Codes]:
    """Return where the sums in bit slices are above the threshold, and where they equal it."""
    top = len(slices) - 1
    if threshold >> top & 1:
        more, equal = np.zeros_like(slices[top]), slices[top]
    else:
        more, equal = slices[top], ~slices[top]
    for power in range(top - 1, -1, -1):
        bits = slices[power]
        if threshold >> power & 1:
            equal = equal & bits
        else:
            both = equal & bits
            more = more | both
            equal = equal ^ both
    return more, equal


def _compare_four(codes: Codes) -> tuple[Codes, Codes, Codes]:
    """Return where more than 2 of 4 bits are set, where exactly 2 are, and their parity.

    An episode has four roles, so this is the way that most records take: half the operations.
    """
    both: Codes = np.bitwise_and(codes[..., :2, :], codes[..., 2:, :])
    one: Codes = np.bitwise_xor(codes[..., :2, :], codes[..., 2:, :])
    first: Codes = both[..., 0, :]
    second: Codes = both[..., 1, :]
    odd_first: Codes = one[..., 0, :]
    odd_second: Codes = one[..., 1, :]
    parity: Codes = odd_first ^ odd_second
    three, four = first & odd_second, second & (first | odd_first)
    two, pair = odd_first & odd_second, (first ^ second) & ~parity
    more: Codes = three | four
    equal: Codes = two | pair
    return more, equal, parity


class ItemMemory:
    """Known codes by name, for `cleanup`: shape (n, words)."""

    def __init__(self, space: Space, names: Sequence[str] = ()) -> None:
        self.space = space
        self.names = list(names)
        self.codes = space.symbols(self.names)

    def add(self, name: str, code: Codes | None = None) -> None:
        """Make a name known, with the code of its symbol or with its own, shape (words,)."""
        code = self.space.symbol(name) if code is None else self.space.check(code)
        self.names.append(name)
        self.codes = np.concatenate([self.codes, code[None, :]])

    def cleanup(self, noisy: Codes) -> tuple[str, float]:
        """Return the name of the nearest code and its similarity; raises ValueError if empty.

        O(n D / 64). Plate (1995).
        """
        if not self.names:
            raise ValueError("an empty item memory cannot clean up")
        alike = self.space.similarity(self.codes, noisy)
        best = int(alike.argmax())
        return self.names[best], float(alike[best])
