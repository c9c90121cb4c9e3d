# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""A memory node as its own process, and a peer that talks to it over DDS."""

import os
import signal
import subprocess
import sys
import time

import rclpy
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState, GetState
from rclpy.executors import SingleThreadedExecutor

from clara_interfaces.srv import GetMemoryStats, QueryMemory

LIMIT_S = 20.0
# What changes nothing is asked again: a node that has just started may answer before it has
# discovered who asks, and one that has just ended may still be asked; DDS drops both.
READS = (GetState, GetMemoryStats, QueryMemory)
PATIENCE_S = 3.0


class Peer:
    """A node in namespace clara, spun by the test's own thread."""

    def __init__(self, **options):
        self.context = rclpy.Context()
        rclpy.init(context=self.context, args=[])
        self.node = rclpy.create_node("peer", namespace="clara", context=self.context, **options)
        self.executor = SingleThreadedExecutor(context=self.context)
        self.executor.add_node(self.node)
        self.clients = {}

    def until(self, condition, what, limit=LIMIT_S):
        end = time.monotonic() + limit
        while not (value := condition()):
            assert time.monotonic() < end, f"waited {limit} s for {what}"
            self.executor.spin_once(timeout_sec=0.05)
        return value

    def future(self, kind, name, request=None):
        if name not in self.clients:
            self.clients[name] = self.node.create_client(kind, name)
        client = self.clients[name]
        assert client.wait_for_service(LIMIT_S), f"no service {name}"
        return client.call_async(request or kind.Request())

    def call(self, kind, name, request=None):
        began, asked = time.monotonic(), [self.future(kind, name, request)]

        def answered():
            if kind in READS and time.monotonic() - began > PATIENCE_S * len(asked):
                asked.append(self.future(kind, name, request))
            return next((future for future in asked if future.done()), None)

        return self.until(answered, f"an answer of {name}").result()

    def state(self):
        return self.call(GetState, "memory/get_state").current_state.label

    def change(self, transition):
        number = getattr(Transition, f"TRANSITION_{transition.upper()}")
        request = ChangeState.Request(transition=Transition(id=number))
        return self.call(ChangeState, "memory/change_state", request).success

    def publisher(self, kind, topic):
        made = self.node.create_publisher(kind, topic, 1000)
        self.until(made.get_subscription_count, f"a subscriber of {topic}")
        return made

    def close(self):
        self.executor.shutdown()
        self.node.destroy_node()
        rclpy.try_shutdown(context=self.context)


class NodeProcess:
    """The node under its own interpreter; what it says is in `said` after `stop`."""

    def __init__(self, log, namespace="/clara", **parameters):
        command = [
            sys.executable,
            "-m",
            "clara_memory.node",
            "--ros-args",
            "-r",
            f"__ns:={namespace}",
        ]
        for name, value in parameters.items():
            command += ["-p", f"{name}:={value}"]
        self.log = log
        with log.open("w") as written:
            self.process = subprocess.Popen(
                command, stdout=written, stderr=subprocess.STDOUT, env=os.environ.copy()
            )

    @property
    def said(self):
        return self.log.read_text()

    def stop(self, number=signal.SIGINT):
        self.process.send_signal(number)
        return self.process.wait(LIMIT_S)

    def close(self):
        # A killed node haunts its domain until DDS notices: ask first.
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(LIMIT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
