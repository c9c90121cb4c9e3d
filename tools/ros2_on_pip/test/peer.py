# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""The node that the tests look at: a lifecycle node that talks, hears, serves and acts."""

from __future__ import annotations

import signal
import sys

import rclpy
from rcl_interfaces.msg import FloatingPointRange, ParameterDescriptor
from rclpy.action import ActionServer, CancelResponse
from rclpy.executors import SingleThreadedExecutor
from rclpy.lifecycle import LifecycleNode, TransitionCallbackReturn
from rclpy.task import Future
from std_msgs.msg import String

from clara_interfaces.action import Chat
from clara_interfaces.srv import ResetSession


class Peer(LifecycleNode):
    def __init__(self) -> None:
        super().__init__("peer", namespace="/here")
        limits = [FloatingPointRange(from_value=0.0, to_value=1.0)]
        descriptor = ParameterDescriptor(description="A level", floating_point_range=limits)
        self.declare_parameter("group.level", 0.5, descriptor)
        self.declare_parameter("words", "")
        dynamic = ParameterDescriptor(dynamic_typing=True)
        self.declare_parameter("passing", 1, dynamic)
        self.heard = self.create_publisher(String, "heard", 10)
        self.create_subscription(String, "told", self.heard.publish, 10)
        self.create_service(ResetSession, "reset", self._reset)
        self.action = ActionServer(self, Chat, "chat", self._chat)
        self.canceled: Future = Future()
        self.endless = ActionServer(
            self, Chat, "endless", self._endless, cancel_callback=self._cancel
        )
        self.create_timer(0.2, lambda: self.ticks.publish(String(data="tick")))
        self.ticks = self.create_publisher(String, "ticks", 10)

    def on_activate(self, state: object) -> TransitionCallbackReturn:
        return TransitionCallbackReturn.FAILURE

    def _reset(self, request: object, response: ResetSession.Response) -> ResetSession.Response:
        response.turns = len(request.session_id)  # type: ignore[attr-defined]
        return response

    def _chat(self, goal: object) -> Chat.Result:
        goal.publish_feedback(Chat.Feedback(seq=0, delta="pong"))  # type: ignore[attr-defined]
        goal.succeed()  # type: ignore[attr-defined]
        return Chat.Result(text=f"you said {goal.request.text}")  # type: ignore[attr-defined]

    def _cancel(self, goal: object) -> CancelResponse:
        canceled, self.canceled = self.canceled, Future()
        canceled.set_result(None)
        return CancelResponse.ACCEPT

    async def _endless(self, goal: object) -> Chat.Result:
        await self.canceled
        goal.canceled()  # type: ignore[attr-defined]
        return Chat.Result()


signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
rclpy.init()
executor = SingleThreadedExecutor()
executor.add_node(Peer())
print("ready", flush=True)
while True:
    executor.spin_once(timeout_sec=0.1)
