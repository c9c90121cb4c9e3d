# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""What the memory node reports on /diagnostics, once a second."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.clock import Clock
from rclpy.clock_type import ClockType
from rclpy.node import Node
from rclpy.qos_overriding_options import QoSOverridingOptions

PERIOD_S = 1.0
CLOCK_LIMIT_S = 5.0
NO_CLOCK = "takes the time from /clock, where none has come yet: episodes get no date"


@dataclass(frozen=True, slots=True)
class Health:
    """State of the node at one moment."""

    state: str
    fault: str = ""  # what does not work now
    last_error: str = ""  # what went wrong last, though it may work again
    episodes: int = 0
    pending: int = 0
    queued: int = 0
    dropped: int = 0
    rejected: int = 0
    forgotten: int = 0
    bytes: int = 0
    last_commit_age_s: float | None = None  # None before the first
    last_commit_s: float = 0.0


class Diagnostics:
    """Publishes the health of a node in real time, also while a simulation stands still."""

    def __init__(self, node: Node, health: Callable[[], Health]) -> None:
        self._node = node
        self._health = health
        self._began = time.monotonic()
        self._before = (self._began, 0)
        self._publisher = node.create_publisher(
            DiagnosticArray,
            "/diagnostics",
            10,
            qos_overriding_options=QoSOverridingOptions.with_default_policies(),
        )
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._timer = node.create_timer(PERIOD_S, self._publish, clock=steady)

    def _publish(self) -> None:
        message = DiagnosticArray(status=[self._status(self._health())])
        message.header.stamp = self._node.get_clock().now().to_msg()
        self._publisher.publish(message)

    def _has_no_time(self) -> bool:
        # ROS time stands at 0 until the first message on /clock, which may come after the node.
        waited_s = time.monotonic() - self._began
        return waited_s > CLOCK_LIMIT_S and self._node.get_clock().now().nanoseconds == 0

    def _status(self, health: Health) -> DiagnosticStatus:
        then, episodes = self._before
        self._before = (time.monotonic(), health.episodes)
        rate = max(0, health.episodes - episodes) / max(1e-3, self._before[0] - then)
        level, summary = DiagnosticStatus.OK, health.state
        if health.fault:
            level, summary = DiagnosticStatus.ERROR, health.fault
        elif health.dropped:
            level, summary = DiagnosticStatus.WARN, f"{health.dropped} messages were dropped"
        elif self._has_no_time():
            level, summary = DiagnosticStatus.WARN, NO_CLOCK
            self._node.get_logger().warning(f"{NO_CLOCK} (use_sim_time)", once=True)
        age = health.last_commit_age_s
        values = {
            "state": health.state,
            "episodes": health.episodes,
            "pending": health.pending,
            "episodes_per_second": f"{rate:.1f}",
            "queue_depth": health.queued,
            "dropped": health.dropped,
            "rejected": health.rejected,
            "forgotten": health.forgotten,
            "bytes": health.bytes,
            "last_commit_age_s": "none yet" if age is None else f"{age:.1f}",
            "last_commit_ms": f"{health.last_commit_s * 1e3:.1f}",
            "last_error": health.last_error,
        }
        return DiagnosticStatus(
            level=level,
            name=f"{self._node.get_fully_qualified_name()[1:]}: memory",
            message=summary,
            values=[KeyValue(key=key, value=str(value)) for key, value in values.items()],
        )
