# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""`clara doctor`: each fault has a remedy, a broken check ends nothing, keys stay secret."""

from __future__ import annotations

import fcntl
import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from clara_brain.doctor import Finding, Level, MemoryFile
from clara_brain.settings import ServerSettings
from domain_coordinator import domain_id
from faulty_server import Server

from clara_brain import doctor

RUN = "from clara_brain.cli import main; main()"


def memory(path: Path) -> Path:
    database = sqlite3.connect(path)
    database.execute("CREATE TABLE episodes (seq INTEGER PRIMARY KEY, text TEXT)")
    database.executemany("INSERT INTO episodes (text) VALUES (?)", [("x" * 500,)] * 100)
    database.commit()
    database.close()
    return path


def test_a_broken_check_is_a_finding() -> None:
    def broken() -> Finding:
        raise RuntimeError("out of luck")

    finding = doctor.guarded("luck", broken)
    assert finding.level is Level.FAULT and "out of luck" in finding.detail and finding.remedy


def test_a_missing_package_is_a_fault_with_a_remedy() -> None:
    finding = doctor.distribution("no-such-package-of-clara", "needed here")
    assert finding.level is Level.FAULT and finding.remedy.startswith("pip install")


@pytest.mark.parametrize("content", [None, b"", b"not a model at all", b"GGUF\x03\x00\x00"])
def test_a_missing_or_damaged_model_is_a_fault(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "model.gguf"
    if content is not None:
        path.write_bytes(content)
    finding = doctor.model_file(path)
    assert finding.level is Level.FAULT and str(path) in finding.detail and finding.remedy


def test_a_server_that_answers_and_has_the_model_is_well() -> None:
    with Server() as server:
        finding = doctor.model_server(ServerSettings(server.url))
    assert finding.level is Level.OK and f"{server.url} has m" in finding.detail


@pytest.mark.parametrize(
    ("models", "wanted", "said"),
    [
        ([], "", "serves no model"),
        ([{"id": "a"}, {"id": "b"}], "", "set server_model to one of a, b"),
        ([{"id": "a"}], "c", "has no model named 'c'; it has a"),
    ],
)
def test_a_server_without_the_model_is_a_fault(models: list[Any], wanted: str, said: str) -> None:
    with Server(models=models) as server:
        finding = doctor.model_server(ServerSettings(server.url, wanted))
    assert finding.level is Level.FAULT and said in finding.detail and finding.remedy


def test_a_server_that_is_not_there_is_a_fault_and_none_at_all_is_well() -> None:
    finding = doctor.model_server(ServerSettings("http://127.0.0.1:9"))
    assert finding.level is Level.FAULT and "127.0.0.1:9" in finding.detail
    assert "server_url" in finding.remedy
    assert doctor.model_server(None).level is Level.OK


def test_the_shipped_model_is_readable() -> None:
    assert doctor.model_file(None).level is Level.OK


def test_a_memory_that_does_not_exist_yet_is_well(tmp_path: Path) -> None:
    path = tmp_path / "new" / "memory.sqlite3"
    finding = doctor.memory_file(MemoryFile(path, "given"))
    assert finding.level is Level.OK and f"{path}, given, will be made" in finding.detail
    assert not path.parent.exists()


def test_a_whole_memory_is_counted_and_its_holder_named(tmp_path: Path) -> None:
    path = memory(tmp_path / "m.sqlite3")
    file = MemoryFile(path, "given")
    finding = doctor.memory_file(file)
    assert finding.level is Level.OK
    assert finding.detail == f"{path}, given: 100 episodes, not in use"
    with Path(f"{path}.lock").open("w") as lock:
        lock.write("4711")
        lock.flush()
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert "open in process 4711" in doctor.memory_file(file).detail


def test_a_damaged_memory_is_a_fault_and_stays_as_it_is(tmp_path: Path) -> None:
    path = memory(tmp_path / "m.sqlite3")
    content = bytearray(path.read_bytes())
    content[4096:12288] = b"\xff" * 8192
    path.write_bytes(content)
    assert doctor.memory_file(MemoryFile(path, "given")).level is Level.FAULT
    assert path.read_bytes() == content


def test_a_key_is_never_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "very-secret")
    finding = doctor.key(("ANTHROPIC_API_KEY",))
    assert finding.detail == "is set"


def test_doctor_works_where_rclpy_cannot_be_imported(tmp_path: Path) -> None:
    (tmp_path / "rclpy.py").write_text("raise ImportError('no rclpy here')\n")
    path = os.pathsep.join([str(tmp_path), *filter(None, sys.path)])
    done = subprocess.run(
        [sys.executable, "-c", RUN, "doctor", "--json"],
        env={**os.environ, "PYTHONPATH": path, "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    found = {each["name"]: each for each in json.loads(done.stdout)}
    assert "no rclpy here" in found["rclpy"]["detail"] and found["rclpy"]["level"] == "fault"
    assert found["node brain"]["level"] == "warning"
    assert "Traceback" not in done.stderr


def test_doctor_finds_no_fault_here_and_says_that_no_node_runs(tmp_path: Path) -> None:
    with domain_id() as domain:
        done = subprocess.run(
            [sys.executable, "-c", RUN, "doctor", "--json"],
            env={**os.environ, "ROS_DOMAIN_ID": str(domain), "HOME": str(tmp_path)},
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )
    assert done.returncode == 0, done.stdout + done.stderr
    found = {each["name"]: each for each in json.loads(done.stdout)}
    assert found["DDS"]["level"] == "ok"
    default = f"{tmp_path}/.clara/memory.sqlite3, the default, for no memory node answers"
    assert found["memory file"]["detail"] == f"{default}, will be made at the first start"
    assert found["node memory"]["level"] == "warning" and found["node memory"]["remedy"]


ELSEWHERE = """
import rclpy
from clara_interfaces.srv import GetMemoryStats
rclpy.init()
node = rclpy.create_node("memory", namespace="clara")
node.declare_parameter("memory_path", "~/set_later.sqlite3")
def stats(request, response):
    response.path = "/elsewhere/robot.sqlite3"
    return response
node.create_service(GetMemoryStats, "memory/stats", stats)
rclpy.spin(node)
"""


def test_the_file_that_is_looked_at_is_that_of_the_running_node(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with domain_id() as domain:
        monkeypatch.setenv("ROS_DOMAIN_ID", str(domain))
        node = subprocess.Popen([sys.executable, "-c", ELSEWHERE])
        try:
            looked_at = doctor._memory_of("clara")
        finally:
            node.kill()
            node.wait()
    assert looked_at.path == Path("/elsewhere/robot.sqlite3") and looked_at.is_open
    finding = doctor.memory_file(looked_at)
    assert finding.level is Level.WARNING and finding.remedy
    wanted = "/elsewhere/robot.sqlite3, of the running node, is not on this machine"
    assert finding.detail == wanted


CLOCKLESS = """
import rclpy
from rclpy.lifecycle import LifecycleNode
rclpy.init(args=["--ros-args", "-p", "use_sim_time:=true"])
node = LifecycleNode("memory", namespace="clara")
node.trigger_configure()
node.trigger_activate()
rclpy.spin(node)
"""


def test_a_node_in_simulated_time_that_nobody_gives_is_a_warning(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from clara_brain import doctor_ros

    with domain_id() as domain:
        monkeypatch.setenv("ROS_DOMAIN_ID", str(domain))
        node = subprocess.Popen([sys.executable, "-c", CLOCKLESS])
        try:
            finding = doctor_ros.node_state("memory", "clara")
        finally:
            node.kill()
            node.wait()
    assert finding.level is Level.WARNING and finding.remedy
    assert finding.detail == "takes the time from /clock, and nobody publishes it"
