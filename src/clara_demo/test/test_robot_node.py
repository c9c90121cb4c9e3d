# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""The robot node as a process, over DDS."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import rclpy
from domain_coordinator import domain_id
from rclpy.executors import SingleThreadedExecutor

from clara_interfaces.msg import ActionEvent, ActionResult, RoleFiller


class Rig:
    """Starts robot nodes and hears what they say."""

    def __init__(self, domain: int) -> None:
        self.domain = domain
        self.context = rclpy.Context()
        rclpy.init(context=self.context, domain_id=domain)
        self.node = rclpy.create_node("rig", namespace="clara", context=self.context)
        self.executor = SingleThreadedExecutor(context=self.context)
        self.executor.add_node(self.node)
        self.requests = self.node.create_publisher(ActionEvent, "action_request", 100)
        self.events: list[ActionEvent] = []
        self.results: list[ActionResult] = []
        self.node.create_subscription(ActionEvent, "action_event", self.events.append, 100)
        self.node.create_subscription(ActionResult, "action_result", self.results.append, 100)
        self.processes: list[subprocess.Popen[str]] = []

    def start(self, wait: bool = True, **parameters: Any) -> subprocess.Popen[str]:
        words = [f"-p {name}:={value}" for name, value in parameters.items()]
        command = [sys.executable, "-m", "clara_demo.robot_node", "--ros-args", "-r"]
        process = subprocess.Popen(
            [*command, "__ns:=/clara", *" ".join(words).split()],
            env={**os.environ, "ROS_DOMAIN_ID": str(self.domain)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.processes.append(process)
        if wait:
            self.until(
                lambda: (
                    self.requests.get_subscription_count() == 1
                    and self.node.count_publishers("/clara/action_event") == 1
                    and self.node.count_publishers("/clara/action_result") == 1
                )
            )
        return process

    def ask(self, action: str, thing: str = "", action_id: str = "", **context: str) -> None:
        fillers = [RoleFiller(role=role, filler=filler) for role, filler in context.items()]
        self.requests.publish(
            ActionEvent(action_id=action_id, action=action, object=thing, context=fillers)
        )

    def until(self, condition: Callable[[], object], limit: float = 20.0) -> None:
        end = time.monotonic() + limit
        while not condition():
            assert time.monotonic() < end, (self.events, self.results)
            self.executor.spin_once(timeout_sec=0.05)

    def close(self) -> None:
        for process in self.processes:
            process.kill()
            process.communicate()
        self.executor.shutdown()
        self.node.destroy_node()
        self.context.try_shutdown()


@pytest.fixture
def rig(monkeypatch: pytest.MonkeyPatch) -> Iterator[Rig]:
    monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    with domain_id() as domain:
        one = Rig(int(domain))
        yield one
        one.close()


def test_each_request_becomes_an_event_and_a_result_in_order(rig: Rig) -> None:
    rig.start(autonomous=False, time_scale=0.1, failure_probability=0.0)
    rig.ask("PICK_UP", "cup", "a1")
    rig.ask("PLACE", "cup", "a2", place="shelf")
    rig.ask("FLY", "", "a3")
    rig.ask("PICK_UP", "piano", "a4")
    rig.until(lambda: len(rig.results) == 4)
    assert [event.action_id for event in rig.events] == ["a1", "a2", "a3", "a4"]
    assert [result.action_id for result in rig.results] == ["a1", "a2", "a3", "a4"]
    assert [result.outcome for result in rig.results] == [1, 1, 2, 2]
    assert rig.events[1].context[0].filler == "shelf"
    assert rig.results[1].effects == [RoleFiller(role="place", filler="shelf")]
    assert "cannot do FLY" in rig.results[2].detail
    assert "no piano" in rig.results[3].detail
    started, ended = rig.events[0].header.stamp, rig.results[0].header.stamp
    took = ended.sec - started.sec + (ended.nanosec - started.nanosec) / 1e9
    assert 0.1 < took < 1.5  # 1.5 s times the scale


def test_a_repeated_request_is_done_once(rig: Rig) -> None:
    rig.start(autonomous=False, time_scale=0.1)
    for action_id in ("same", "same", "last"):
        rig.ask("WAVE", action_id=action_id)
    rig.until(lambda: len(rig.results) == 2)
    assert [event.action_id for event in rig.events] == ["same", "last"]


def test_a_full_queue_refuses_with_the_reason(rig: Rig) -> None:
    rig.start(autonomous=False, time_scale=1.0, queue_size=1)
    for number in range(3):
        rig.ask("WAVE", action_id=f"w{number}")
    rig.until(lambda: len(rig.results) == 3)
    by_id = {result.action_id: result for result in rig.results}
    assert [by_id[f"w{number}"].outcome for number in range(3)] == [1, 1, 2]
    assert by_id["w2"].detail == "1 actions are waiting already"


def test_an_autonomous_robot_acts_once_somebody_listens(rig: Rig) -> None:
    rig.start(autonomous=True, time_scale=0.05, failure_probability=0.0)
    rig.until(lambda: len(rig.results) == 4)
    assert [event.action for event in rig.events] == ["LOOK_AROUND", "PICK_UP", "PLACE", "WAVE"]
    assert all(result.outcome == 1 for result in rig.results)
    assert len({event.action_id for event in rig.events}) == 4


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_amid_an_action_cancels_it_and_ends_cleanly(
    rig: Rig, number: signal.Signals
) -> None:
    robot = rig.start(autonomous=False, time_scale=100.0)
    rig.ask("WAVE", action_id="long")
    rig.until(lambda: rig.events)
    robot.send_signal(number)
    output, _ = robot.communicate(timeout=3.0)
    assert robot.returncode == 0, output
    assert "Traceback" not in output
    rig.until(lambda: rig.results)
    assert rig.results[0].outcome == ActionResult.CANCELED


def test_a_parameter_out_of_range_is_refused_with_a_sentence(rig: Rig) -> None:
    robot = rig.start(wait=False, failure_probability=2.0)
    output, _ = robot.communicate(timeout=20.0)
    assert robot.returncode == 1
    assert "failure_probability" in output and "Traceback" not in output
