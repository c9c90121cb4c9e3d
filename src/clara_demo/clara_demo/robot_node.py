# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""The node `robot`: does what comes on `action_request`, and tells how it went.

For each request it publishes an ActionEvent when it starts and an ActionResult when it ends, both
with the id of the request. One action at a time; others wait in a bounded queue.
"""

from __future__ import annotations

import signal
import sys
import uuid
from collections import deque
from dataclasses import dataclass
from typing import Any

import rclpy
from clara_brain.signals import resolve_on_signals
from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
from rclpy.duration import Duration
from rclpy.exceptions import ParameterException
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos_overriding_options import QoSOverridingOptions
from rclpy.signals import SignalHandlerOptions
from rclpy.task import Future

from clara_demo.outcome import Outcome
from clara_demo.world import Report, World
from clara_interfaces.msg import ActionEvent, ActionResult, RoleFiller

DEPTH = 100  # reliable, keep-last
IDS_KEPT = 1000
_LISTENER_CHECK_S = 0.2
_LAST_WORDS_LIMIT_S = 1.0

# What the robot does of its own accord, so that memory has something to tell.
OWN_ACTIONS = (
    ("LOOK_AROUND", "", ""),
    ("PICK_UP", "book", ""),
    ("PLACE", "book", "table"),
    ("WAVE", "", ""),
)


@dataclass(frozen=True)
class RobotSettings:
    """Defaults of the node's parameters."""

    seed: int = 5
    time_scale: float = 1.0
    failure_probability: float = 0.25
    autonomous: bool = True
    queue_size: int = 16


class RobotNode(Node):  # type: ignore[misc]
    """A robot with one gripper in a simulated world."""

    def __init__(self, **options: Any) -> None:
        super().__init__("robot", **options)
        self._settings = self._read_parameters()
        self._world = World(self._settings.seed, self._settings.failure_probability)
        self._waiting: deque[ActionEvent] = deque()
        self._under_way: tuple[ActionEvent, Report] | None = None
        self._ids: deque[str] = deque(maxlen=IDS_KEPT)
        overrides = {"qos_overriding_options": QoSOverridingOptions.with_default_policies()}
        self._events = self.create_publisher(ActionEvent, "action_event", DEPTH, **overrides)
        self._results = self.create_publisher(ActionResult, "action_result", DEPTH, **overrides)
        self.create_subscription(
            ActionEvent, "action_request", self._on_request, DEPTH, **overrides
        )
        self._timer: Any = None
        self._own = (
            self.create_timer(_LISTENER_CHECK_S, self._begin_own_actions)
            if self._settings.autonomous
            else None
        )

    def stop(self) -> None:
        """End what is under way or waiting as CANCELED, so that nobody waits for it."""
        if self._timer is not None:
            self._timer.cancel()
        if self._under_way is not None:
            request, _ = self._under_way
            self._under_way = None
            self._tell(request, Report(Outcome.CANCELED, "the robot was switched off"))
        while self._waiting:
            request = self._waiting.popleft()
            self._announce(request)
            self._tell(request, Report(Outcome.CANCELED, "the robot was switched off"))
        # A publisher that is destroyed sends nothing again: reliable only until then.
        for publisher in (self._events, self._results):
            if not publisher.wait_for_all_acked(Duration(seconds=_LAST_WORDS_LIMIT_S)):
                self.get_logger().warning(f"{publisher.topic_name}: not everybody heard the end")

    def _read_parameters(self) -> RobotSettings:
        defaults = RobotSettings()

        def declare(name: str, description: str, **ranges: Any) -> Any:
            descriptor = ParameterDescriptor(description=description, read_only=True, **ranges)
            return self.declare_parameter(name, getattr(defaults, name), descriptor).value

        def between(least: float, most: float) -> dict[str, Any]:
            span = FloatingPointRange(from_value=least, to_value=most)
            return {"floating_point_range": [span]}

        def whole(least: int, most: int) -> dict[str, Any]:
            return {"integer_range": [IntegerRange(from_value=least, to_value=most, step=1)]}

        return RobotSettings(
            declare("seed", "of all chance in the world", **whole(0, 2**31 - 1)),
            declare("time_scale", "how long actions take; 1: as in life", **between(0.0, 100.0)),
            declare("failure_probability", "of one attempt", **between(0.0, 1.0)),
            declare("autonomous", "do a few things of its own accord at start"),
            declare("queue_size", "requests that may wait", **whole(1, 1000)),
        )

    def _begin_own_actions(self) -> None:
        # Nobody would remember what is done before memory listens.
        if not (self._events.get_subscription_count() and self._results.get_subscription_count()):
            return
        assert self._own is not None
        self.destroy_timer(self._own)
        for action, thing, place in OWN_ACTIONS:
            context = [RoleFiller(role="place", filler=place)] if place else []
            self._on_request(ActionEvent(action=action, object=thing, context=context))

    def _on_request(self, request: ActionEvent) -> None:
        if not request.action_id:
            request.action_id = str(uuid.uuid4())
        if request.action_id in self._ids:
            self.get_logger().warning(f"ignored: action_id {request.action_id!r} came before")
            return
        self._ids.append(request.action_id)
        if len(self._waiting) >= self._settings.queue_size:
            self._announce(request)
            most = self._settings.queue_size
            self._tell(request, Report(Outcome.FAILED, f"{most} actions are waiting already"))
            return
        self._waiting.append(request)
        if self._under_way is None:
            self._start_next()

    def _start_next(self) -> None:
        while self._waiting and self._under_way is None:
            request = self._waiting.popleft()
            self._announce(request)
            place = next((each.filler for each in request.context if each.role == "place"), "")
            report = self._world.perform(request.action, request.object, place)
            took = report.duration_s * self._settings.time_scale
            if took <= 0:
                self._tell(request, report)
                continue
            self._under_way = (request, report)
            self._timer = self.create_timer(took, self._end)

    def _end(self) -> None:
        self.destroy_timer(self._timer)
        self._timer = None
        assert self._under_way is not None
        request, report = self._under_way
        self._under_way = None
        self._tell(request, report)
        self._start_next()

    def _announce(self, request: ActionEvent) -> None:
        request.header.stamp = self.get_clock().now().to_msg()
        self._events.publish(request)

    def _tell(self, request: ActionEvent, report: Report) -> None:
        result = ActionResult(
            action_id=request.action_id, outcome=int(report.outcome), detail=report.detail
        )
        result.header.stamp = self.get_clock().now().to_msg()
        result.effects = [
            RoleFiller(role=role, filler=filler) for role, filler in report.effects.items()
        ]
        self._results.publish(result)
        did = f"{request.action} {request.object}".strip()
        self.get_logger().info(f"{did}: {report.outcome.name}, {report.detail}")


def main(args: list[str] | None = None) -> int:
    """Run the node until SIGINT or SIGTERM, then stop in order."""
    rclpy.init(args=args, signal_handler_options=SignalHandlerOptions.NO)
    try:
        node = RobotNode()
    except (ParameterException, RuntimeError) as error:
        print(f"robot_node: {error}", file=sys.stderr)
        rclpy.try_shutdown()
        return 1
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    asked: Future = Future()
    # A guard condition is work, so that `spin_once` returns for it.
    watching = resolve_on_signals(asked, node.create_guard_condition(lambda: None))
    try:
        # `spin_until_future_complete` would hang one more callback on the future for each message.
        while not asked.done():
            executor.spin_once()
        watching.join()  # it wakes the executor, which must still be there then
        for number in (signal.SIGINT, signal.SIGTERM):
            # Python's handlers go before the process does; a second signal must not kill it then.
            signal.signal(number, signal.SIG_IGN)
        node.stop()
    finally:
        executor.shutdown()
        node.destroy_node()
        rclpy.try_shutdown()
    return 0


if __name__ == "__main__":
    sys.exit(main())
