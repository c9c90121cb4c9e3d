# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""The policy head: which discourse class a passage belongs to, with a probability that means it.

Judged by cross-validation over books: a book is classified by a head that has seen the class of no
part of it, in any translation. Temperature (Guo et al. 2017) and threshold that a fold is judged
by come from the other folds. It must beat the commonest class and naive Bayes on the same words.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from clara_training.governance_fit import FitSettings, Fitted, Shape, cross_fit, fit_head, folds_of
from clara_training.governance_heads import Head
from clara_training.governance_metrics import (
    Estimate,
    Words,
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
)
from clara_training.governance_states import States

SHAPE = Shape(
    hidden=64, out=0, epochs=12, batch=256, learning_rate=3e-3, weight_decay=0.1, dropout=0.3
)


@dataclass
class Policy:
    """The head that is kept, what belongs to it, and its figures."""

    head: Head
    said: dict[str, Any]
    metrics: dict[str, Any]


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
    # Twice: each span by itself, and within its window.
    views = torch.from_numpy(
        np.concatenate((states.alone[chosen], states.within[chosen])).astype(np.float32)
    ).to(device)
    n = len(chosen)
    target = torch.from_numpy(np.concatenate((y, y))).to(device)
    shape = replace(SHAPE, out=len(labels))

    def loss(head: Head, cases: Tensor) -> Tensor:
        return F.cross_entropy(head(views[cases]), target[cases])

    outside, epochs = cross_fit(views, np.concatenate((fold, fold)), loss, shape, settings)
    kept = fit_head(views, np.arange(2 * n), loss, shape, settings.seed, epochs=epochs)
    judged = np.isin(y, [labels.index(name) for name in tested])
    metrics = _judge(states, chosen, book[chosen], y, fold, judged, outside, labels, settings)
    if untested := [name for name in labels if name not in tested]:
        metrics["not_tested"] = untested
    return Policy(
        *_kept(kept, labels, target[:n].cpu(), outside[0][:n], judged, settings), metrics
    )


def _kept(
    fitted: Fitted,
    labels: list[str],
    target: Tensor,
    outside: Tensor,
    judged: NDArray[np.bool_],
    settings: FitSettings,
) -> tuple[Head, dict[str, Any]]:
    temperature = best_temperature(outside[judged], target[judged])
    chance, guess = (outside / temperature).softmax(-1).max(-1)
    right = (guess == target).numpy()
    threshold = least_threshold(chance.double().numpy()[judged], right[judged], settings.precision)
    return fitted.head, {"labels": labels, "temperature": temperature, "threshold": threshold}


def _judge(
    states: States,
    chosen: NDArray[np.int64],
    book: NDArray[np.int64],
    y: NDArray[np.int64],
    fold: NDArray[np.int64],
    judged: NDArray[np.bool_],
    outside: list[Tensor],
    labels: list[str],
    settings: FitSettings,
) -> dict[str, Any]:
    n = len(y)
    target = torch.from_numpy(y)
    spans = states.spans[chosen[judged]]
    unit = units_of(book[judged], spans[:, 1], spans[:, 4])
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
        hits.append(sums_by_unit(np.column_stack((right[use], one)), unit))
        far = (logits[n:].argmax(-1) == target).numpy()
        within.append(sums_by_unit(np.column_stack((far[use], one)), unit))
        sure.append(
            sums_by_unit(np.column_stack((right[use] & answered[use], answered[use], one)), unit)
        )
        raw = logits[:n].softmax(-1).max(-1).values.double().numpy()
        for rows, values in ((errors, chance.double().numpy()), (uncalibrated, raw)):
            rows.append(
                sums_by_unit(calibration_rows(values[use], right[use].astype(float)), unit)
            )
        curve = curve or reliability(chance.double().numpy()[use], right[use].astype(float))
    baselines = _baselines(states, chosen, unit, y, fold, judged, len(labels))
    gains = {name: bootstrap(hits, share, [rows]) for name, rows in baselines.items()}
    never = np.flatnonzero(judged & (states.spans[chosen, 0] == 1))
    unread: Estimate | None = None
    if len(never):
        of = [
            np.column_stack(((each[:n].argmax(-1) == target).numpy()[never], np.ones(len(never))))
            for each in outside
        ]
        documents = states.spans[chosen[never], 1]
        unread = bootstrap([sums_by_unit(each, documents) for each in of], share)
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
        "spans": len(np.flatnonzero(judged)),
        "books": len(np.unique(book[judged])),
    }


def _baselines(
    states: States,
    chosen: NDArray[np.int64],
    unit: NDArray[np.int64],
    y: NDArray[np.int64],
    fold: NDArray[np.int64],
    judged: NDArray[np.bool_],
    classes: int,
) -> dict[str, Any]:
    words = Words(states.texts(chosen)).counts
    guesses = {
        name: np.zeros(len(y), np.int64)
        for name in ("commonest class", "naive Bayes", "naive Bayes, TF-IDF")
    }
    for number in np.unique(fold):
        train, test = np.flatnonzero(fold != number), np.flatnonzero(fold == number)
        if not len(train):
            continue
        guesses["commonest class"][test] = np.bincount(y[train]).argmax()
        for name, weighted in (("naive Bayes", False), ("naive Bayes, TF-IDF", True)):
            guesses[name][test] = naive_bayes(words, y, train, test, classes, tf_idf=weighted)
    use = np.flatnonzero(judged)
    return {
        name: sums_by_unit(np.column_stack((guess[use] == y[use], np.ones(len(use)))), unit)
        for name, guess in guesses.items()
    }


def best_temperature(logits: Tensor, target: Tensor) -> float:
    """Return the T > 0 that makes softmax(logits / T) likeliest for targets (Guo et al. 2017)."""
    scales = torch.logspace(-1, 1.3, 120)
    nll = torch.stack([F.cross_entropy(logits / scale, target) for scale in scales])
    return float(scales[int(nll.argmin())])


def _listed(counts: dict[str, int]) -> str:
    if not counts:
        return "none that a class is known of (--labels gives them)"
    return ", ".join(f"{name} ({several})" for name, several in counts.items())
