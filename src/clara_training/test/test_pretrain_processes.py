# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Training from scratch by several processes, and in other precisions than fp32."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from clara_training.corpus import SAMPLE, CorpusSettings, make_corpus
from clara_training.errors import PretrainError
from clara_training.manifest import read_manifest
from clara_training.pretrain_device import Precision, choose_precision
from safetensors.torch import load_file
from scratch_world import VOCAB, train

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("text") / "corpus"
    make_corpus(SAMPLE, folder, CorpusSettings(vocab_size=VOCAB))
    return folder


def by_two(corpus: Path, output: Path, how: dict[str, Any]) -> str:
    """Train with torchrun and two processes on this CPU; return what they print."""
    paths = [str(HERE.parent), str(HERE), os.environ.get("PYTHONPATH", "")]
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "torch.distributed.run", "--standalone"),
            *("--nproc-per-node", "2", "--", str(HERE / "scratch_world.py")),
            *("simone", str(corpus), str(output), json.dumps(how)),
        ],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        said, complained = process.communicate(timeout=120)
    finally:
        process.terminate()  # torchrun ends its processes then, and does not when it is killed
        process.wait(30)
    assert process.returncode == 0, complained
    return said


@pytest.mark.parametrize(
    ("parallel", "losses"),
    [("ddp", ("content_alignment", "coherence", "accuracy")), ("fsdp2", ("accuracy",))],
)
def test_two_processes_learn_what_one_learns_with_the_same_batch(
    corpus: Path, tmp_path: Path, parallel: str, losses: tuple[str, ...]
) -> None:
    how = {**dict.fromkeys(losses, True), "max_steps": 4, "learning_rate": 1e-3, "evaluations": 1}
    wanted: dict[int, float] = {}

    def note(record: dict[str, Any]) -> None:
        if "loss" in record:
            wanted[record["step"]] = record["loss"]

    one = train("simone", corpus, tmp_path / "1", again={"report": note, "context": 128}, **how)
    execution = {"parallel": parallel, "recompute": parallel == "fsdp2"}
    said = by_two(corpus, tmp_path / "2", {**how, "execution": execution, "context": 128})
    lines = [line.split() for line in said.splitlines()]
    found = {int(line[0]): float(line[1]) for line in lines if len(line) == 2}
    assert found == pytest.approx(wanted, rel=1e-4)  # and one of them speaks
    two = tmp_path / "2" / "best_model"
    weights = [load_file(each / "model.safetensors") for each in (one, two)]
    for name, tensor in weights[0].items():
        assert (tensor - weights[1][name]).abs().max() < 1e-4, name
    figures = [read_manifest(each)["metrics"] for each in (one, two)]
    assert figures[1]["best"] == pytest.approx(figures[0]["best"], rel=1e-4)
    assert [each["recompute"] for each in figures] == [False, execution["recompute"]]
    # What two have trained goes on with one, optimiser and all.
    told: list[str] = []
    again = {"context": 128, "resume_from": str(two), "tell": told.append}
    train("simone", corpus, tmp_path / "3", again=again, **{**how, "max_steps": 5})
    assert "goes on after step 4" in told and not any("anew" in each for each in told)


@pytest.mark.parametrize("name", ["fp16", "bf16"])
def test_in_half_precision_it_learns_the_same_to_rounding(
    corpus: Path, tmp_path: Path, name: str
) -> None:
    how = {"max_steps": 6, "evaluations": 1, "learning_rate": 1e-3}
    bits = {}
    for precision in ("fp32", name):
        best = train(
            "simone", corpus, tmp_path / precision, execution={"precision": precision}, **how
        )
        bits[precision] = read_manifest(best)["metrics"]["best"]
    assert bits[name] == pytest.approx(bits["fp32"], rel=5e-3)
    assert bits[name] != bits["fp32"]


def test_an_overflow_of_fp16_costs_a_step_and_a_smaller_scale(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**40, backoff_factor=2.0**-12)
    monkeypatch.setattr(
        "clara_training.pretrain.choose_precision",
        lambda name, device: Precision("fp16", torch.float16, scaler),
    )
    records: list[dict[str, Any]] = []
    how = {"max_steps": 6, "evaluations": 1, "learning_rate": 1e-3}
    train("simone", corpus, tmp_path, again={"report": records.append}, **how)
    over = [each["overflow"] for each in records if "loss" in each]
    scales = [each["loss_scale"] for each in records if "loss" in each]
    assert over[0] and not over[-1] and scales[0] == 2.0**28
    losses = [each["loss"] for each in records if "loss" in each]
    assert losses[-1] < losses[0]


def test_the_precision_of_a_cpu_is_fp32_and_an_unknown_one_is_a_sentence() -> None:
    assert choose_precision("auto", "cpu").dtype is None
    with pytest.raises(PretrainError, match="'fp8' is no precision: take one of auto, fp32"):
        choose_precision("fp8", "cpu")
