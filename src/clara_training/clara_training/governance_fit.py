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
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from clara_training.governance_heads import Head, SpanHead, Spans

_LEAST_STEPS = 60
Cases = NDArray[np.int64]
_NONE: Cases = np.empty(0, np.int64)
Build = Callable[[Cases], nn.Module]  # a head to begin with, for the cases that it is fitted to
Loss = Callable[[Any, Tensor], Tensor]  # of a head and the cases with these numbers: a mean, ()


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
    without_states: bool = False  # also say what policy and memory are worth on tokens alone


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
    token_dropout: float = 0.0  # of a span head's terms
    table_rate: float = 1.0  # how much faster the table of tokens is learned

    def sizes(self, inputs: int) -> list[int]:
        """Return the widths of its perceptron, from input to output."""
        return [inputs, *([self.hidden] if self.hidden else []), self.out]


@dataclass
class Fitted:
    """A head, after how many epochs it was best, and its loss then on what it was checked on."""

    head: Any
    epochs: int
    loss: float


@dataclass(frozen=True)
class Recipe:
    """What was found best for a head: so many epochs, and whether from more cases as well."""

    epochs: int
    more: bool


def perceptron(
    inputs: Tensor, shape: Shape, kind: type[Head] = Head, *, at_zero: bool = False
) -> Build:
    """Return how a perceptron of inputs (N, in) begins; with `at_zero` it gives little."""

    def build(cases: Cases) -> Head:
        head: Head = kind(shape.sizes(inputs.shape[1]), shape.dropout).to(inputs.device)
        head.standardise(inputs[at(cases, inputs.device)])
        if at_zero:
            head.begin_small()
        return head

    return build


def head_of_spans(kind: type[SpanHead], spans: Spans, vocabulary: int, shape: Shape) -> Build:
    """Return how a head of spans begins."""

    def build(cases: Cases) -> SpanHead:
        device = spans.states.device
        sizes = shape.sizes(spans.states.shape[1])
        head: SpanHead = kind(sizes, vocabulary, shape.dropout, shape.token_dropout).to(device)
        head.begin(spans[at(cases, device)])
        return head

    return build


def fit_head(
    build: Build,
    cases: Cases,
    loss: Loss,
    shape: Shape,
    seed: int,
    device: str | torch.device = "cpu",
    check: Cases | None = None,
    epochs: int | None = None,
) -> Fitted:
    """Fit a head to cases, by a loss of the cases' numbers, on a device; it stays there.

    With `check`, the epoch with the least loss on these cases is kept; else the last of `epochs`.
    """
    torch.manual_seed(seed)
    draw = np.random.Generator(np.random.PCG64(seed))
    head = build(cases)
    optimizer = torch.optim.AdamW(_groups(head, shape))
    batches = max(1, -(-len(cases) // shape.batch))
    # Few cases are gone through more often, or nothing would be learned from them.
    longest = max(shape.epochs, -(-_LEAST_STEPS // batches))
    most = min(epochs or longest, longest)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer,
        [group["lr"] for group in optimizer.param_groups],
        total_steps=longest * batches + 1,
        pct_start=0.1,
    )
    best, least, kept = 0, float("inf"), copy.deepcopy(head.state_dict())
    for epoch in range(1, most + 1):
        head.train()
        for part in np.array_split(draw.permutation(cases), batches):
            step = loss(head, at(part, device))
            optimizer.zero_grad(set_to_none=True)
            step.backward()
            optimizer.step()
            schedule.step()
        if check is not None:
            head.eval()
            with torch.no_grad():
                now = float(loss(head, at(check, device)))
            if now < least:
                best, least, kept = epoch, now, copy.deepcopy(head.state_dict())
    if check is None:
        best = most
    else:
        head.load_state_dict(kept)
    return Fitted(head.eval(), max(1, best), least)


def _groups(head: nn.Module, shape: Shape) -> list[dict[str, Any]]:
    """Return what AdamW learns at which rate; a scalar or weight that is a logarithm stays."""
    groups: dict[str, dict[str, Any]] = {
        "": {"lr": shape.learning_rate, "weight_decay": shape.weight_decay},
        "log": {"lr": shape.learning_rate, "weight_decay": 0.0},
        "table": {
            "lr": shape.learning_rate * shape.table_rate,
            "weight_decay": shape.weight_decay / shape.table_rate,
        },
    }
    for name, parameter in head.named_parameters():
        kind = name.partition("_")[0]
        groups[kind if kind in groups else ""].setdefault("params", []).append(parameter)
    return [group for group in groups.values() if "params" in group]


def at(cases: Cases, device: str | torch.device) -> Tensor:
    """Return the numbers of cases as an index on a device."""
    return torch.from_numpy(cases).to(device)


def cross_fit(
    build: Build,
    outputs: Callable[[Any, Tensor], Tensor],
    fold: Cases,
    loss: Loss,
    shape: Shape,
    settings: FitSettings,
    device: str | torch.device = "cpu",
    more: Cases = _NONE,
) -> tuple[list[Tensor], Recipe]:
    """Return what heads that saw nothing of a case's fold give for it, and how they were fitted.

    For each seed (N, out), by `outputs` of a head and cases, in folds (N,). How many epochs are
    best for a fold is seen on the next fold, once, and so is whether it is better to learn from
    `more` cases as well, which are in no fold; then a head is fitted so to all folds but its own.
    The recipe is that of most folds, and has the mean of their epochs.
    """
    best: dict[int, Recipe] = {}
    found = []

    def cases(chosen: NDArray[np.bool_], with_more: bool) -> Cases:
        own = np.flatnonzero(chosen)
        return np.concatenate((own, more)) if with_more else own

    for seed in range(settings.seed, settings.seed + settings.seeds):
        given = torch.zeros(len(fold), shape.out)
        numbers = np.unique(fold)
        for place, number in enumerate(numbers):
            if number not in best:
                next_ = numbers[(place + 1) % len(numbers)]
                check = np.flatnonzero((fold == next_) & (fold != number))
                train = (fold != number) & (fold != next_)
                if not train.any():  # of two folds
                    train = fold != number
                    check = np.flatnonzero(train)
                tried = {
                    each: fit_head(build, cases(train, each), loss, shape, seed, device, check)
                    for each in ((False, True) if len(more) else (False,))
                }
                with_more = min(tried, key=lambda each: tried[each].loss)
                best[number] = Recipe(tried[with_more].epochs, with_more)
            how = best[number]
            rest, test = cases(fold != number, how.more), np.flatnonzero(fold == number)
            head = fit_head(build, rest, loss, shape, seed, device, epochs=how.epochs).head
            with torch.no_grad():
                given[test] = outputs(head, at(test, device)).cpu()
        found.append(given)
    with_more = sum(each.more for each in best.values()) * 2 > len(best)
    epochs = [each.epochs for each in best.values() if each.more == with_more]
    return found, Recipe(round(float(np.mean(epochs))), with_more)


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
