# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""GGUF adapters do in llama.cpp what peft does, at any scale, one by one and collapsed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny
import torch
from clara_training.adapters_gguf import collapse, write_adapter
from clara_training.errors import ExportError
from clara_training.export_gguf import write_model
from clara_training.gguf_scores import GgufScores, log_softmax

TEXT = " ".join(tiny.TEXT)
CONFIG = {**tiny.llama().config.to_dict(), "architectures": ["LlamaForCausalLM"]}


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def divergence(wanted: Any, found: Any) -> float:
    """Mean KL of two arrays of logits."""
    one, other = log_softmax(np.asarray(wanted)), log_softmax(np.asarray(found))
    return float((np.exp(one) * (one - other)).sum(-1).mean())


def logits(model: Any, tokens: list[int]) -> Any:
    with torch.inference_mode():
        return model(torch.tensor([tokens])).logits[0].numpy()


@pytest.mark.parametrize("make", [tiny.llama, tiny.gpt2], ids=["llama", "gpt2"])
def test_an_adapter_at_a_scale_is_the_offline_merge_at_that_weight(
    make: Callable[[], Any], tmp_path: Path
) -> None:
    model = make()
    config = {**model.config.to_dict(), "architectures": [type(model).__name__]}
    write_model(tiny.save(model, tmp_path / "hf"), tmp_path / "base.gguf", outtype="f32")
    wrapped = tiny.lora(model, tmp_path / "warmth", seed=1)
    path = tmp_path / "warmth.gguf"
    assert write_adapter(tmp_path / "warmth", config, path, base="tiny", outtype="f32") == 4
    tokens = tiny.tokenizer().encode(TEXT)
    with GgufScores(tmp_path / "base.gguf", threads=1) as scores:
        scores.load_adapter("warmth", path)
        plain = scores.logits(tokens)
        for scale in (1.0, 0.4, -0.5):
            for layer in wrapped.modules():
                if hasattr(layer, "set_scale"):
                    layer.set_scale("default", scale)
            wanted = logits(wrapped, tokens)
            scores.use({"warmth": scale})
            assert divergence(wanted, scores.logits(tokens)) < 1e-5
            assert divergence(wanted, plain) > 1e-2
        scores.use({})
        assert np.array_equal(scores.logits(tokens), plain)


def test_ranks_and_alphas_that_differ_by_module_are_kept(tmp_path: Path) -> None:
    from peft import LoraConfig, get_peft_model

    model = tiny.llama()
    write_model(tiny.save(model, tmp_path / "hf"), tmp_path / "base.gguf", outtype="f32")
    wrapped = get_peft_model(
        model,
        LoraConfig(
            r=4,
            lora_alpha=8,
            target_modules=["q_proj", "down_proj"],
            rank_pattern={"down_proj": 2},
            alpha_pattern={"down_proj": 10, r"1\.\w+\.q_proj": 3},
            use_rslora=True,
        ),
    )
    torch.manual_seed(3)
    for name, parameter in wrapped.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.1)
    wrapped.eval().save_pretrained(tmp_path / "odd")
    write_adapter(tmp_path / "odd", CONFIG, tmp_path / "odd.gguf", base="tiny", outtype="f32")
    tokens = tiny.tokenizer().encode(TEXT)
    with GgufScores(tmp_path / "base.gguf", threads=1) as scores:
        scores.load_adapter("odd", tmp_path / "odd.gguf")
        scores.use({"odd": 1.0})
        assert divergence(logits(wrapped, tokens), scores.logits(tokens)) < 1e-5


def test_collapsed_adapters_do_together_what_they_did_apart(tmp_path: Path) -> None:
    model = tiny.llama()
    write_model(tiny.save(model, tmp_path / "hf"), tmp_path / "base.gguf", outtype="f32")
    weights = {"warmth": 0.8, "formal": 0.3, "playful": -0.5}
    targets = {"formal": ["q_proj", "v_proj"]}
    for seed, name in enumerate(weights):
        tiny.lora(
            tiny.llama(), tmp_path / name, seed=seed, rank=4 + seed, targets=targets.get(name)
        )
        write_adapter(tmp_path / name, CONFIG, tmp_path / f"{name}.gguf", base="tiny")
    one = tmp_path / "all.gguf"
    rank = collapse({tmp_path / f"{name}.gguf": weights[name] for name in weights}, one)
    assert rank == 4 + 5 + 6
    tokens = tiny.tokenizer().encode(TEXT)
    with GgufScores(tmp_path / "base.gguf", threads=1) as scores:
        for name in weights:
            scores.load_adapter(name, tmp_path / f"{name}.gguf")
        scores.load_adapter("all", one)
        plain = scores.logits(tokens)
        scores.use(weights)
        apart = scores.logits(tokens)
        scores.use({"all": 1.0})
        together = scores.logits(tokens)
    assert divergence(apart, together) < 1e-5
    assert divergence(apart, plain) > 1e-2


def test_adapters_of_two_models_are_not_collapsed(tmp_path: Path) -> None:
    for name in ("one", "other"):
        tiny.lora(tiny.llama(), tmp_path / name, seed=1)
        write_adapter(tmp_path / name, CONFIG, tmp_path / f"{name}.gguf", base=name)
    with pytest.raises(ExportError, match="they were made for one, other"):
        collapse({tmp_path / "one.gguf": 1.0, tmp_path / "other.gguf": 1.0}, tmp_path / "all.gguf")
    assert not (tmp_path / "all.gguf").exists()


def test_an_adapter_that_llama_cpp_cannot_apply_is_refused(tmp_path: Path) -> None:
    model = tiny.llama()
    tiny.lora(model, tmp_path / "warmth", seed=1)
    file = tmp_path / "warmth" / "adapter_config.json"
    settings = json.loads(file.read_text())
    file.write_text(json.dumps({**settings, "use_dora": True}))
    path = tmp_path / "warmth.gguf"
    with pytest.raises(ExportError, match="use_dora True, which llama"):
        write_adapter(tmp_path / "warmth", CONFIG, path, base="tiny")
    with pytest.raises(ExportError, match="is not a peft adapter"):
        write_adapter(tmp_path, CONFIG, path, base="tiny")
    file.write_text(json.dumps(settings))
    (tmp_path / "warmth" / "adapter_model.safetensors").write_bytes(b"{")
    with pytest.raises(ExportError, match="cannot be read"):
        write_adapter(tmp_path / "warmth", CONFIG, path, base="tiny")
    assert not path.exists()
