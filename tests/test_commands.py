# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""The commands of the README, typed as a user types them, against running nodes."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from running import Process, wait_until

pytestmark = pytest.mark.usefixtures("clara")
Start = Callable[..., Process]


def test_clara_ask_streams_an_answer(start: Start) -> None:
    asked = start("clara", "ask", "Say hello in one short sentence.", "--max-tokens", "20")
    assert asked.wait() == 0, asked.output
    assert asked.output.strip()


def test_clara_memory_stores_finds_counts_and_exports(start: Start, tmp_path: Path) -> None:
    stored = start(
        *("clara-memory", "store", "--subject", "CLARA", "--action", "PICKED_UP"),
        *("--object", "CUP", "--result", "SUCCESS"),
    )
    assert stored.wait() == 0, stored.output
    found = start("clara-memory", "query", "--object", "CUP", "--result", "SUCCESS", "--json")
    assert found.wait() == 0, found.output
    assert "PICKED_UP" in found.output
    json.loads(found.output)
    counted = start("clara-memory", "stats")
    assert counted.wait() == 0 and "episodes" in counted.output.lower(), counted.output
    exported = start("clara-memory", "export", "--output", str(tmp_path / "episodes.jsonl"))
    assert exported.wait() == 0, exported.output
    lines = (tmp_path / "episodes.jsonl").read_text().splitlines()
    assert any("PICKED_UP" in line for line in lines)


def test_clara_doctor_finds_no_fault_in_a_running_clara(start: Start) -> None:
    doctor = start("clara", "doctor", "--json")
    assert doctor.wait() == 0, doctor.output
    found = {each["name"]: each["detail"] for each in json.loads(doctor.output)}
    assert ", of the running node: " in found["memory file"]
    assert "open in process" in found["memory file"]


def test_the_health_check_of_the_image_sees_active_nodes_and_misses_absent_ones(
    start: Start,
) -> None:
    check = Path(__file__).resolve().parent.parent / "docker" / "healthcheck.py"
    well = start(sys.executable, str(check), "lifecycle", "memory", "brain")
    assert well.wait() == 0 and not well.output, well.output
    absent = start(sys.executable, str(check), "node", "brain", "robot")
    assert absent.wait() == 1, absent.output
    assert absent.output == "robot: not in the graph"
    for written, found in (
        ("/clara/", "robot: not in the graph"),
        ("a b", "the namespace '/a b' is not well-formed"),
    ):
        with_slashes = start("env", f"CLARA_NAMESPACE={written}", *absent.command)
        assert with_slashes.wait() == 1 and found in with_slashes.output


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("node list", "/clara/brain"),
        ("topic list", "/clara/action_event"),
        ("topic list -t", "[clara_interfaces/msg/ActionEvent]"),
        ("service list -t", "/clara/memory/query [clara_interfaces/srv/QueryMemory]"),
        ("service call /clara/memory/stats clara_interfaces/srv/GetMemoryStats", "episodes="),
        ("action list", "/clara/chat"),
        ("lifecycle get /clara/brain", "active [3]"),
        ("param list /clara/brain", "personality.warmth"),
        ("interface show clara_interfaces/msg/ActionResult", "uint8 SUCCEEDED=1"),
        ("pkg executables clara_brain", "clara_brain brain_node"),
    ],
)
def test_ros2_shows_clara(start: Start, words: str, expected: str) -> None:
    def shown() -> bool:
        listing = start("ros2", *words.split())
        assert listing.wait() == 0, listing.output
        return expected in listing.output

    # On a busy machine DDS may announce a node only after a listing has stopped to wait.
    wait_until(shown, 30.0, f"'{expected}' in the output of ros2 {words}")


def test_ros2_action_send_goal_streams_feedback(start: Start) -> None:
    sent = start(
        *("ros2", "action", "send_goal", "/clara/chat", "clara_interfaces/action/Chat"),
        *("{text: Say hello., max_tokens: 8}", "--feedback"),
    )
    assert sent.wait() == 0, sent.output
    assert "Feedback:" in sent.output and "delta:" in sent.output
    assert "Goal finished with status: SUCCEEDED" in sent.output


def test_ros2_topic_pub_makes_an_episode(start: Start) -> None:
    echo = start("ros2", "topic", "echo", "--once", "/clara/memory/episodes")
    event = "{action_id: readme-1, action: PICK_UP, object: CUP}"
    result = "{action_id: readme-1, outcome: 1}"
    for topic, kind, text in (
        ("/clara/action_event", "ActionEvent", event),
        ("/clara/action_result", "ActionResult", result),
    ):
        sent = start(
            *("ros2", "topic", "pub", "--once", "-w", "1"),
            *(topic, f"clara_interfaces/msg/{kind}", text),
        )
        assert sent.wait() == 0, sent.output
    assert echo.wait(30.0) == 0, echo.output
    assert "object: CUP" in echo.output and "outcome: 1" in echo.output
