# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""The policy head: which discourse class a passage belongs to, with a probability that means it.

Judged by cross-validation over books: a book is classified by a head that has seen the class of no
part of it, in any translation. It begins as naive Bayes on the tokens. Temperature (Guo et al.
2017) and threshold that a fold is judged by come from the other folds. It must beat the commonest
class and naive Bayes, on the words and on the tokens of the same passages.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from clara_training.governance_fit import (
    Build,
    FitSettings,
    Recipe,
    Shape,
    at,
    cross_fit,
    fit_head,
    folds_of,
    head_of_spans,
)
from clara_training.governance_heads import PolicyHead, Spans, spans_of
from clara_training.governance_metrics import (
    Bags,
    Estimate,
    bootstrap,
    calibration_error,
    calibration_rows,
    least_threshold,
    naive_bayes,
    reliability,
    share,
    sums_by_unit,
    units_of,
    useful,
    words_of,
)
from clara_training.governance_states import States

SHAPE = Shape(
    *(64, 0, 6, 256),
    learning_rate=3e-3,
    weight_decay=0.1,
    dropout=0.3,
    token_dropout=0.1,
    table_rate=3.0,
)


@dataclass
class Policy:
    """The head that is kept, what belongs to it, and its figures."""

    head: PolicyHead
    said: dict[str, Any]
    metrics: dict[str, Any]


@dataclass
class _Task:
    """What is to be told: the class `y` of each chosen span, as a place in `labels`.

    `book` and `fold` are of each span as well; `judged` is of those whose class can be tested.
    """

    states: States
    chosen: NDArray[np.int64]
    book: NDArray[np.int64]
    y: NDArray[np.int64]
    fold: NDArray[np.int64]
    judged: NDArray[np.bool_]
    labels: list[str]
    unit: NDArray[np.int64]  # of the bootstrap, of each judged span

    def hits(self, guess: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return sums by unit of right guesses and of guesses; `guess` is of each span."""
        right = (guess == self.y)[self.judged]
        return sums_by_unit(np.column_stack((right, np.ones(len(right)))), self.unit)


def fit_policy(
    states: States, classes: Sequence[str | None], settings: FitSettings, device: str = "cpu"
) -> Policy | str:
    """Fit and judge the policy head, or return why there cannot be one.

    `classes` has the class of each document, None without one; `device` does the fitting.
    """
    of = np.asarray([classes[document] or "" for document in states.spans[:, 1]])
    books = [states.sources[document][0] for document in states.spans[:, 1]]
    _, book = np.unique(books, return_inverse=True)
    counts = {name: len(set(book[of == name])) for name in sorted(set(of)) if name}
    tested = [name for name, several in counts.items() if several > 1]
    labels = list(counts)
    if len(tested) < 2:
        return (
            "policy: no head, for it takes two classes with two books each (one to learn from, one"
            f" to be tested on), and the corpus has {_listed(counts)}"
        )
    chosen = np.flatnonzero(of != "")
    y = np.asarray([labels.index(name) for name in of[chosen]])
    fold = folds_of(book[chosen], y, settings.folds)
    judged = np.isin(y, [labels.index(name) for name in tested])
    spans = states.spans[chosen[judged]]
    unit = units_of(book[chosen[judged]], spans[:, 1], spans[:, 4])
    task = _Task(states, chosen, book[chosen], y, fold, judged, labels, unit)

    # Twice: each span by itself, and within its window.
    ids = states.tokens(chosen)
    means = np.concatenate((states.alone[chosen], states.within[chosen]))
    views = spans_of(means, ids + ids).to(device)
    target = torch.from_numpy(np.concatenate((y, y))).to(device)
    twice = np.concatenate((fold, fold))
    shape = replace(SHAPE, out=len(labels))

    def build(seen: Spans) -> Build:
        begin = head_of_spans(PolicyHead, seen, states.vocabulary, shape)

        def counted(cases: NDArray[np.int64]) -> PolicyHead:
            head: PolicyHead = begin(cases)
            which = at(cases, device)
            head.count(seen[which], target[which])
            return head

        return counted

    def loss(seen: Spans, head: PolicyHead, cases: Tensor) -> Tensor:
        return F.cross_entropy(head(seen[cases]), target[cases])

    def outputs(seen: Spans, head: PolicyHead, cases: Tensor) -> Tensor:
        logits: Tensor = head(seen[cases])
        return logits

    def outside(seen: Spans) -> tuple[list[Tensor], Recipe]:
        given, learned = partial(outputs, seen), partial(loss, seen)
        return cross_fit(build(seen), given, twice, learned, shape, settings, device)

    logits, how = outside(views)
    metrics = _judge(task, logits, settings)
    if settings.without_states:
        metrics["without_states"] = _without(task, logits, outside(views.without_states())[0])
    if untested := [name for name in labels if name not in tested]:
        metrics["not_tested"] = untested
    everything = np.arange(len(views))
    kept: PolicyHead = fit_head(
        *(build(views), everything, partial(loss, views), shape, settings.seed, device),
        epochs=how.epochs,
    ).head.cpu()
    said = _said(task, logits[0][: len(y)], settings)
    return Policy(kept, {**said, "saturation": kept.saturation}, metrics)


def _said(task: _Task, logits: Tensor, settings: FitSettings) -> dict[str, Any]:
    judged, target = task.judged, torch.from_numpy(task.y)
    temperature = best_temperature(logits[judged], target[judged])
    chance, guess = (logits / temperature).softmax(-1).max(-1)
    right = (guess == target).numpy()
    threshold = least_threshold(chance.double().numpy()[judged], right[judged], settings.precision)
    return {"labels": task.labels, "temperature": temperature, "threshold": threshold}


def _without(task: _Task, logits: list[Tensor], blind: list[Tensor]) -> dict[str, Estimate]:
    n = len(task.y)
    own, theirs = (
        [task.hits(each[:n].argmax(-1).numpy()) for each in of] for of in (logits, blind)
    )
    return {"value": bootstrap(theirs, share), "gain": bootstrap(own, share, theirs)}


def _judge(task: _Task, outside: list[Tensor], settings: FitSettings) -> dict[str, Any]:
    y, fold, judged, unit = task.y, task.fold, task.judged, task.unit
    n = len(y)
    target = torch.from_numpy(y)
    hits: list[Any] = []
    within: list[Any] = []
    sure: list[Any] = []
    errors: list[Any] = []
    uncalibrated: list[Any] = []
    curve: list[list[float]] = []
    for logits in outside:
        chance = torch.zeros(n)
        answered = np.zeros(n, bool)
        guess = logits[:n].argmax(-1)
        right = (guess == target).numpy()
        for number in range(settings.folds):
            here = fold == number
            # What the other folds say is right for this one; the two never share a book.
            others = torch.from_numpy(~here & judged)
            if not bool(others.any()):
                others = torch.from_numpy(judged)
            heat = best_temperature(logits[:n][others], target[others])
            scaled = (logits[:n] / heat).softmax(-1).max(-1).values
            chance[here] = scaled[here]
            least = least_threshold(
                scaled[others].double().numpy(), right[others.numpy()], settings.precision
            )
            answered[here] = scaled.numpy()[here] >= least
        use = np.flatnonzero(judged)
        one = np.ones(len(use))
        hits.append(task.hits(guess.numpy()))
        within.append(task.hits(logits[n:].argmax(-1).numpy()))
        sure.append(
            sums_by_unit(np.column_stack((right[use] & answered[use], answered[use], one)), unit)
        )
        raw = logits[:n].softmax(-1).max(-1).values.double().numpy()
        for rows, values in ((errors, chance.double().numpy()), (uncalibrated, raw)):
            rows.append(
                sums_by_unit(calibration_rows(values[use], right[use].astype(float)), unit)
            )
        curve = curve or reliability(chance.double().numpy()[use], right[use].astype(float))
    baselines = _baselines(task)
    gains = {name: bootstrap(hits, share, [rows]) for name, rows in baselines.items()}
    spans = task.states.spans[task.chosen]
    never = np.flatnonzero(judged & (spans[:, 0] == 1))
    unread: Estimate | None = None
    if len(never):
        of = [
            np.column_stack(((each[:n].argmax(-1) == target).numpy()[never], np.ones(len(never))))
            for each in outside
        ]
        unread = bootstrap([sums_by_unit(each, spans[never, 1]) for each in of], share)
    return {
        "metric": "accuracy",
        "value": bootstrap(hits, share),
        "baselines": {name: bootstrap([rows], share) for name, rows in baselines.items()},
        "gain": gains,
        "useful": useful(gains, unit),
        "seeds": [float(share(rows.sum(0)[None])[0]) for rows in hits],
        "ece": bootstrap(errors, calibration_error),
        "ece_without_temperature": bootstrap(uncalibrated, calibration_error),
        "coverage": bootstrap([rows[:, 1:] for rows in sure], share),
        "accuracy_of_answers": bootstrap([rows[:, :2] for rows in sure], share),
        "accuracy_within_context": bootstrap(within, share),
        **({"accuracy_on_books_unread": unread} if unread else {}),
        "reliability": curve,
        "spans": int(judged.sum()),
        "books": len(np.unique(task.book[judged])),
    }


def _baselines(task: _Task) -> dict[str, Any]:
    words = Bags([words_of(text) for text in task.states.texts(task.chosen)])
    tokens = Bags([each.tolist() for each in task.states.tokens(task.chosen)])
    kinds = {
        "naive Bayes": (words, False),
        "naive Bayes, TF-IDF": (words, True),
        "naive Bayes, on tokens": (tokens, False),
    }
    guesses = {name: np.zeros(len(task.y), np.int64) for name in ("commonest class", *kinds)}
    for number in np.unique(task.fold):
        train, test = (
            np.flatnonzero(task.fold != number),
            np.flatnonzero(task.fold == number),
        )
        if not len(train):
            continue
        guesses["commonest class"][test] = np.bincount(task.y[train]).argmax()
        for name, (bags, weighted) in kinds.items():
            guesses[name][test] = naive_bayes(
                *(bags, task.y, train, test, len(task.labels)), tf_idf=weighted
            )
    return {name: task.hits(guess) for name, guess in guesses.items()}


def best_temperature(logits: Tensor, target: Tensor) -> float:
    """Return the T > 0 that makes softmax(logits / T) likeliest for targets (Guo et al. 2017)."""
    scales = torch.logspace(-1, 1.3, 120)
    nll = torch.stack([F.cross_entropy(logits / scale, target) for scale in scales])
    return float(scales[int(nll.argmin())])


def _listed(counts: dict[str, int]) -> str:
    if not counts:
        return "none that a class is known of (--labels gives them)"
    return ", ".join(f"{name} ({several})" for name, several in counts.items())
