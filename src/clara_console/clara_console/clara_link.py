# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Clara's services, awaited from an asyncio loop while an rclpy executor runs in another thread.

Everything that touches rclpy is handed to the executor's thread: its clients may answer before a
caller in another thread has noted what it asked.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any, TypeVar

from rclpy.action import ActionClient
from rclpy.node import Node
from rclpy.qos import QoSProfile

from clara_console.errors import NotUp, Refused
from clara_interfaces.action import Chat
from clara_interfaces.srv import (
    CorrectEpisode,
    GetMemoryStats,
    GetModelInfo,
    GetPersonality,
    GetSession,
    ListAdapters,
    ListSessions,
    QueryMemory,
    ResetSession,
    ScaleAdapters,
    SetPersonality,
)

T = TypeVar("T")
FEEDBACK_DEPTH = 200
SERVICES: dict[str, Any] = {
    "adapter/list": ListAdapters,
    "adapter/scale": ScaleAdapters,
    "memory/correct": CorrectEpisode,
    "memory/query": QueryMemory,
    "memory/stats": GetMemoryStats,
    "model/info": GetModelInfo,
    "personality/get": GetPersonality,
    "personality/set": SetPersonality,
    "session/get": GetSession,
    "session/list": ListSessions,
    "session/reset": ResetSession,
}


class ClaraLink:
    """The clients of one node; every coroutine here may run in any asyncio loop."""

    def __init__(self, node: Node, timeout_s: float) -> None:
        """Make the clients; `timeout_s` is how long a node may take to answer."""
        self._node = node
        self.timeout_s = timeout_s
        self.name = node.get_fully_qualified_name()
        self._waiting: set[asyncio.Future[Any]] = set()  # those of one asyncio loop
        self._clients = {name: node.create_client(kind, name) for name, kind in SERVICES.items()}
        self.chat = ActionClient(
            node, Chat, "chat", feedback_sub_qos_profile=QoSProfile(depth=FEEDBACK_DEPTH)
        )

    def destroy(self) -> None:
        """Take the action client down; the rest goes with the node."""
        self.chat.destroy()

    def give_up(self, reason: str) -> None:
        """Raise NotUp in whatever waits for an answer; to be called in their loop."""
        for future in self._waiting:
            _fail(future, NotUp(reason))

    def is_up(self, name: str) -> bool:
        """Tell whether the service `name`, or the action `chat`, has a server."""
        if name == "chat":
            return bool(self.chat.server_is_ready())
        return bool(self._clients[name].service_is_ready())

    async def call(self, name: str, **fields: Any) -> Any:
        """Return the response of a service.

        Raises:
            NotUp: nobody serves it, or no answer came in time.
            Refused: the answer has an error code.
        """
        kind, client = SERVICES[name], self._clients[name]
        loop = asyncio.get_running_loop()
        answer = self._future()

        def send() -> Any:
            if not self.is_up(name):
                raise NotUp(self.silence(name))
            future = client.call_async(kind.Request(**fields))
            future.add_done_callback(lambda done: tell(loop, _settle, answer, done.result()))
            return future

        sent = await self.in_ros(send)
        try:
            response = await asyncio.wait_for(answer, self.timeout_s)
        except asyncio.TimeoutError:
            self.post(lambda: client.remove_pending_request(sent))
            raise NotUp(f"{name} did not answer within {self.timeout_s:g} s") from None
        if response.error_code:
            code = error_name(kind.Response, response.error_code)
            raise Refused(response.error_msg or code, code)
        return response

    async def in_ros(self, work: Callable[[], T]) -> T:
        """Return what `work` returns, or raise what it raises, in the executor's thread."""
        loop = asyncio.get_running_loop()
        outcome: asyncio.Future[T] = self._future()

        def run() -> None:
            try:
                value = work()
            except Exception as error:  # whatever it is: it belongs to who asked
                tell(loop, _fail, outcome, error)
            else:
                tell(loop, _settle, outcome, value)

        self.post(run)
        return await outcome

    def post(self, work: Callable[[], object]) -> None:
        """Let the executor's thread do something; nobody waits for it."""
        if self._node.executor is not None:
            self._node.executor.create_task(work)

    def _future(self) -> asyncio.Future[Any]:
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting.add(future)
        future.add_done_callback(self._waiting.discard)
        return future

    def silence(self, name: str) -> str:
        """Return the sentence for a service or action that nobody serves."""
        who = "memory" if name.startswith("memory/") else "brain"
        full = f"{self._node.get_namespace().rstrip('/')}/{who}"
        return (
            f"the node {full} is not running, so {name} cannot be asked:"
            " start Clara, or see what clara doctor says"
        )


def tell(loop: asyncio.AbstractEventLoop, heard: Callable[..., None], *values: Any) -> None:
    """Call a function in the loop's thread, or nothing once the loop has been closed."""
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(heard, *values)


def error_name(kind: Any, code: int) -> str:
    """Return the name that an interface gives to an error code, as "QUEUE_FULL"."""
    for name in dir(kind):
        if name.isupper() and not name.startswith(("STOP_", "_")) and getattr(kind, name) == code:
            return name
    return str(code)


def _settle(future: asyncio.Future[Any], value: Any) -> None:
    if not future.done():
        future.set_result(value)


def _fail(future: asyncio.Future[Any], error: Exception) -> None:
    if not future.done():
        future.set_exception(error)
