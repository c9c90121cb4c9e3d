# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Which cores and how much memory training may take."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import torch
from clara_training.machine import idle_cores, memory_left, use_threads

from clara_training import machine


@pytest.fixture
def threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def test_busy_cores_are_left_alone() -> None:
    cores = os.sched_getaffinity(0)
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in cores]
    try:
        deadline = time.monotonic() + 20
        while idle_cores() > 1:
            assert time.monotonic() < deadline
    finally:
        for process in busy:
            process.kill()
            process.wait()


def test_what_has_ended_keeps_no_core(monkeypatch: pytest.MonkeyPatch, threads: None) -> None:
    cores = os.sched_getaffinity(0)
    monkeypatch.setattr(os, "getloadavg", lambda: (99.0, 99.0, 99.0))
    idle = [0.0] * (max(cores) + 1)
    monkeypatch.setattr(psutil, "cpu_percent", lambda *_, **__: idle)
    assert idle_cores() == len(cores)
    use_threads(None)
    assert torch.get_num_threads() == len(cores)
    use_threads(1)
    assert torch.get_num_threads() == 1
    monkeypatch.setenv("LOCAL_WORLD_SIZE", str(len(cores)))  # each sees the same idle cores
    use_threads(None)
    assert torch.get_num_threads() == 1


def test_cores_of_others_do_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {1, 3})
    monkeypatch.setattr(psutil, "cpu_percent", lambda *_, **__: [100.0, 0.0, 100.0, 96.0])
    assert idle_cores() == 1
    monkeypatch.setattr(psutil, "cpu_percent", lambda *_, **__: [100.0, 4.0, 100.0, 20.0])
    assert idle_cores() == 2


def test_the_memory_left_is_the_container_s_where_it_has_a_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "_CONTAINER", tmp_path)
    assert memory_left() > 1e6  # the machine's
    (tmp_path / "memory.max").write_text("3000\n")
    (tmp_path / "memory.current").write_text("1000\n")
    assert memory_left() == 2000
    (tmp_path / "memory.current").write_text("4000\n")
    assert memory_left() == 0
    (tmp_path / "memory.max").write_text("max\n")
    assert memory_left() > 1e6
