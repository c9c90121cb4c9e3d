# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""What the memory head makes of a span: weights on its tokens, and a dense vector beside them.

Kept sparse, for a vector over all tokens would be thousands of times as long as what is not 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class SpanVector:
    """A vector of length 1: `weights` (n,) on `tokens` (n,), each once, and `dense` (E,)."""

    tokens: NDArray[np.int32]
    weights: Floats
    dense: Floats

    def to_bytes(self) -> bytes:
        """Return it as bytes: the number of tokens, tokens, weights, dense; little-endian."""
        head = np.array([len(self.tokens)], "<i4").tobytes()
        floats = (self.weights.astype("<f4").tobytes(), self.dense.astype("<f4").tobytes())
        return head + self.tokens.astype("<i4").tobytes() + b"".join(floats)

    @classmethod
    def from_bytes(cls, data: bytes) -> SpanVector:
        """Return what `to_bytes` wrote. Raises ValueError."""
        count = int(np.frombuffer(data, "<i4", 1)[0])
        tokens = np.frombuffer(data, "<i4", count, 4)
        floats = np.frombuffer(data, "<f4", -1, 4 + 4 * count)
        return cls(tokens, floats[:count], floats[count:])


def similarities(vectors: Sequence[SpanVector], other: SpanVector) -> Floats:
    """Return the cosine of each vector with another one, (N,); at least one vector."""
    lengths = [len(each.tokens) for each in vectors]
    tokens = np.concatenate([each.tokens for each in vectors])
    weights = np.concatenate([each.weights for each in vectors])
    known = np.zeros(max(tokens.max(initial=0), other.tokens.max(initial=0)) + 1, np.float32)
    known[other.tokens] = other.weights
    rows = np.repeat(np.arange(len(vectors)), lengths)
    shared = np.bincount(rows, weights * known[tokens], minlength=len(vectors))
    dense = np.stack([each.dense for each in vectors]) @ other.dense
    return np.asarray(shared + dense, np.float32)
