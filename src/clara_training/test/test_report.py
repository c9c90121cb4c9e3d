# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""The curve of a training in the report is that of the last one, whatever came before it."""

from __future__ import annotations

from pathlib import Path

from clara_training.monitor import ClaraMonitor
from clara_training.report import training_records


def note(run: Path, dimension: str, steps: range, loss: float) -> None:
    """Note steps as a training does, and the held-out loss before the first and at the last."""
    with ClaraMonitor(run_folder=run, wandb="disabled") as monitor:
        if steps.start == 1:
            monitor.track_training(0, dimension=dimension, held_out_loss=loss)
        for step in steps:
            monitor.track_training(step, dimension=dimension, loss=loss)
        monitor.track_training(steps[-1], dimension=dimension, held_out_loss=loss)


def losses(run: Path, dimension: str) -> list[tuple[int, float | None]]:
    return [
        (record["step"], record.get("loss"))
        for record in training_records(run)
        if record["dimension"] == dimension
    ]


def test_a_shorter_training_leaves_nothing_of_a_longer_one_before_it(tmp_path: Path) -> None:
    note(tmp_path, "warmth", range(1, 51), 2.0)
    note(tmp_path, "formal", range(1, 6), 3.0)
    note(tmp_path, "warmth", range(1, 9), 1.0)
    assert losses(tmp_path, "warmth") == [(0, None), *((step, 1.0) for step in range(1, 9))]
    assert losses(tmp_path, "formal") == [(0, None), *((step, 3.0) for step in range(1, 6))]
    assert training_records(tmp_path)[-1]["held_out_loss"] == 1.0


def test_a_training_that_goes_on_keeps_the_steps_before_its_checkpoint(tmp_path: Path) -> None:
    note(tmp_path, "warmth", range(1, 8), 2.0)
    note(tmp_path, "warmth", range(5, 11), 1.0)
    assert losses(tmp_path, "warmth") == [
        (0, None),
        *((step, 2.0) for step in range(1, 5)),
        *((step, 1.0) for step in range(5, 11)),
    ]
