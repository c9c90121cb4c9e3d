# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""The figures of a GPU are shown, and end no training where they cannot be had."""

from __future__ import annotations

import pytest
import torch
from clara_training.pretrain_device import DeviceFigures

from clara_training import cli_pretrain


def test_a_gpu_whose_figures_cannot_be_asked_for_any_more_ends_no_training(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answers = iter([50, 60])
    cuda = {
        "reset_peak_memory_stats": lambda device: None,
        "get_device_name": lambda device: "NVIDIA H100 80GB HBM3",
        "utilization": lambda device: next(answers),
        "max_memory_allocated": lambda device: 2.5e9,
    }
    for name, function in cuda.items():
        monkeypatch.setattr(torch.cuda, name, function)
    figures = DeviceFigures("cuda", 1e9)
    known = figures(400_000.0)
    assert known == {
        "memory_gb": 2.5,
        "mfu": pytest.approx(400_000 * 1e9 / 989e12),
        "gpu_utilization": 0.6,
    }
    assert set(figures(400_000.0)) == {"memory_gb", "mfu"}

    class Monitor:
        def track_training(self, step: int, **figures: float) -> None:
            pass

    with cli_pretrain.Bar("mvlm", Monitor()) as bar:
        record = {"step": 1, "of": 2, "loss": 5.0, "tokens_per_second": 400_000.0}
        bar({**record, **known})
    shown = capsys.readouterr().err
    assert "GB=2.5" in shown and "MFU=40%" in shown and "GPU=60%" in shown
