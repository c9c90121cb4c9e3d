# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Clara's nodes, seen from a command line: services, chat turns, lifecycle states.

It owns its context, node and executor, spins only while it waits, and starts no thread. While a
turn runs, Ctrl-C is a flag that cancels it: an exception inside the executor would lose its state.
"""

from __future__ import annotations

import math
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any

import rclpy
from action_msgs.msg import GoalStatus
from lifecycle_msgs.srv import GetState
from rclpy.action import ActionClient
from rclpy.exceptions import InvalidNamespaceException
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import QoSProfile
from rclpy.signals import SignalHandlerOptions

from clara_brain.errors import ClientError
from clara_interfaces.action import Chat

_STEP_S = 0.05
_FEEDBACK_DEPTH = 200
_CANCEL_LIMIT_S = 5.0
_GONE_LIMIT_S = 3.0
# How the services begin that change nothing, and how long they may be silent.
_READS = ("Get", "List")
_PATIENCE_S = 2.0


class RosClient:
    """Talks to the nodes of one namespace; use it in a with statement."""

    def __init__(self, namespace: str, timeout_s: float, name: str = "") -> None:
        """Join ROS. Raises ClientError for a namespace that is not well-formed.

        `timeout_s` bounds the wait for a node to appear and to take or answer a request.
        """
        self.timeout_s = timeout_s
        self._context = rclpy.Context()
        rclpy.init(context=self._context, args=[], signal_handler_options=SignalHandlerOptions.NO)
        try:
            # A name of its own, by which the brain sees that this client has gone away.
            name = name or f"clara_cli_{os.getpid()}"
            self.node = rclpy.create_node(name, namespace=namespace, context=self._context)
        except InvalidNamespaceException as error:
            rclpy.try_shutdown(context=self._context)
            raise ClientError(f"the namespace {namespace!r} is not well-formed") from error
        self.namespace = self.node.get_namespace()
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self.node)
        self._services: dict[str, Any] = {}
        self._chat: Any = None

    def __enter__(self) -> RosClient:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Leave ROS."""
        self._executor.shutdown()
        if self._chat is not None:
            self._chat.destroy()
        self.node.destroy_node()
        rclpy.try_shutdown(context=self._context)

    def spin_until(self, condition: Callable[[], bool], limit_s: float) -> bool:
        """Serve callbacks until the condition holds; False when it does not within the limit."""
        end = time.monotonic() + limit_s
        while not condition():
            if time.monotonic() >= end:
                return False
            self._executor.spin_once(timeout_sec=_STEP_S)
        return True

    def call(self, kind: Any, name: str, request: Any = None) -> Any:
        """Return the response of a service. Raises ClientError, also for an error code in it."""
        if name not in self._services:
            self._services[name] = self.node.create_client(kind, name)
        client = self._services[name]
        end = time.monotonic() + self.timeout_s
        if self.spin_until(client.service_is_ready, self.timeout_s):
            response = self._answer(client, request or kind.Request(), end)
            if response is not None:
                code = getattr(response, "error_code", 0)
                if code:
                    raise ClientError(
                        f"{name}: {error_name(kind.Response, code)}: {response.error_msg}"
                    )
                return response
        raise ClientError(self._silence(name))

    def _answer(self, client: Any, request: Any, end: float) -> Any:
        """Return the response, or None when none has come by `end`.

        What changes nothing is asked again where no answer comes: DDS drops the answer to a client
        that the node has not discovered yet.
        """
        patience = _PATIENCE_S if client.srv_type.__name__.startswith(_READS) else math.inf
        begun, asked = time.monotonic(), [client.call_async(request)]

        def answered() -> bool:
            if time.monotonic() - begun > patience * len(asked):
                asked.append(client.call_async(request))
            return any(each.done() for each in asked)

        in_time = self.spin_until(answered, max(_STEP_S, end - begun))
        for each in asked:
            client.remove_pending_request(each)
        return next(each.result() for each in asked if each.done()) if in_time else None

    def lifecycle_state(self, node: str) -> str:
        """Return the state of a lifecycle node, as "active". Raises ClientError."""
        return str(self.call(GetState, f"{node}/get_state").current_state.label)

    def chat(self, goal: Any, on_delta: Callable[[str], None]) -> Any:
        """Take one turn and return its result; the caller looks at the error code.

        `on_delta` gets the reply piece by piece, in order and whole: what feedback lost comes from
        the result. Ctrl-C cancels the turn, whose result then has the code CANCELED; a second one
        raises KeyboardInterrupt. Raises ClientError when no brain takes the goal or it goes away.
        """
        if self._chat is None:
            self._chat = ActionClient(
                self.node, Chat, "chat", feedback_sub_qos_profile=QoSProfile(depth=_FEEDBACK_DEPTH)
            )
        goal.client = self.node.get_fully_qualified_name()
        streamed = _Stream(on_delta)
        with _interruptions() as interrupted:
            handle = self._send(goal, streamed, interrupted)
            result = self._result(handle, interrupted)
        streamed.finish(result.text)
        return result

    def _send(self, goal: Any, streamed: _Stream, interrupted: list[int]) -> Any:
        end = time.monotonic() + self.timeout_s
        if not self.spin_until(
            lambda: bool(interrupted) or self._chat.server_is_ready(), self.timeout_s
        ):
            raise ClientError(self._silence("chat"))
        if interrupted:
            raise KeyboardInterrupt
        sent = self._chat.send_goal_async(
            goal, feedback_callback=lambda message: streamed.add(message.feedback)
        )
        if not self.spin_until(sent.done, max(_STEP_S, end - time.monotonic())):
            raise ClientError(self._silence("chat"))
        handle = sent.result()
        if not handle.accepted:
            raise ClientError("the brain rejected the turn")
        return handle

    def _result(self, handle: Any, interrupted: list[int]) -> Any:
        future = handle.get_result_async()
        cancel_until = None
        seen = time.monotonic()
        while not self.spin_until(future.done, _STEP_S):
            now = time.monotonic()
            if interrupted and cancel_until is None:
                handle.cancel_goal_async()
                cancel_until = now + _CANCEL_LIMIT_S
            if cancel_until is not None and (now > cancel_until or len(interrupted) > 1):
                raise KeyboardInterrupt
            if self._chat.server_is_ready():
                seen = now
            elif now - seen > _GONE_LIMIT_S:
                raise ClientError("the brain went away before the turn was finished")
        answer = future.result()
        if answer.status == GoalStatus.STATUS_UNKNOWN:
            raise ClientError("the brain does not know the turn any more: was it restarted?")
        return answer.result

    def _silence(self, name: str) -> str:
        return (
            f"nobody answers {name} in namespace {self.namespace} within {self.timeout_s:g} s:"
            " start Clara (ros2 launch clara_brain clara.launch.py), or see what clara doctor says"
        )


class _Stream:
    """Passes on the pieces of a reply that follow each other; `finish` passes on the rest."""

    def __init__(self, on_delta: Callable[[str], None]) -> None:
        self._on_delta = on_delta
        self._early: dict[int, str] = {}
        self._text = ""

    def add(self, feedback: Any) -> None:
        self._early[feedback.text_offset] = feedback.delta
        while len(self._text) in self._early:
            delta = self._early.pop(len(self._text))
            if not delta:
                return
            self._text += delta
            self._on_delta(delta)

    def finish(self, text: str) -> None:
        if not text.startswith(self._text):
            # What was streamed is not what the brain stands by: say all of it again.
            self._on_delta("\n")
            self._text = ""
        if text != self._text:
            self._on_delta(text[len(self._text) :])


def error_name(kind: Any, code: int) -> str:
    """Return the name that an interface gives to an error code, as "QUEUE_FULL"."""
    for name in dir(kind):
        if name.isupper() and not name.startswith(("STOP_", "_")) and getattr(kind, name) == code:
            return name
    return str(code)


@contextmanager
def _interruptions() -> Iterator[list[int]]:
    """Count SIGINT in a list instead of raising KeyboardInterrupt."""
    counted: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield counted  # signals belong to the main thread
        return
    before = signal.signal(signal.SIGINT, lambda number, _: counted.append(number))
    try:
        yield counted
    finally:
        signal.signal(signal.SIGINT, before)
