# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""What the node reports on /diagnostics, once a second."""

from __future__ import annotations

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.callback_groups import CallbackGroup
from rclpy.clock import Clock
from rclpy.clock_type import ClockType
from rclpy.node import Node

from clara_brain import qos
from clara_brain.backend import Backend, Figures
from clara_brain.sessions import Sessions
from clara_brain.turn_desk import TurnDesk

PERIOD_S = 1.0
_DEPTH = 10


class Diagnostics:
    """Publishes state, queue depth, speed, turns and the last error."""

    def __init__(self, node: Node, desk: TurnDesk, group: CallbackGroup) -> None:
        self._node = node
        self._desk = desk
        self.state = "unconfigured"
        self.fault = ""
        self.engine: Backend | None = None
        self.sessions: Sessions | None = None
        self._publisher = qos.publisher(node, DiagnosticArray, "/diagnostics", _DEPTH)
        # Health is reported in real time, also while a simulation stands still.
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        node.create_timer(PERIOD_S, self._publish, callback_group=group, clock=steady)

    def _publish(self) -> None:
        message = DiagnosticArray(status=[self._status()])
        message.header.stamp = self._node.get_clock().now().to_msg()
        self._publisher.publish(message)

    def _status(self) -> DiagnosticStatus:
        figures = self.engine.figures() if self.engine else Figures()
        level, summary = DiagnosticStatus.OK, self.state
        if self.fault:
            level, summary = DiagnosticStatus.ERROR, self.fault
        elif self.engine and self._desk.under_way >= self.engine.capacity:
            level, summary = DiagnosticStatus.WARN, "the queue of turns is full"
        elif figures.failing:
            level, summary = DiagnosticStatus.WARN, f"the last reply failed: {figures.failing}"
        elif self.sessions and self.sessions.fault:
            level, summary = DiagnosticStatus.WARN, self.sessions.fault
        elif self.engine and self.engine.no_heads:
            level = DiagnosticStatus.WARN
            summary = f"{self.state}, without read-outs"
        values = {
            "state": self.state,
            "turns_under_way": self._desk.under_way,
            "turns": self._desk.total,
            "queue_depth": figures.queued,
            "generating": figures.running,
            "tokens_per_second": f"{figures.last_tokens_per_second:.1f}",
            "sequences_restored": figures.restored_sequences,
            "governance": (self.engine.readouts if self.engine else "") or "none",
            "last_error": self.fault or self._desk.last_error,
        }
        return DiagnosticStatus(
            level=level,
            name=f"{self._node.get_fully_qualified_name()[1:]}: brain",
            message=summary,
            hardware_id="",
            values=[KeyValue(key=key, value=str(value)) for key, value in values.items()],
        )
