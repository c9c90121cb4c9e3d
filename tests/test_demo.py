# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""`make demo`: Clara is asked, the robot acts, memory grows, the answer rests on what happened."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from running import Process


def test_the_demo_comes_through_and_ends_cleanly_leaving_nothing_behind(
    start: Callable[..., Process], tmp_path: Path
) -> None:
    demo = start("ros2", "run", "clara_demo", "demo", "--launch")
    assert demo.wait(150.0) == 0, demo.output
    for word in ("PICK_UP", "cup", "piano"):
        assert word in demo.output
    assert "Traceback" not in demo.output
    assert not (tmp_path / ".clara").exists()  # the test's home
