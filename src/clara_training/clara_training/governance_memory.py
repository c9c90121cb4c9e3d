# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""The memory head: an embedding by which a span finds the context that it comes from.

Fitted with InfoNCE (van den Oord et al. 2018) on neighbouring spans, each read by itself, so that
nothing of the neighbour is in its state. Judged on held-out text: a span looks for the one that
follows it among all other spans there. It must beat the mean-pooled states that it is made of, as
they are and standardised, and BM25 on the same words.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from clara_training.governance_fit import FitSettings, Shape, fit_head
from clara_training.governance_heads import Head
from clara_training.governance_metrics import (
    Floats,
    Words,
    bm25,
    bootstrap,
    ranks,
    share,
    sums_by_unit,
    units_of,
    useful,
)
from clara_training.governance_states import States

SHAPE = Shape(
    hidden=256, out=0, epochs=20, batch=512, learning_rate=2e-3, weight_decay=0.1, dropout=0.2
)
TEMPERATURE = 0.07  # of InfoNCE
CANDIDATES = 2048
_LEAST_PAIRS = 8
_CHECKED = 0.1  # of the training documents


@dataclass
class Memory:
    """The head that is kept, what belongs to it, and its figures."""

    head: Head
    said: dict[str, Any]
    metrics: dict[str, Any]


def fit_memory(states: States, settings: FitSettings, device: str = "cpu") -> Memory | str:
    """Fit and judge the memory head, or return why there cannot be one."""
    first = neighbours(states, 0)
    queries = neighbours(states, 1)
    if len(first) < _LEAST_PAIRS or len(queries) < _LEAST_PAIRS:
        return (
            f"memory: no head, for it takes {_LEAST_PAIRS} spans that another one follows, to"
            f" learn from and again to be tested on; there are {len(first)} and {len(queries)}"
        )
    held = np.flatnonzero(states.spans[:, 0] == 1)
    if len(held) > CANDIDATES:
        # Whole windows, evenly, or the neighbours would be lost.
        windows = np.unique(states.spans[held, 4])
        every = len(held) / CANDIDATES
        kept = windows[np.unique((np.arange(0, len(windows), every)).astype(int))]
        held = held[np.isin(states.spans[held, 4], kept)]
        queries = queries[np.isin(queries, held) & np.isin(queries + 1, held)]
    inputs = torch.from_numpy(np.array(states.alone, np.float32))
    there = inputs.to(device)
    alike = group_of(states)
    draw = np.random.Generator(np.random.PCG64([settings.seed, 17]))
    documents = np.unique(states.spans[first, 1])
    some = draw.permutation(documents)[: max(1, round(_CHECKED * len(documents)))]
    checked = np.isin(states.spans[first, 1], some)
    train, check = first[~checked], first[checked]
    if len(train) < _LEAST_PAIRS or len(check) < 2:
        train = check = first

    def loss(head: Head, cases: Tensor) -> Tensor:
        numbers = cases.cpu().numpy()
        barred = barred_of(states, alike, numbers + 1, numbers)
        np.fill_diagonal(barred, False)
        both = head(there[cases]), head(there[cases + 1])
        return info_nce(*both, torch.from_numpy(barred).to(device))

    shape = replace(SHAPE, out=settings.memory_size)
    heads = [
        fit_head(there, train, loss, shape, seed, check[: 4 * shape.batch]).head
        for seed in range(settings.seed, settings.seed + settings.seeds)
    ]
    barred = barred_of(states, alike, held, queries)
    wanted = np.searchsorted(held, queries + 1)
    unit = units_of(states.spans[queries, 1], states.spans[queries, 4])

    def found(similarity: NDArray[np.float32]) -> Floats:
        """Return the sums by document of hits at 1, hits at 10, reciprocal ranks, queries."""
        rank = ranks(similarity, wanted, barred)
        rows = np.column_stack((rank < 1, rank < 10, 1 / (1 + rank), np.ones(len(rank))))
        return sums_by_unit(rows.astype(np.float64), unit)

    rows_of = np.searchsorted(held, queries)
    with torch.no_grad():
        embedded = [F.normalize(head(inputs[held]), dim=-1).numpy() for head in heads]
        standard = (inputs[held] - heads[0].mean) / heads[0].scale
    pooled = {
        "mean-pooled states": F.normalize(inputs[held], dim=-1).numpy(),
        "mean-pooled states, standardised": F.normalize(standard, dim=-1).numpy(),
    }
    baselines = {name: found(x[rows_of] @ x.T) for name, x in pooled.items()}
    baselines["BM25"] = found(bm25(Words(states.texts(held)).counts)[rows_of])
    own = [found(x[rows_of] @ x.T) for x in embedded]

    def at(rows: Floats, column: int) -> Floats:
        return rows[:, [column, 3]]

    gains = {
        name: bootstrap([at(each, 1) for each in own], share, [at(rows, 1)])
        for name, rows in baselines.items()
    }
    threshold, passing = _threshold(embedded[0], rows_of, wanted, barred, settings.unrelated)
    metrics = {
        "metric": "recall@10",
        "value": bootstrap([at(each, 1) for each in own], share),
        "baselines": {name: bootstrap([at(r, 1)], share) for name, r in baselines.items()},
        "gain": gains,
        "useful": useful(gains, unit),
        "seeds": [float(each[:, 1].sum() / each[:, 3].sum()) for each in own],
        "recall_at_1": bootstrap([at(each, 0) for each in own], share),
        "recall_at_1_of_baselines": {
            name: bootstrap([at(rows, 0)], share) for name, rows in baselines.items()
        },
        "context_above_threshold": passing,
        "queries": len(queries),
        "candidates": len(held),
    }
    said = {"size": settings.memory_size, "threshold": threshold}
    return Memory(heads[0], said, metrics)


def info_nce(one: Tensor, other: Tensor, barred: Tensor) -> Tensor:
    """Return InfoNCE of spans (B, E) and the ones that follow (B, E), in both directions, ().

    -log exp(s_ii / τ) / Σ_j exp(s_ij / τ), s the cosine; `barred` (B, B) are no distractors.
    """
    logits = F.normalize(one, dim=-1) @ F.normalize(other, dim=-1).T / TEMPERATURE
    logits = logits.masked_fill(barred, float("-inf"))
    right = torch.arange(len(logits), device=logits.device)
    return (F.cross_entropy(logits, right) + F.cross_entropy(logits.T, right)) / 2


def neighbours(states: States, split: int) -> NDArray[np.int64]:
    """Return the numbers of the spans that the next span follows in the same document."""
    spans = states.spans
    follows = (spans[1:, 1] == spans[:-1, 1]) & (spans[:-1, 2] + spans[:-1, 3] == spans[1:, 2])
    return np.flatnonzero(follows & (spans[:-1, 0] == split))


def group_of(states: States) -> NDArray[np.int64]:
    """Return for each span what is alike: its chapter in all translations, else its document."""
    names = [
        states.headings[document] or f"\0{document}" for document in range(len(states.sources))
    ]
    _, group = np.unique(names, return_inverse=True)
    return np.asarray(group[states.spans[:, 1]], np.int64)


def barred_of(
    states: States,
    alike: NDArray[np.int64],
    candidates: NDArray[np.int64],
    queries: NDArray[np.int64],
) -> NDArray[np.bool_]:
    """Return which candidates (Q, N) are none for a query.

    It itself, the one before it (its context too), and the same chapter in other translations;
    `alike` is of `group_of`.
    """
    document = states.spans[:, 1]
    parallel = (alike[queries][:, None] == alike[candidates][None, :]) & (
        document[queries][:, None] != document[candidates][None, :]
    )
    back = queries[:, None] - candidates[None, :]
    near = ((back == 0) | (back == 1)) & (
        document[queries][:, None] == document[candidates][None, :]
    )
    return np.asarray(parallel | near)


def _threshold(
    embedded: NDArray[np.float32],
    rows: NDArray[np.int64],
    wanted: NDArray[np.int64],
    barred: NDArray[np.bool_],
    unrelated: float,
) -> tuple[float, float]:
    """Return the similarity that few unrelated spans reach, and how many true contexts do."""
    similarity = embedded[rows] @ embedded.T
    true = similarity[np.arange(len(rows)), wanted].copy()
    others = ~barred
    others[np.arange(len(rows)), wanted] = False
    threshold = float(np.quantile(similarity[others], 1 - unrelated))
    return threshold, float((true >= threshold).mean())
