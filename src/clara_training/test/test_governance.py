# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Governance heads learn what there is to learn, say what they are worth, and take bad input."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from clara_training.corpus import SAMPLE, CorpusSettings, make_corpus
from clara_training.errors import CorpusError, GovernanceError
from clara_training.governance import GOVERNANCE_FILE, STATES, make_heads, verdicts
from clara_training.governance_file import read_governance
from clara_training.governance_fit import FitSettings
from clara_training.governance_heads import (
    spans_of,
)
from clara_training.governance_labels import label_documents, read_labels
from clara_training.governance_policy import fit_policy
from clara_training.governance_states import (
    StatesSettings,
    Window,
    by_turns,
    read_states,
)
from clara_training.manifest import read_manifest, write_manifest
from clara_training.scratch import load_model
from clara_training.shards import HELD_OUT, TRAIN, TokenStream, read_sources
from scratch_world import VOCAB, sample_corpus, train

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
    (tmp_path / "run" / GOVERNANCE_FILE).unlink()
    states = (tmp_path / "run" / STATES / "alone.npy").stat().st_mtime_ns
    again = make_heads(tmp_path / "run", run.parent / "corpus", settings=QUICK)
    assert again.read_bytes() == heads.read_bytes()
    # Read from the cache, and not computed again.
    assert (tmp_path / "run" / STATES / "alone.npy").stat().st_mtime_ns == states


def test_windows_are_taken_by_turns_and_short_documents_are_not_asked_again() -> None:
    asked: list[int] = []

    def document(number: int, windows: int) -> Iterator[Window]:
        for window in range(windows):
            asked.append(number)
            yield number, window, 1
        asked.append(number)

    documents = [document(number, 1) for number in range(50)] + [document(50, 200)]
    taken = by_turns(documents)
    assert [next(taken)[:2] for _ in range(52)] == [*((n, 0) for n in range(51)), (50, 1)]
    assert sum(1 for _ in taken) == 198 and len(asked) == 50 * 2 + 201


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


def test_classes_of_ones_own_are_kept_where_none_are_given_and_their_loss_is_said(
    run: Path, tmp_path: Path
) -> None:
    shutil.copytree(run / "best_model", tmp_path / "best_model")
    of = read_manifest(run / "best_model")
    heads = tmp_path / GOVERNANCE_FILE
    heads.write_bytes(b"heads")
    inputs = {"model": of["sha256"], "corpus": of["settings"]["corpus"], "labels": "mine"}
    write_manifest(heads, "governance", inputs, {}, {})
    said: list[str] = []
    assert make_heads(tmp_path, run.parent / "corpus", tell=said.append) == heads
    assert said.pop().startswith(f"{heads} is there already, with classes of your own: --labels")
    write_manifest(heads, "governance", {**inputs, "model": "another"}, {}, {})
    with pytest.raises(GovernanceError, match="was not trained on the corpus"):
        make_heads(tmp_path, sample_corpus(tmp_path), tell=said.append)
    assert "had classes of your own, and --labels does not give them" in said[0]
    assert heads.read_bytes() == b"heads"


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
    broken = tmp_path / GOVERNANCE_FILE
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
    assert "not better than naive Bayes" in said and (tmp_path / GOVERNANCE_FILE).exists()
    monkeypatch.setattr(sys, "argv", [*command, "--data_dir", str(tmp_path / "nowhere")])
    with pytest.raises(SystemExit):
        cli.main()
    assert capsys.readouterr().err.startswith("clara-train: the corpus that ")
