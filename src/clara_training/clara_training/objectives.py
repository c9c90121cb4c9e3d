# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Losses beside language modelling: content alignment, coherence, accuracy.

- Each is a mean over the items of a whole step, and what it compares with is computed from the
  input embeddings of all rows of the step, so that how a step is cut into micro-batches or shared
  by processes changes nothing but rounding. In a step without an item there is no such loss.
- No loss lets a state see what it has to tell: a state has read only what precedes it.
- The heads are for training alone: they are in checkpoints, and in no exported model.

`loss_weights.py` says how much each counts.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from clara_training.loss_weights import WEIGHTS
from clara_training.names import Names

LANGUAGE = "language"
CONTENT, COHERENCE, ACCURACY = LOSSES = ("content_alignment", "coherence", "accuracy")
SEGMENT = 32  # tokens; a passage is two segments
SHORTEST = {CONTENT: 2 * SEGMENT, COHERENCE: 3 * SEGMENT, ACCURACY: 1}  # contexts, in tokens
_CODE = 64  # width of the space in which segments are compared
_TEMPERATURE = 0.1
_INITIAL_STD = 0.02
_AT_ONCE = 1 << 25  # numbers of embeddings, 128 MiB


@dataclass(frozen=True)
class StepPlan:
    """The rows of one step of the optimiser, on the device, and how many items each loss has."""

    tokens: Tensor  # (rows, T)
    counts: dict[str, int]
    near: Tensor  # (rows, S - 1), whether segments i and i + 1 are of one document
    far: Tensor  # (rows, S - 2), whether segments i to i + 2 are
    named: Tensor | None  # (rows, T), true where the target is a name or number

    @property
    def there(self) -> list[str]:
        """Names of the losses that have an item in this step, on whichever process."""
        return [name for name, count in self.counts.items() if count]


@dataclass(frozen=True)
class Terms:
    """Sums over a micro-batch's items of each loss, and of items that were told right."""

    sums: dict[str, Tensor]
    right: dict[str, Tensor]


class Matcher(nn.Module):  # type: ignore[misc]
    """Scores of segments for what may follow them: cosines of two codes, over a temperature."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.query = nn.Linear(width, _CODE, bias=False)
        self.key = nn.Linear(width, _CODE, bias=False)

    def forward(self, states: Tensor, embedded: Tensor) -> Tensor:
        """Compare (..., Q, width) with (..., K, width): (..., Q, K)."""
        queries = F.normalize(self.query(states), dim=-1)
        keys = F.normalize(self.key(embedded), dim=-1)
        scores: Tensor = queries @ keys.transpose(-1, -2) / _TEMPERATURE
        return scores


class Objectives(nn.Module):  # type: ignore[misc]
    """The losses that are switched on, their heads and their weights."""

    def __init__(
        self, chosen: Sequence[str], weights: str, width: int, names: Names | None, seed: int
    ) -> None:
        super().__init__()
        self.chosen = tuple(name for name in LOSSES if name in chosen)
        self._names = names if ACCURACY in self.chosen else None
        heads = [name for name in (CONTENT, COHERENCE) if name in self.chosen]
        self.heads = nn.ModuleDict({name: Matcher(width) for name in heads})
        draw = torch.Generator().manual_seed(seed)
        for parameter in self.heads.parameters():
            nn.init.normal_(parameter, std=_INITIAL_STD, generator=draw)
        self.weights: Any = WEIGHTS[weights]((LANGUAGE, *self.chosen))

    def plan(self, rows: np.ndarray[Any, Any], device: str) -> StepPlan:
        """Count the items of each loss in the rows of a step, (rows, T + 1).

        All that the losses will want of them goes to the device now, while it waits for nothing.
        """
        items = self._items(rows)
        named = items.get(ACCURACY)
        return StepPlan(
            torch.from_numpy(rows[:, :-1]).to(device),
            {name: int(items[name].sum()) for name in self.chosen},
            torch.from_numpy(items[CONTENT]).to(device),
            torch.from_numpy(items[COHERENCE]).to(device),
            None if named is None else torch.from_numpy(named).to(device),
        )

    def parameters_of(self, losses: Collection[str]) -> list[nn.Parameter]:
        """Return the weights of losses, and the parameters of the heads of these losses."""
        heads = [head for name, head in self.heads.items() if name in losses]
        return [each for module in (*heads, self.weights) for each in module.parameters()]

    def without_items(self, batches: Iterable[np.ndarray[Any, Any]]) -> list[str]:
        """Return the losses that have no item in any of these rows, (rows, T + 1) each."""
        missing = list(self.chosen)
        for rows in batches:
            items = self._items(rows)
            missing = [name for name in missing if not items[name].any()]
            if not missing:
                break
        return missing

    def _items(self, rows: np.ndarray[Any, Any]) -> dict[str, np.ndarray[Any, Any]]:
        """Tell where in the rows of a step, (rows, T + 1), each loss has an item."""
        tokens = rows[:, :-1]
        items = {CONTENT: same_document(tokens, 1), COHERENCE: same_document(tokens, 2)}
        if self._names is not None:
            items[ACCURACY] = self._names.in_rows(rows)
        return items

    def terms(
        self, plan: StepPlan, places: Tensor, embedding: Tensor, states: Tensor, nll: Tensor
    ) -> Terms:
        """Return what a micro-batch adds to each loss that has an item in the step.

        Args:
            plan: of the whole step.
            places: of the micro-batch's rows in the step, (B,).
            embedding: the model's input embedding, (V, width).
            states: after the last norm, (B, T, width).
            nll: of each token, (B, T), in nats.
        """
        sums: dict[str, Tensor] = {}
        right: dict[str, Tensor] = {}
        there = plan.there
        if CONTENT in there or COHERENCE in there:
            read = segment_means(states.float())  # (B, S, width)
            embedded = embedded_means(plan.tokens, embedding)  # (rows, S, width)
        if CONTENT in there:
            sums[CONTENT], right[CONTENT] = content_alignment(
                self.heads[CONTENT], read, embedded, places, plan.near[places]
            )
        if COHERENCE in there:
            sums[COHERENCE], right[COHERENCE] = coherence(
                self.heads[COHERENCE], read, embedded[places], plan.far[places]
            )
        if ACCURACY in there and plan.named is not None:
            sums[ACCURACY] = accuracy(nll, plan.named[places])
        return Terms(sums, right)


def content_alignment(
    head: Matcher, read: Tensor, embedded: Tensor, own: Tensor, valid: Tensor
) -> tuple[Tensor, Tensor]:
    """Contrastive alignment of the two halves of a passage; sum over passages, and how many hit.

    InfoNCE of contrastive predictive coding (van den Oord, Li & Vinyals 2018, arXiv:1807.03748):

        L = -log exp(s(q_i, k_i+1)) / Σ_j exp(s(q_i, k_j))

    q_i is the mean of the states of segment i, which have read nothing of what follows, k_j the
    mean of the input embeddings of segment j, and j runs over all segments of the step but those
    of the same row that were read already.

    Args:
        head: scores.
        read: means of states, (B, S, width).
        embedded: means of embeddings of all rows of the step, (rows, S, width).
        own: places of the B rows among all, (B,).
        valid: whether segments i and i + 1 are of one document, (B, S - 1).
    """
    rows, segments = embedded.shape[:2]
    scores = head(read[:, :-1].flatten(0, 1), embedded.flatten(0, 1))  # (B (S - 1), rows S)
    number = torch.arange(segments, device=read.device)
    of_row = (
        torch.arange(rows, device=read.device)[None, None, :, None] == own[:, None, None, None]
    )
    gone = number[None, None, None, :] <= number[None, :-1, None, None]
    scores = scores.masked_fill((of_row & gone).flatten(2).flatten(0, 1), float("-inf"))
    wanted = (own[:, None] * segments + number[None, 1:]).flatten()
    valid = valid.flatten()
    loss = F.cross_entropy(scores, wanted, reduction="none")
    hits = (scores.detach().argmax(-1) == wanted) & valid
    return loss.masked_fill(~valid, 0.0).sum(), hits.sum()


def coherence(
    head: Matcher, read: Tensor, embedded: Tensor, valid: Tensor
) -> tuple[Tensor, Tensor]:
    """Order of the next two segments; sum over pairs, and how many are in order.

    The order of adjacent segments as in ALBERT (Lan et al. 2020, arXiv:1909.11942, section 3.1),
    told from what precedes them and not from reading both, for a causal model knows the order of
    what it has read; with the pairwise logistic loss of RankNet (Burges et al. 2005):

        L = -log sigmoid(s(q_i, k_i+1) - s(q_i, k_i+2))

    Args:
        head: scores.
        read: means of states, (B, S, width).
        embedded: means of embeddings of the same rows, (B, S, width).
        valid: whether segments i to i + 2 are of one document, (B, S - 2).
    """
    scores = head(read[:, :-2], embedded)  # (B, S - 2, S)
    following = scores.diagonal(1, dim1=1, dim2=2)
    margin = following - scores.diagonal(2, dim1=1, dim2=2)
    right = ((margin.detach() > 0) & valid).sum()
    return F.softplus(-margin).masked_fill(~valid, 0.0).sum(), right


def accuracy(nll: Tensor, named: Tensor) -> Tensor:
    """NLL of the tokens of names and numbers, summed; both (B, T).

    Added to the language model's loss with weight w it is a weighted NLL, Σ (1 + w' [t named])
    NLL_t: cost-sensitive learning (Elkan 2001) for the tokens whose errors are errors of fact.
    """
    return nll.masked_fill(~named, 0.0).sum()


def segment_means(x: Tensor) -> Tensor:
    """Means over whole segments: (B, T, width) to (B, T // SEGMENT, width)."""
    batch, time, width = x.shape
    whole = x[:, : time // SEGMENT * SEGMENT]
    return whole.reshape(batch, -1, SEGMENT, width).mean(2)


def embedded_means(tokens: Tensor, embedding: Tensor) -> Tensor:
    """Means of the embeddings of whole segments: (rows, T) to (rows, T // SEGMENT, width).

    Of some rows at a time: the embeddings of all rows of a large step do not fit into memory.
    """
    at_once = max(1, _AT_ONCE // (tokens.shape[1] * embedding.shape[1]))
    means = [segment_means(F.embedding(part, embedding).float()) for part in tokens.split(at_once)]
    return torch.cat(means)


def same_document(
    tokens: np.ndarray[Any, Any], distance: int, boundary: int = 0
) -> np.ndarray[Any, Any]:
    """Tell for tokens (B, T) whether segments i to i + distance are one document's, (B, S - d)."""
    number = np.cumsum(tokens == boundary, axis=1)
    first, last = number[:, ::SEGMENT], number[:, SEGMENT - 1 :: SEGMENT]
    segments = tokens.shape[1] // SEGMENT
    pairs = max(0, segments - distance)
    same: np.ndarray[Any, Any] = first[:, :pairs] == last[:, distance : distance + pairs]
    return same
