# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""The benches of small trainings still run: a figure whose command fails is no figure."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from clara_training.corpus import SAMPLE, CorpusSettings, make_corpus

pytest.importorskip("torch", reason="make test sets up what training needs; this Python has not")

ROOT = Path(__file__).resolve().parent.parent
SMALL = ("--vocabulary", "400", "--context", "64", "--rows", "2", "--steps", "2", "--seeds", "2")


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a copy of the benches, which leaves the committed results alone, and a corpus."""
    folder = tmp_path_factory.mktemp("benches")
    shutil.copytree(ROOT / "bench", folder / "bench")
    (folder / "docs" / "images").mkdir(parents=True)
    make_corpus(SAMPLE, folder / "corpus", CorpusSettings(vocab_size=400))
    return folder


@pytest.mark.parametrize("name", ["optimizers", "losses", "simone_mvlm"])
def test_a_bench_of_small_trainings_runs_and_writes_its_figures(copy: Path, name: str) -> None:
    results = copy / "bench" / "results" / f"{name}.json"
    results.unlink()
    folders = ("--corpus", copy / "corpus", "--work", copy / "work")
    done = subprocess.run(
        [sys.executable, copy / "bench" / f"{name}.py", *folders, *SMALL],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(results.read_text())["seeds"] == 2
