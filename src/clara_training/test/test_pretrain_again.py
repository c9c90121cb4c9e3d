# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""A training that is taken up again is what its manifest says of it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from clara_training.errors import PretrainError
from clara_training.manifest import read_manifest
from clara_training.pretrain_checkpoint import identity_in
from clara_training.shards import Rows
from scratch_world import CONTEXT, STEPS, sample_corpus, train

from clara_training import pretrain


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sample_corpus(tmp_path_factory.mktemp("text"))


@pytest.fixture(scope="module")
def finished(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train("mvlm", corpus, tmp_path_factory.mktemp("mvlm")).parent


@pytest.fixture
def run(finished: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished, tmp_path / "run"))


@pytest.mark.parametrize("how", [{"learning_rate": 1e-5, "weight_decay": 0.7}, {"batch_size": 2}])
def test_where_no_step_is_left_a_finished_model_keeps_its_manifest(
    corpus: Path, run: Path, how: dict[str, Any]
) -> None:
    before = read_manifest(run / "best_model")
    with pytest.raises(PretrainError, match=r"no step was left after step \d+: take more"):
        train("mvlm", corpus, run, again={"resume_from": "best_model"}, **how)
    assert read_manifest(run / "best_model") == before


def test_checkpoints_go_with_the_training_they_are_of(corpus: Path, run: Path) -> None:
    checkpoints = run / "checkpoints"
    # As when it is killed when all is done but to remove them.
    shutil.copytree(run / "best_model", checkpoints / f"step-{STEPS:08d}")
    train("mvlm", corpus, run)
    assert not checkpoints.exists()

    def stop(record: dict[str, Any]) -> None:
        if record["step"] == STEPS + 2:
            raise KeyboardInterrupt

    again = {"resume_from": "best_model", "report": stop}
    with pytest.raises(KeyboardInterrupt):
        train("mvlm", corpus, run, seconds=0, max_steps=STEPS + 3, again=again)
    there = list(checkpoints.iterdir())
    assert there
    train("mvlm", corpus, run)  # which is done, and has no part in them
    assert list(checkpoints.iterdir()) == there


def test_it_decays_and_takes_rows_as_it_is_told_now(
    corpus: Path, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Any] = []
    new_optimizer = pretrain.new_optimizer

    def note(*arguments: Any) -> Any:
        made.append(new_optimizer(*arguments))
        return made[-1]

    monkeypatch.setattr(pretrain, "new_optimizer", note)
    records: list[dict[str, Any]] = []
    train(
        *("mvlm", corpus, run),
        **{"weight_decay": 0.5, "batch_size": 2, "gradient_accumulation_steps": 2},
        max_steps=STEPS + 2,
        again={"resume_from": "best_model", "report": records.append},
    )
    (optimizer,) = made
    assert [group["weight_decay"] for group in optimizer.param_groups] == [0.5, 0.0]
    assert all(optimizer.state.values())  # its moments are those of before
    assert {each["rows_at_once"] for each in records if "loss" in each} == {2}


@pytest.mark.parametrize(
    ("how", "begins"),
    [({"batch_size": 2}, 2 * STEPS), ({"gradient_accumulation_steps": 3}, STEPS // 3)],
)
def test_with_other_steps_it_goes_on_with_the_rows_that_were_not_read(
    corpus: Path, run: Path, monkeypatch: pytest.MonkeyPatch, how: dict[str, Any], begins: int
) -> None:
    read: list[int] = []
    row = Rows.row
    monkeypatch.setattr(Rows, "row", lambda own, number: read.append(number) or row(own, number))
    said: list[str] = []
    again = {"resume_from": "best_model", "tell": said.append}
    best = train("mvlm", corpus, run, max_steps=begins + 2, again=again, **how)
    rows = how.get("batch_size", 4) * how.get("gradient_accumulation_steps", 1)
    assert read == list(range(4 * STEPS, 4 * STEPS + 2 * rows))
    assert f"goes on after step {begins}, counted in steps of {rows} rows, not 4" in said
    metrics = read_manifest(best)["metrics"]
    assert metrics["step"] == begins + 2
    steps = [each["step"] for each in metrics["history"]]
    assert steps == sorted(set(steps)) and metrics["best_step"] in steps


def test_size_and_context_are_those_of_what_is_there(
    corpus: Path, run: Path, tmp_path: Path
) -> None:
    said: list[str] = []
    again = {"size": None, "context": None, "tell": said.append}
    assert train("mvlm", corpus, run, again=again) == run / "best_model"
    assert said == [
        f"--size nano and --context {CONTEXT}, as in {run}",
        f"{run / 'best_model'} is there already",
    ]

    def stop(record: dict[str, Any]) -> None:
        if record["step"] == 3:
            raise KeyboardInterrupt

    stopped = tmp_path / "stopped"
    with pytest.raises(KeyboardInterrupt):
        train("mvlm", corpus, stopped, seconds=0, again={"report": stop})
    assert identity_in(stopped)["size"] == "nano"
    train("mvlm", corpus, stopped, again={"size": None, "context": None})
    assert read_manifest(stopped / "best_model")["settings"]["context"] == CONTEXT
    assert identity_in(tmp_path) == {}
    state = tmp_path / "damaged" / "checkpoints" / "step-1"
    state.mkdir(parents=True)
    (state / "training_state.pt").write_bytes(b"cut off")
    assert identity_in(tmp_path / "damaged") == {}
