#!/usr/bin/env python3
# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""`memory/query` over DDS while the robot reports 100 actions a second and a core is busy.

The memory node, a process that publishes an event and a result for each action, and one that
keeps a core busy run beside this one, which asks. Afterwards every action must be an episode.
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from conftest import active
from domain_coordinator import domain_id
from memory_query import OBJECTS, fill
from report import report, summary
from running import Peer, Process

from clara_interfaces.msg import RoleFiller
from clara_interfaces.srv import GetMemoryStats, QueryMemory

ROBOT = """
import sys, time
import rclpy
from clara_interfaces.msg import ActionEvent, ActionResult
rclpy.init()
node = rclpy.create_node("load", namespace="clara")
events = node.create_publisher(ActionEvent, "action_event", 1000)
results = node.create_publisher(ActionResult, "action_result", 1000)
while not (events.get_subscription_count() and results.get_subscription_count()):
    time.sleep(0.01)
sys.stdin.readline()
began, sent, rate = time.monotonic(), 0, float(sys.argv[1])
import select
while not select.select([sys.stdin], [], [], 0)[0]:
    thing = f"OBJECT_{sent % 1000}"
    events.publish(ActionEvent(action_id=f"load-{sent}", action="GO", object=thing))
    results.publish(ActionResult(action_id=f"load-{sent}", outcome=1))
    sent += 1
    time.sleep(max(0.0, began + sent / rate - time.monotonic()))
print(sent, sent / (time.monotonic() - began), flush=True)
sys.stdin.readline()
"""


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--episodes", type=int, default=10_000)
    parser.add_argument("--queries", type=int, default=1_000)
    parser.add_argument("--rate", type=float, default=100.0)
    options = parser.parse_args()
    chance = random.Random(1)
    taken: dict[str, list[float]] = {"at rest": [], "under load": []}
    with domain_id() as domain, tempfile.TemporaryDirectory() as folder:
        os.environ.update(ROS_DOMAIN_ID=str(domain), ROS_AUTOMATIC_DISCOVERY_RANGE="LOCALHOST")
        file = Path(folder, "memory.sqlite3")
        fill(file, options.episodes, seed=0)
        node = Process(
            *("ros2", "run", "clara_memory", "memory_node", "--ros-args", "-r", "__ns:=/clara"),
            *("-p", "autostart:=true", "-p", f"memory_path:={file}"),
            env={"HOME": folder},
        )
        peer = Peer(int(domain))
        busy = None
        robot = subprocess.Popen(
            [sys.executable, "-c", ROBOT, str(options.rate)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert robot.stdin is not None and robot.stdout is not None
        try:
            peer.spin_until(lambda: active(peer, "memory"), 60.0, "memory active")
            client = peer.node.create_client(QueryMemory, "memory/query")
            peer.spin_until(client.service_is_ready, 30.0, "memory/query")
            for state, values in taken.items():
                if state == "under load":
                    busy = subprocess.Popen([sys.executable, "-c", "while True: pass"])
                    robot.stdin.write("go\n")
                    robot.stdin.flush()
                for number in range(-20, options.queries):
                    name = chance.choice(OBJECTS)
                    request = QueryMemory.Request(cue=[RoleFiller(role="object", filler=name)])
                    began = time.perf_counter()
                    future = client.call_async(request)
                    while not future.done():
                        peer.executor.spin_once(timeout_sec=1.0)
                    if number >= 0:
                        values.append(time.perf_counter() - began)
                    end = time.perf_counter() + 0.01
                    while time.perf_counter() < end:
                        peer.executor.spin_once(timeout_sec=0.002)
            robot.stdin.write("stop\n")
            robot.stdin.flush()
            sent, rate = robot.stdout.readline().split()

            def stored() -> bool:
                figures = peer.call(GetMemoryStats, "memory/stats")
                return bool(figures.episodes == options.episodes + int(sent))

            peer.spin_until(stored, 30.0, f"{sent} actions to be episodes")
            figures_now = peer.call(GetMemoryStats, "memory/stats")
        finally:
            for process in (robot, busy):
                if process is not None:
                    process.kill()
            peer.close()
            node.close()
    rows = {
        "episodes at first": f"{options.episodes:,}",
        "actions reported": f"{sent} at {float(rate):.0f} a second",
        "of them lost": str(figures_now.dropped),
    }
    figures: dict[str, object] = {"sent": int(sent), "rate": float(rate)}
    figures["dropped"] = int(figures_now.dropped)
    for state, values in taken.items():
        one = summary(values)
        figures[state] = one
        rows[f"memory/query, {state}"] = (
            f"median {one['median'] * 1e3:.1f} ms, p99 {one['p99'] * 1e3:.1f} ms (n={one['n']})"
        )
    report("memory_under_load", "memory/query while the robot is busy", rows, figures)


if __name__ == "__main__":
    main()
