# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""`ros2 launch` with real processes: output, arguments, scopes, death, and how it ends."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import Ros2

HEAD = """
from launch import LaunchDescription
from launch.actions import *
from launch.conditions import *
from launch.event_handlers import *
from launch.substitutions import *
from launch_ros.actions import *

def generate_launch_description():
    return LaunchDescription([
"""


def launch_file(folder: Path, *actions: str) -> str:
    path = folder / "it.launch.py"
    path.write_text(HEAD + ",\n".join(actions) + "])\n")
    return str(path)


@pytest.fixture
def run(ros2: Ros2, environment: dict[str, str], tmp_path: Path):  # type: ignore[no-untyped-def]
    def launch(path: str, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
        env = {**environment, "ROS_LOG_DIR": str(tmp_path / "log"), **variables}
        return ros2("launch", path, *words, env=env)

    return launch


def test_output_is_prefixed_and_logged(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    result = run(
        launch_file(
            tmp_path,
            "ExecuteProcess(cmd=['echo', 'loud'], output='screen')",
            "ExecuteProcess(cmd=['echo', 'quiet'])",
        )
    )
    assert result.returncode == 0
    assert "[echo-1] loud\n" in result.stdout and "quiet" not in result.stdout
    assert re.search(r"\[INFO\] \[echo-1\]: process started with pid \[\d+\]", result.stdout)
    assert "[INFO] [echo-1]: process has finished cleanly [pid " in result.stdout
    log = next((tmp_path / "log").rglob("launch.log")).read_text()
    assert "[echo-2] quiet" in log and "process has finished cleanly" in log


def test_a_process_that_dies_is_named_with_its_exit_code(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    result = run(launch_file(tmp_path, "ExecuteProcess(cmd=['sh', '-c', 'exit 3'])"))
    assert re.search(
        r"\[ERROR\] \[sh-1\]: process has died \[pid \d+, exit code 3, cmd 'sh -c exit 3'\]\.",
        result.stdout,
    )


def test_arguments_conditions_scopes_and_environment(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    path = launch_file(
        tmp_path,
        "DeclareLaunchArgument('who', default_value='nobody', description='Whom to greet')",
        "GroupAction([SetLaunchConfiguration('who', 'inside'),"
        " LogInfo(msg=['in ', LaunchConfiguration('who')])])",
        "GroupAction([LogInfo(msg=['apart ', LaunchConfiguration('who', default='nothing')])],"
        " forwarding=False)",
        "LogInfo(msg=['out ', LaunchConfiguration('who')])",
        "LogInfo(msg='never', condition=IfCondition('false'))",
        "LogInfo(msg='unless', condition=UnlessCondition('false'))",
        "SetEnvironmentVariable('WORD', 'given')",
        "ExecuteProcess(cmd=['sh', '-c', 'echo $WORD'], output='screen')",
    )
    out = run(path, "who:=you").stdout
    assert "in inside" in out and "apart nothing" in out and "out you" in out
    assert "never" not in out and "unless" in out
    assert "[sh-1] given" in out
    shown = run(path, "--show-args").stdout
    assert shown.endswith("\n    'who':\n        Whom to greet\n        (default: 'nobody')\n")


@pytest.mark.parametrize(
    ("actions", "words", "sentence"),
    [
        (["DeclareLaunchArgument('x')"], [], 'Required launch argument "x"'),
        (["DeclareLaunchArgument('x', choices=['a'])"], ["x:=b"], "is not valid"),
        (["LogInfo(msg=LaunchConfiguration('y'))"], [], "configuration 'y' does not exist"),
        (["Node(package='clara_interfaces', executable='no')"], [], "executable 'no' not found"),
        (["Node(package='no_such', executable='no')"], [], "package 'no_such' not found"),
    ],
)
def test_a_fault_in_the_launch_is_one_line_and_exit_code_1(
    run,  # type: ignore[no-untyped-def]
    tmp_path: Path,
    actions: list[str],
    words: list[str],
    sentence: str,
) -> None:
    result = run(launch_file(tmp_path, *actions), *words)
    assert result.returncode == 1
    assert (
        "[ERROR] [launch]: Caught exception in launch (see debug for traceback)" in result.stdout
    )
    assert sentence in result.stdout and "Traceback" not in result.stdout + result.stderr


def test_files_and_arguments_that_are_not_there(ros2: Ros2, tmp_path: Path) -> None:
    for words, sentence in (
        (["no_such", "x.launch.py"], "Package 'no_such' not found"),
        (["clara_interfaces", "x.launch.py"], "file 'x.launch.py' was not found in the share"),
        ([launch_file(tmp_path), "word"], "malformed launch argument 'word'"),
    ):
        result = ros2("launch", *words)
        assert result.returncode == 1 and sentence in result.stderr
        assert "Traceback" not in result.stderr


def test_a_node_gets_its_name_namespace_parameters_and_remappings(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    script = tmp_path / "show"
    script.write_text(
        '#!/bin/sh\necho "$@"\n'
        "while [ $# -gt 0 ]; do [ $1 = --params-file ] && cat $2; shift; done\n"
    )
    script.chmod(0o755)
    out = run(
        launch_file(
            tmp_path,
            "PushRosNamespace('outer')",
            f"Node(executable='{script}', name='n', namespace='inner', output='screen',"
            " parameters=[{'a': {'b': 1.5}, 'c': LaunchConfiguration('c', default='true')}],"
            " remappings=[('from', 'to')], ros_arguments=['--log-level', 'debug'])",
        )
    ).stdout
    for words in ("-r __node:=n", "-r __ns:=/outer/inner", "-r from:=to", "--log-level debug"):
        assert words in out
    assert "a.b: 1.5" in out and "c: true" in out


def test_on_exit_shutdown_ends_the_others(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    result = run(
        launch_file(
            tmp_path,
            "ExecuteProcess(cmd=['sleep', '30'])",
            "ExecuteProcess(cmd=['true'], on_exit=Shutdown(reason='done'))",
        )
    )
    assert result.returncode == 0
    assert "sending signal 'SIGINT' to process[sleep-1]" in result.stdout


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_every_process_and_a_deaf_one_is_killed(
    environment: dict[str, str], tmp_path: Path, number: signal.Signals
) -> None:
    path = launch_file(
        tmp_path,
        "ExecuteProcess(cmd=['sh', '-c', 'trap \"\" INT TERM; echo deaf; while :; do sleep 0.1;'"
        " ' done'], output='screen', sigterm_timeout='0.5', sigkill_timeout='0.5')",
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "ros2_on_pip.cli", "launch", path],
        env={**environment, "ROS_LOG_DIR": str(tmp_path / "log")},
        stdout=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    for line in process.stdout:
        if "deaf" in line:
            break
    began = time.monotonic()
    os.kill(process.pid, number)
    out = process.communicate(timeout=20)[0]
    assert process.returncode == 0 and time.monotonic() - began < 5
    assert "escalating to 'SIGTERM'" in out and "escalating to 'SIGKILL'" in out
    assert "exit code -9" in out
