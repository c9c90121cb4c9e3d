# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Governance heads learn what there is to learn, say what they are worth, and take bad input."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from clara_training.corpus import SAMPLE, CorpusSettings, make_corpus
from clara_training.errors import CorpusError, GovernanceError
from clara_training.governance import FILE, STATES, make_heads, verdicts
from clara_training.governance_file import read_governance
from clara_training.governance_fit import FitSettings, Shape, fit_head, folds_of, perceptron
from clara_training.governance_heads import (
    Embedded,
    Head,
    MemoryHead,
    PolicyHead,
    SpanHead,
    spans_of,
)
from clara_training.governance_labels import label_documents, read_labels
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
from clara_training.governance_policy import fit_policy
from clara_training.governance_states import (
    States,
    StatesSettings,
    _traced,
    headings_of,
    read_states,
)
from clara_training.governance_trace import fit_trace
from clara_training.manifest import read_manifest
from clara_training.scratch import load_model
from clara_training.shards import HELD_OUT, TRAIN, TokenStream, read_sources
from scratch_world import VOCAB, train

from clara_training import cli

QUICK = FitSettings(seeds=1, folds=2)
WORDS = {
    "sea": ["ship", "wave", "salt", "gull", "storm", "sail", "tide", "oar"],
    "farm": ["cow", "barn", "hay", "plough", "wheat", "hen", "mud", "gate"],
}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of texts about the sea and farms, in sub-folders, three books each."""
    draw = np.random.default_rng(0)
    folder = tmp_path_factory.mktemp("governance")
    for label, words in WORDS.items():
        (folder / "text" / label).mkdir(parents=True)
        for number in range(4):
            # Each book has its own favourites, so that a span's context can be told.
            weights = draw.dirichlet(np.full(len(words), 0.6))
            said = draw.choice(words, 900, p=weights)
            path = folder / "text" / label / f"{label}{number}.txt"
            path.write_text(" ".join(said))
    corpus = folder / "corpus"
    held_out = ("sea0", "sea1", "farm0", "farm1")
    settings = CorpusSettings(vocab_size=300, held_out=held_out, near=1.0)
    make_corpus(folder / "text", corpus, settings)
    train("simone", corpus, folder / "run", max_steps=80, num_epochs=50)
    return folder / "run"


@pytest.fixture(scope="module")
def heads(run: Path) -> Path:
    return make_heads(run, settings=QUICK)


def test_the_classes_of_books_never_seen_are_told_and_the_file_holds_what_the_brain_needs(
    run: Path, heads: Path
) -> None:
    metrics = read_manifest(heads)["metrics"]
    policy = metrics["policy"]
    assert policy["classes_from"] == "the sub-folders" and policy["books"] == 8
    assert policy["value"]["value"] > 0.9 > policy["baselines"]["commonest class"]["value"]
    assert policy["coverage"]["value"] > 0.8 and policy["accuracy_of_answers"]["value"] > 0.9
    # Words tell these classes as well: the head is no better, and it is said.
    assert policy["useful"] is False
    said = [row[-1] for row in verdicts(metrics)]
    assert any(each.startswith("not better than naive Bayes") for each in said)
    assert any(each.startswith("better than commonest class") for each in said)

    governance = read_governance(heads)
    model = load_model(run / "best_model")
    assert governance.model_sha256 == read_manifest(run / "best_model")["sha256"]
    assert governance.width == model.config.width
    assert governance.said["policy"]["labels"] == ["farm", "sea"]
    assert governance.metrics["policy"]["useful"] is False
    stream = TokenStream(run.parent / "corpus", HELD_OUT)
    starts = np.load(run.parent / "corpus" / f"{HELD_OUT}.documents.npy").astype(int)
    for start, (book, _) in zip(
        starts, read_sources(run.parent / "corpus", HELD_OUT), strict=True
    ):
        tokens = torch.from_numpy(stream.slice(start, start + 40))[None]
        with torch.no_grad():
            states = model.states(tokens)[0]
            logits = model.logits(states)
            span = spans_of(states[1:].mean(0)[None].numpy(), [tokens[0, 1:].numpy()])
            chance = governance.policy(span)[0]
            log_p = logits.log_softmax(-1)
            entropy = -(log_p.exp() * log_p).sum(-1)
            nats = governance.trace(states, entropy)
            memory = governance.memory(span)
        assert governance.said["policy"]["labels"][int(chance.argmax())] == book[:-1]
        assert float(chance.sum()) == pytest.approx(1)
        assert float(memory.similarity(memory)) == pytest.approx(1)
        assert nats.shape == (40,) and bool((nats > 0).all())


def test_the_trace_head_expects_about_what_the_tokens_cost(heads: Path) -> None:
    trace = read_manifest(heads)["metrics"]["trace"]
    assert trace["ece_nats"]["value"] < 0.2 * trace["mean_nats"]
    assert trace["gain"]["a constant"]["low"] > 0


def test_the_memory_head_finds_context_better_than_chance(heads: Path) -> None:
    memory = read_manifest(heads)["metrics"]["memory"]
    assert memory["value"]["low"] > 10 / memory["candidates"]
    threshold = read_governance(heads).said["memory"]["threshold"]
    assert -1 < threshold < 1


def test_heads_that_are_there_are_not_made_again_and_come_out_the_same_from_one_seed(
    run: Path, heads: Path, tmp_path: Path
) -> None:
    said: list[str] = []
    make_heads(run, settings=QUICK, tell=said.append)
    assert said == [f"{heads} is there already"]
    shutil.copytree(run, tmp_path / "run")
    (tmp_path / "run" / FILE).unlink()
    states = (tmp_path / "run" / STATES / "alone.npy").stat().st_mtime_ns
    again = make_heads(tmp_path / "run", run.parent / "corpus", settings=QUICK)
    assert again.read_bytes() == heads.read_bytes()
    # Read from the cache, and not computed again.
    assert (tmp_path / "run" / STATES / "alone.npy").stat().st_mtime_ns == states


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


def test_states_of_a_span_are_those_of_the_model(run: Path, heads: Path) -> None:
    model = load_model(run / "best_model")
    spans = np.load(run / STATES / "spans.npy")
    alone, within = (np.load(run / STATES / f"{name}.npy") for name in ("alone", "within"))
    nats, of = np.load(run / STATES / "nats.npy"), np.load(run / STATES / "token_spans.npy")
    corpus = run.parent / "corpus"
    streams = [TokenStream(corpus, split) for split in (TRAIN, HELD_OUT)]
    assert set(spans[:, 0]) == {0, 1}
    for wanted_split in (0, 1):
        # The second span of a window, some of whose tokens are traced.
        second = next(
            n
            for n in range(1, len(spans))
            if spans[n, 0] == wanted_split and spans[n, 4] == spans[n - 1, 4] and n in of
        )
        split, _, start, length, _ = spans[second]
        tokens = streams[split].slice(int(start), int(start + length) + 1)
        before = streams[split].slice(int(spans[second - 1, 2]), int(start))
        with torch.no_grad():
            own = model.states(torch.tensor([[0, *tokens[:-1]]]))[0, 1:]
            inside = model.states(torch.tensor([[0, *before, *tokens[:-1]]]))
            inside = inside[0, 1 + len(before) :]
            log_p = model.logits(inside).log_softmax(-1)
        assert np.allclose(alone[second], own.mean(0).numpy(), atol=1e-4)
        assert np.allclose(within[second], inside.mean(0).numpy(), atol=1e-4)
        wanted = -log_p[torch.arange(int(length)), torch.from_numpy(tokens[1:])]
        assert np.allclose(nats[of == second], wanted.numpy(), atol=1e-3)


def test_traced_tokens_are_spread_over_the_books_and_no_more_than_asked_for() -> None:
    spans = np.zeros((40, 5), np.int64)
    spans[30:, 0] = 1
    spans[:, 3] = 10
    spans[:, 4] = np.arange(40) // 2  # two spans to a window
    for split, tokens in ((0, 300), (1, 100)):
        own = np.flatnonzero(np.repeat(spans[:, 0] == split, 10))
        assert _traced(spans, split, 1000).tolist() == own.tolist()
        some = _traced(spans, split, 16)
        assert len(some) == 16 and np.isin(some, own).all() and len(set(some.tolist())) == 16
        windows = np.repeat(spans[:, 4], 10)[some]
        assert np.ptp(windows) >= 0.7 * tokens / 20
        assert len(set(windows.tolist())) <= 8 * 16 // 20
        assert not len(_traced(spans, split, 0))
    assert not len(_traced(spans[:30], 1, 16))


def test_bad_labels_are_a_sentence(run: Path, heads: Path, tmp_path: Path) -> None:
    path = tmp_path / "labels.json"
    for text, said in (
        ("{", "are not JSON"),
        ("[]", "are not an object like"),
        ('{"sea0": 3}', "'sea0' has 3; it must be the name of a class"),
        ('{"wet": ["sea0"], "dry": ["SEA0"]}', "'SEA0' is of the class 'wet' and of 'dry'"),
        ('{"wet": ["sea0", "sea9"]}', "'sea9' is no book or document of the corpus"),
    ):
        path.write_text(text)
        with pytest.raises(GovernanceError, match=said):
            make_heads(run, labels=path, settings=QUICK)
    with pytest.raises(GovernanceError, match="cannot be read"):
        make_heads(run, labels=tmp_path / "none.json", settings=QUICK)
    assert read_governance(heads).heads.keys() == {"policy", "memory", "trace"}  # untouched


def test_with_fewer_than_two_classes_of_two_books_there_is_no_policy_head_and_it_is_said(
    run: Path, heads: Path
) -> None:
    made = read_manifest(run / STATES)
    corpus = run.parent / "corpus"
    model = load_model(run / "best_model")
    states = read_states(
        *(model, made["inputs"]["model"], corpus, made["inputs"]["corpus"], run / STATES),
        StatesSettings(),
    )
    wet = ["wet" if book == "sea0" else None for book, _ in states.sources]
    said = fit_policy(states, wet, QUICK)
    assert isinstance(said, str) and said.endswith("and the corpus has wet (1)")
    said = fit_policy(states, [None] * len(states.sources), QUICK)
    assert isinstance(said, str) and said.endswith("(--labels gives them)")


def test_a_damaged_file_and_a_missing_model_are_sentences(
    run: Path, heads: Path, tmp_path: Path
) -> None:
    broken = tmp_path / FILE
    broken.write_bytes(heads.read_bytes()[:-500])
    with pytest.raises(GovernanceError, match=r"is damaged .*: remove it and make it again"):
        read_governance(broken)
    with pytest.raises(GovernanceError, match="is not there: make it with"):
        read_governance(tmp_path / "none.safetensors")
    with pytest.raises(GovernanceError, match="there is no finished model in"):
        make_heads(tmp_path)
    shutil.copytree(run / "best_model", tmp_path / "best_model")
    with pytest.raises(GovernanceError, match=r"is not at .*: give it with --data_dir"):
        make_heads(tmp_path)
    other = tmp_path / "other"
    make_corpus(SAMPLE, other, CorpusSettings(vocab_size=VOCAB))
    with pytest.raises(GovernanceError, match="was not trained on the corpus"):
        make_heads(tmp_path, other)
    (other / f"{TRAIN}.sources.json").unlink()
    with pytest.raises(CorpusError, match="was made by an earlier version"):
        read_sources(other, TRAIN)


def test_the_classes_of_the_bible_are_of_passages_and_a_document_comes_before_its_book() -> None:
    classes = read_labels(Path(sys.modules[label_documents.__module__].BIBLE))
    assert len(set(classes.values())) == 8
    sources = [
        *(("Genesis", "engKJV2006eb Genesis 3"), ("Exodus", "engWEB2015eb Exodus 20")),
        *(("Exodus", "engWEB2015eb Exodus 2"), ("ruth", "ruth.txt"), ("Moby Dick", "moby.txt")),
    ]
    found, origin = label_documents(sources)
    assert found == ["history", "law", "history", "history", None]
    assert origin == "discourse_classes.json"


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


def test_the_command_makes_the_heads_and_says_what_each_is_worth(
    run: Path, heads: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    quick = StatesSettings(train_spans=128, held_out_spans=64)
    monkeypatch.setattr("clara_training.governance_states.StatesSettings", lambda seed: quick)
    monkeypatch.setattr("clara_training.governance_fit.FitSettings", lambda seed: QUICK)
    shutil.copytree(run / "best_model", tmp_path / "best_model")
    command = ["clara-train", "governance", str(tmp_path), "--threads", "1"]
    monkeypatch.setattr(sys, "argv", [*command, "--data_dir", str(run.parent / "corpus")])
    cli.main()
    said = capsys.readouterr().out
    assert "not better than naive Bayes" in said and (tmp_path / FILE).exists()
    monkeypatch.setattr(sys, "argv", [*command, "--data_dir", str(tmp_path / "nowhere")])
    with pytest.raises(SystemExit):
        cli.main()
    assert capsys.readouterr().err.startswith("clara-train: the corpus that ")
