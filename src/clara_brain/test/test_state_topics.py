# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""The robot's state from real topics, with more than one publisher and with what they keep."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest
import rclpy
from clara_brain.state_topics import StateTopics
from domain_coordinator import domain_id
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile
from std_msgs.msg import String

LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)


@pytest.fixture
def node() -> Iterator[Node]:
    context = rclpy.Context()
    with domain_id() as number:
        rclpy.init(context=context, domain_id=number)
        made = rclpy.create_node("robot", context=context)
        yield made
        made.destroy_node()
        context.try_shutdown()


def test_what_was_kept_from_before_is_told_but_not_in_place_of_what_came_since(node):
    executor = SingleThreadedExecutor(context=node.context)
    executor.add_node(node)

    def until(holds: Callable[[], bool]) -> None:
        end = time.monotonic() + 10
        while not holds():
            assert time.monotonic() < end
            executor.spin_once(timeout_sec=0.05)

    kept = node.create_publisher(String, "/mode", LATCHED)
    kept.publish(String(data="asleep"))
    live = node.create_publisher(String, "/mode", 1)
    topics = StateTopics(node, MutuallyExclusiveCallbackGroup())
    topics.open(["mode: /mode std_msgs/msg/String data"])

    def told() -> str:
        return topics.answer("What is the mode?", 60.0, str)

    until(lambda: live.get_subscription_count() == 1)
    live.publish(String(data="awake"))
    until(lambda: "awake" in told())
    until(lambda: kept.get_subscription_count() == 2)
    end = time.monotonic() + 0.5
    while time.monotonic() < end:
        executor.spin_once(timeout_sec=0.05)
        assert "awake" in told()
    topics.close()
    assert told() == ""
    topics.open(["mode: /mode std_msgs/msg/String data"])
    until(lambda: "asleep" in told())
    topics.close()
    executor.shutdown()
