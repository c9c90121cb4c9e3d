# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""An adapter alone becomes a GGUF that does in llama.cpp what it does in peft, or is refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
import tiny
import torch
from clara_training.base import find_base
from clara_training.errors import ExportError
from clara_training.export_adapter import export_adapter
from clara_training.export_gguf import write_model
from clara_training.gguf_scores import GgufScores, log_softmax
from clara_training.manifest import BASE_NAME, read_manifest, write_manifest

TOKENS = tiny.tokenizer().encode(" ".join(tiny.TEXT))
WEIGHTS = "adapter_model.safetensors"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A base model, as transformers' folder and as GGUF, and an adapter that peft made for it."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("place")
    write_model(tiny.save(tiny.llama(), folder / "base"), folder / "base.gguf", outtype="f32")
    # As TRL and unsloth leave it: the model loaded from its folder, which the config then names.
    model = tiny.llama()
    model.name_or_path = str(folder / "base")
    targets = ["q_proj", "k_proj", "down_proj", "lm_head"]
    wrapped = tiny.lora(model, folder / "with-head", seed=1, targets=targets)
    wrapped.save_pretrained(folder / "dialect", save_embedding_layers=False)
    with torch.inference_mode():
        np.save(folder / "wanted.npy", wrapped(torch.tensor([TOKENS])).logits[0].numpy())
    return folder


@pytest.fixture
def adapter(place: Path, tmp_path: Path) -> Path:
    """Return a copy of the adapter."""
    return Path(shutil.copytree(place / "dialect", tmp_path / "dialect"))


def change(adapter: Path, **changes: Any) -> None:
    path = adapter / "adapter_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def divergence(wanted: Any, found: Any) -> float:
    """Mean KL of two arrays of logits."""
    one, other = log_softmax(np.asarray(wanted)), log_softmax(np.asarray(found))
    return float((np.exp(one) * (one - other)).sum(-1).mean())


def test_an_adapter_of_peft_does_the_same_in_llama_cpp_and_needs_no_weights_of_its_base(
    place: Path, adapter: Path, tmp_path: Path
) -> None:
    path = tmp_path / "dialect.gguf"
    # Only a config, and one of a model in four bits, as unsloth's are.
    alone = tmp_path / "bnb-4bit"
    alone.mkdir()
    config = json.loads((place / "base" / "config.json").read_text())
    config["quantization_config"] = {"quant_method": "bitsandbytes", "load_in_4bit": True}
    (alone / "config.json").write_text(json.dumps(config))
    made = []
    for base in ("", str(alone), str(place / "base.gguf")):
        assert export_adapter(adapter, path, base=base) == 4
        made.append(path.read_bytes()[-path.stat().st_size // 2 :])
    assert made[0] == made[1] == made[2]
    assert read_manifest(path)["settings"][BASE_NAME] == str(place / "base.gguf")
    with GgufScores(place / "base.gguf", threads=1) as scores:
        plain = scores.logits(TOKENS)
        scores.load_adapter("dialect", path)
        scores.use({"dialect": 1.0})
        found = scores.logits(TOKENS)
    wanted = np.load(place / "wanted.npy")
    assert divergence(wanted, found) < 1e-5 < 1e-2 < divergence(wanted, plain)


def test_an_adapter_of_gpt2_fits_layers_that_are_kept_the_other_way_round(tmp_path: Path) -> None:
    base = tiny.save(tiny.gpt2(), tmp_path / "base")
    adapter = tmp_path / "dialect"
    tiny.lora(tiny.gpt2(), adapter, seed=1, targets=["c_attn", "c_fc"])
    assert export_adapter(adapter, tmp_path / "x.gguf", base=str(base)) == 4


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"use_dora": True}, "has use_dora True, which llama.cpp cannot apply"),
        ({"modules_to_save": ["lm_head"]}, r"has modules_to_save \['lm_head'\]"),
        ({"layer_replication": [[0, 2]]}, "has layer_replication"),
        ({"use_qalora": True}, "has use_qalora True"),
        ({"alora_invocation_tokens": [1]}, r"has alora_invocation_tokens \[1\]"),
        ({"trainable_token_indices": [1]}, r"has trainable_token_indices \[1\]"),
        ({"init_lora_weights": "pissa"}, "begun with init_lora_weights 'pissa', which changes"),
        ({"peft_type": "LOHA"}, "has peft_type 'LOHA'"),
        ({"r": None}, "does not say r of the adapter"),
        ({"base_model_name_or_path": None}, "does not say its base model: name it with --base"),
        ({"base_model_name_or_path": "/content/model"}, "folder /content/model is not there. The"),
    ],
)
def test_what_is_more_than_a_lora_or_of_an_unknown_base_is_refused(
    adapter: Path, tmp_path: Path, changes: dict[str, Any], sentence: str
) -> None:
    change(adapter, **changes)
    with pytest.raises(ExportError, match=sentence):
        export_adapter(adapter, tmp_path / "x.gguf")
    assert not (tmp_path / "x.gguf").exists()


def test_what_peft_saves_of_the_base_along_with_a_head_is_named_with_the_way_on(
    place: Path, tmp_path: Path
) -> None:
    with pytest.raises(ExportError, match=r"lm_head.base_layer.weight, .*save_embedding_layers="):
        export_adapter(place / "with-head", tmp_path / "x.gguf")


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        ({"hidden_size": 128}, "than .*: .* 128 values there and 64 in the adapter"),
        ({"num_hidden_layers": 1}, "which has no linear layer model.layers.1."),
        ({"tie_word_embeddings": True}, "changes lm_head, which .* shares with its embeddings"),
        ({"architectures": ["OlmoForCausalLM"]}, "models of the kind OlmoForCausalLM cannot be"),
    ],
)
def test_an_adapter_of_another_model_is_refused(
    place: Path, adapter: Path, tmp_path: Path, config: dict[str, Any], sentence: str
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    whole = {**json.loads((place / "base" / "config.json").read_text()), **config}
    (other / "config.json").write_text(json.dumps(whole))
    with pytest.raises(ExportError, match=sentence):
        export_adapter(adapter, tmp_path / "x.gguf", base=str(other))


def test_an_adapter_of_a_run_is_for_the_very_weights_that_it_was_trained_on(
    place: Path, adapter: Path, tmp_path: Path
) -> None:
    base = str(tiny.save(tiny.llama(), tmp_path / "base"))
    inputs = {"base": find_base(base).sha256()}
    write_manifest(adapter, "lora", inputs, {BASE_NAME: base}, {})
    export_adapter(adapter, tmp_path / "x.gguf")
    fields = gguf.GGUFReader(tmp_path / "x.gguf").fields
    assert fields["clara.base_sha256"].contents() == inputs["base"]
    tiny.save(tiny.llama(initializer_range=0.2), tmp_path / "base")
    with pytest.raises(ExportError, match=r"was trained on another base model .* than .* is now"):
        export_adapter(adapter, tmp_path / "x.gguf")
    (adapter / WEIGHTS).rename(adapter / "adapter_model.bin")
    with pytest.raises(ExportError, match=r"has no adapter_model.safetensors: save it again"):
        export_adapter(adapter, tmp_path / "x.gguf", base=str(place / "base"))
