# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Ask memory over its service, without ever holding up a turn for longer than the time limit."""

from __future__ import annotations

from rclpy.callback_groups import CallbackGroup
from rclpy.clock import Clock
from rclpy.clock_type import ClockType
from rclpy.node import Node

from clara_brain import memory_messages
from clara_brain.past_attempts import Attempt
from clara_brain.recollection import Recollection
from clara_brain.turn import Promise
from clara_interfaces.srv import QueryMemory

_LATE = object()


class MemoryClient:
    """Client of `memory/query`; that there is no answer is warned of once."""

    def __init__(self, node: Node, group: CallbackGroup) -> None:
        self._node = node
        self._client = node.create_client(QueryMemory, "memory/query", callback_group=group)
        self._group = group
        self._clock = Clock(clock_type=ClockType.STEADY_TIME)
        self._missing = False

    async def recall(
        self, text: str, episodes: int, limit: float, wait: Promise
    ) -> Recollection | None:
        """Ask with free text.

        None when memory is absent, slower than `limit` s or in error, or when `wait` is resolved
        first.
        """
        request = memory_messages.recall_request(text, episodes)
        response = await self._ask(request, limit, wait)
        if response is None:
            return None
        return memory_messages.recollection(response, self._node.get_clock().now())

    async def attempts(self, cue: dict[str, str], limit: float, wait: Promise) -> list[Attempt]:
        """Ask for earlier attempts with these roles and fillers; none as `recall` is None."""
        response = await self._ask(memory_messages.attempts_request(cue), limit, wait)
        if response is None:
            return []
        return memory_messages.attempts(response, self._node.get_clock().now())

    async def _ask(
        self, request: QueryMemory.Request, limit: float, wait: Promise
    ) -> QueryMemory.Response | None:
        if not self._client.service_is_ready():
            self._without("there is no memory/query service")
            return None
        future = self._client.call_async(request)
        future.add_done_callback(wait.resolve)
        timer = self._node.create_timer(
            limit, lambda: wait.resolve(_LATE), callback_group=self._group, clock=self._clock
        )
        try:
            answered = await wait
        finally:
            self._node.destroy_timer(timer)
        if not future.done():
            self._client.remove_pending_request(future)
            if answered is _LATE:
                self._without(f"memory did not answer within {limit:g} s")
            return None
        response = future.result()
        if response.error_code:
            self._without(f"memory answered with an error: {response.error_msg}")
            return None
        if self._missing:
            self._node.get_logger().info("memory answers again")
            self._missing = False
        return response

    def _without(self, reason: str) -> None:
        if not self._missing:
            self._node.get_logger().warning(f"turns go on without memory: {reason}")
            self._missing = True
