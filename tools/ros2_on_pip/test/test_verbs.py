# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""What the verbs print of a running node; the texts are those of the real command."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import Ros2
from domain_coordinator import domain_id
from ros2_on_pip.verbs.topic import Rate

pytestmark = pytest.mark.usefixtures("peer")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["node", "list"], "/here/peer\n"),
        (["topic", "list", "-t"], "/here/told [std_msgs/msg/String]\n"),
        (["topic", "list", "-v"], " * /here/told [std_msgs/msg/String] 1 subscriber\n"),
        (["topic", "type", "/here/told"], "std_msgs/msg/String\n"),
        (["topic", "find", "std_msgs/msg/String"], "/here/heard\n/here/ticks\n/here/told\n"),
        (
            ["topic", "info", "/here/told"],
            "Type: std_msgs/msg/String\nPublisher count: 0\nSubscription count: 1\n",
        ),
        (["topic", "echo", "--once", "-f", "/here/ticks"], "data: tick\n---\n"),
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
        (["action", "list", "-c"], "2\n"),
        (["action", "info", "/here/chat"], "Action servers: 1\n    /here/peer\n"),
        (
            [
                *("action", "send_goal", "/here/chat", "clara_interfaces/action/Chat"),
                *("{text: ping}", "--feedback"),
            ],
            "Goal finished with status: SUCCEEDED\n",
        ),
        (["param", "list", "/here/peer"], "  group.level\n"),
        (["param", "list", "--param-type", "--filter", "gr"], "  group.level (type: double)\n"),
        (["param", "get", "/here/peer", "group.level"], "Double value is: 0.5\n"),
        (["param", "set", "/here/peer", "group.level", "0.5"], "Set parameter successful\n"),
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
        (
            ["topic", "echo", "--once", "/here/ticks", "--field", "data.nothing"],
            "Invalid field 'data.nothing': 'str' object has no attribute 'nothing'",
        ),
        (["service", "call", "-r", "0", "/x", "std_srvs/srv/Empty"], "rate must be greater than"),
        (["param", "get", "/nobody", "x"], "Node not found"),
        (["param", "get", "/here/peer", "nothing"], "Parameter not set"),
        (["lifecycle", "get", "/nobody"], "Node not found"),
        (["lifecycle", "set", "/here/peer", "fly"], "Unknown transition requested"),
        (["param", "list", "/here/peer", "--filter", "("], "--filter is not a regular expression"),
        (["topic", "pub", "/x", "std_msgs/msg/Nothing"], "The passed message type is invalid"),
        (
            ["service", "call", "/here/reset", "clara_interfaces/srv/ResetSession", "{x: 1}"],
            "Failed to populate field: 'ResetSession_Request' object has no attribute 'x'",
        ),
        (["service", "call", "/x", "clara_interfaces/srv/ResetSession", "[1]"], "dictionary"),
        (
            ["service", "call", "/x", "clara_interfaces/srv/QueryMemory", "{top_k: abc}"],
            "Failed to populate field: invalid literal for int() with base 10: 'abc'",
        ),
        (
            ["service", "call", "/x", "clara_interfaces/srv/QueryMemory", "{cue: {role: object}}"],
            "Failed to populate field: a list is needed, got {'role': 'object'}",
        ),
        (
            ["action", "send_goal", "/x", "clara_interfaces/action/Chat", "{max_tokens: many}"],
            'Failed to populate message fields: ValueError("invalid literal for int()',
        ),
        (["topic", "pub", "/x", "std_msgs/msg/Int32", "{data: abc}"], "Failed to populate field"),
        (["topic", "pub", "/x", "std_msgs/msg/UInt8", "{data: 300}"], "Failed to populate field"),
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


@pytest.mark.parametrize(
    "words",
    [
        ["topic", "pub", "-r", "0", "/x", "std_msgs/msg/Bool"],
        ["topic", "pub", "--times=-1", "/x", "std_msgs/msg/Bool"],
        ["topic", "hz", "-w", "0", "/x"],
        ["topic", "echo", "-l", "-1", "/x"],
    ],
    ids=" ".join,
)
def test_a_number_that_makes_no_sense_is_a_usage_error(ros2: Ros2, words: list[str]) -> None:
    result = ros2(*words)
    assert result.returncode == 2
    assert "value must be above" in result.stderr and "Traceback" not in result.stderr


def test_the_interface_to_show_can_be_piped_in(ros2: Ros2) -> None:
    shown = ros2("interface", "show", "-", input="std_msgs/msg/Bool\n")
    assert shown.stdout.endswith("\nbool data\n"), shown.stderr
    empty = ros2("interface", "show", "-", input="")
    assert empty.returncode == 2 and "the passed value is empty" in empty.stderr


def test_a_value_out_of_range_is_an_error_message_and_exit_code_0(ros2: Ros2) -> None:
    result = ros2("param", "set", "/here/peer", "group.level", "2.0")
    assert result.stderr.startswith("Setting parameter failed: ") and not result.stdout
    assert result.returncode == 0


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


def test_a_number_that_is_published_as_a_bool_arrives_as_one(
    ros2: Ros2, environment: dict[str, str]
) -> None:
    kind = "std_msgs/msg/Bool"
    echo = subprocess.Popen(
        [
            *(sys.executable, "-m", "ros2_on_pip.cli", "topic", "echo", "--once"),
            *("/here/yes", kind, "--field", "data"),
        ],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        sent = ros2("topic", "pub", "--once", "/here/yes", kind, "{data: 1}")
        assert sent.stdout.endswith("publishing #1: std_msgs.msg.Bool(data=True)\n\n"), sent.stderr
        assert echo.communicate(timeout=20)[0] == "True\n---\n"
    finally:
        echo.kill()


def test_the_rate_of_a_topic_is_printed_over_as_many_gaps_as_are_asked_for(
    environment: dict[str, str],
) -> None:
    command = [sys.executable, "-m", "ros2_on_pip.cli", "topic", "hz", "-w", "1", "/here/ticks"]
    hz = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    try:
        assert hz.stdout is not None
        assert hz.stdout.readline().startswith("average rate: ")
        assert hz.stdout.readline().endswith("window: 1\n")
    finally:
        hz.kill()
        hz.communicate()


def test_a_topic_that_has_died_has_no_rate() -> None:
    times = iter((0.0, 1.0, 1.25, 1.75, 11.75))
    rate = Rate(2, clock=lambda: next(times))
    assert rate.line() is None
    rate.heard(None)
    assert rate.line() is None  # one message has no rate
    for _ in range(3):
        rate.heard(None)
    line = "average rate: 2.667\n\tmin: 0.250s max: 0.500s std dev: 0.12500s window: 2"
    assert rate.line() == line
    assert rate.line() is None
    rate.heard(None)
    assert str(rate.line()).startswith("average rate: 0.190\n")


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


def test_a_listing_of_nothing_prints_nothing(ros2: Ros2) -> None:
    with domain_id() as number:
        empty = {**os.environ, "ROS_DOMAIN_ID": str(number)}
        path = str(Path(__file__).resolve().parent.parent)
        empty["PYTHONPATH"] = os.pathsep.join([path, empty.get("PYTHONPATH", "")])
        assert ros2("node", "list", env=empty).stdout == ""
        assert ros2("lifecycle", "nodes", env=empty).stdout == ""


@pytest.mark.parametrize("text", ["a: b: c", "@you", "[1, half]", "{a: 1}", "2026-11-23"])
def test_a_value_that_is_no_yaml_value_is_set_as_the_text_it_is(ros2: Ros2, text: str) -> None:
    result = ros2("param", "set", "/here/peer", "words", text)
    assert result.stdout == "Set parameter successful\n", result.stderr
    got = ros2("param", "get", "--hide-type", "/here/peer", "words")
    assert got.stdout == f"{text}\n"


def test_a_parameter_is_deleted_once(ros2: Ros2) -> None:
    assert ros2("param", "get", "/here/peer", "passing").returncode == 0
    deleted = ros2("param", "delete", "/here/peer", "passing")
    assert deleted.stdout == "Deleted parameter successfully\n", deleted.stderr
    assert "passing" not in ros2("param", "list", "/here/peer").stdout


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("a: [1\n", "not YAML"),
        ("- a\n", "not a parameter file"),
        ("/here/peer: 3\n", "not a valid ROS parameter file for node /here/peer"),
        ("/here/peer:\n  ros__parameters: {words: [1, half]}\n", "has no parameter type"),
        ("/other:\n  ros__parameters: {words: a}\n", "does not contain parameters for"),
    ],
)
def test_a_faulty_parameter_file_is_one_sentence(
    ros2: Ros2, tmp_path: Path, content: str, sentence: str
) -> None:
    file = tmp_path / "peer.yaml"
    file.write_text(content)
    result = ros2("param", "load", "/here/peer", str(file))
    assert result.returncode == 1
    assert sentence in result.stderr and result.stderr.count("\n") == 1


def test_an_interrupted_goal_is_canceled(environment: dict[str, str]) -> None:
    goal = subprocess.Popen(
        [
            *(sys.executable, "-m", "ros2_on_pip.cli", "action", "send_goal"),
            *("/here/endless", "clara_interfaces/action/Chat", "{}"),
        ],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert goal.stdout is not None
        for line in goal.stdout:
            if line.startswith("Goal accepted"):
                break
        goal.send_signal(signal.SIGINT)
        out, error = goal.communicate(timeout=20)
    finally:
        goal.kill()
    assert out.endswith("Canceling goal...\nGoal canceled.\n"), out + error
    assert goal.returncode == 0 and error == ""


def test_a_goal_that_takes_too_long_is_canceled(ros2: Ros2) -> None:
    kind = "clara_interfaces/action/Chat"
    result = ros2("action", "send_goal", "-t", "0.5", "/here/endless", kind)
    assert result.returncode == 1 and "Timeout reached" in result.stderr
    assert result.stdout.endswith("Canceling goal...\nGoal canceled.\n")
