# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""GGUF files that do damage: one number of the header is wrong in each.

The numbers are counts, lengths, types, dimensions, offsets and values; their places are found by
reading a sound file. Damage is written into a copy and taken out again, so that thousands of
files cost no time.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_SIZES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
_STRING, _ARRAY = 8, 9
_FEW = 4  # items of an array whose places are taken
_WRONG = (0, 1, 2, 3, 7, 8, 9, 12, 13, 31, 255, 1 << 15, 1 << 16, (1 << 31) - 1, 1 << 31)
_WRONG += ((1 << 32) - 1, 1 << 40, (1 << 62) + 1, (1 << 63) - 1, 1 << 63, (1 << 64) - 1)


def places(path: Path) -> list[tuple[int, int]]:
    """Return offset and size, in bytes, of every number in the header of a sound file."""
    data = path.read_bytes()[: 64 << 20]
    at, found = 4, []

    def number(size: int) -> int:
        nonlocal at
        found.append((at, size))
        at += size
        return int.from_bytes(data[at - size : at], "little")

    def skip_text() -> None:
        nonlocal at
        length = number(8)
        found.append((at, 1))
        at += length

    def value(kind: int) -> None:
        if kind == _STRING:
            skip_text()
        elif kind == _ARRAY:
            item, count = number(4), number(8)
            for place in range(count):
                before = len(found)
                value(item)
                if place >= _FEW:
                    del found[before:]
        else:
            number(_SIZES[kind])

    number(4)
    tensors, pairs = number(8), number(8)
    for _ in range(pairs):
        skip_text()
        value(number(4))
    for _ in range(tensors):
        skip_text()
        for _ in range(number(4)):
            number(8)
        number(4)
        number(8)
    return found


def damages(path: Path, count: int, seed: int) -> Iterator[tuple[int, bytes]]:
    """Yield offset and bytes of `count` damages to a sound file."""
    chance, found = random.Random(seed), places(path)
    for _ in range(count):
        at, size = chance.choice(found)
        wrong = chance.choice(_WRONG) if chance.random() < 0.8 else chance.getrandbits(64)
        yield at, struct.pack("<Q", wrong)[:size]


@contextmanager
def damaged(path: Path, at: int, wrong: bytes) -> Iterator[None]:
    """Damage a file for a while."""
    with path.open("r+b") as file:
        file.seek(at)
        sound = file.read(len(wrong))
        file.seek(at)
        file.write(wrong)
        file.flush()
        try:
            yield
        finally:
            file.seek(at)
            file.write(sound)
