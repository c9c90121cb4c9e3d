# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""The topics `say` and `reply`, for robots that only speak topics."""

from __future__ import annotations

from rclpy.callback_groups import CallbackGroup
from rclpy.node import Node
from rclpy.subscription import Subscription

from clara_brain import qos
from clara_brain.conversions import LONGEST_NAME
from clara_brain.turn_desk import TurnDesk
from clara_interfaces.action import Chat
from clara_interfaces.msg import Utterance

_DEPTH = 100


class Speech:
    """Answers every Utterance on `say` with one on `reply`, while it listens."""

    def __init__(self, node: Node, desk: TurnDesk, group: CallbackGroup) -> None:
        self._node = node
        self._desk = desk
        self._group = group
        self._reply = qos.publisher(node, Utterance, "reply", _DEPTH)
        self._subscription: Subscription | None = None

    def listen(self) -> None:
        """Start to listen."""
        self._subscription = qos.subscription(
            self._node, Utterance, "say", self._answer, _DEPTH, callback_group=self._group
        )

    def stop(self) -> None:
        """Stop to listen. Turns that are under way are still answered."""
        if self._subscription:
            self._node.destroy_subscription(self._subscription)
        self._subscription = None

    async def _answer(self, said: Utterance) -> None:
        result = await self._take(said)
        reply = Utterance(
            request_id=said.request_id,
            session_id=said.session_id,
            text=result.text,
            memory_ids=result.memory_ids,
            decisions=result.decisions,
            governance=result.governance,
            error_code=result.error_code,
            error_msg=result.error_msg,
        )
        reply.header.stamp = self._node.get_clock().now().to_msg()
        self._reply.publish(reply)

    async def _take(self, said: Utterance) -> Chat.Result:
        if len(said.request_id) > LONGEST_NAME:
            return Chat.Result(
                error_code=Chat.Result.INVALID_REQUEST,
                error_msg=f"request_id has {len(said.request_id)} characters;"
                f" at most {LONGEST_NAME} are allowed",
            )
        goal = Chat.Goal(text=said.text, session_id=said.session_id)
        turn = self._desk.begin(goal, lambda delta: None)
        return turn if isinstance(turn, Chat.Result) else await self._desk.finish(turn)
