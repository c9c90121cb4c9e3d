# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""One turn of the action `chat`, as an asynchronous stream of the reply's pieces.

Feedback may come late or not at all; the pieces given out are in order and without gaps, and the
result at the end has the whole text. A turn that nobody reads to its end is canceled.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from action_msgs.msg import GoalStatus

from clara_console.clara_link import ClaraLink, tell
from clara_console.errors import NotUp
from clara_interfaces.action import Chat

_CHECK_S = 1.0
_GONE_LIMIT_S = 3.0


class InOrder:
    """Puts pieces of a text, each with its offset, into the order of the text."""

    def __init__(self) -> None:
        self._early: dict[int, str] = {}
        self.length = 0

    def add(self, offset: int, delta: str) -> str:
        """Return what follows on what was returned before; it may be empty."""
        if delta and offset >= self.length:
            self._early[offset] = delta
        ready = ""
        while self.length in self._early:
            piece = self._early.pop(self.length)
            ready += piece
            self.length += len(piece)
        return ready


class Turn:
    """A goal that is sent when `pieces` is first read."""

    def __init__(self, link: ClaraLink, goal: Any) -> None:
        self._link = link
        self._goal = goal
        self._handle: Any = None
        self._wish_to_cancel = False
        self._news: asyncio.Queue[tuple[str, Any]] = asyncio.Queue()
        self._loop = asyncio.get_running_loop()

    async def pieces(self) -> AsyncIterator[str | Chat.Result]:
        """Give the reply piece by piece, then the result.

        Raises:
            NotUp: no brain took the goal, or it went away.
        """
        in_order = InOrder()
        finished = False
        try:
            await self._link.in_ros(self._send)
            while True:
                kind, value = await self._next()
                if kind == "delta":
                    piece = in_order.add(value.text_offset, value.delta)
                    if piece:
                        yield piece
                elif kind == "fault":
                    raise NotUp(value)
                else:
                    finished = True
                    yield value
                    return
        finally:
            if not finished:
                self.cancel()

    def cancel(self) -> None:
        """Ask the brain to end the turn; its result still comes."""
        self._link.post(self._cancel)

    def abandon(self, reason: str) -> None:
        """End `pieces` with NotUp now."""
        self._news.put_nowait(("fault", reason))

    async def _next(self) -> tuple[str, Any]:
        """Return the next news, or a fault when the brain keeps silent and is not there."""
        seen = self._loop.time()
        sent = seen
        while True:
            try:
                return await asyncio.wait_for(self._news.get(), _CHECK_S)
            except asyncio.TimeoutError:
                now = self._loop.time()
            if await self._link.in_ros(lambda: self._link.is_up("chat")):
                seen = now
            elif now - seen > _GONE_LIMIT_S:
                return "fault", "the brain went away before the turn was finished"
            if self._handle is None and now - sent > self._link.timeout_s:
                return "fault", f"the brain did not take the turn in {self._link.timeout_s:g} s"

    # What follows runs in the executor's thread.

    def _send(self) -> None:
        if not self._link.is_up("chat"):
            raise NotUp(self._link.silence("chat"))
        sent = self._link.chat.send_goal_async(
            self._goal, feedback_callback=lambda message: self._tell("delta", message.feedback)
        )
        sent.add_done_callback(self._accepted)

    def _accepted(self, sent: Any) -> None:
        handle = sent.result()
        if not handle.accepted:
            self._tell("fault", "the brain rejected the turn")
            return
        self._handle = handle
        handle.get_result_async().add_done_callback(self._ended)
        if self._wish_to_cancel:
            handle.cancel_goal_async()

    def _ended(self, done: Any) -> None:
        answer = done.result()
        if answer.status == GoalStatus.STATUS_UNKNOWN:
            self._tell("fault", "the brain does not know the turn any more: was it restarted?")
        else:
            self._tell("result", answer.result)

    def _cancel(self) -> None:
        self._wish_to_cancel = True
        if self._handle is not None:
            self._handle.cancel_goal_async()

    def _tell(self, kind: str, value: Any) -> None:
        tell(self._loop, self._news.put_nowait, (kind, value))
