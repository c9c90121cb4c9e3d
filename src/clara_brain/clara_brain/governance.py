# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""The governance heads of a model: small networks that read tokens and final hidden states.

They never touch the model: they run in numpy beside it. `governance_file.py` reads them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from clara_brain.span_vector import Floats, SpanVector

HEADS = ("policy", "memory", "trace")
_LEAST_NATS = 1e-3  # of an entropy


@dataclass(frozen=True)
class Head:
    """A multilayer perceptron with SiLU between its layers and nothing after the last.

    `layers` are pairs of a weight (out, in) and a bias (out,). The input is (x - mean) / scale.
    """

    layers: tuple[tuple[Floats, Floats], ...]
    mean: Floats
    scale: Floats

    def __call__(self, inputs: Floats) -> Floats:
        """Return (n, out) for inputs of (n, in)."""
        values = (inputs - self.mean) / self.scale
        for place, (weight, bias) in enumerate(self.layers):
            if place:
                # SiLU, x * sigmoid(x), in a form that cannot overflow.
                values = values * (0.5 + 0.5 * np.tanh(0.5 * values))
            values = values @ weight.T + bias
        return np.asarray(values, np.float32)


@dataclass(frozen=True)
class Terms:
    """What the tokens of a span count, and what they say.

    A token v that is there n times counts a_v n / (n + k), and all of a span's have length 1; a is
    `weight` (V,), k `saturation`, and what a token says is its row of `table` (V, out).
    """

    weight: Floats
    table: Floats
    saturation: float

    def __call__(self, tokens: Sequence[int]) -> tuple[NDArray[np.int32], Floats]:
        """Return the tokens (n,) of a span, each once, and what they count (n,)."""
        found, counts = np.unique(np.asarray(tokens, np.int32), return_counts=True)
        terms = self.weight[found] * (counts / (counts + self.saturation))
        return found, np.asarray(terms / max(float(np.linalg.norm(terms)), 1e-12), np.float32)

    def said(self, found: NDArray[np.int32], terms: Floats) -> Floats:
        """Return the sum of what tokens say, (out,)."""
        return np.asarray(terms @ self.table[found], np.float32)


@dataclass(frozen=True)
class Policy:
    """Which discourse class a span belongs to; below the threshold no class is named."""

    head: Head
    terms: Terms
    labels: tuple[str, ...]
    temperature: float
    threshold: float

    def probabilities(self, mean: Floats, tokens: Sequence[int]) -> NDArray[np.float64]:
        """Return the probability of each label, for a span's mean state (width,) and tokens."""
        given = self.head(mean[None])[0] + self.terms.said(*self.terms(tokens))
        logits = given.astype(np.float64) / self.temperature
        exponentials = np.exp(logits - logits.max())
        return np.asarray(exponentials / exponentials.sum())


@dataclass(frozen=True)
class Memory:
    """Embeds a span, so that spans of one context are similar; a hit has `threshold` or more.

    `mix` is how much tokens that are alike, and states that are alike, count beside equal tokens.
    """

    head: Head
    terms: Terms
    mix: tuple[float, float]
    threshold: float

    def embed(self, mean: Floats, tokens: Sequence[int]) -> SpanVector:
        """Return a vector of length 1, for a span's mean state (width,) and tokens."""
        found, terms = self.terms(tokens)
        parts = (self.terms.said(found, terms), self.head(mean[None])[0])
        dense = [
            part * (math.sqrt(share) / max(float(np.linalg.norm(part)), 1e-12))
            for part, share in zip(parts, self.mix, strict=True)
        ]
        length = math.sqrt(1 + sum(self.mix))
        return SpanVector(
            found,
            np.asarray(terms / length, np.float32),
            np.asarray(np.concatenate(dense) / length, np.float32),
        )


@dataclass(frozen=True)
class Trace:
    """Foretells how surprising the next token will be; from `unsure` nats on it is marked."""

    head: Head
    unsure: float

    def nats(self, states: Floats, entropies: Floats) -> NDArray[np.float64]:
        """Return the expected nats of the token after each state.

        `states` is (n, width), `entropies` (n,) in nats. It is softplus(h + softplus⁻¹(entropy)):
        a head that gives 0 says the entropy.
        """
        given = self.head(np.concatenate([states, entropies[:, None]], axis=1))[:, 0]
        entropy = np.maximum(entropies.astype(np.float64), _LEAST_NATS)
        return np.logaddexp(0.0, given + entropy + np.log(-np.expm1(-entropy)))


@dataclass(frozen=True)
class Governance:
    """The heads of one model, None where there is none or where it is not used.

    `metrics` are the held-out figures that came with them, as pairs of name and value; `behind`
    names the heads that were not certain to beat their baselines. `sha256` is of the file:
    embeddings of one mean nothing to another one's.
    """

    path: Path
    sha256: str
    width: int
    policy: Policy | None
    memory: Memory | None
    trace: Trace | None
    metrics: tuple[tuple[str, str], ...] = ()
    behind: tuple[str, ...] = ()

    @property
    def heads(self) -> tuple[str, ...]:
        """Names of the heads that are run."""
        return tuple(name for name in HEADS if getattr(self, name) is not None)

    @property
    def unused(self) -> tuple[str, ...]:
        """Names of the heads that are not run, for they are behind their baselines."""
        return tuple(name for name in self.behind if name not in self.heads)

    @property
    def unproven(self) -> tuple[str, ...]:
        """Names of the heads that are run although they are behind their baselines."""
        return tuple(name for name in self.behind if name in self.heads)

    @property
    def description(self) -> str:
        """Say in a line which heads there are."""
        said = f"{', '.join(self.heads) or 'none'} of {self.path}"
        if self.unused:
            said += f"; not better than their baseline and not run: {', '.join(self.unused)}"
        if self.unproven:
            said += f"; run though not better than their baseline: {', '.join(self.unproven)}"
        return said
