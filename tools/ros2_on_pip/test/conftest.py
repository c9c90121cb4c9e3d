# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""A DDS domain of its own for each module, and the `ros2` of this folder as a command."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from domain_coordinator import domain_id

HERE = Path(__file__).resolve().parent
Ros2 = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def environment() -> Iterator[dict[str, str]]:
    with domain_id() as number:
        path = os.pathsep.join(filter(None, [str(HERE.parent), os.environ.get("PYTHONPATH")]))
        yield {
            **os.environ,
            "PYTHONPATH": path,
            "PYTHONUNBUFFERED": "1",
            "ROS_DOMAIN_ID": str(number),
            "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST",
        }


@pytest.fixture(scope="module")
def ros2(environment: dict[str, str]) -> Ros2:
    """Run a command to its end."""

    def run(*words: str, **options: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "ros2_on_pip.cli", *words]
        settings: dict[str, object] = {"env": environment, "timeout": 60, **options}
        return subprocess.run(command, capture_output=True, text=True, check=False, **settings)  # type: ignore[call-overload]

    return run


@pytest.fixture(scope="module")
def peer(environment: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    """Start a node with a topic, a service, an action, a parameter and a lifecycle."""
    process = subprocess.Popen(
        [sys.executable, str(HERE / "peer.py")], env=environment, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    yield process
    process.terminate()
    process.wait(10)
