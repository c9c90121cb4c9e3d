# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""The gist of many records in a few codes: product-bound records, summed in blocks.

- A record is the binding of all its fillers, each permuted by the place of its role; a block adds
  up to 100 of them. Binding a block with all fillers but one gives a code like the missing one.
- Blocks hold whole numbers, so adding and subtracting are exact: gists merge by adding and forget
  by subtracting. As signs a block takes D / 8 bytes: 12.5 an episode at 10,000 dimensions.
- It answers full, exact cues only, and `bench/gist_capacity.py` prints how well by block size.
"""

import struct
import zlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from clara_memory.hdc.codes import WORD, Codes, Space, bind

BLOCK = 100
_MAGIC = b"CLARAGST"
_VERSION = 1
_HEADER = struct.Struct("<8sHHIQIII")  # magic, version, roles, dimensions, seed, size, blocks, crc


class Gist:
    """Sums of product-bound records, in blocks of at most `block` records."""

    def __init__(self, space: Space, roles: int = 4, block: int = BLOCK) -> None:
        if roles < 2 or block < 1:
            raise ValueError(f"{roles} roles, blocks of {block}: at least 2 and 1 expected")
        self.space = space
        self.roles = roles
        self.block = block
        self._sums: list[NDArray[np.int16]] = []
        self._counts: list[int] = []

    def __len__(self) -> int:
        return sum(self._counts)

    def encode(self, fillers: Sequence[str]) -> Codes:
        """Return the product of a record: XOR of permute(symbol(filler), place), (words,)."""
        if len(fillers) != self.roles:
            raise ValueError(f"{len(fillers)} fillers: this gist has {self.roles} roles")
        code = np.zeros(self.space.words, dtype=WORD)
        for place, filler in enumerate(fillers):
            code = bind(code, self.space.permute(self.space.symbol(filler), place))
        return code

    def add(self, fillers: Sequence[str]) -> int:
        """Add a record; returns the number of its block, which `subtract` needs."""
        signs = self._signs(self.encode(fillers))
        if not self._counts or self._counts[-1] >= self.block:
            self._sums.append(np.zeros(self.space.dimensions, dtype=np.int16))
            self._counts.append(0)
        self._sums[-1] += signs
        self._counts[-1] += 1
        return len(self._counts) - 1

    def subtract(self, fillers: Sequence[str], block: int) -> None:
        """Take a record out of its block exactly, as if it had never been added."""
        if not 0 <= block < len(self._counts) or not self._counts[block]:
            raise ValueError(f"block {block}: there is none, or it is empty")
        self._sums[block] -= self._signs(self.encode(fillers))
        self._counts[block] -= 1

    def merge(self, other: "Gist") -> None:
        """Take in the blocks of another gist; small ones are bundled while they fit."""
        if (other.space, other.roles) != (self.space, self.roles):
            raise ValueError("gists of different spaces or roles cannot be merged")
        for sums, count in zip(other._sums, other._counts, strict=True):
            if self._counts and self._counts[-1] + count <= self.block:
                self._sums[-1] = self._sums[-1] + sums
                self._counts[-1] += count
            else:
                self._sums.append(sums.copy())
                self._counts.append(count)

    def ask(self, cue: Sequence[str | None], candidates: Sequence[str]) -> list[tuple[str, float]]:
        """Return candidates for the one None in the cue with their evidence, best first.

        Evidence is the greatest dot product over the blocks by its standard deviation for an
        unrelated filler, sqrt(D n): above 5 hardly ever chance. O(blocks * candidates * D).
        """
        missing = [place for place, filler in enumerate(cue) if filler is None]
        if len(missing) != 1 or len(cue) != self.roles:
            raise ValueError(f"a cue has {self.roles} places, and None in one of them")
        code = np.zeros(self.space.words, dtype=WORD)
        for place, filler in enumerate(cue):
            if filler is not None:
                code = bind(code, self.space.permute(self.space.symbol(filler), place))
        wanted = self.space.permute(self.space.symbols(candidates), missing[0])
        keys = self._signs(bind(wanted, code)).astype(np.float32)
        best = np.full(len(candidates), -np.inf, dtype=np.float32)
        for sums, count in zip(self._sums, self._counts, strict=True):
            if count:
                spread = np.float32((self.space.dimensions * count) ** 0.5)
                best = np.maximum(best, keys @ sums.astype(np.float32) / spread)
        order = np.argsort(-best, kind="stable")
        return [(candidates[place], float(best[place])) for place in order]

    def to_bytes(self) -> bytes:
        """Return the gist for keeping or sending: header, counts and the sums' signs.

        Signs take D / 8 bytes a block; what is read back answers, but cannot be subtracted from.
        """
        signs = [self.space.from_bits(sums > 0).tobytes() for sums in self._sums]
        body = np.array(self._counts, dtype="<u2").tobytes() + b"".join(signs)
        return self._header(zlib.crc32(body)) + body

    def _header(self, checksum: int) -> bytes:
        return _HEADER.pack(
            *(_MAGIC, _VERSION, self.roles, self.space.dimensions, self.space.seed),
            *(self.block, len(self._counts), checksum),
        )

    @classmethod
    def from_bytes(cls, written: bytes) -> "Gist":
        """Return the gist of `to_bytes`; raises ValueError saying what is wrong with it."""
        if len(written) < _HEADER.size or written[:8] != _MAGIC:
            raise ValueError("not a gist: it does not begin as one")
        _, version, roles, dimensions, seed, block, blocks, checksum = _HEADER.unpack_from(written)
        if version != _VERSION:
            raise ValueError(
                f"a gist of version {version}: this version of Clara reads {_VERSION}"
            )
        gist = cls(Space(dimensions, seed), roles, block)
        body = written[_HEADER.size :]
        words = gist.space.words
        if len(body) != blocks * (2 + words * 8) or zlib.crc32(body) != checksum:
            raise ValueError("a damaged gist: its length or checksum is wrong")
        gist._counts = np.frombuffer(body, dtype="<u2", count=blocks).astype(int).tolist()
        codes = np.frombuffer(body, dtype=WORD, offset=2 * blocks).reshape(blocks, words)
        signs = gist._signs(codes)
        scale = np.sqrt(np.maximum(gist._counts, 1))  # what a sum of n signs is about
        gist._sums = [
            (one * max(1, round(size))).astype(np.int16)
            for one, size in zip(signs, scale, strict=True)
        ]
        return gist

    def _signs(self, codes: Codes) -> NDArray[np.int16]:
        signs: NDArray[np.int16] = self.space.to_bits(codes).astype(np.int16) * 2 - 1
        return signs
