# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""`ros2 launch clara_brain clara.launch.py`: what it starts, what it says, how it ends."""

from __future__ import annotations

import os
import re
import runpy
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest
from ament_index_python.packages import get_package_share_directory
from conftest import active
from lifecycle_msgs.msg import State
from rcl_interfaces.srv import GetParameters, ListParameters
from rclpy.exceptions import InvalidNamespaceException
from rclpy.validate_namespace import validate_namespace
from running import Peer, Process, wait_for_node, wait_until

from clara_interfaces.srv import GetModelInfo

ROOT = Path(__file__).resolve().parent.parent
LAUNCH = ("ros2", "launch", "clara_brain", "clara.launch.py")


def pid_of(launch: Process, node: str) -> int:
    """Return the process id that launch printed for a node."""
    line = launch.wait_for(f"[{node}]: process started with pid [")
    return int(line.rsplit("[", 1)[1].rstrip("]"))


def test_ctrl_c_ends_everything_within_five_seconds_with_exit_code_0(
    start: Callable[..., Process], peer: Peer
) -> None:
    launch = start(*LAUNCH)
    peer.spin_until(lambda: active(peer, "brain"), 90.0, "brain active")
    peer.spin_until(lambda: active(peer, "memory"), 90.0, "memory active")
    began = time.monotonic()
    launch.interrupt()
    assert launch.wait(15.0) == 0, launch.output
    assert time.monotonic() - began < 5.0
    for name in ("memory_node-1", "brain_node-2"):
        launch.wait_for(f"[{name}]: process has finished cleanly", 1.0)
    assert "Traceback" not in launch.output
    folder = launch.wait_for("All log files can be found below").split("below ", 1)[1]
    assert "process started with pid" in Path(folder, "launch.log").read_text()


LONGEST = """
import runpy, sys
from rclpy.task import Future
longest, add = 0, Future.add_done_callback
def counting(future, callback):
    global longest
    add(future, callback)
    longest = max(longest, len(future._callbacks))
Future.add_done_callback = counting
try:
    runpy.run_module(sys.argv.pop(1), run_name="__main__")
finally:
    print("the longest list of callbacks has", longest)
"""


@pytest.mark.parametrize(
    ("module", "node"),
    [
        ("clara_memory.node", "memory"),
        ("clara_brain.node", "brain"),
        ("clara_console.node", "console"),
        ("clara_demo.robot_node", "robot"),
    ],
)
def test_a_node_gathers_nothing_with_every_request(
    start: Callable[..., Process], peer: Peer, module: str, node: str
) -> None:
    # rclpy's spin_until_future_complete keeps a callback for each turn: megabytes an hour.
    how = ("--ros-args", "-r", "__ns:=/clara", "-p", "port:=0")  # of the console alone
    process = start(sys.executable, "-c", LONGEST, module, *how)
    for _ in range(100):
        peer.call(ListParameters, f"{node}/list_parameters", limit=60.0)
    process.interrupt()
    assert process.wait(20.0) == 0, process.output
    line = process.wait_for("the longest list of callbacks has")
    assert int(line.rsplit(" ", 1)[1]) < 20, process.output


def test_an_impatient_ctrl_c_ends_everything_cleanly_too(
    start: Callable[..., Process], peer: Peer
) -> None:
    launch = start(*LAUNCH)
    peer.spin_until(lambda: active(peer, "brain"), 90.0, "brain active")
    peer.spin_until(lambda: active(peer, "memory"), 90.0, "memory active")
    end = time.monotonic() + 10.0
    while launch.output.count("process has") < 2 and time.monotonic() < end:
        launch.interrupt()
        time.sleep(0.01)
    assert launch.output.count("process has finished cleanly") == 2, launch.output
    assert "Traceback" not in launch.output


def test_a_node_that_dies_is_reported_with_its_name_and_exit_code_and_the_rest_stays(
    start: Callable[..., Process], peer: Peer
) -> None:
    launch = start(*LAUNCH)
    peer.spin_until(lambda: active(peer, "memory"), 90.0, "memory active")
    peer.spin_until(lambda: active(peer, "brain"), 90.0, "brain active")
    os.kill(pid_of(launch, "memory_node-1"), signal.SIGKILL)
    line = launch.wait_for("process has died", 15.0)
    assert "[memory_node-1]" in line and "exit code -9" in line
    assert peer.call(GetModelInfo, "model/info").error_code == GetModelInfo.Response.NONE
    assert launch.running


def test_a_node_that_died_comes_back_and_works_where_respawn_is_asked_for(
    start: Callable[..., Process], peer: Peer
) -> None:
    launch = start(*LAUNCH, "respawn:=true")
    peer.spin_until(lambda: active(peer, "memory"), 90.0, "memory active")
    os.kill(pid_of(launch, "memory_node-1"), signal.SIGKILL)
    launch.wait_for("process has died", 15.0)
    started = "process started with pid"
    wait_until(
        lambda: sum("memory_node" in line and started in line for line in launch.lines) == 2,
        30.0,
        "a second start of memory_node",
    )
    peer.spin_until(lambda: active(peer, "memory"), 60.0, "memory active again")


def test_without_autostart_the_nodes_wait_unconfigured_and_obey_ros2_lifecycle(
    start: Callable[..., Process], peer: Peer
) -> None:
    start(*LAUNCH, "autostart:=false")
    state = peer.state_of("memory", limit=60.0)
    assert state.id == State.PRIMARY_STATE_UNCONFIGURED
    wait_for_node(start, "/clara/memory", "lifecycle", "nodes")
    for transition, expected in (
        ("configure", "inactive"),
        ("activate", "active"),
        ("deactivate", "inactive"),
    ):
        said = start("ros2", "lifecycle", "set", "/clara/memory", transition)
        assert said.wait() == 0 and "Transitioning successful" in said.output, said.output
        assert peer.state_of("memory").label == expected
    asked = start("ros2", "lifecycle", "get", "/clara/memory")
    assert asked.wait() == 0 and "inactive [2]" in asked.output, asked.output


def test_a_params_file_reaches_the_nodes(
    start: Callable[..., Process], peer: Peer, tmp_path: Path
) -> None:
    file = tmp_path / "robot.yaml"
    file.write_text("/**:\n  ros__parameters:\n    personality.warmth: 0.125\n")
    start(*LAUNCH, f"params_file:={file}")
    peer.spin_until(lambda: active(peer, "brain"), 90.0, "brain active")
    asked = GetParameters.Request(names=["personality.warmth"])
    (warmth,) = peer.call(GetParameters, "brain/get_parameters", asked).values
    assert warmth.double_value == 0.125


@pytest.mark.parametrize(
    ("module", "missing", "sentence"),
    [
        ("clara_brain.start", "llama_cpp", "brain_node: llama-cpp-python is not installed: pip"),
        ("clara_memory_start", "rapidfuzz", "memory_node: rapidfuzz is not installed: pip"),
        ("clara_console.start", "uvicorn", "console: uvicorn is not installed: pip"),
    ],
)
def test_a_node_without_a_package_from_pip_names_it_and_what_installs_it(
    module: str, missing: str, sentence: str
) -> None:
    code = f"import sys; sys.modules['{missing}'] = None; import {module} as s; sys.exit(s.main())"
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 1 and ended.stderr.startswith(sentence), ended.stderr
    (words,) = re.findall(r"-r (\S+)", ended.stderr)
    assert (ROOT / words).is_file() and "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    "module", ["clara_brain.start", "clara_memory_start", "clara_console.start"]
)
def test_ctrl_c_before_a_node_runs_is_no_traceback(module: str, tmp_path: Path) -> None:
    now = "os.kill(os.getpid(), signal.SIGINT)"
    (tmp_path / "imported.py").write_text(f"import os, signal\n{now}\n")
    (tmp_path / "begun.py").write_text(f"import os, signal\ndef main():\n    {now}\n")
    for name in ("imported", "begun"):
        code = f"import sys; from {module} import start; sys.exit(start('it', '{name}'))"
        ended = subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONPATH": f"{tmp_path}:{os.environ['PYTHONPATH']}"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert (ended.returncode, ended.stderr) == (0, "")


def test_show_args_describes_every_argument(start: Callable[..., Process]) -> None:
    shown = start(*LAUNCH, "--show-args")
    assert shown.wait() == 0
    for name in (
        "model",
        "namespace",
        "memory_path",
        "params_file",
        "autostart",
        "use_sim_time",
        "demo",
        "console",
        "console_port",
        "enclaves",
        "log_level",
    ):
        assert f"'{name}':" in shown.output


def test_the_console_serves_its_page_the_demo_has_a_memory_of_its_own_and_both_end_with_the_rest(
    start: Callable[..., Process], peer: Peer, tmp_path: Path
) -> None:
    launch = start(*LAUNCH, "console:=True", "console_port:=0", "demo:=true", "autostart:=FALSE")
    address = launch.wait_for("console on http://127.0.0.1:").rsplit(" ", 1)[1]
    with urllib.request.urlopen(address, timeout=10.0) as page:
        assert "<title>Clara</title>" in page.read().decode()
    for name in ("memory", "brain"):
        peer.state_of(name, limit=60.0)
    asked = GetParameters.Request(names=["memory_path"])
    (file,) = peer.call(GetParameters, "memory/get_parameters", asked).values
    assert file.string_value == str(tmp_path / ".clara" / "demo.sqlite3")
    peer.call(ListParameters, "robot/list_parameters", limit=60.0)
    launch.interrupt()
    assert launch.wait(15.0) == 0, launch.output
    assert launch.output.count("process has finished cleanly") == 4, launch.output
    assert "Traceback" not in launch.output


@pytest.mark.parametrize(
    ("argument", "sentence"),
    [
        ("modle:=x.gguf", "clara.launch.py has no argument 'modle': did you mean 'model'?"),
        ("wings:=2", "clara.launch.py has no argument 'wings'"),
        ("params_file:=/nowhere/p.yaml", "there is no file /nowhere/p.yaml"),
        ("params_file:=broken.yaml", "broken.yaml, line 3: found character"),
        ("console_port:=many", "console_port: 'many' must be a number"),
        ("autostart:=perhaps", "perhaps"),
        ("namespace:=robot-1", "namespace: 'robot-1' must be names parted by '/'"),
    ],
)
def test_a_wrong_launch_argument_ends_the_launch_with_a_sentence(
    start: Callable[..., Process], tmp_path: Path, argument: str, sentence: str
) -> None:
    (tmp_path / "broken.yaml").write_text("/**:\n  ros__parameters:\n\tautostart: true\n")
    launch = start(*LAUNCH, argument)
    assert launch.wait(30.0) == 1, launch.output
    assert sentence in launch.output
    assert "Traceback" not in launch.output
    assert "process started" not in launch.output


@pytest.mark.parametrize(
    "namespace",
    [
        *("", "/", "clara", "/clara", "clara/", "robot1/clara", "/robot1/clara/", "_a", "A_9/b_c"),
        *("robot-1", "1robot", "robot1/2nd", "a//b", "a b", "a.b", "~", "{node}"),
        *("rébot", "a:=b", "a\n", "a" * 200 + "-"),
    ],
)
def test_the_launch_file_takes_the_namespaces_that_ros_takes(namespace: str) -> None:
    share = get_package_share_directory("clara_brain")
    taken = runpy.run_path(f"{share}/launch/clara.launch.py")["NAMESPACE"].fullmatch(namespace)
    full = namespace if namespace.startswith("/") else f"/{namespace}"
    full = full.removesuffix("/") or "/"  # launch strips it
    try:
        valid = bool(validate_namespace(full))
    except InvalidNamespaceException:
        valid = False
    assert bool(taken) == valid


def test_the_launch_file_is_ordinary_launch_code() -> None:
    """Read with the very `launch` that is importable here: the real one where there is one."""
    launch = pytest.importorskip("launch")
    folder = subprocess.run(
        ["ros2", "pkg", "prefix", "--share", "clara_brain"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    from launch.launch_description_sources import PythonLaunchDescriptionSource

    source = PythonLaunchDescriptionSource(f"{folder}/launch/clara.launch.py")
    description = source.get_launch_description(launch.LaunchContext())
    names = {argument.name for argument in description.get_launch_arguments()}
    assert {"model", "namespace", "memory_path", "params_file", "autostart", "demo"} <= names
