# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""The trace head: how many nats the next token is expected to cost, told before it is known.

The model's own entropy says the same where the model knows what it does not know; the head begins
with it, learns where it is wrong, and must beat it. Fitted on held-out text, and where that proves
better on text that was learned as well, which costs the model less by a factor that is found with
it. Judged on held-out text, by cross-validation over books, or documents, or blocks, where there
are few.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from clara_training.governance_fit import (
    FitSettings,
    Shape,
    at,
    cross_fit,
    fit_head,
    folds_of,
    perceptron,
)
from clara_training.governance_heads import Head, expected_nats
from clara_training.governance_metrics import (
    bootstrap,
    calibration_error,
    calibration_rows,
    correlation,
    moments,
    reliability,
    sums_by_unit,
    units_of,
    useful,
)
from clara_training.governance_states import States, group_of

# 64 wide and with 8 epochs, it stays behind the entropy that is its input.
SHAPE = Shape(
    hidden=256, out=1, epochs=16, batch=1024, learning_rate=2e-3, weight_decay=0.1, dropout=0.5
)
_LEAST_TOKENS = 256
_LEAST_COST = 1e-3  # nats for a nat of entropy
_FEW = 4


class TraceHead(Head):
    """A perceptron, and what tokens of learned text cost of what they would cost unread."""

    def __init__(self, *shape: Any) -> None:
        super().__init__(*shape)
        self.log_learned = nn.Parameter(torch.zeros(()))


@dataclass
class Trace:
    """The head that is kept, what belongs to it, and its figures."""

    head: Head
    said: dict[str, Any]
    metrics: dict[str, Any]


def fit_trace(states: States, settings: FitSettings, device: str = "cpu") -> Trace | str:
    """Fit and judge the trace head, or return why there cannot be one."""
    split = states.spans[states.token_spans, 0]
    held, read = np.flatnonzero(split == 1), np.flatnonzero(split == 0)
    if len(held) < _LEAST_TOKENS:
        return (
            f"trace: no head, for it takes {_LEAST_TOKENS} tokens of held-out text, and there are"
            f" {len(held)}"
        )
    nats = np.asarray(states.nats[held], np.float64)
    entropy = np.asarray(states.entropy[held], np.float64)
    order = np.concatenate((held, read))
    inputs = torch.from_numpy(
        np.column_stack((states.token_states, states.entropy))[order].astype(np.float32)
    ).to(device)
    target = torch.from_numpy(np.asarray(states.nats, np.float32)[order]).to(device)
    learned = torch.arange(len(order), device=device) >= len(held)
    group, unit = _groups(states, held)
    fold = folds_of(group, np.zeros(len(group), np.int64), settings.folds)

    def outputs(head: TraceHead, cases: Tensor) -> Tensor:
        seen = inputs[cases]
        return expected_nats(head(seen), seen[:, -1:])

    def loss(head: TraceHead, cases: Tensor) -> Tensor:
        given = outputs(head, cases)[:, 0]
        given = torch.where(learned[cases], given * head.log_learned.exp(), given)
        return F.mse_loss(given, target[cases])

    begin = perceptron(inputs, SHAPE, TraceHead, at_zero=True)  # as the entropy itself

    def log_cost(cases: Tensor) -> Tensor:
        spread = inputs[cases, -1].mean().clamp_min(_LEAST_COST)
        return (target[cases].mean() / spread).clamp_min(_LEAST_COST).log()

    def build(cases: NDArray[np.int64]) -> TraceHead:
        head: TraceHead = begin(cases)
        which = at(cases, device)
        of_learned = learned[which]
        if bool(of_learned.any()):
            with torch.no_grad():
                head.log_learned.copy_(log_cost(which[of_learned]) - log_cost(which[~of_learned]))
        return head

    more = np.arange(len(held), len(order))
    found, how = cross_fit(build, outputs, fold, loss, SHAPE, settings, device, more)
    outside = [each[:, 0].double().numpy() for each in found]
    constant = np.zeros(len(nats))
    for number in np.unique(fold):
        constant[fold == number] = nats[fold != number].mean()
    everything = np.arange(len(order) if how.more else len(held))
    kept = fit_head(build, everything, loss, SHAPE, settings.seed, device, epochs=how.epochs)

    own = [sums_by_unit(moments(each, nats), unit) for each in outside]
    baselines = {"entropy": entropy, "a constant": constant}
    theirs = {name: sums_by_unit(moments(x, nats), unit) for name, x in baselines.items()}
    # A constant that differs by fold would correlate with the folds' own means.
    theirs["a constant"] = sums_by_unit(moments(np.zeros(len(nats)), nats), unit)
    gains = {name: bootstrap(own, correlation, [rows]) for name, rows in theirs.items()}

    def error(x: NDArray[np.float64]) -> Any:
        return sums_by_unit(calibration_rows(x, nats), unit)

    metrics = {
        "metric": "correlation with the loss",
        "value": bootstrap(own, correlation),
        "baselines": {name: bootstrap([rows], correlation) for name, rows in theirs.items()},
        "gain": gains,
        "useful": useful(gains, unit),
        "seeds": [float(correlation(rows.sum(0)[None])[0]) for rows in own],
        "ece_nats": bootstrap([error(each) for each in outside], calibration_error),
        "ece_nats_of_baselines": {
            name: bootstrap([error(x)], calibration_error) for name, x in baselines.items()
        },
        "mean_nats": float(nats.mean()),
        "reliability": reliability(outside[0], nats),
        "reliability_of_entropy": reliability(entropy, nats),
        "tokens": len(nats),
        "tokens_of_learned_text": len(read) if how.more else 0,
    }
    said = {"threshold": float(np.quantile(outside[0], 1 - settings.unsure))}
    return Trace(kept.head.cpu(), said, metrics)


def _groups(
    states: States, tokens: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return what may not be torn by a fold, and the units of the bootstrap, for each token."""
    spans = np.asarray(states.token_spans[tokens])
    document = states.spans[spans, 1]
    names = [states.sources[each][0] for each in document]
    _, book = np.unique(names, return_inverse=True)
    blocks = np.arange(len(spans)) * 4 * _FEW // len(spans)
    # A chapter in two translations is evidence but once, and is not learned from for itself.
    chapter = group_of(states)[spans]
    wholes = (book, chapter, document)
    groups = next((each for each in wholes if len(np.unique(each)) >= _FEW), blocks)
    units = units_of(chapter, document, blocks)
    return np.asarray(groups, np.int64), np.asarray(units, np.int64)
