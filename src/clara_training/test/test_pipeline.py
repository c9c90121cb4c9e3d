# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""One command goes from a spec to a validated model, and goes on after any kill."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest
import tiny
import tiny_run
import torch
from clara_training.errors import SpecError
from clara_training.lora import LoraExecution
from clara_training.pipeline import chosen_spec, run_pipeline, settings_for
from clara_training.spec import default_spec


def start(run: Path, spec: Path) -> subprocess.Popen[str]:
    """Start `clara-train run` on a run whose data are there."""
    return subprocess.Popen(
        [
            *(sys.executable, "-c", "from clara_training.cli import main; main()"),
            *("run", "--run", str(run), "--spec", str(spec), "--threads", "1"),
            *("--max-steps", "30", "--learning-rate", "1e-2", "--no-claude"),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1", "OMP_NUM_THREADS": "1"},
    )


def kill_at(process: subprocess.Popen[str], text: str) -> list[str]:
    """Kill a process, as with -9, when it prints `text`; return what it printed before."""
    assert process.stdout is not None and process.stderr is not None
    # A full pipe would hold the process up.
    errors: list[str] = []
    drain = threading.Thread(target=lambda: errors.append(process.stderr.read()))
    drain.start()
    timer = threading.Timer(120.0, process.kill)
    timer.start()
    lines = []
    for line in process.stdout:
        lines.append(line.rstrip())
        if text in line:
            process.send_signal(signal.SIGKILL)
            break
    timer.cancel()
    process.wait()
    drain.join()
    assert text in lines[-1], ("".join(errors), lines)
    return lines


def test_a_run_goes_on_after_every_kill_and_ends_with_a_model(tmp_path: Path) -> None:
    base = tiny.save(tiny.llama(), tmp_path / "base")
    spec = tiny_run.write_spec(tmp_path, base)
    run = tmp_path / "run"
    tiny_run.write_data(run)
    kill_at(start(run, spec.path), "warmth.gguf: ")
    assert (run / "adapters" / "warmth" / "manifest.json").exists()
    weights = run / "adapters" / "warmth" / "adapter_model.safetensors"
    trained = weights.stat().st_mtime_ns
    kill_at(start(run, spec.path), "[6/6] validate")
    process = start(run, spec.path)
    out, err = process.communicate(timeout=200)
    assert process.returncode == 0, (out, err)
    assert "was there" in out and "clara-f16.gguf is there already" in out
    assert (
        run / "adapters" / "warmth" / "adapter_model.safetensors"
    ).stat().st_mtime_ns == trained
    assert "warmth: margin " in out and f"model:={run}/clara.gguf" in out
    products = {path.relative_to(run).as_posix() for path in run.rglob("*") if path.is_file()}
    assert {
        *("clara.gguf", "base.gguf", "Modelfile", "manifest.json", "spec.json", "report.html"),
        *("validation.json", "adapters/warmth.gguf", "configs/clara_full_merge.yaml"),
    } <= products
    assert not [name for name in products if "partial" in name]
    found = json.loads((run / "validation.json").read_text())
    warmth = found["traits"]["warmth"]
    assert warmth["merged"]["mean"] > warmth["base"]["mean"] + 0.2


def test_a_changed_strength_merges_anew_and_trains_nothing(tmp_path: Path) -> None:
    torch.set_num_threads(1)
    base = tiny.save(tiny.llama(), tmp_path / "base")
    spec = chosen_spec(tiny_run.write_spec(tmp_path, base), ["warmth"])
    run = tmp_path / "run"
    tiny_run.write_data(run)
    settings = settings_for("cpu", quick=True)
    settings = replace(
        settings,
        lora=replace(settings.lora, max_steps=20, learning_rate=1e-2, how=LoraExecution("cpu", 1)),
        validate=replace(settings.validate, threads=1),
        export=replace(settings.export, threads=1),
    )
    told: list[str] = []
    first = run_pipeline(run, spec, settings, tell=told.append)
    assert [line for line in told if line.startswith("[")] == [
        *("[1/6] base", "[2/6] data", "[3/6] lora", "[4/6] merge", "[5/6] export"),
        "[6/6] validate",
    ]
    weaker = replace(spec, personality={"warmth": 0.3})
    told.clear()
    second = run_pipeline(run, weaker, settings, tell=told.append)
    assert any(line.startswith("warmth: ") and "was there" in line for line in told)
    assert "warmth.gguf is there already" in told and "clara-f16.gguf is there already" not in told
    strong, weak = (
        each.validation["traits"]["warmth"]["merged"]["mean"] for each in (first, second)
    )
    assert strong > weak > second.validation["traits"]["warmth"]["base"]["mean"]


def test_a_choice_of_dimensions_is_checked() -> None:
    spec = default_spec()
    chosen = chosen_spec(spec, ["formal", "medical"], "smollm2")
    assert chosen.weights == {"formal": 0.3, "medical": 0.7} and chosen.base_model == "smollm2"
    assert chosen_spec(spec, []).weights == spec.weights
    with pytest.raises(SpecError, match="'bold' is no dimension"):
        chosen_spec(spec, ["bold"])
    with pytest.raises(SpecError, match=r"every strength in .* is 0"):
        chosen_spec(replace(spec, personality={"warmth": 0.0}), ["warmth"])
