# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""What a run could not end well with is said before its first adapter is trained."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import tiny
import tiny_run
from clara_training.data_missing import check_own
from clara_training.errors import (
    DataError,
    ExportError,
    MergeError,
    TrainingError,
    ValidationError,
)
from clara_training.examples import held_out
from clara_training.manifest import write_manifest
from clara_training.pipeline import PipelineSettings, run_pipeline, settings_for
from clara_training.spec import Spec
from safetensors.torch import load_file, save_file

Place = tuple[Path, Spec]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    spec = tiny_run.write_spec(tmp_path, tiny.save(tiny.llama(), tmp_path / "base"))
    tiny_run.write_data(tmp_path / "run")
    return tmp_path / "run", spec


def refused(
    place: Place,
    error: type[TrainingError],
    sentence: str,
    settings: PipelineSettings | None = None,
) -> None:
    run, spec = place
    settings = settings or settings_for("cpu", quick=True)
    with pytest.raises(error, match=sentence):
        run_pipeline(run, spec, settings, fill_data=lambda spec: None)
    assert not (run / "adapters").exists()


def test_a_method_that_cannot_merge_so_many(place: Place) -> None:
    run, spec = place
    spec = replace(spec, expertise={"coding": 0.5, "medical": 0.7}, merge_method="slerp")
    refused((run, spec), MergeError, "slerp .* takes two, but there are 3")


def test_a_limit_that_nothing_keeps_to(place: Place) -> None:
    settings = replace(settings_for("cpu", quick=True), perplexity_limit=0.9)
    refused(place, MergeError, r"the perplexity limit must be above 1, not 0\.9", settings)


def test_an_architecture_that_is_not_exported(place: Place) -> None:
    path = Path(place[1].base_model) / "config.json"
    config = json.loads(path.read_text())
    path.write_text(json.dumps({**config, "architectures": ["BloomForCausalLM"]}))
    refused(place, ExportError, "BloomForCausalLM cannot be exported")


def change(path: Path, how: Callable[[dict[str, Any]], object]) -> None:
    document = json.loads(path.read_text())
    how(document)
    path.write_text(json.dumps(document))


def test_a_tokenizer_whose_rules_are_not_known(place: Place) -> None:
    rules = {"type": "Split", "pattern": {"Regex": "."}, "behavior": "Isolated", "invert": False}
    change(
        Path(place[1].base_model) / "tokenizer.json",
        lambda document: document.update(
            pre_tokenizer={"type": "Sequence", "pretokenizers": [rules, document["pre_tokenizer"]]}
        ),
    )
    refused(place, ExportError, "splits text by rules that are not known here")


def test_a_tokenizer_that_reads_otherwise_than_llama_cpp_does(place: Place) -> None:
    def strip(document: dict[str, Any]) -> None:
        for token in document["added_tokens"]:
            token["rstrip"] = True

    change(Path(place[1].base_model) / "tokenizer.json", strip)
    refused(place, ExportError, r"base\.gguf reads .* llama.cpp does not know how")


def test_settings_of_an_architecture_that_are_not_exported(place: Place) -> None:
    changed = {"architectures": ["Qwen3ForCausalLM"], "attention_bias": True}
    change(Path(place[1].base_model) / "config.json", lambda config: config.update(changed))
    refused(place, ExportError, "Qwen 3 with biases in its attention")


def test_a_tensor_that_has_no_place(place: Place) -> None:
    path = Path(place[1].base_model) / "model.safetensors"
    tensors = load_file(path)
    tensors["model.layers.0.extra.weight"] = tensors["model.norm.weight"].clone()
    save_file(tensors, path, metadata={"format": "pt"})
    refused(place, ExportError, r"the tensor model\.layers\.0\.extra\.weight has no place")


def test_an_entry_of_an_own_file_that_cannot_be_learned_from(place: Place) -> None:
    path = place[0] / "data" / "coding_knowledge.json"
    examples = json.loads(path.read_text())
    del examples[2]["difficulty"]
    path.write_text(json.dumps(examples))
    refused(place, DataError, r"coding_knowledge\.json, entry 3: difficulty is missing .* mend it")
    assert json.loads(path.read_text()) == examples
    path.write_text(json.dumps({"data": examples}))
    refused(place, DataError, r"coding_knowledge\.json must hold a list of examples .* mend it")
    # What Clara made, by rules that she has no more, is mended.
    write_manifest(path, "data", {}, {}, {})
    check_own(place[1], place[0], place[1].dimensions)


def test_a_dimension_that_has_nothing_held_out(place: Place) -> None:
    path = place[0] / "data" / "coding_knowledge.json"
    examples = [each for each in json.loads(path.read_text()) if not held_out(each["question"])]
    path.write_text(json.dumps(examples))
    refused(place, ValidationError, "coding has .* none of them is held out")
