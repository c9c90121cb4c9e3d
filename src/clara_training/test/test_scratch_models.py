# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""MVLM and SIM-ONE compute what GPT-2 and Llama compute, with cache and in packed rows too."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import tiny
import torch
import torch._dynamo.utils
from clara_training.decoder import (
    KVCache,
    count,
    documents_in,
    read_weights,
    write_weights,
)
from clara_training.errors import PretrainError
from torch.nn.functional import scaled_dot_product_attention

from clara_training import mvlm, simone, varlen

MVLM = mvlm.MvlmConfig(vocab_size=384, context=64, layers=2, width=64, heads=4)
SIMONE = simone.SimoneConfig(384, 64, layers=2, width=64, heads=4, kv_heads=2, inner=96)
MODELS = {
    "mvlm": lambda: mvlm.Mvlm(MVLM),
    "simone": lambda: simone.Simone(SIMONE),
    "untied": lambda: simone.Simone(replace(SIMONE, tied=False, kv_heads=4, rope_base=300.0)),
}


@pytest.fixture(params=MODELS)
def model(request: pytest.FixtureRequest) -> Any:
    torch.manual_seed(3)
    made = MODELS[request.param]()
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return made.eval()


def some_tokens(rows: int = 2, length: int = 40) -> torch.Tensor:
    return torch.randint(1, 384, (rows, length), generator=torch.Generator().manual_seed(5))


@pytest.mark.parametrize("tied", [True, False])
def test_simone_computes_llamas_logits_from_llamas_weights(tied: bool) -> None:
    llama = tiny.llama(tie_word_embeddings=tied)
    own = simone.from_transformers(llama.config.to_dict(), llama.state_dict())
    with torch.inference_mode():
        wanted = llama(some_tokens()).logits
        torch.testing.assert_close(own(some_tokens()), wanted, atol=2e-5, rtol=1e-5)
    assert wanted.std() > 0.1
    assert count(own) == sum(p.numel() for p in llama.parameters())


def test_mvlm_computes_gpt2s_logits_from_gpt2s_weights() -> None:
    gpt2 = tiny.gpt2()
    own = mvlm.from_transformers(gpt2.config.to_dict(), gpt2.state_dict())
    with torch.inference_mode():
        wanted = gpt2(some_tokens()).logits
        torch.testing.assert_close(own(some_tokens()), wanted, atol=2e-5, rtol=1e-5)
    assert wanted.std() > 0.1


def test_what_is_saved_opens_in_transformers_and_comes_back_bit_by_bit(
    model: Any, tmp_path: Path
) -> None:
    from transformers import AutoModelForCausalLM

    module = mvlm if isinstance(model, mvlm.Mvlm) else simone
    write_weights(tmp_path, *module.to_transformers(model))
    theirs = AutoModelForCausalLM.from_pretrained(tmp_path, dtype=torch.float32).eval()
    back = module.from_transformers(*read_weights(tmp_path))
    with torch.inference_mode():
        wanted = model(some_tokens())
        torch.testing.assert_close(theirs(some_tokens()).logits, wanted, atol=2e-5, rtol=1e-5)
        assert torch.equal(back(some_tokens()), wanted)
    assert back.config == model.config


def test_with_the_cache_the_logits_are_those_of_the_whole_text(model: Any) -> None:
    tokens, cache, parts = some_tokens(), KVCache(), []
    with torch.inference_mode():
        for start, stop in ((0, 20), (20, 33), *((at, at + 1) for at in range(33, 40))):
            parts.append(model(tokens[:, start:stop], cache=cache))
        torch.testing.assert_close(torch.cat(parts, 1), model(tokens), atol=2e-5, rtol=1e-5)
        with pytest.raises(PretrainError, match="65 tokens does not fit into the model's context"):
            model(some_tokens(2, 25), cache=cache)


def test_documents_in_one_row_do_not_see_each_other(model: Any) -> None:
    first, second = some_tokens(2, 17), some_tokens(2, 40)[:, 17:]
    first[:, 0] = second[:, 0] = 0
    packed = torch.cat((first, second), 1)
    with torch.inference_mode():
        apart = torch.cat((model(first), model(second)), 1)
        together = model(packed, documents=documents_in(packed))
        torch.testing.assert_close(together, apart, atol=2e-5, rtol=1e-5)
        assert (model(packed) - apart).abs().max() > 1e-3
        whole = documents_in(first)
        assert whole.mask is None
        assert torch.equal(model(first, documents=whole), model(first))


def attention_of_each_document(
    q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, bounds: torch.Tensor, *_: Any, **how: Any
) -> torch.Tensor:
    """Compute what a GPU's kernel computes: (tokens, heads, size), document by document."""
    assert bounds.dtype is torch.int32 and how["window_size"] == (-1, 0)
    lengths = bounds.diff().tolist()
    parts = zip(*(each.transpose(0, 1).split(lengths, 1) for each in (q, k, v)), strict=True)
    gqa = q.shape[1] != k.shape[1]
    return torch.cat(
        [scaled_dot_product_attention(*each, is_causal=True, enable_gqa=gqa) for each in parts], 1
    ).transpose(0, 1)


def test_with_a_gpu_s_kernel_documents_are_what_they_are_with_a_mask(
    model: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(varlen, "_kernel", lambda: (attention_of_each_document, True))
    assert not varlen.takes("cpu", torch.bfloat16) and not varlen.takes("cuda", torch.float32)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: (7, 5))
    assert not varlen.takes("cuda:1", torch.float16)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: (9, 0))
    assert varlen.takes("cuda:1", torch.bfloat16)
    tokens = some_tokens(3, 40)
    tokens[0, [0, 17, 18]] = tokens[2, [5, 39]] = 0  # the second row begins in the middle of one
    documents = documents_in(tokens, varlen=True)
    assert documents.mask is None and documents.bounds is not None
    assert documents.bounds.tolist() == [0, 17, 18, 40, 80, 85, 119, 120]
    wanted = documents_in(tokens)
    assert torch.equal(documents.positions, wanted.positions)
    with torch.inference_mode():
        found = model(tokens, documents=documents)
        torch.testing.assert_close(found, model(tokens, documents=wanted), atol=2e-5, rtol=1e-5)


def test_compiled_as_for_a_gpu_it_learns_the_same(model: Any) -> None:
    tokens = some_tokens(2, 41)
    tokens[:, 17] = 0
    documents = documents_in(tokens[:, :-1])

    def learned() -> tuple[torch.Tensor, list[torch.Tensor]]:
        model.zero_grad()
        nats, states = model(tokens[:, :-1], tokens[:, 1:], documents, each=True)
        (nats.sum() + states.sum()).backward()
        return nats.detach(), [each.grad for each in model.parameters()]

    model.train()
    wanted = learned()
    before = torch._dynamo.utils.counters["stats"]["unique_graphs"]
    model.compile_for("cuda:0")
    found = learned()
    # All layers are one, and the loss is the other.
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] == before + 2
    torch.testing.assert_close(found, wanted, atol=1e-3, rtol=1e-4)


def test_with_targets_it_is_the_sum_of_the_nats(model: Any) -> None:
    tokens, targets = some_tokens(2, 41)[:, :-1], some_tokens(2, 41)[:, 1:]
    with torch.inference_mode():
        log_p = model(tokens).log_softmax(-1).gather(2, targets[..., None])
        torch.testing.assert_close(model(tokens, targets), -log_p.sum())


@pytest.mark.parametrize("module", [mvlm, simone])
def test_the_sizes_have_the_parameters_that_they_are_said_to_have(module: Any) -> None:
    kind = mvlm.Mvlm if module is mvlm else simone.Simone
    source = Path(module.__file__).read_text()
    for name in ("tiny", "small", "base", "large"):
        config = module.SIZES[name]
        with torch.device("meta"):
            millions = round(count(kind(config)) / 1e6)
        line = next(each for each in source.splitlines() if f'"{name}": ' in each)
        assert line.endswith(f"# {millions} M"), (name, millions)
        assert config.width % 256 == 0 and getattr(config, "inner", 0) % 256 == 0


@pytest.mark.parametrize("size", [0, 100, -20])
def test_a_cut_off_model_is_a_sentence(tmp_path: Path, size: int) -> None:
    write_weights(tmp_path, *mvlm.to_transformers(mvlm.Mvlm(MVLM)))
    path = tmp_path / "model.safetensors"
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(PretrainError, match=r"is damaged .*: take an earlier one"):
        read_weights(tmp_path)
    path.unlink()
    with pytest.raises(PretrainError, match=r"there is no model in"):
        read_weights(tmp_path)
    json.loads((tmp_path / "config.json").read_text())


def test_recomputed_activations_take_less_memory_and_give_the_same_gradients(model: Any) -> None:
    model.train()
    tokens = some_tokens()
    tokens[:, 17] = 0  # two documents in each row
    documents = documents_in(tokens[:, :-1])

    def gradients() -> tuple[int, list[torch.Tensor]]:
        kept = []

        def keep(tensor: torch.Tensor) -> torch.Tensor:
            kept.append(tensor.numel() * tensor.element_size())
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            loss = model(tokens[:, :-1], tokens[:, 1:], documents)
        kept_by_forward = sum(kept)
        model.zero_grad()
        loss.backward()
        return kept_by_forward, [parameter.grad.clone() for parameter in model.parameters()]

    before, wanted = gradients()
    model.recompute_layers()
    after, found = gradients()
    assert after < 0.6 * before
    assert all(torch.equal(*pair) for pair in zip(wanted, found, strict=True))
