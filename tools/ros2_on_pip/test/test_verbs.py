# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""What the verbs print of a running node; the texts are those of the real command."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from conftest import Ros2

pytestmark = pytest.mark.usefixtures("peer")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["node", "list"], "/here/peer\n"),
        (["topic", "list", "-t"], "/here/told [std_msgs/msg/String]\n"),
        (["topic", "type", "/here/told"], "std_msgs/msg/String\n"),
        (["topic", "find", "std_msgs/msg/String"], "/here/heard\n/here/ticks\n/here/told\n"),
        (
            ["topic", "info", "/here/told"],
            "Type: std_msgs/msg/String\nPublisher count: 0\nSubscription count: 1\n",
        ),
        (["topic", "echo", "--once", "/here/ticks"], "data: tick\n---\n"),
        (["topic", "echo", "--once", "/here/ticks", "--field", "data"], "tick\n---\n"),
        (["service", "list", "-t"], "/here/reset [clara_interfaces/srv/ResetSession]\n"),
        (["service", "type", "/here/reset"], "clara_interfaces/srv/ResetSession\n"),
        (
            [
                *("service", "call", "/here/reset", "clara_interfaces/srv/ResetSession"),
                "{session_id: four}",
            ],
            "response:\nclara_interfaces.srv.ResetSession_Response(turns=4,",
        ),
        (["action", "list", "-t"], "/here/chat [clara_interfaces/action/Chat]\n"),
        (["action", "info", "/here/chat"], "Action servers: 1\n    /here/peer\n"),
        (
            [
                *("action", "send_goal", "/here/chat", "clara_interfaces/action/Chat"),
                *("{text: ping}", "--feedback"),
            ],
            "Goal finished with status: SUCCEEDED\n",
        ),
        (["param", "list", "/here/peer"], "  group.level\n"),
        (["param", "get", "/here/peer", "group.level"], "Double value is: 0.5\n"),
        (["param", "set", "/here/peer", "group.level", "0.5"], "Set parameter successful\n"),
        (["param", "set", "/here/peer", "group.level", "2.0"], "Setting parameter failed: "),
        (["param", "describe", "/here/peer", "group.level"], "  Description: A level\n"),
        (["param", "dump", "/here/peer"], "    group:\n      level: 0.5\n"),
        (["lifecycle", "nodes"], "/here/peer\n"),
        (["lifecycle", "list", "/here/peer"], "- shutdown [5]\n\tStart: unconfigured\n"),
        (["interface", "show", "std_msgs/msg/Header"], "string frame_id\n"),
        (["interface", "proto", "std_msgs/msg/String"], "\"data: ''\n\"\n"),
        (["interface", "package", "clara_interfaces"], "clara_interfaces/action/Chat\n"),
        (["pkg", "list"], "clara_interfaces\n"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_verb_prints_what_the_real_one_prints(
    ros2: Ros2, words: list[str], expected: str
) -> None:
    result = ros2(*words)
    assert result.returncode == 0, result.stderr
    assert expected in result.stdout


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["node", "info", "/nobody"], "Unable to find node '/nobody'"),
        (["param", "get", "/nobody", "x"], "Node not found"),
        (["param", "get", "/here/peer", "nothing"], "Parameter not set"),
        (["lifecycle", "get", "/nobody"], "Node not found"),
        (["lifecycle", "set", "/here/peer", "fly"], "Unknown transition requested"),
        (["topic", "pub", "/x", "std_msgs/msg/Nothing"], "The passed message type is invalid"),
        (
            ["service", "call", "/here/reset", "clara_interfaces/srv/ResetSession", "{x: 1}"],
            "Failed to populate field: 'ResetSession_Request' object has no attribute 'x'",
        ),
        (["service", "call", "/x", "clara_interfaces/srv/ResetSession", "[1]"], "dictionary"),
        (["interface", "show", "no_such/msg/Thing"], "Unknown package 'no_such'"),
        (["run", "clara_interfaces", "nothing"], "No executable found"),
        (["run", "no_such_package", "nothing"], "Package 'no_such_package' not found"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_mistake_is_one_sentence_and_exit_code_1(
    ros2: Ros2, words: list[str], sentence: str
) -> None:
    result = ros2(*words)
    assert result.returncode == 1
    assert sentence in result.stderr
    assert "Traceback" not in result.stderr


def test_a_published_message_arrives_whole(ros2: Ros2, environment: dict[str, str]) -> None:
    echo = subprocess.Popen(
        [sys.executable, "-m", "ros2_on_pip.cli", "topic", "echo", "--once", "/here/heard"],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        sent = ros2(
            "topic", "pub", "-t", "20", "-r", "5", "/here/told", "std_msgs/msg/String", "{data: ä}"
        )
        assert sent.returncode == 0, sent.stderr
        assert "publishing #1: std_msgs.msg.String(data='ä')" in sent.stdout
        assert echo.communicate(timeout=20)[0] == "data: ä\n---\n"
    finally:
        echo.kill()


def test_transitions_change_the_state_and_a_failed_one_says_so(ros2: Ros2) -> None:
    assert ros2("lifecycle", "get", "/here/peer").stdout == "unconfigured [1]\n"
    assert ros2("lifecycle", "set", "/here/peer", "configure").stdout == (
        "Transitioning successful\n"
    )
    failed = ros2("lifecycle", "set", "/here/peer", "activate")
    assert failed.returncode == 1 and failed.stderr == "Transitioning failed\n"
    assert ros2("lifecycle", "get", "/here/peer").stdout == "inactive [2]\n"
    assert ros2("lifecycle", "set", "/here/peer", "cleanup").returncode == 0


def test_a_dumped_file_can_be_loaded(ros2: Ros2, tmp_path: Path) -> None:
    ros2("param", "set", "/here/peer", "group.level", "0.25")
    file = tmp_path / "peer.yaml"
    file.write_text(ros2("param", "dump", "/here/peer").stdout)
    ros2("param", "set", "/here/peer", "group.level", "0.75")
    loaded = ros2("param", "load", "/here/peer", str(file))
    assert "Set parameter group.level successful" in loaded.stdout, loaded.stdout + loaded.stderr
    assert ros2("param", "get", "/here/peer", "group.level").stdout == "Double value is: 0.25\n"
    ros2("param", "set", "/here/peer", "group.level", "0.5")
