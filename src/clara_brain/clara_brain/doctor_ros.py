# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""The checks of `clara doctor` that need ROS: DDS discovery and the nodes' lifecycle states."""

from __future__ import annotations

import contextlib
import time
import uuid
from dataclasses import fields

import rclpy
from rcl_interfaces.srv import GetParameters
from rclpy.executors import SingleThreadedExecutor
from rclpy.parameter import parameter_value_to_python
from rclpy.signals import SignalHandlerOptions
from std_msgs.msg import Empty

from clara_brain.doctor import Finding, Level
from clara_brain.errors import ClientError
from clara_brain.ros_client import RosClient
from clara_brain.settings import ServerSettings
from clara_interfaces.srv import GetMemoryStats

DISCOVERY_LIMIT_S = 10.0
NODE_LIMIT_S = 5.0
_SERVER_LIMIT_S = 2.0
_CLOCK_LIMIT_S = 2.0


def discovery() -> Finding:
    """Whether a message goes from one DDS participant to another on this machine."""
    name = f"clara_doctor_{uuid.uuid4().hex[:12]}"
    contexts = [rclpy.Context(), rclpy.Context()]
    for context in contexts:
        rclpy.init(context=context, args=[], signal_handler_options=SignalHandlerOptions.NO)
    nodes = [
        rclpy.create_node(f"{name}_{number}", context=context)
        for number, context in enumerate(contexts)
    ]
    executor = SingleThreadedExecutor(context=contexts[1])
    heard: list[Empty] = []
    start = time.monotonic()
    try:
        speaker = nodes[0].create_publisher(Empty, name, 1)
        nodes[1].create_subscription(Empty, name, heard.append, 1)
        executor.add_node(nodes[1])
        while not heard and time.monotonic() - start < DISCOVERY_LIMIT_S:
            speaker.publish(Empty())
            executor.spin_once(timeout_sec=0.1)
    finally:
        executor.shutdown()
        for node, context in zip(nodes, contexts, strict=True):
            node.destroy_node()
            rclpy.try_shutdown(context=context)
    if not heard:
        return Finding(
            "DDS",
            Level.FAULT,
            f"two participants did not hear each other within {DISCOVERY_LIMIT_S:g} s",
            "allow UDP on loopback (firewall), and look at ROS_AUTOMATIC_DISCOVERY_RANGE",
        )
    return Finding("DDS", Level.OK, f"a message arrived after {time.monotonic() - start:.2f} s")


def server_settings(namespace: str) -> ServerSettings | None:
    """Return the server of a running brain; None with another backend. Raises ClientError."""
    names = [each.name for each in fields(ServerSettings)]
    with RosClient(namespace, _SERVER_LIMIT_S, "clara_doctor") as client:
        request = GetParameters.Request(names=["backend", *names])
        answer = client.call(GetParameters, "brain/get_parameters", request)
    backend, *values = map(parameter_value_to_python, answer.values)
    return ServerSettings(**dict(zip(names, values, strict=True))) if backend == "openai" else None


def memory_path(namespace: str) -> tuple[str, bool]:
    """Return the file of a running memory node, and whether it is open. Raises ClientError."""
    with RosClient(namespace, _SERVER_LIMIT_S, "clara_doctor") as client:
        request = GetParameters.Request(names=["memory_path"])
        (configured,) = client.call(GetParameters, "memory/get_parameters", request).values
        # Of a node that is active: the parameter may have been set since it was configured.
        with contextlib.suppress(ClientError):
            return str(client.call(GetMemoryStats, "memory/stats").path), True
    return str(configured.string_value), False


def node_state(node: str, namespace: str) -> Finding:
    """Whether a node runs, its lifecycle state, and whether it has a clock."""
    name = f"node {node}"
    try:
        with RosClient(namespace, NODE_LIMIT_S, "clara_doctor") as client:
            state = client.lifecycle_state(node)
            clockless = state == "active" and _waits_for_clock(client, node)
    except ClientError:
        remedy = "start it: ros2 launch clara_brain clara.launch.py"
        return Finding(name, Level.WARNING, f"does not run in namespace {namespace}", remedy)
    if clockless:
        detail = "takes the time from /clock, and nobody publishes it"
        return Finding(name, Level.WARNING, detail, "start the simulation, or use_sim_time:=false")
    if state == "active":
        return Finding(name, Level.OK, state)
    remedy = f"ros2 lifecycle set /{namespace.strip('/')}/{node} configure, then activate"
    return Finding(name, Level.WARNING, f"is {state}", f"{remedy}; its log says what was wrong")


def _waits_for_clock(client: RosClient, node: str) -> bool:
    request = GetParameters.Request(names=["use_sim_time"])
    (simulated,) = client.call(GetParameters, f"{node}/get_parameters", request).values
    return simulated.bool_value and not client.spin_until(
        lambda: client.node.count_publishers("/clock") > 0, _CLOCK_LIMIT_S
    )
