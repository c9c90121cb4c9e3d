# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""How a governance head is fitted: AdamW on states in memory, the best epoch kept.

Everything that is drawn is a function of the seed, so a head comes out the same again on the same
machine with the same number of threads.
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from clara_training.governance_heads import Head

_SMALL = 0.1
_LEAST_STEPS = 60
Loss = Callable[[Head, Tensor], Tensor]  # of the cases with these numbers: a mean, ()


@dataclass(frozen=True)
class FitSettings:
    """How heads are fitted and judged; everything here changes them or their figures."""

    seed: int = 0  # of the heads that are kept
    seeds: int = 3  # that the figures are means of: seed, seed + 1, ...
    folds: int = 4
    precision: float = 0.9  # of the policy's answers above its threshold
    memory_size: int = 128
    unrelated: float = 0.001  # of unrelated spans that may pass memory's threshold
    unsure: float = 0.1  # of tokens that trace's threshold marks


@dataclass(frozen=True)
class Shape:
    """What one head's fitting takes."""

    hidden: int
    out: int
    epochs: int
    batch: int
    learning_rate: float
    weight_decay: float
    dropout: float


@dataclass
class Fitted:
    """A head, and after how many epochs it was best."""

    head: Head
    epochs: int


def fit_head(
    inputs: Tensor,
    cases: NDArray[np.int64],
    loss: Loss,
    shape: Shape,
    seed: int,
    check: NDArray[np.int64] | None = None,
    epochs: int | None = None,
    start: float | None = None,
) -> Fitted:
    """Fit a head to cases of inputs (N, in), by a loss of the cases' numbers, on their device.

    The head comes back to the CPU. With `check`, the epoch with the least loss on these cases is
    kept; else the last of `epochs`. `start` is what the last layer gives to begin with.
    """
    torch.manual_seed(seed)
    draw = np.random.Generator(np.random.PCG64(seed))
    sizes = [inputs.shape[1], *([shape.hidden] if shape.hidden else []), shape.out]
    head = Head(sizes, shape.dropout).to(inputs.device)
    head.standardise(inputs[_at(cases, inputs)])
    if start is not None:
        with torch.no_grad():
            head.layers[-1].weight.mul_(_SMALL)
            head.layers[-1].bias.fill_(start)
    optimizer = torch.optim.AdamW(
        head.parameters(), lr=shape.learning_rate, weight_decay=shape.weight_decay
    )
    batches = max(1, -(-len(cases) // shape.batch))
    # Few cases are gone through more often, or nothing would be learned from them.
    longest = max(shape.epochs, -(-_LEAST_STEPS // batches))
    most = min(epochs or longest, longest)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, shape.learning_rate, total_steps=longest * batches + 1, pct_start=0.1
    )
    best, least, kept = 0, float("inf"), copy.deepcopy(head.state_dict())
    for epoch in range(1, most + 1):
        head.train()
        for part in np.array_split(draw.permutation(cases), batches):
            step = loss(head, _at(part, inputs))
            optimizer.zero_grad(set_to_none=True)
            step.backward()
            optimizer.step()
            schedule.step()
        if check is not None:
            head.eval()
            with torch.no_grad():
                now = float(loss(head, _at(check, inputs)))
            if now < least:
                best, least, kept = epoch, now, copy.deepcopy(head.state_dict())
    if check is None:
        best = most
    else:
        head.load_state_dict(kept)
    return Fitted(head.eval().cpu(), max(1, best))


def _at(cases: NDArray[np.int64], inputs: Tensor) -> Tensor:
    return torch.from_numpy(cases).to(inputs.device)


def cross_fit(
    inputs: Tensor,
    fold: NDArray[np.int64],
    loss: Loss,
    shape: Shape,
    settings: FitSettings,
    start: float | None = None,
) -> tuple[list[Tensor], int]:
    """Return what heads that saw nothing of a case's fold give for it, and how long they took.

    For each seed (N, out), of inputs (N, in) in folds (N,); and the mean of the best epochs. How
    many epochs are best for a fold is seen on the next fold, once; then a head is fitted to all
    folds but its own for as long.
    """
    best: dict[int, int] = {}
    found = []
    for seed in range(settings.seed, settings.seed + settings.seeds):
        outputs = torch.zeros(len(inputs), shape.out)
        numbers = np.unique(fold)
        for place, number in enumerate(numbers):
            rest, test = np.flatnonzero(fold != number), np.flatnonzero(fold == number)
            if number not in best:
                next_ = numbers[(place + 1) % len(numbers)]
                check = np.flatnonzero((fold == next_) & (fold != number))
                train = np.flatnonzero((fold != number) & (fold != next_))
                if not len(train):  # of two folds
                    train = check = rest
                best[number] = fit_head(
                    inputs, train, loss, shape, seed, check, start=start
                ).epochs
            head = fit_head(inputs, rest, loss, shape, seed, epochs=best[number], start=start).head
            with torch.no_grad():
                outputs[test] = head(inputs[_at(test, inputs)].cpu())
        found.append(outputs)
    return found, round(float(np.mean(list(best.values()))))


def folds_of(
    groups: Sequence[int] | NDArray[np.int64],
    labels: Sequence[int] | NDArray[np.int64],
    folds: int,
) -> NDArray[np.int64]:
    """Return a fold for each case, so that a group is in one, and each label in several.

    The groups of a label (its commonest) are dealt out by size, the largest first, each to the
    fold that has least of the label.
    """
    groups, labels = np.asarray(groups), np.asarray(labels)
    of: dict[int, int] = {}
    by_label: dict[int, list[tuple[int, int]]] = {}
    for group in np.unique(groups):
        inside = labels[groups == group]
        label = Counter(inside.tolist()).most_common(1)[0][0]
        by_label.setdefault(label, []).append((len(inside), int(group)))
    total = np.zeros(folds)
    for label in sorted(by_label):
        own = np.zeros(folds)
        for size, group in sorted(by_label[label], reverse=True):
            fold = int(np.lexsort((total, own))[0])
            of[group] = fold
            own[fold] += size
            total[fold] += size
    return np.asarray([of[int(group)] for group in groups], dtype=np.int64)
