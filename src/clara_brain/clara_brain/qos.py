# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Publishers and subscriptions whose QoS a robot may override by parameters.

A parameter is named after the topic as it is in the end, namespace and remapping included, as
`qos_overrides./clara/reply.publisher.depth`. It is read once: when the publisher is made.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rclpy.exceptions import ParameterException
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos_overriding_options import QoSOverridingOptions
from rclpy.subscription import Subscription

from clara_brain.errors import QosError


def publisher(node: Node, kind: type, topic: str, depth: int) -> Publisher:
    """Return a reliable publisher that keeps `depth` messages, unless parameters say otherwise.

    Raises:
        QosError: a parameter names no such policy.
    """
    return _made(node.create_publisher, kind, topic, depth)


def subscription(
    node: Node, kind: type, topic: str, take: Callable[[Any], Any], depth: int, **options: Any
) -> Subscription:
    """Return a reliable subscription that keeps `depth` messages, unless parameters differ.

    Raises:
        QosError: a parameter names no such policy.
    """
    return _made(node.create_subscription, kind, topic, take, depth, **options)


def _made(create: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    overrides = QoSOverridingOptions.with_default_policies()
    try:
        return create(*arguments, qos_overriding_options=overrides, **options)
    except (ParameterException, RuntimeError) as error:  # rclpy raises either for a bad override
        raise QosError(str(error)) from error
