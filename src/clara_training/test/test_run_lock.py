# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""One process at a time is at work in a run's folder, and the others are told which."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from clara_training.errors import ExportError, RunInUse
from clara_training.export import export_run
from clara_training.governance import make_heads
from clara_training.lora import LoraSettings, train_adapters
from clara_training.merge import merge_adapters
from clara_training.pipeline import run_pipeline
from clara_training.pretrain import pretrain
from clara_training.pretrain_all import pretrain_all
from clara_training.pretrain_export import export
from clara_training.run_lock import LOCK_FILE
from clara_training.spec import default_spec
from clara_training.validate import validate_run
from clara_training.validate_scratch import validate_scratch

AT_WORK = """
import sys
from pathlib import Path
from clara_training.run_lock import alone

@alone("export", begins=True)
def work(run):
    alone("merge")(lambda run: print("at work", flush=True))(run)  # a stage that calls another
    sys.stdin.read()

work(Path(sys.argv[1]))
"""
STAGES: dict[str, Callable[[Path], Any]] = {
    "lora": lambda run: train_adapters(run, default_spec(), LoraSettings()),
    "merge": lambda run: merge_adapters(run, default_spec()),
    "export": lambda run: export_run(run, default_spec()),
    "validate": lambda run: validate_run(run, default_spec()),
    "run": lambda run: run_pipeline(run, default_spec()),
    "simone": lambda run: pretrain("simone", None, run),
    "pretrain-all": lambda run: pretrain_all(None, run),
    "pretrain export": lambda run: export(run / "best_model"),
    "validate from scratch": lambda run: validate_scratch(run),
    "governance": lambda run: make_heads(run),
}


@pytest.fixture
def other(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", AT_WORK, str(tmp_path / "run")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None and process.stdout.readline() == "at work\n"
    yield process
    process.kill()
    process.communicate()


def test_a_folder_that_another_process_is_at_work_in_is_left_alone(
    other: subprocess.Popen[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "run"
    who = re.escape(f"run is in use by clara-train export (process {other.pid}): wait for it")
    for stage in STAGES.values():
        with pytest.raises(RunInUse, match=who):
            stage(run)
    assert [path.name for path in run.iterdir()] == [LOCK_FILE]
    # Of several that torchrun started, the first has it for all.
    with monkeypatch.context() as patch, pytest.raises(ExportError, match="merged is not there"):
        patch.setenv("RANK", "1")
        STAGES["export"](run)
    other.kill()
    other.wait()
    with pytest.raises(ExportError, match="merged is not there"):
        STAGES["export"](run)


def test_a_folder_that_is_not_there_is_not_made_by_what_needs_it_filled(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="merged is not there"):
        STAGES["export"](tmp_path / "run")
    assert not (tmp_path / "run").exists()
