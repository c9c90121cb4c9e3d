# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""docs/robot.md as it stands: a robot's own launch file, with Clara in a namespace below it.

While it runs, what its nodes offer is held against the table of docs/ros.md.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from conftest import active
from running import Peer, Process

from clara_interfaces.msg import ActionEvent, Episode

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools"))

from documents import blocks

FILES = ("robot1.yaml", "skills.yaml", "my_robot.launch.py")


@pytest.fixture
def robot(domain: int) -> Iterator[Peer]:
    """Give a peer in the namespace that the document's launch file gives to Clara."""
    peer = Peer(domain, "robot1/clara")
    yield peer
    peer.close()


def test_a_robots_own_launch_file_starts_clara_and_she_remembers_what_its_node_did(
    start: Callable[..., Process], robot: Peer, tmp_path: Path
) -> None:
    for block in blocks(ROOT / "docs" / "robot.md"):
        name = block.text.partition("\n")[0].removeprefix("# ")
        if name in FILES:
            (tmp_path / name).write_text(block.text)
    assert all((tmp_path / name).is_file() for name in FILES)

    requests = robot.listen(ActionEvent, "action_request")
    episodes = robot.listen(Episode, "memory/episodes")
    launch = start("ros2", "launch", "my_robot.launch.py")
    for name in ("memory", "brain"):
        robot.spin_until(
            lambda name=name: active(robot, name), 90.0, f"{name} active; {launch.output}"
        )
    robot.spin_until(lambda: robot.subscribers("action_request") == 2, 30.0, "the arm listens")
    asked, _ = robot.chat("Please pick up the cup.", limit=120.0)
    assert [decision.skill for decision in asked.decisions] == ["pick_up"], asked
    robot.spin_until(lambda: requests and episodes, 30.0, "the arm did it, memory recorded it")
    assert (episodes[0].robot, episodes[0].action, episodes[0].object) == (
        "ROBOT1",
        "PICK_UP",
        "cup",
    )
    told, _ = robot.chat("What happened with the cup?")
    assert list(told.memory_ids) == [episodes[0].episode_id]
    assert "pick up the cup" in told.text

    assert offered(robot) == documented()


def documented() -> set[str]:
    """Return the names in the table of docs/ros.md."""
    table = (ROOT / "docs" / "ros.md").read_text()
    rows = re.findall(r"^\| (`[a-z/].*?) \|", table, re.MULTILINE)
    return {name for row in rows for name in re.findall(r"`([\w/]+)`", row)}


def offered(robot: Peer) -> set[str]:
    """Return the names below Clara's namespace with interfaces of hers, and /diagnostics."""
    space = robot.node.get_namespace() + "/"
    named = [*robot.node.get_topic_names_and_types(), *robot.node.get_service_names_and_types()]
    found = {
        name.removeprefix(space).partition("/_action/")[0]
        for name, types in named
        if name.startswith(space) and types[0].startswith("clara_interfaces/")
    }
    return found | {name for name, _ in named if name == "/diagnostics"}
