# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""What is exported of a run is what was merged there, and what is measured is what was asked."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import gguf
import pytest
import tiny
import tiny_run
import torch
from clara_training.base import find_base, load_tokenizer
from clara_training.errors import ExportError, SpecError, ValidationError
from clara_training.examples import load_knowledge, split
from clara_training.export import ExportSettings, export_run
from clara_training.manifest import manifest_path, read_manifest, write_manifest
from clara_training.merge import merge_adapters
from clara_training.merge_config import MergeSettings, strengths
from clara_training.spec import Spec
from clara_training.validate import ValidateSettings, validate_run
from safetensors.torch import load_file, save_file

from clara_training import export, imatrix, origins, quantize

Place = tuple[Path, Spec]
ONE = ExportSettings(quantization="F16", threads=1)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Place:
    torch.set_num_threads(1)
    return tiny_run.make_run(tmp_path_factory.mktemp("tiny"), steps=4)


@pytest.fixture
def place(made: Place, tmp_path: Path) -> Place:
    run = tmp_path / "run"
    shutil.copytree(made[0], run)
    return run, made[1]


def exported_strengths(run: Path) -> dict[str, float]:
    fields = gguf.GGUFReader(run / "clara.gguf").fields
    return {
        name.removeprefix(export.STRENGTH): field.contents()
        for name, field in fields.items()
        if name.startswith(export.STRENGTH)
    }


def test_only_dimensions_of_the_spec_are_exported_and_validated(place: Place) -> None:
    run, spec = place
    for stage in (export_run, validate_run):
        with pytest.raises(SpecError, match=r"'warmt' is no dimension of .*it has warmth, coding"):
            stage(run, spec, dimensions=("warmt",))
    assert not list(run.rglob("*.gguf"))


@pytest.mark.parametrize("folder", ["merged", "adapters/coding"])
def test_what_was_made_with_another_base_is_not_exported(place: Place, folder: str) -> None:
    run, spec = place
    inputs, settings = {"base": "0" * 64}, {"base_model": "somebody/else"}
    write_manifest(run / folder, "lora", inputs, settings, {})
    with pytest.raises(ExportError, match=rf"{folder} was made with another .*\(somebody/else\)"):
        export_run(run, spec, ONE)
    assert not list(run.rglob("*.gguf"))


def test_a_strength_in_the_file_is_what_was_merged(place: Place) -> None:
    run, spec = place
    merge_adapters(run, spec, MergeSettings(scale=0.5), dimensions=("coding",))
    export_run(run, spec, ONE)
    assert exported_strengths(run) == {"warmth": 0.0, "coding": 0.25}
    # What is merged is in the model whatever is exported beside it.
    merge_adapters(run, spec, MergeSettings("multislerp"))
    export_run(run, spec, ONE, dimensions=("warmth",))
    assert exported_strengths(run) == pytest.approx({"warmth": 0.8 / 1.3, "coding": 0.5 / 1.3})


def retrain(run: Path) -> None:
    """Have an adapter that learned something else."""
    path = run / "adapters" / "warmth" / "adapter_model.safetensors"
    tensors = load_file(path)
    save_file({name: tensor + 0.01 for name, tensor in tensors.items()}, path)


def test_a_merge_that_was_forgotten_is_neither_exported_nor_judged(place: Place) -> None:
    run, spec = place
    merge_adapters(run, spec, MergeSettings())
    export_run(run, spec, ONE)
    edited = replace(spec, personality={"warmth": 0.3})
    for stage in (export_run, validate_run):
        with pytest.raises(ExportError, match=r"warmth was merged at 0.8, and .* for 0.3: run .*"):
            stage(run, edited)
    retrain(run)
    for stage in (export_run, validate_run):
        with pytest.raises(ExportError, match=r"warmth is not the adapter that was .*: run"):
            stage(run, spec)
    merge_adapters(run, spec, MergeSettings())
    for product in ("clara-f16.gguf", "adapters/warmth.gguf"):
        with pytest.raises(ValidationError, match=rf"{product} was made from another .*: run"):
            validate_run(run, spec)
        manifest_path(run / product).unlink()
    export_run(run, spec, ONE)
    origins.check_exported(run, spec.dimensions)


def test_strengths_are_weights_or_shares_as_the_method_has_them() -> None:
    weights = {"warmth": 0.8, "formal": 0.2}
    assert strengths(MergeSettings("ties"), weights) == weights
    assert strengths(MergeSettings("linear", scale=0.5), weights) == {"warmth": 0.4, "formal": 0.1}
    shares = pytest.approx({"warmth": 0.8, "formal": 0.2})
    assert strengths(MergeSettings("ties", normalize=True), {"warmth": 4, "formal": 1}) == shares
    assert strengths(MergeSettings("slerp", scale=0.5), {"warmth": 4, "formal": 1}) == shares
    assert strengths(MergeSettings("slerp"), {"warmth": 0.8}) == {"warmth": 0.8}


def test_an_export_that_was_killed_does_not_pass_for_another(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, spec = place
    half = run / "clara-f16.gguf"
    merge_adapters(run, spec, MergeSettings())
    export_run(run, spec, ONE)
    wanted = half.read_bytes()

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    merge_adapters(run, spec, MergeSettings(scale=0.5))
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(export, "check_tokens", killed)
        export_run(run, spec, ONE)
    assert len(half.read_bytes()) == len(wanted) and half.read_bytes() != wanted
    merge_adapters(run, spec, MergeSettings())
    export_run(run, spec, ONE)
    assert half.read_bytes() == wanted


def adapters(run: Path) -> set[str]:
    """Return the files that the robot loads."""
    return {path.name for path in (run / "adapters").glob("*.gguf")}


def test_an_adapter_that_the_spec_no_longer_has_is_out_of_the_robots_reach(place: Place) -> None:
    run, spec = place
    export_run(run, spec, ONE)
    shutil.copy(run / "adapters" / "coding.gguf", run / "adapters" / "dialect.gguf")
    # One left out is still a slider, which the file in its place is for.
    export_run(run, spec, ONE, dimensions=("warmth",))
    assert adapters(run) == {"warmth.gguf", "coding.gguf", "dialect.gguf"}
    told: list[str] = []
    without = replace(spec, expertise={})
    export_run(run, without, ONE, tell=told.append)
    # What no export made was put there by somebody.
    assert adapters(run) == {"warmth.gguf", "dialect.gguf"}
    assert not (run / "adapters" / "coding.gguf.manifest.json").exists()
    assert sum("coding.gguf is of no dimension of the spec" in line for line in told) == 1
    assert (run / "adapters" / "not-used" / "coding.gguf").is_file()
    export_run(run, spec, ONE)
    assert {"warmth.gguf", "coding.gguf"} <= adapters(run)


def call_made_with(base: str, *folders: Path) -> None:
    """Have manifests say that a base model is what the folders were made with."""
    inputs = {"base": find_base(base).sha256()}
    for folder in folders:
        made = read_manifest(folder)
        settings = {**made["settings"], "base_model": base}
        write_manifest(folder, made["stage"], inputs, settings, {})


@pytest.mark.parametrize("killed", [False, True])
def test_an_adapter_of_another_base_is_out_of_the_robots_reach(
    place: Place, tmp_path: Path, killed: bool
) -> None:
    run, spec = place
    export_run(run, spec, ONE)
    if killed:
        (run / "adapters" / "coding.gguf.manifest.json").unlink()
    changed = tiny.llama()
    with torch.no_grad():
        changed.model.norm.weight += 0.1
    other = str(tiny.save(changed, tmp_path / "other"))
    call_made_with(other, run / "merged", run / "adapters" / "warmth")
    export_run(run, spec, ONE, base=other, dimensions=("warmth",))
    assert adapters(run) == {"warmth.gguf"}


def weights(path: Path) -> dict[str, bytes]:
    return {each.name: each.data.tobytes() for each in gguf.GGUFReader(path).tensors}


def test_what_training_did_not_change_is_quantised_alike_in_both_files(place: Place) -> None:
    run, spec = place
    four_bit = replace(ONE, quantization="Q4_K_M")
    merge = read_manifest(run / "merged")
    shutil.copytree(spec.base_model, run / "merged", dirs_exist_ok=True)
    write_manifest(run / "merged", "merge", merge["inputs"], merge["settings"], {})
    export_run(run, spec, four_bit)
    first = weights(run / "base.gguf")
    assert first == weights(run / "clara.gguf")
    # The texts that both matrices are of are the run's; base.gguf follows them.
    data = run / "data" / "coding_knowledge.json"
    data.write_text(data.read_text().replace("The function", "That strange function of ours"))
    told: list[str] = []
    export_run(run, spec, four_bit, tell=told.append)
    assert "base.gguf is there already" not in told and "clara-f16.gguf is there already" in told
    assert first != weights(run / "base.gguf") == weights(run / "clara.gguf")
    told.clear()
    export_run(run, spec, replace(four_bit, use_imatrix=False), tell=told.append)
    assert "base.gguf is there already" not in told
    assert weights(run / "base.gguf") == weights(run / "clara.gguf")


@pytest.mark.parametrize("kind", quantize.WEIGHTED)
def test_an_importance_matrix_is_gathered_in_fp32_whatever_the_merge_was_written_in(
    place: Place, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, spec = place
    merge_adapters(run, spec, MergeSettings(dtype="bfloat16"))
    types = []

    def gather(model: Any, texts: Any) -> Any:
        types.append(model.dtype)
        return real(model, texts[:1])

    real = imatrix.gather
    monkeypatch.setattr(imatrix, "gather", gather)
    export_run(run, spec, replace(ONE, quantization=kind))
    assert types == [torch.float32] * 2


def test_an_importance_matrix_is_of_whole_conversations(place: Place) -> None:
    run, spec = place
    path = run / "data" / "coding_knowledge.json"
    examples = load_knowledge(path)
    talks = [replace(each, before=(("system", "Be a parrot."),)) for each in examples]
    path.write_text(json.dumps([each.as_json() for each in talks]))
    tokenizer = load_tokenizer(find_base(spec.base_model))
    texts = export.calibration_texts(run, spec, ["coding"], tokenizer)
    said = tokenizer.decode([token for text in texts for token in text])
    assert said.count("Be a parrot.") == len(split(talks)[0])


def test_a_template_that_ollama_has_no_words_for_costs_no_more_than_the_modelfile(
    place: Place,
) -> None:
    run, spec = place
    assert "Modelfile" in export_run(run, spec, ONE)
    # As that of Llama 2: what comes before a reply depends on whether there is one.
    llama2 = (
        "{% for m in messages %}{% if m.role == 'assistant' %}{{ ' ' + m.content + ' </s>' }}"
        "{% else %}{{ '[INST] ' + m.content + ' [/INST]' }}{% endif %}{% endfor %}"
    )
    (run / "merged" / "chat_template.jinja").write_text(llama2)
    told: list[str] = []
    products = export_run(run, spec, ONE, tell=told.append)
    assert "Modelfile" not in products and not (run / "Modelfile").exists()
    assert any(line.startswith("no Modelfile for Ollama: the chat template") for line in told)
    files = json.loads((run / "manifest.json").read_text())["files"]
    assert {"clara.gguf", "base.gguf", "adapters/warmth.gguf"} <= files.keys()


def test_a_sliding_window_is_told_of(place: Place, tmp_path: Path) -> None:
    run, spec = place
    base = tmp_path / "base"
    shutil.copytree(spec.base_model, base)
    for folder in (base, run / "merged"):
        config = json.loads((folder / "config.json").read_text())
        changed = {"architectures": ["MistralForCausalLM"], "model_type": "mistral"}
        (folder / "config.json").write_text(
            json.dumps({**config, **changed, "sliding_window": 48})
        )
    call_made_with(str(base), run / "merged", *(run / "adapters" / name for name in spec.weights))
    told: list[str] = []
    export_run(run, spec, ONE, base=str(base), tell=told.append)
    assert "looks back 48 tokens (sliding window)" in told[0]
    for name in ("clara.gguf", "base.gguf"):
        assert gguf.GGUFReader(run / name).fields["llama.context_length"].contents() == 48


def test_a_dimension_may_be_called_as_anything_that_is_measured(place: Place) -> None:
    run, spec = place
    data = run / "data" / "coding_knowledge.json"
    named = data.read_text().replace('"domain": "coding"', '"domain": "general"')
    (run / "data" / "general_knowledge.json").write_text(named)
    (run / "adapters" / "coding").rename(run / "adapters" / "general")
    spec = replace(spec, expertise={"general": 0.5})
    export_run(run, spec, ONE)
    found = validate_run(run, spec, ValidateSettings.quick(threads=1))
    assert found["domains"]["general"]["merged"]["questions"] > 0
    assert found["general"]["ratio"] > 0
