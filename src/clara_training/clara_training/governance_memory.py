# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""The memory head: an embedding by which a span finds the context that it comes from.

Fitted with InfoNCE (van den Oord et al. 2018) on neighbouring spans, each read by itself, so that
nothing of the neighbour is in its state. Judged on held-out text: a span looks for the one that
follows it among all other spans there. It must beat the mean-pooled states that it is made of, as
they are and standardised, and BM25, on the words and on the tokens of the same spans.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from clara_training.governance_fit import FitSettings, Shape, at, fit_head, head_of_spans
from clara_training.governance_heads import Embedded, MemoryHead, Spans, spans_of
from clara_training.governance_metrics import (
    Bags,
    Floats,
    bm25,
    bootstrap,
    ranks,
    share,
    sums_by_unit,
    units_of,
    useful,
    words_of,
)
from clara_training.governance_states import States, group_of

SHAPE = Shape(
    *(256, 0, 10, 1024),
    learning_rate=2e-3,
    weight_decay=0.1,
    dropout=0.2,
    token_dropout=0.3,
)
CANDIDATES = 2048
_LEAST_PAIRS = 8
_CHECKED = 0.1  # of the training documents


@dataclass
class Memory:
    """The head that is kept, what belongs to it, and its figures."""

    head: MemoryHead
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
    held = _candidates(states)
    queries = queries[np.isin(queries, held) & np.isin(queries + 1, held)]
    spans = spans_of(states.alone, states.tokens(np.arange(len(states.spans)))).to(device)
    alike = group_of(states)
    train, check = _split(states, first, settings.seed)
    shape = replace(SHAPE, out=settings.memory_size)

    def loss(seen: Spans, head: MemoryHead, cases: Tensor) -> Tensor:
        numbers = cases.cpu().numpy()
        barred = barred_of(states, alike, numbers + 1, numbers)
        np.fill_diagonal(barred, False)
        similarity = head.embed(seen[cases]).similarity(head.embed(seen[cases + 1]))
        return info_nce(similarity * head.log_scale.exp(), torch.from_numpy(barred).to(device))

    def fitted(seen: Spans) -> list[MemoryHead]:
        build = head_of_spans(MemoryHead, seen, states.vocabulary, shape)
        return [
            fit_head(*(build, train, partial(loss, seen), shape, seed, device, check)).head
            for seed in range(settings.seed, settings.seed + settings.seeds)
        ]

    barred = barred_of(states, alike, held, queries)
    wanted = np.searchsorted(held, queries + 1)
    unit = units_of(alike[queries], states.spans[queries, 1], states.spans[queries, 4])
    rows_of = np.searchsorted(held, queries)

    def found(similarity: NDArray[np.float32]) -> Floats:
        """Return the sums by document of hits at 1, hits at 10, reciprocal ranks, queries."""
        rank = ranks(similarity, wanted, barred)
        rows = np.column_stack((rank < 1, rank < 10, 1 / (1 + rank), np.ones(len(rank))))
        return sums_by_unit(rows.astype(np.float64), unit)

    def similarities(seen: Spans, heads: list[MemoryHead]) -> list[NDArray[np.float32]]:
        with torch.no_grad():
            embedded = [head.embed(seen[at(held, device)]) for head in heads]
            return [_among(each, rows_of) for each in embedded]

    heads = fitted(spans)
    similarity = similarities(spans, heads)
    means = torch.from_numpy(np.array(states.alone[held]))
    standard = heads[0].states.standard(means.to(device)).cpu()
    pooled = {
        "mean-pooled states": F.normalize(means, dim=-1).numpy(),
        "mean-pooled states, standardised": F.normalize(standard, dim=-1).numpy(),
    }
    baselines = {name: found(x[rows_of] @ x.T) for name, x in pooled.items()}
    bags = {
        "BM25": Bags([words_of(text) for text in states.texts(held)]),
        "BM25, on tokens": Bags([each.tolist() for each in states.tokens(held)]),
    }
    baselines |= {name: found(bm25(each.dense())[rows_of]) for name, each in bags.items()}
    own = [found(each) for each in similarity]

    def column(rows: Floats, number: int) -> Floats:
        return rows[:, [number, 3]]

    gains = {
        name: bootstrap([column(each, 1) for each in own], share, [column(rows, 1)])
        for name, rows in baselines.items()
    }
    threshold, passing = _threshold(similarity[0], wanted, barred, settings.unrelated)
    metrics = {
        "metric": "recall@10",
        "value": bootstrap([column(each, 1) for each in own], share),
        "baselines": {name: bootstrap([column(r, 1)], share) for name, r in baselines.items()},
        "gain": gains,
        "useful": useful(gains, unit),
        "seeds": [float(each[:, 1].sum() / each[:, 3].sum()) for each in own],
        "recall_at_1": bootstrap([column(each, 0) for each in own], share),
        "recall_at_1_of_baselines": {
            name: bootstrap([column(rows, 0)], share) for name, rows in baselines.items()
        },
        "context_above_threshold": passing,
        "queries": len(queries),
        "candidates": len(held),
    }
    if settings.without_states:
        blind = spans.without_states()
        theirs = [column(found(each), 1) for each in similarities(blind, fitted(blind))]
        metrics["without_states"] = {
            "value": bootstrap(theirs, share),
            "gain": bootstrap([column(each, 1) for each in own], share, theirs),
        }
    kept = heads[0].cpu()
    said = {
        **{"size": settings.memory_size, "threshold": threshold},
        **{"saturation": kept.saturation, "mix": kept.mix},
    }
    return Memory(kept, said, metrics)


def _candidates(states: States) -> NDArray[np.int64]:
    """Return the held-out spans that are searched: not many more than CANDIDATES."""
    held = np.flatnonzero(states.spans[:, 0] == 1)
    if len(held) <= CANDIDATES:
        return held
    # Whole windows, evenly, or the neighbours would be lost.
    windows = np.unique(states.spans[held, 4])
    every = len(held) / CANDIDATES
    kept = windows[np.unique((np.arange(0, len(windows), every)).astype(int))]
    return held[np.isin(states.spans[held, 4], kept)]


def _split(
    states: States, first: NDArray[np.int64], seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the spans to learn from, and those of other documents that tell when to stop."""
    draw = np.random.Generator(np.random.PCG64([seed, 17]))
    documents = np.unique(states.spans[first, 1])
    some = draw.permutation(documents)[: max(1, round(_CHECKED * len(documents)))]
    checked = np.isin(states.spans[first, 1], some)
    train, check = first[~checked], first[checked]
    if len(train) < _LEAST_PAIRS or len(check) < 2:
        train = check = first
    # No more than there are in a step, or the loss would be one of other odds.
    return train, np.sort(draw.permutation(check)[: SHAPE.batch])


def _among(embedded: Embedded, rows: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return the similarities of some spans with all, (Q, N)."""
    return np.asarray(embedded.similarity(embedded).cpu().numpy()[rows], np.float32)


def info_nce(logits: Tensor, barred: Tensor) -> Tensor:
    """Return InfoNCE of the scaled similarities (B, B) of spans and those that follow, both ways.

    -log exp(l_ii) / Σ_j exp(l_ij); `barred` (B, B) are no distractors.
    """
    logits = logits.masked_fill(barred, float("-inf"))
    right = torch.arange(len(logits), device=logits.device)
    return (F.cross_entropy(logits, right) + F.cross_entropy(logits.T, right)) / 2


def neighbours(states: States, split: int) -> NDArray[np.int64]:
    """Return the numbers of the spans that the next span follows in the same document."""
    spans = states.spans
    follows = (spans[1:, 1] == spans[:-1, 1]) & (spans[:-1, 2] + spans[:-1, 3] == spans[1:, 2])
    return np.flatnonzero(follows & (spans[:-1, 0] == split))


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
    similarity: NDArray[np.float32],
    wanted: NDArray[np.int64],
    barred: NDArray[np.bool_],
    unrelated: float,
) -> tuple[float, float]:
    """Return the similarity that few unrelated spans reach, and how many true contexts do."""
    queries = np.arange(len(wanted))
    true = similarity[queries, wanted]
    others = ~barred
    others[queries, wanted] = False
    threshold = float(np.quantile(similarity[others], 1 - unrelated))
    return threshold, float((true >= threshold).mean())
