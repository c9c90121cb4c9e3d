# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""What is computed on a GPU is brought there and back: seen on machines that have none."""

from __future__ import annotations

from pathlib import Path

import pytest
import tiny_run
import torch
from clara_training.governance import make_heads
from clara_training.governance_file import read_governance
from clara_training.governance_fit import FitSettings
from clara_training.governance_states import StatesSettings
from clara_training.lora import LoraExecution, LoraSettings, train_adapters
from clara_training.merge import merge_adapters
from clara_training.merge_config import MergeSettings
from clara_training.pretrain_all import AllSettings, pretrain_all
from clara_training.pretrain_loop import Execution, PretrainSettings
from clara_training.sample import Sampling, generate
from clara_training.scratch import load_model
from clara_training.validate_scratch import ScratchSettings
from pretend_gpu import pretend_gpu
from scratch_world import sample_corpus, train

from clara_training import pretrain_export

GPU = Execution(device="cuda")


def test_what_mixes_devices_is_an_error_and_numbers_are_real() -> None:
    with pretend_gpu():
        model, here = torch.nn.Linear(3, 1).to("cuda"), torch.ones(2, 3)
        there = here.to("cuda")
        devices = [each.device.type for each in (here, there, there * 2, there.cpu())]
        assert devices == ["cpu", "cuda", "cuda", "cpu"]
        model(there).sum().backward()
        gradient = model.weight.grad
        assert gradient.device.type == "cuda" and gradient.tolist() == [[2, 2, 2]]
        for mixed in (lambda: model(here), lambda: here + there, lambda: here[there.long()[0]]):
            with pytest.raises(RuntimeError, match="on one device"):
                mixed()
        with pytest.raises(TypeError, match=r"take \.cpu"):
            there.numpy()
    assert there.device.type == "cpu" and not torch.cuda.is_available()


def test_models_from_scratch_and_their_heads_are_made_and_judged_on_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pretrain_export, "CALIBRATION_TOKENS", 512)
    corpus, output = sample_corpus(tmp_path), tmp_path / "both"
    settings = AllSettings(
        PretrainSettings(batch_size=4, max_steps=6, evaluations=1),
        GPU,
        validation=ScratchSettings.quick(),
        size="nano",
        context=96,
        vocab_size=None,
        threads=1,
    )

    def govern(run: Path) -> None:
        few = StatesSettings(
            train_spans=128, held_out_spans=64, trace_tokens=2048, learned_tokens=2048
        )
        make_heads(run, states=few, settings=FitSettings(seeds=1, folds=2), device="cuda")

    with pretend_gpu() as computed:
        finished = pretrain_all(corpus, output, settings, govern=govern)
        # Exact products of fp32 in PyTorch, against those of llama.cpp.
        for kind, validation in finished.validations.items():
            judged = [gate for gate in validation["gates"] if "fidelity" in gate["name"]]
            assert len(judged) == 3 and all(gate["passed"] for gate in judged), (kind, judged)
        heads = read_governance(output / "simone" / "governance.safetensors").heads
        assert set(heads) == {"memory", "trace"}  # the sample has too few books for policy

        train(
            *("simone", corpus, tmp_path / "otherwise"),
            **{"max_steps": 4, "optimizer": "muon", "content_alignment": True, "coherence": True},
            **{"accuracy": True, "loss_weights": "dwa", "gradient_accumulation_steps": 2},
            execution={"device": "cuda", "precision": "fp32"},
            again={"context": 96},
        )
        model = load_model(output / "simone" / "best_model").to("cuda")
        assert len(list(generate(model, [0], 4, Sampling()))) == 4
    assert computed["cuda"] > 3 * computed["cpu"]


def test_adapters_are_trained_and_their_strength_measured_on_it(tmp_path: Path) -> None:
    base = tiny_run.tiny.save(tiny_run.tiny.llama(), tmp_path / "base")
    spec = tiny_run.write_spec(tmp_path, base)
    run = tmp_path / "run"
    tiny_run.write_data(run)
    how = LoraExecution(device="cuda", threads=1)
    with pretend_gpu():
        train_adapters(run, spec, LoraSettings(rank=4, alpha=8, max_steps=3, how=how))
        merged = merge_adapters(run, spec, MergeSettings("task_arithmetic", device="cuda"))
    assert merged.metrics["relative_change"] > 0
