# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""The parts of governance heads, on data made here: what they compute, learn, are judged by."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from clara_training.governance_fit import FitSettings, Shape, fit_head, folds_of, perceptron
from clara_training.governance_heads import (
    Embedded,
    Head,
    MemoryHead,
    PolicyHead,
    SpanHead,
    spans_of,
)
from clara_training.governance_metrics import (
    Bags,
    bm25,
    bootstrap,
    calibration_error,
    calibration_rows,
    correlation,
    least_threshold,
    moments,
    naive_bayes,
    ranks,
    share,
)
from clara_training.governance_states import (
    States,
    headings_of,
    traced_tokens,
)
from clara_training.governance_trace import fit_trace

QUICK = FitSettings(seeds=1, folds=2)


def test_another_seed_is_another_head() -> None:
    inputs = torch.randn(300, 4, generator=torch.Generator().manual_seed(0))
    wanted = inputs[:, 0] - 2 * inputs[:, 1]

    def loss(head: Head, cases: torch.Tensor) -> torch.Tensor:
        return F.mse_loss(head(inputs[cases])[:, 0], wanted[cases])

    shape = Shape(8, 1, 40, 64, 1e-2, 0.0, 0.0)
    build = perceptron(inputs, shape)
    fitted = [fit_head(build, np.arange(300), loss, shape, seed).head for seed in (0, 0, 1)]
    outputs = [head(inputs).detach() for head in fitted]
    assert torch.equal(outputs[0], outputs[1]) and not torch.equal(outputs[0], outputs[2])
    for output in outputs:
        assert float(F.mse_loss(output[:, 0], wanted)) < 0.05 * float(wanted.var())


def test_a_head_of_spans_adds_up_what_a_plain_computation_gives() -> None:
    draw = np.random.default_rng(0)
    ids = [draw.integers(0, 20, length) for length in (7, 1, 12)]
    states = draw.standard_normal((3, 4)).astype(np.float32)
    spans = spans_of(states, ids)
    head = SpanHead([4, 3], 20)
    head.begin(spans)
    torch.nn.init.normal_(head.table)
    found = sum((np.bincount(each, minlength=20) > 0).astype(float) for each in ids)
    idf = np.log(1 + (3 - found + 0.5) / (found + 0.5))
    np.testing.assert_allclose(head.weight.detach().numpy(), np.sqrt(idf), rtol=1e-5)
    for each, state, given in zip(ids, states, head(spans).detach().numpy(), strict=True):
        counts = np.bincount(each, minlength=20)
        terms = np.sqrt(idf) * counts / (counts + 2.5)
        terms /= np.linalg.norm(terms)
        wanted = terms @ head.table.detach().numpy()
        wanted = wanted + head.states(torch.from_numpy(state)).detach().numpy()
        np.testing.assert_allclose(given, wanted, atol=1e-5)


def test_the_policy_head_begins_as_naive_bayes() -> None:
    draw = np.random.default_rng(3)
    classes = np.array([0, 0, 0, 1, 1, 2])
    ids = [draw.integers(5 * c, 5 * c + 12, 9) for c in classes]
    spans = spans_of(draw.standard_normal((6, 4)).astype(np.float32), ids)
    head = PolicyHead([4, 3], 25)
    head.begin(spans)
    head.count(spans, torch.from_numpy(classes))
    terms = np.zeros((6, 25))
    for row, (tokens, x) in enumerate(zip(spans.tokens, head.terms(spans).detach(), strict=True)):
        np.add.at(terms[row], tokens.numpy(), x.numpy())
    counted = np.stack([1 + terms[classes == c].sum(0) for c in range(3)])
    scores = terms @ np.log(counted / counted.sum(1, keepdims=True)).T
    with torch.no_grad():
        given = head.rows(spans, head.terms(spans)).numpy()
    assert np.allclose(np.ptp(given - scores, axis=1), 0, atol=1e-4)  # but for a constant
    wanted = np.log([3, 2, 1]) - np.log([3, 2, 1]).mean()
    assert np.allclose(head.states.layers[-1].bias.detach().numpy(), wanted, atol=1e-6)


@pytest.mark.parametrize("alike", [True, False])
def test_trace_learns_from_learned_text_where_that_proves_better(alike: bool) -> None:
    held, read = 600, 4000
    draw = np.random.default_rng(5)
    states = draw.normal(size=(held + read, 24)).astype(np.float32)
    entropy = np.abs(draw.normal(size=held + read)).astype(np.float32) + 1
    rest = np.tanh(states @ draw.normal(size=24) / 3)
    nats = entropy + rest + 0.3 * draw.normal(size=held + read)
    # What was learned costs less throughout; where it is not alike, for quite other reasons.
    nats[held:] = 0.7 * (nats[held:] if alike else entropy[held:] - 0.9 * rest[held:])
    sources = [(f"Book {n}", f"text Book {n}") for n in range(10)]
    spans = np.zeros((10, 5), np.int64)
    spans[:, 1] = np.arange(10)
    spans[:8, 0] = 1
    of = np.concatenate((np.arange(held) * 8 // held, 8 + np.arange(read) * 2 // read))
    order = draw.permutation(held + read)
    trace = fit_trace(
        States(
            *(Path(), Path(), sources, headings_of(sources), spans),
            *(np.zeros((10, 24), np.float32),) * 2,
            *(states[order], of[order], entropy[order], nats[order].astype(np.float32)),
        ),
        FitSettings(seeds=1),
    )
    assert not isinstance(trace, str)
    assert trace.metrics["tokens"] == held
    assert trace.metrics["tokens_of_learned_text"] == (read if alike else 0)
    if alike:
        assert trace.metrics["gain"]["entropy"].low > 0.05
        # What it says is what held-out text costs, not the lower price of what was learned.
        assert trace.metrics["ece_nats"].value < 0.12 * trace.metrics["mean_nats"]


def test_spans_are_as_alike_as_their_whole_vectors() -> None:
    draw = np.random.default_rng(1)
    ids = [draw.integers(0, 30, length) for length in (9, 2, 15, 15)]
    spans = spans_of(draw.standard_normal((4, 5)).astype(np.float32), ids)
    head = MemoryHead([5, 6], 30)
    head.begin(spans)
    with torch.no_grad():
        embedded = head.embed(spans)
    whole = np.zeros((4, 30 + 12))
    for row, (tokens, weights) in enumerate(zip(embedded.tokens, embedded.weights, strict=True)):
        np.add.at(whole[row], tokens.numpy(), weights.numpy())
    whole[:, 30:] = embedded.dense.numpy()
    np.testing.assert_allclose(np.linalg.norm(whole, axis=1), 1, atol=1e-5)
    some = Embedded(embedded.tokens[:2, :4], embedded.weights[:2, :4], embedded.dense[:2])
    np.testing.assert_allclose(embedded.similarity(embedded), whole @ whole.T, atol=1e-5)
    assert some.similarity(embedded).shape == (2, 4)


def test_a_chapter_in_two_translations_is_evidence_but_once() -> None:
    chapters, each = 10, 60
    draw = np.random.default_rng(0)
    tokens = draw.normal(size=(chapters * each, 4)).astype(np.float32)
    entropy = np.abs(tokens[:, 0]) + 1
    nats = (entropy + draw.normal(size=len(entropy))).astype(np.float32)

    def entropy_alone(*translations: str) -> Any:
        sources = [
            (f"Book {number // 5}", f"{name} Book {number // 5} {number}")
            for name in translations
            for number in range(chapters)
        ]
        count = len(translations)
        spans = np.zeros((len(sources), 5), np.int64)
        spans[:, 0] = 1
        spans[:, 1] = np.arange(len(sources))
        states = States(
            *(Path(), Path(), sources, headings_of(sources), spans),
            *(np.zeros((len(sources), 4), np.float32),) * 2,
            token_states=np.tile(tokens, (count, 1)),
            token_spans=np.repeat(np.arange(len(sources)), each),
            entropy=np.tile(entropy, count),
            nats=np.tile(nats, count),
        )
        trace = fit_trace(states, QUICK)
        assert not isinstance(trace, str)
        return trace.metrics["baselines"]["entropy"].as_json()

    assert entropy_alone("kjv", "web") == entropy_alone("kjv")


def test_traced_tokens_are_spread_over_the_books_and_no_more_than_asked_for() -> None:
    spans = np.zeros((40, 5), np.int64)
    spans[30:, 0] = 1
    spans[:, 3] = 10
    spans[:, 4] = np.arange(40) // 2  # two spans to a window
    for split, tokens in ((0, 300), (1, 100)):
        own = np.flatnonzero(np.repeat(spans[:, 0] == split, 10))
        assert traced_tokens(spans, split, 1000).tolist() == own.tolist()
        some = traced_tokens(spans, split, 16)
        assert len(some) == 16 and np.isin(some, own).all() and len(set(some.tolist())) == 16
        windows = np.repeat(spans[:, 4], 10)[some]
        assert np.ptp(windows) >= 0.7 * tokens / 20
        assert len(set(windows.tolist())) <= 8 * 16 // 20
        assert not len(traced_tokens(spans, split, 0))
    assert not len(traced_tokens(spans[:30], 1, 16))


def test_metrics_are_those_of_their_definitions() -> None:
    draw = np.random.default_rng(1)
    x = draw.random(400)
    y = 0.5 * x + 0.1 * draw.standard_normal(400)
    sums = moments(x, y).sum(0)[None]
    assert correlation(sums)[0] == pytest.approx(np.corrcoef(x, y)[0, 1])
    assert correlation(moments(np.ones(400), y).sum(0)[None])[0] == 0
    sure = calibration_error(calibration_rows(x, x).sum(0)[None])[0]
    off = calibration_error(calibration_rows(x, x + 0.25).sum(0)[None])[0]
    assert sure == pytest.approx(0) and off == pytest.approx(0.25)
    units = np.column_stack((draw.binomial(50, 0.6, 60), np.full(60, 50)))
    found = bootstrap([units.astype(float)], share)
    assert found.low < 0.6 < found.high and found.high - found.low < 0.1
    worse = bootstrap([units.astype(float)], share, [units * np.array([0.9, 1.0])])
    assert worse.low > 0  # paired: the same units on both sides
    hits = np.array([True, True, False, True, False, False])
    confidence = np.array([0.9, 0.8, 0.7, 0.6, 0.5, 0.4])
    assert least_threshold(confidence, hits, 0.75) == 0.6
    assert least_threshold(confidence, ~hits, 0.9) == 1.0
    bags = Bags(["aaac", "aa", "bbbc", "bb", "a", "bc"])
    assert sorted(bags.dense()[0].tolist()) == [0, 1, 3] and bags.dense().shape == (6, 3)
    labels = np.array([0, 0, 1, 1, 0, 0])
    for tf_idf in (False, True):
        guessed = naive_bayes(bags, labels, np.arange(4), np.arange(4, 6), 2, tf_idf=tf_idf)
        assert guessed.tolist() == [0, 1]
    assert bm25(bags.dense())[0].argsort()[::-1][:2].tolist() == [0, 1]
    similarity = np.array([[0.9, 0.5, 0.7, 0.1]], np.float32)
    barred = np.array([[True, False, False, False]])
    assert ranks(similarity, np.array([1]), barred).tolist() == [1]
    fold = folds_of([0, 0, 1, 2, 2, 3], [0, 0, 0, 1, 1, 1], 2)
    assert fold[0] == fold[1] != fold[2] and fold[3] == fold[4] != fold[5]
