# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""The governance heads: small networks that read what a model left, and write nothing back.

- A perceptron reads states: trace, of each token.
- A head of a span reads its tokens as well, beside the mean of its final states, for a final state
  foretells what comes and keeps little of the word that it stands on. What the states add to the
  tokens is measured (`FitSettings.without_states`).
- A token v that is there n times counts x_v = a_v · n / (n + k), and x is brought to length 1: the
  saturation of BM25 (Robertson & Zaragoza 2009). a begins as √idf, so that the product of two
  spans has the idf once; a and k are learned.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

_LEAST_SCALE = 1e-4
_LEAST_IDF = 1e-3
_LEAST_NATS = 1e-3  # of an entropy
_SATURATION = 2.5  # k to begin with
_LITTLE = 0.01  # the deviation of memory's table, to begin with
_SMALL = 0.1  # of the last weights, where a head begins with its bias
_MIX = 0.25  # of each dense part in a similarity, to begin with
_SCALE = 20.0  # of similarities in the loss, to begin with
_UNSEEN = 1.0  # of a token in each class, before anything was counted


class Head(nn.Module):  # type: ignore[misc]
    """A perceptron, SiLU between its layers and nothing after the last; its input is standardised.

    `sizes` are the widths from input to output. It maps (..., sizes[0]) to (..., sizes[-1]).
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, sizes: list[int], dropout: float = 0.0) -> None:
        super().__init__()
        pairs = pairwise(sizes)
        self.layers = nn.ModuleList(nn.Linear(before, after) for before, after in pairs)
        self.dropout = dropout
        self.register_buffer("mean", torch.zeros(sizes[0]))
        self.register_buffer("scale", torch.ones(sizes[0]))

    def standardise(self, inputs: Tensor) -> None:
        """Set mean and scale to those of inputs (n, in)."""
        self.mean.copy_(inputs.mean(0))
        self.scale.copy_(inputs.std(0).clamp_min(_LEAST_SCALE))

    def begin_small(self, bias: Tensor | float = 0.0) -> None:
        """Let it give a bias, (out,) or a number, and little else."""
        last = self.layers[-1]
        with torch.no_grad():
            last.weight.mul_(_SMALL)
            last.bias.copy_(torch.as_tensor(bias))

    def standard(self, x: Tensor) -> Tensor:
        """Return inputs with the mean 0 and the deviation 1, (..., in)."""
        return (x - self.mean) / self.scale

    def forward(self, x: Tensor) -> Tensor:
        """Map (..., in) to (..., out)."""
        x = self.standard(x)
        for number, layer in enumerate(self.layers):
            if number:
                x = F.dropout(F.silu(x), self.dropout, self.training)
            x = layer(x)
        return x


def expected_nats(given: Tensor, entropy: Tensor) -> Tensor:
    """Return softplus(given + softplus⁻¹(entropy)), of what the trace head gives, (...), in nats.

    A head that gives 0 says the entropy: it learns only where that is wrong.
    """
    entropy = entropy.clamp_min(_LEAST_NATS)
    return F.softplus(given + entropy + torch.log(-torch.expm1(-entropy)))


@dataclass
class Spans:
    """Spans as heads read them.

    `states` (N, width) are mean final states. `tokens` (N, L) int64 has each token of a span once
    and `counts` (N, L) float32 how often it is there, 0 where there are fewer than L.
    """

    states: Tensor
    tokens: Tensor
    counts: Tensor

    def __len__(self) -> int:
        return len(self.states)

    def __getitem__(self, cases: Tensor) -> Spans:
        return Spans(self.states[cases], self.tokens[cases], self.counts[cases])

    def to(self, device: str | torch.device) -> Spans:
        """Return them on a device."""
        return Spans(*(each.to(device) for each in (self.states, self.tokens, self.counts)))

    def without_states(self) -> Spans:
        """Return the same tokens with states that say nothing."""
        return Spans(torch.zeros_like(self.states), self.tokens, self.counts)


def spans_of(states: NDArray[np.float32], ids: Sequence[NDArray[np.integer]]) -> Spans:
    """Return spans of mean states (N, width) and the token ids of each."""
    counted = [np.unique(each, return_counts=True) for each in ids]
    most = max((len(tokens) for tokens, _ in counted), default=0)
    tokens = np.zeros((len(ids), most), np.int64)
    counts = np.zeros((len(ids), most), np.float32)
    for row, (found, often) in enumerate(counted):
        tokens[row, : len(found)], counts[row, : len(found)] = found, often
    return Spans(torch.from_numpy(np.array(states)), *map(torch.from_numpy, (tokens, counts)))


class SpanHead(nn.Module):  # type: ignore[misc]
    """A perceptron of the mean state, and a row of a table for each token, added up.

    f(z) + Σ_v x_v T_v, (N, sizes[-1]); `vocabulary` rows in T.
    """

    def __init__(
        self,
        sizes: list[int],
        vocabulary: int,
        dropout: float = 0.0,
        token_dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.states = Head(sizes, dropout)
        self.token_dropout = token_dropout
        self.table = nn.Parameter(torch.zeros(vocabulary, sizes[-1]))
        self.log_weight = nn.Parameter(torch.zeros(vocabulary))
        self.log_saturation = nn.Parameter(torch.tensor(math.log(_SATURATION)))

    def begin(self, spans: Spans) -> None:
        """Take mean and scale of the states, and the idf of the tokens, from spans."""
        self.states.standardise(spans.states)
        n = len(spans)
        frequency = torch.zeros_like(self.log_weight)
        present = spans.counts > 0
        frequency.index_add_(0, spans.tokens[present], torch.ones_like(spans.counts[present]))
        idf = torch.log1p((n - frequency + 0.5) / (frequency + 0.5))
        with torch.no_grad():
            self.log_weight.copy_(idf.clamp_min(_LEAST_IDF).log() / 2)

    @property
    def weight(self) -> Tensor:
        """Return what each token counts, a, (V,)."""
        return self.log_weight.exp()

    @property
    def saturation(self) -> float:
        """Return k."""
        return float(self.log_saturation.detach().exp())

    def terms(self, spans: Spans) -> Tensor:
        """Return what each token of each span counts, (N, L), of length 1."""
        counts = spans.counts
        saturated = counts / (counts + self.log_saturation.exp())
        return F.normalize(saturated * self.log_weight[spans.tokens].exp(), dim=-1)

    def rows(self, spans: Spans, terms: Tensor) -> Tensor:
        """Return Σ_v x_v T_v, (N, out), for terms x (N, L)."""
        terms = F.dropout(terms, self.token_dropout, self.training)
        found: Tensor = F.embedding_bag(
            spans.tokens, self.table, per_sample_weights=terms, mode="sum"
        )
        return found

    def forward(self, spans: Spans) -> Tensor:
        """Map N spans to (N, out)."""
        found: Tensor = self.rows(spans, self.terms(spans)) + self.states(spans.states)
        return found


class PolicyHead(SpanHead):
    """A span's classes. It begins as multinomial naive Bayes on its terms, and learns the rest.

    T_vc begins as log p(v | c) less its mean over the classes, with p(v | c) ∝ 1 + Σ x_v over the
    spans of the class (Rennie et al. 2003), and the perceptron's last bias as that of log p(c).
    """

    def count(self, spans: Spans, classes: Tensor) -> None:
        """Begin with what the spans of known classes (N,) say; call `begin` before it."""
        with torch.no_grad():
            several = self.table.shape[1]
            sums = torch.full_like(self.table, _UNSEEN)
            places = spans.tokens * several + classes[:, None]
            sums.view(-1).index_add_(0, places.flatten(), self.terms(spans).flatten())
            likely = torch.log(sums / sums.sum(0))
            self.table.copy_(likely - likely.mean(1, keepdim=True))
            before = torch.bincount(classes, minlength=several).clamp_min(1).log()
            self.states.begin_small(before - before.mean())


@dataclass
class Embedded:
    """Spans in the memory head's space, where each has length 1.

    `weights` (N, L) on `tokens` (N, L), and `dense` (N, 2 E).
    """

    tokens: Tensor
    weights: Tensor
    dense: Tensor

    def similarity(self, other: Embedded) -> Tensor:
        """Return the cosines with others, (N, M)."""
        n = len(self.tokens)
        width = max(self.tokens.shape[1], other.tokens.shape[1])
        tokens, weights = (
            torch.cat([F.pad(each, (0, width - each.shape[1])) for each in both])
            for both in ((self.tokens, other.tokens), (self.weights, other.weights))
        )
        # Only tokens that are there have a column.
        known, place = torch.unique(tokens, return_inverse=True)
        spread = weights.new_zeros(len(tokens), len(known)).scatter_add(1, place, weights)
        return spread[:n] @ spread[n:].T + self.dense @ other.dense.T


class MemoryHead(SpanHead):
    """A span's terms, and beside them what its terms and its state are like.

    [x, √m₁ · d₁, √m₂ · d₂] / √(1 + m₁ + m₂), of length 1, with d₁ = Σ_v x_v T_v and d₂ = f(z),
    each brought to length 1. m₁ and m₂ are learned, and so is `log_scale`, that of the
    similarities in the loss (as CLIP's; Radford et al. 2021).
    """

    def __init__(self, *shape: Any) -> None:
        super().__init__(*shape)
        # Small, so that what is learned soon outweighs it; of zeros there would be no direction.
        nn.init.normal_(self.table, std=_LITTLE)
        self.log_mix = nn.Parameter(torch.full((2,), math.log(_MIX)))
        self.log_scale = nn.Parameter(torch.tensor(math.log(_SCALE)))

    @property
    def mix(self) -> list[float]:
        """Return m₁ and m₂."""
        return [float(each) for each in self.log_mix.detach().exp()]

    def embed(self, spans: Spans) -> Embedded:
        """Embed spans."""
        terms = self.terms(spans)
        parts = (self.rows(spans, terms), self.states(spans.states))
        shares = torch.exp(self.log_mix / 2)
        dense = torch.cat(
            [F.normalize(part, dim=-1) * share for part, share in zip(parts, shares, strict=True)],
            dim=-1,
        )
        length = torch.sqrt(1 + self.log_mix.exp().sum())
        return Embedded(spans.tokens, terms / length, dense / length)
