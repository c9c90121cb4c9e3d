# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""How what was asked for on `action_request` ended: the robot says so on `action_result`.

Only what is waited for is looked at, by its action's id. All methods belong to the executor's
thread.
"""

from __future__ import annotations

from typing import Any

from rclpy.callback_groups import CallbackGroup
from rclpy.clock import Clock
from rclpy.node import Node

from clara_brain import qos
from clara_brain.plan import End, Ended
from clara_interfaces.msg import ActionResult

_DEPTH = 100
# As long as memory waits for a result by default; a skill without a target has no `timeout`.
LONGEST_S = 300.0


class RequestResults:
    """Waits for the results of some actions, while it is open."""

    def __init__(self, node: Node, group: CallbackGroup, clock: Clock) -> None:
        self._node = node
        self._group = group
        self._clock = clock
        self._subscription: Any = None
        self._waiting: dict[str, tuple[Ended, Any]] = {}

    def open(self) -> None:
        """Listen to results."""
        self._subscription = qos.subscription(
            self._node,
            ActionResult,
            "action_result",
            self._heard,
            _DEPTH,
            callback_group=self._group,
        )

    def close(self) -> None:
        """Wait for nothing any more."""
        for _, timer in self._waiting.values():
            self._node.destroy_timer(timer)
        self._waiting.clear()
        if self._subscription:
            self._node.destroy_subscription(self._subscription)
        self._subscription = None

    def wait_for(self, action_id: str, ended: Ended) -> None:
        """Call `ended` once, with how the action ended or that nobody said so in time."""
        timer = self._node.create_timer(
            LONGEST_S,
            lambda: self._tell(action_id, End.TIMED_OUT, f"no result came in {LONGEST_S:g} s"),
            callback_group=self._group,
            clock=self._clock,
        )
        self._waiting[action_id] = ended, timer

    def _heard(self, result: ActionResult) -> None:
        if result.action_id not in self._waiting:
            return
        try:
            end = End(result.outcome)
        except ValueError:
            end = End.FAILED  # what cannot be read is no success
        self._tell(result.action_id, end, result.detail)

    def _tell(self, action_id: str, end: End, detail: str) -> None:
        ended, timer = self._waiting.pop(action_id)
        self._node.destroy_timer(timer)
        ended(end, detail)
