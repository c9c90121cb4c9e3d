# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Losses beside language modelling: what they are, how they are weighed, and what is kept."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from clara_training.corpus import SAMPLE, TOKENIZER, CorpusSettings, make_corpus
from clara_training.errors import PretrainError
from clara_training.loss_weights import DynamicAverage, Uncertainty
from clara_training.names import Names
from clara_training.objectives import (
    LOSSES,
    SEGMENT,
    Matcher,
    Objectives,
    coherence,
    content_alignment,
    embedded_means,
    same_document,
)
from clara_training.pretrain_checkpoint import Progress
from clara_training.pretrain_step import Compute, gradients
from clara_training.ranks import Ranks
from clara_training.scratch import new_model
from clara_training.shards import TRAIN, Rows, TokenStream
from clara_training.tokenizer import load_tokenizer
from safetensors.torch import load_file
from scratch_world import VOCAB, train

from clara_training import objectives as objectives_module

CONTEXT = 128
ALL = dict.fromkeys(LOSSES, True)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("text") / "corpus"
    make_corpus(SAMPLE, folder, CorpusSettings(vocab_size=VOCAB))
    return folder


def test_names_and_numbers_are_found_with_all_of_their_tokens(corpus: Path) -> None:
    tokenizer = load_tokenizer(corpus / TOKENIZER)
    text = "the LORD said to Zerubbabel. Then I came, and he had 153 fish of Galilee: Yes"
    ids = [0, *tokenizer.encode(text).ids]
    found = Names.of(tokenizer).in_rows(np.array([ids]))[0]
    words = "".join(
        tokenizer.decode([token]) if named else "|"
        for token, named in zip(ids[1:], found, strict=True)
    )
    assert [each.strip() for each in words.split("|") if each] == [
        *("LORD", "Zerubbabel", "153", "Galilee")
    ]


def test_a_passage_does_not_reach_over_the_end_of_a_document() -> None:
    tokens = np.ones((1, 4 * SEGMENT), dtype=np.int64)
    tokens[0, SEGMENT + 5] = 0  # a document begins inside the second segment
    assert same_document(tokens, 1).tolist() == [[False, False, True]]
    tokens[0, [SEGMENT + 5, SEGMENT]] = 1, 0  # and at its beginning
    assert same_document(tokens, 1).tolist() == [[False, True, True]]
    assert same_document(tokens, 2).tolist() == [[False, True]]


def test_aligned_codes_cost_nothing_and_what_was_read_is_no_distractor() -> None:
    torch.manual_seed(0)
    head = Matcher(64)
    with torch.no_grad():
        head.query.weight.copy_(torch.eye(64))
        head.key.weight.copy_(torch.eye(64))
    rows = torch.nn.functional.one_hot(torch.arange(8), 64).float().view(2, 4, 64)
    read = rows.roll(-1, dims=1)  # each state points at what follows
    valid, both = torch.ones(2, 3, dtype=torch.bool), torch.tensor([0, 1])
    loss, right = content_alignment(head, read, rows, both, valid)
    assert float(loss.detach()) < 0.01 and right == 6
    loss, right = coherence(head, read, rows, valid[:, :2])
    assert float(loss.detach()) < 0.01 and right == 4
    # The first segment again in the third place: who is at the second looks back at it in vain.
    rows[:, 2] = rows[:, 0]
    _, right = content_alignment(head, rows.roll(-1, dims=1), rows, both, valid)
    assert right == 6
    none = torch.zeros(2, 3, dtype=torch.bool)
    assert [float(each) for each in content_alignment(head, read, rows, both, none)] == [0, 0]


def test_uncertainty_comes_to_weigh_losses_by_their_inverse_and_dwa_by_their_descent() -> None:
    weights = Uncertainty(("large", "small"))
    losses = {"large": torch.tensor(5.0), "small": torch.tensor(0.5)}
    optimizer = torch.optim.SGD(weights.parameters(), lr=0.3)
    for _ in range(300):
        optimizer.zero_grad()
        (weights(losses) + weights.price(losses)).backward()
        optimizer.step()
    assert weights.values() == pytest.approx({"large": 0.1, "small": 1.0}, rel=1e-3)
    average = DynamicAverage(("quick", "slow"))
    for step in range(40):
        average.note({"quick": 1.0 if step < 20 else 0.5, "slow": 1.0})
    quick, slow = average.values().values()
    assert quick + slow == pytest.approx(2.0)
    assert slow / quick == pytest.approx(math.exp((1 - 0.5) / 2))


def test_a_loss_that_few_steps_have_is_weighed_by_those_alone() -> None:
    weights = Uncertainty(("usual", "rare"))
    optimizer = torch.optim.SGD(weights.parameters(), lr=0.3)
    for step in range(3000):
        losses = {"usual": torch.tensor(5.0)}
        if step % 10 == 0:
            losses["rare"] = torch.tensor(0.5)
        optimizer.zero_grad()
        (weights(losses) + weights.price(losses)).backward()
        optimizer.step()
    assert weights.values() == pytest.approx({"usual": 0.1, "rare": 1.0}, rel=1e-3)
    average = DynamicAverage(("quick", "slow", "rare"))
    for step in range(80):  # four windows, of which the second has no rare loss, the others three
        rare = {"rare": 4.0 - step // 20} if step // 20 != 1 and step % 7 == 0 else {}
        average.note({"quick": 0.5 ** (step // 20), "slow": 1.0, **rare})
        if step == 59:
            quick, slow, kept = average.values().values()
            assert kept == 1.0 and quick + slow == pytest.approx(2.0)
            assert slow / quick == pytest.approx(math.exp((1 - 0.5) / 2))
    quick, slow, rare = average.values().values()
    assert quick + slow + rare == pytest.approx(3.0)
    assert (slow / rare, rare / quick) == pytest.approx((math.exp(0.25), 1.0))


def test_weights_of_an_earlier_version_go_on_as_if_every_step_had_every_loss() -> None:
    whole, cut, again = (DynamicAverage(("quick", "slow")) for _ in range(3))
    for step in range(60):
        whole.note({"quick": 1.0 / (1 + step), "slow": 1.0})
        if step < 27:
            cut.note({"quick": 1.0 / (1 + step), "slow": 1.0})
    state = cut.state_dict()
    del state["there"]
    again.load_state_dict(state)
    for step in range(27, 60):
        again.note({"quick": 1.0 / (1 + step), "slow": 1.0})
    assert again.values() == whole.values()


def test_a_step_without_an_item_has_no_such_loss_and_its_head_stays(corpus: Path) -> None:
    names = Names.of(load_tokenizer(corpus / TOKENIZER))
    batch = np.full((2, CONTEXT + 1), 300)
    batch[:, ::40] = 0  # no document has two whole segments, nor a name
    model = new_model("simone", "nano", VOCAB, CONTEXT)
    objectives = Objectives(LOSSES, "uncertainty", 64, names, 0)
    assert objectives.without_items([batch]) == list(LOSSES)
    found = gradients(
        Compute(model, "cpu", objectives=objectives), batch, Progress(rows_at_once=1)
    )
    assert found.language > 0 and found.others == found.right == {}
    assert all(each.grad is None for each in objectives.heads.parameters())
    own, *others = objectives.weights.log_variances.grad.tolist()
    assert own != 0 and others == [0, 0, 0]
    rows = Rows(TokenStream(corpus, TRAIN), CONTEXT, 0)
    there = np.stack([rows.row(number) for number in range(2)])
    assert objectives.without_items([batch, there, batch]) == []


def test_embeddings_of_a_large_step_are_averaged_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    tokens, embedding = torch.arange(7 * 64).view(7, 64) % 50, torch.randn(50, 8)
    whole = embedded_means(tokens, embedding)
    monkeypatch.setattr(objectives_module, "_AT_ONCE", 2 * 64 * 8)
    assert embedded_means(tokens, embedding).equal(whole) and whole.shape == (7, 2, 8)


@pytest.mark.parametrize("weights", ["uncertainty", "dwa"])
def test_losses_do_not_depend_on_how_a_step_is_cut_or_shared(corpus: Path, weights: str) -> None:
    rows = Rows(TokenStream(corpus, TRAIN), CONTEXT, 0)
    batch = np.stack([rows.row(number) for number in range(4)])
    names = Names.of(load_tokenizer(corpus / TOKENIZER))

    def learned(at_once: int, ranks: Ranks) -> tuple[torch.Tensor, dict[str, float]]:
        model = new_model("simone", "nano", VOCAB, CONTEXT)
        objectives = Objectives(LOSSES, weights, 64, names, 0)
        compute = Compute(model, "cpu", ranks=ranks, objectives=objectives)
        found = gradients(compute, batch, Progress(rows_at_once=at_once))
        parameters = [*model.parameters(), *objectives.parameters()]
        parts = [torch.zeros_like(p) if p.grad is None else p.grad for p in parameters]
        whole = torch.cat([part.flatten() for part in parts])
        return whole, {"language": found.language, **found.others}

    class Share(Ranks):
        """One of two processes, whose sums are left to the test."""

        def sum_numbers(self, *numbers: float) -> list[float]:
            return list(numbers)

        def sum_gradients(self, parameters: Any) -> None:
            pass

    wanted, losses = learned(4, Ranks(0, 1, "cpu"))
    assert set(losses) == {"language", *LOSSES} and all(losses.values())
    cut, same = learned(1, Ranks(0, 1, "cpu"))
    assert same == pytest.approx(losses, rel=1e-5)
    assert (cut - wanted).abs().max() < 1e-5 * wanted.abs().max()
    shares = [learned(2, Share(rank, 2, "cpu")) for rank in range(2)]
    assert (shares[0][0] + shares[1][0] - wanted).abs().max() < 1e-5 * wanted.abs().max()
    summed = {name: shares[0][1][name] + shares[1][1][name] for name in losses}
    assert summed == pytest.approx(losses, rel=1e-5)


@pytest.mark.parametrize(
    "how",
    [
        {**ALL, "loss_weights": "uncertainty"},
        {**ALL, "loss_weights": "dwa", "optimizer": "muon"},
    ],
)
def test_with_losses_heads_and_muon_it_goes_on_bit_by_bit(
    corpus: Path, tmp_path: Path, how: dict[str, Any]
) -> None:
    settings = {**how, "max_steps": 26, "evaluations": 1, "patience": 0, "learning_rate": 1e-3}
    again: dict[str, Any] = {"context": CONTEXT}

    def stop(record: dict[str, Any]) -> None:
        if record["step"] == 23:  # dwa has weighed once, and is within a window
            raise KeyboardInterrupt

    whole = train("simone", corpus, tmp_path / "whole", again=again, **settings)
    with pytest.raises(KeyboardInterrupt):
        train(
            *("simone", corpus, tmp_path / "cut"),
            **{"again": {**again, "report": stop}, "seconds": 0, **settings},
        )
    cut = train("simone", corpus, tmp_path / "cut", again=again, **settings)
    states = [torch.load(each / "training_state.pt", weights_only=True) for each in (whole, cut)]
    for state in states:
        for timed in (state["progress"], *state["progress"]["history"]):
            del timed["seconds"]
    assert flat(states[0]).keys() == flat(states[1]).keys()
    assert any("heads" in name for name in flat(states[0]))
    for name, value in flat(states[0]).items():
        other = flat(states[1])[name]
        same = value.equal(other) if isinstance(value, torch.Tensor) else value == other
        assert same, name
    weights = [load_file(each / "model.safetensors") for each in (whole, cut)]
    assert all(tensor.equal(weights[1][name]) for name, tensor in weights[0].items())
    assert not any("query" in name for name in weights[0])


def flat(state: Any, name: str = "") -> dict[str, Any]:
    """Return a state as one level."""
    if isinstance(state, (list, tuple)):
        state = dict(enumerate(state))
    if not isinstance(state, dict):
        return {name: state}
    found: dict[str, Any] = {}
    for key, each in state.items():
        found |= flat(each, f"{name}/{key}")
    return found


def test_with_other_losses_the_optimiser_begins_anew_and_says_so(
    corpus: Path, tmp_path: Path
) -> None:
    best = train("simone", corpus, tmp_path / "1", max_steps=2, again={"context": CONTEXT})
    said: list[str] = []
    again = {"context": CONTEXT, "resume_from": str(best), "tell": said.append}
    train("simone", corpus, tmp_path / "2", max_steps=4, accuracy=True, again=again)
    assert "the optimiser begins anew, for accuracy changed" in said
    assert any(each.endswith("in fp32, accuracy") for each in said)
    with pytest.raises(PretrainError, match="--coherence needs a --context of at least 96 tokens"):
        train("simone", corpus, tmp_path / "3", coherence=True)
