# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""How governance heads are judged: metrics, intervals, and the baselines that they must beat.

- Every metric is a function of sums over units (books, chapters in all translations, documents),
  so a bootstrap draws units with replacement and adds their sums up: what is alike in a unit never
  counts as new evidence.
- Baselines: naive Bayes and BM25, on words and on tokens, mean-pooled states, the model's own
  entropy, a constant.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Metric = Callable[[Floats], Floats]  # sums (B, K) -> values (B,)
DRAWS = 1000
BINS = 10
LEAST_UNITS = 8  # of a bootstrap that means something


@dataclass(frozen=True)
class Estimate:
    """A value and its 95 % interval."""

    value: float
    low: float
    high: float

    def as_json(self) -> dict[str, float | None]:
        """Return it with four digits; None for what there were no cases for."""
        return {
            name: round(float(each), 4) if np.isfinite(each) else None
            for name, each in vars(self).items()
        }

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


def sums_by_unit(values: Floats, units: NDArray[np.int64]) -> Floats:
    """Add up rows (N, K) of the same unit, (U, K)."""
    _, place = np.unique(units, return_inverse=True)
    sums = np.zeros((place.max() + 1, values.shape[1]))
    np.add.at(sums, place, values)
    return sums


def bootstrap(
    seeds: Sequence[Floats], metric: Metric, than: Sequence[Floats] = (), draws: int = DRAWS
) -> Estimate:
    """Estimate a metric, or with `than` how much greater it is than there.

    `seeds` and `than` hold the sums by unit, (U, K), of each seed; a seed's metrics are averaged,
    and the same units are drawn for all (paired bootstrap, Efron & Tibshirani 1993).
    """
    draw = np.random.Generator(np.random.PCG64(0))
    units = len(seeds[0])
    counts = draw.multinomial(units, np.full(units, 1 / units), size=draws).astype(np.float64)
    weights = np.vstack((np.ones((1, units)), counts))

    def mean(of: Sequence[Floats]) -> Floats:
        values: Floats = np.mean([metric(weights @ sums) for sums in of], axis=0)
        return values

    with np.errstate(invalid="ignore", divide="ignore"):
        values = mean(seeds) - (mean(than) if len(than) else 0.0)
    drawn = values[1:][np.isfinite(values[1:])]
    if not len(drawn):
        return Estimate(float(values[0]), float("nan"), float("nan"))
    low, high = np.quantile(drawn, (0.025, 0.975))
    return Estimate(float(values[0]), float(low), float(high))


def units_of(*choices: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the first of these ways to divide the cases that has units enough to draw from."""
    return next((each for each in choices if len(np.unique(each)) >= LEAST_UNITS), choices[-1])


def useful(gains: Mapping[str, Estimate], units: NDArray[np.int64]) -> bool:
    """Tell whether all gains are above 0 for certain: with intervals of enough units."""
    enough = len(np.unique(units)) >= LEAST_UNITS
    return enough and all(each.low > 0 for each in gains.values())


def share(sums: Floats) -> Floats:
    """Return hits per case, of sums (B, 2) of hits and cases."""
    ratio: Floats = sums[:, 0] / sums[:, 1]
    return ratio


def correlation(sums: Floats) -> Floats:
    """Return Pearson's correlation, of sums (B, 6): n, x, y, x², y², xy."""
    n, x, y, xx, yy, xy = sums.T
    spread = np.maximum(n * xx - x * x, 0) * np.maximum(n * yy - y * y, 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        found = (n * xy - x * y) / np.sqrt(spread)
    # A constant foretells nothing, which is a correlation of none.
    return np.where(spread > 0, found, 0.0)


def moments(x: Floats, y: Floats) -> Floats:
    """Return the rows (N, 6) that `correlation` wants the sums of."""
    return np.column_stack((np.ones_like(x), x, y, x * x, y * y, x * y))


def calibration_rows(foretold: Floats, happened: Floats) -> Floats:
    """Return rows (N, 3 · BINS) that `calibration_error` wants the sums of: n, foretold, happened.

    The bins hold equally many cases.
    """
    edges = np.quantile(foretold, np.linspace(0, 1, BINS + 1)[1:-1])
    place = np.searchsorted(edges, foretold, side="right")
    rows = np.zeros((len(foretold), 3, BINS))
    at = np.arange(len(foretold))
    rows[at, 0, place], rows[at, 1, place], rows[at, 2, place] = 1.0, foretold, happened
    return rows.reshape(len(foretold), -1)


def calibration_error(sums: Floats) -> Floats:
    """Return the expected calibration error (Naeini et al. 2015), of sums (B, 3 · BINS).

    Σ over bins of n_bin / n · |mean foretold - mean happened|, in the unit of what is foretold.
    """
    n, foretold, happened = sums.reshape(len(sums), 3, BINS).transpose(1, 0, 2)
    error: Floats = np.abs(foretold - happened).sum(1) / n.sum(1)
    return error


def reliability(foretold: Floats, happened: Floats) -> list[list[float]]:
    """Return [mean foretold, mean happened, cases] of each bin: the points of its curve."""
    n, expected, was = calibration_rows(foretold, happened).sum(0).reshape(3, BINS)
    return [
        [round(float(expected[at] / n[at]), 4), round(float(was[at] / n[at]), 4), int(n[at])]
        for at in range(BINS)
        if n[at]
    ]


def words_of(text: str) -> list[str]:
    """Return the words of a text, in lower case."""
    return re.findall(r"\w+(?:['\u2019]\w+)*", text.lower())


class Bags:
    """Texts as bags of terms: in the texts `rows` (E,) `counts` (E,), not 0, of `terms` (E,).

    There are `texts` of them, and `size` terms; only the `most` frequent ones, by texts, have a
    number.
    """

    def __init__(self, texts: Sequence[Sequence[Hashable]], most: int = 8192) -> None:
        bags = [Counter(text) for text in texts]
        frequent: Counter[Hashable] = Counter()
        for bag in bags:
            frequent.update(bag.keys())
        known = {term: place for place, (term, _) in enumerate(frequent.most_common(most))}
        entries = [
            (row, known[term], count)
            for row, bag in enumerate(bags)
            for term, count in bag.items()
            if term in known
        ]
        self.rows, self.terms, counts = np.array(entries, np.int64).reshape(-1, 3).T
        self.counts = counts.astype(np.float64)
        self.texts, self.size = len(texts), max(1, len(known))

    def dense(self) -> NDArray[np.float32]:
        """Return the counts as (N, V)."""
        table = np.zeros((self.texts, self.size), np.float32)
        table[self.rows, self.terms] = self.counts
        return table


def naive_bayes(
    bags: Bags,
    labels: NDArray[np.int64],
    train: NDArray[np.int64],
    test: NDArray[np.int64],
    classes: int,
    *,
    tf_idf: bool,
    alpha: float = 0.1,
) -> NDArray[np.int64]:
    """Return the classes that multinomial naive Bayes gives the test texts, (T,).

    With `tf_idf`, on log(1 + count) · idf of length 1 (Rennie et al. 2003) in place of counts.
    """
    learned = np.isin(bags.rows, train)
    values = bags.counts
    if tf_idf:
        frequency = np.bincount(bags.terms[learned], minlength=bags.size)
        idf = np.log((1 + len(train)) / (1 + frequency)) + 1
        values = np.log1p(values) * idf[bags.terms]
        squares = np.bincount(bags.rows, values**2, minlength=bags.texts)
        values = values / np.maximum(np.sqrt(squares), 1e-9)[bags.rows]
    totals = np.full((classes, bags.size), alpha)
    np.add.at(totals, (labels[bags.rows[learned]], bags.terms[learned]), values[learned])
    log_term = np.log(totals / totals.sum(1, keepdims=True))
    log_class = np.log(
        np.maximum(np.bincount(labels[train], minlength=classes), 1e-9) / len(train)
    )
    scores = [
        np.bincount(bags.rows, values * each[bags.terms], minlength=bags.texts)[test]
        for each in log_term
    ]
    return np.asarray((np.stack(scores, axis=1) + log_class).argmax(1), np.int64)


def bm25(counts: NDArray[np.float32], k1: float = 1.2, b: float = 0.75) -> NDArray[np.float32]:
    """Return the BM25 score of each text (column) for each text as query (row), (N, N).

    Robertson & Zaragoza 2009, with the idf of Lucene, which is never negative.
    """
    frequency = (counts > 0).sum(0)
    idf = np.log(1 + (len(counts) - frequency + 0.5) / (frequency + 0.5))
    long = counts.sum(1, keepdims=True)
    weights = counts * (k1 + 1) / (counts + k1 * (1 - b + b * long / long.mean())) * idf
    return np.asarray(counts @ weights.T.astype(np.float32), np.float32)


def ranks(
    similarity: NDArray[np.float32], wanted: NDArray[np.int64], barred: NDArray[np.bool_]
) -> NDArray[np.int64]:
    """Return at which place (from 0) each query finds what it wants, (Q,).

    `similarity` (Q, N); `wanted` (Q,) are columns; `barred` (Q, N) are no candidates. Equals count
    half against it.
    """
    rows = np.arange(len(wanted))
    target = similarity[rows, wanted][:, None]
    open_ = ~barred
    open_[rows, wanted] = False
    above = ((similarity > target) & open_).sum(1)
    equal = ((similarity == target) & open_).sum(1)
    return np.asarray(above + equal // 2, np.int64)


def least_threshold(confidence: Floats, right: NDArray[np.bool_], precision: float) -> float:
    """Return the least confidence from which on at least `precision` of the answers are right.

    Where there is none, 1: everything is unsure.
    """
    order = np.argsort(-confidence, kind="stable")
    precise = np.cumsum(right[order]) / np.arange(1, len(order) + 1)
    good = np.flatnonzero(precise >= precision)
    return float(confidence[order[good[-1]]]) if len(good) else 1.0


def json_of(value: Any) -> Any:
    """Return nested estimates as JSON."""
    if isinstance(value, Estimate):
        return value.as_json()
    if isinstance(value, dict):
        return {str(name): json_of(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [json_of(each) for each in value]
    return round(value, 4) if isinstance(value, float) else value
