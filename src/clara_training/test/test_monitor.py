# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Metrics: always as JSONL, in W&B where it is wanted, and never a reason for a run to fail."""

from __future__ import annotations

import json
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from clara_training.monitor import ClaraMonitor, plain, wandb_wanted


@pytest.fixture(autouse=True)
def no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("WANDB_API_KEY", "WB", "WANDB_MODE", "WANDB_DISABLED"):
        monkeypatch.delenv(name, raising=False)


def lines(folder: Path, stage: str) -> list[dict[str, Any]]:
    text = (folder / "metrics" / f"{stage}.jsonl").read_text()
    return [json.loads(line) for line in text.splitlines()]


def test_every_stage_has_a_file_of_its_own(tmp_path: Path) -> None:
    with ClaraMonitor(project_name="test", run_folder=tmp_path) as monitor:
        monitor.track_data_generation(examples=10)
        monitor.track_training(step=5, loss=np.float32(0.5), lr=1e-4)
        monitor.track_training(loss=float("nan"))
        monitor.track_merge(method="ties")
        monitor.track_validation(margins={"warmth": 1.5})
    training = lines(tmp_path, "training")
    assert [each["step"] for each in training] == [5, 6]
    assert training[0]["loss"] == 0.5 and training[1]["loss"] == "nan"
    assert lines(tmp_path, "validation")[0]["margins"] == {"warmth": 1.5}
    assert lines(tmp_path, "merge")[0]["method"] == "ties"
    assert lines(tmp_path, "data_generation")[0]["examples"] == 10


def test_a_later_run_goes_on_in_the_same_file(tmp_path: Path) -> None:
    for loss in (2.0, 1.0):
        with ClaraMonitor(run_folder=tmp_path) as monitor:
            monitor.track_training(loss=loss)
    assert [each["loss"] for each in lines(tmp_path, "training")] == [2.0, 1.0]


def test_threads_may_share_it(tmp_path: Path) -> None:
    with ClaraMonitor(run_folder=tmp_path) as monitor, ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: monitor.track_training(loss=n), range(200)))
    assert sorted(each["step"] for each in lines(tmp_path, "training")) == list(range(200))


@pytest.mark.parametrize(
    ("environment", "mode"),
    [
        ({}, "disabled"),
        ({"WANDB_API_KEY": "x"}, "online"),
        ({"WB": "x"}, "online"),
        ({"WANDB_MODE": "offline"}, "offline"),
        ({"WANDB_API_KEY": "x", "WANDB_MODE": "disabled"}, "disabled"),
    ],
)
def test_the_environment_says_whether_metrics_go_to_wandb(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], mode: str
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert wandb_wanted() == mode


def test_wandb_offline_writes_a_run_that_can_be_synced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    said: list[str] = []
    with ClaraMonitor("clara-test", tmp_path, config={"rank": 16}, say=said.append) as monitor:
        monitor.track_training(loss=1.0)
        monitor.track_validation(margins={"warmth": 1.5})
    assert said == []
    (run,) = (tmp_path / "wandb").glob("offline-run-*/*.wandb")
    names = (b"training/loss", b"validation/margins/warmth", b"clara-test")
    # W&B writes in a process of its own, which may lag behind finish().
    end = time.monotonic() + 30
    while not all(name in run.read_bytes() for name in names):
        assert time.monotonic() < end, f"not in W&B's file: {names}"
        time.sleep(0.05)


def test_a_wandb_that_is_missing_is_said_once_and_the_run_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "wandb", None)
    said: list[str] = []
    with ClaraMonitor(run_folder=tmp_path, wandb="offline", say=said.append) as monitor:
        monitor.track_training(loss=1.0)
        monitor.track_training(loss=0.5)
    assert len(lines(tmp_path, "training")) == 2
    assert len(said) == 1 and "W&B takes no more metrics" in said[0]


def test_a_wandb_that_fails_does_not_give_the_key_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = "0123456789abcdef0123456789abcdef01234567"
    monkeypatch.setenv("WANDB_API_KEY", key)
    import wandb

    def refuse(**_: object) -> None:
        raise RuntimeError(f"bad key {key}")

    monkeypatch.setattr(wandb, "init", refuse)
    said: list[str] = []
    with ClaraMonitor(run_folder=tmp_path, say=said.append) as monitor:
        monitor.track_training(loss=1.0)
    assert len(said) == 1 and key not in said[0] and "<WANDB_API_KEY>" in said[0]


def test_a_folder_that_cannot_be_written_is_said_once_and_the_run_goes_on(
    tmp_path: Path,
) -> None:
    (tmp_path / "metrics").write_text("a file where the folder should be")
    said: list[str] = []
    with ClaraMonitor(run_folder=tmp_path, say=said.append) as monitor:
        monitor.track_training(loss=1.0)
        monitor.track_training(loss=0.5)
    assert len(said) == 1 and "the run goes on" in said[0]


def test_anything_becomes_json() -> None:
    value = {"a": np.arange(2), "b": (1, float("inf")), "c": Path("x"), "d": np.int64(3)}
    assert plain(value) == {"a": [0, 1], "b": [1, "inf"], "c": "x", "d": 3}


def test_importing_the_monitor_imports_no_wandb() -> None:
    import subprocess

    code = "import sys, clara_training.monitor as m; m.ClaraMonitor; print('wandb' in sys.modules)"
    said = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ
    )
    assert said.stdout.strip() == "False"
