# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the system tests: a DDS domain for each test, processes that end with it, a peer."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from domain_coordinator import domain_id
from lifecycle_msgs.msg import State
from lifecycle_msgs.srv import GetState
from running import Peer, Process


@pytest.fixture(scope="module")
def domain() -> Iterator[int]:
    """Give a ROS domain that nobody else here uses, for this process and its children."""
    with domain_id() as number:
        before = {
            name: os.environ.get(name)
            for name in ("ROS_DOMAIN_ID", "ROS_AUTOMATIC_DISCOVERY_RANGE")
        }
        os.environ.update(ROS_DOMAIN_ID=str(number), ROS_AUTOMATIC_DISCOVERY_RANGE="LOCALHOST")
        yield int(number)
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@pytest.fixture
def start(domain: int, tmp_path: Path) -> Iterator[Callable[..., Process]]:
    """Start a command; it is ended with the test."""
    running: list[Process] = []

    def starter(*command: str | Path) -> Process:
        env = {"ROS_LOG_DIR": str(tmp_path / "log"), "HOME": str(tmp_path)}
        running.append(Process(*command, env=env, cwd=tmp_path))
        return running[-1]

    yield starter
    for process in reversed(running):
        process.close()


@pytest.fixture
def peer(domain: int) -> Iterator[Peer]:
    """Give a node to talk to the nodes under test with."""
    one = Peer(domain)
    yield one
    one.close()


@pytest.fixture(scope="module")
def clara(domain: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """Give a running `ros2 launch clara_brain clara.launch.py`, both nodes active."""
    folder = tmp_path_factory.mktemp("clara")
    env = {"ROS_LOG_DIR": str(folder / "log"), "HOME": str(folder)}
    launch = Process("ros2", "launch", "clara_brain", "clara.launch.py", env=env, cwd=folder)
    probe = Peer(domain)
    try:
        for name in ("memory", "brain"):
            probe.spin_until(
                lambda name=name: active(probe, name), 90.0, f"node {name} active; {launch.output}"
            )
        yield launch
    finally:
        probe.close()
        launch.close()


def active(peer: Peer, name: str) -> bool:
    """Tell whether a lifecycle node is there and active."""
    answer = peer.try_call(GetState, f"{name}/get_state")
    return answer is not None and answer.current_state.id == State.PRIMARY_STATE_ACTIVE
