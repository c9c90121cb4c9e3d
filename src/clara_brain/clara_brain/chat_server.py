# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""The action `chat`: goals in, tokens as feedback, results out.

Every goal is accepted, so that a client gets the error code in the result. Feedback is published
from the engine's thread and costs the executor nothing; tokens that come faster than 100 a second
travel together. A turn whose client has gone away is cancelled, so that nobody waits behind it.
"""

from __future__ import annotations

import time

from rclpy.action import ActionServer, CancelResponse
from rclpy.action.server import ServerGoalHandle
from rclpy.callback_groups import CallbackGroup
from rclpy.clock import Clock
from rclpy.clock_type import ClockType
from rclpy.node import Node
from rclpy.qos import QoSProfile

from clara_brain.turn import Turn
from clara_brain.turn_desk import TurnDesk
from clara_interfaces.action import Chat

FEEDBACK_DEPTH = 200
RESULT_TIMEOUT_S = 60
_LOOK_S = 0.5
_APPEARS_S = 5.0
_SHORTEST_GAP_S = 0.01


class Feedback:
    """Publishes the reply of one goal piece by piece, numbered without gaps."""

    def __init__(self, goal: ServerGoalHandle) -> None:
        self._goal = goal
        self._sequence = self._offset = 0
        self._held = ""
        self._last = 0.0

    def push(self, delta: str) -> None:
        """Take the next piece of the reply."""
        self._held += delta
        if time.monotonic() - self._last >= _SHORTEST_GAP_S:
            self.flush()

    def flush(self) -> None:
        """Publish what is held back."""
        if not self._held:
            return
        delta, self._held = self._held, ""
        self._goal.publish_feedback(
            Chat.Feedback(seq=self._sequence, text_offset=self._offset, delta=delta)
        )
        self._sequence += 1
        self._offset += len(delta)
        self._last = time.monotonic()


class Client:
    """Who sent a goal, as far as the ROS graph tells."""

    def __init__(self, node: Node, name: str) -> None:
        self._node = node
        self._name = name
        self._feedback = node.resolve_topic_name("chat") + "/_action/feedback"
        self._seen = self._is_there()
        self._since = time.monotonic()

    def is_gone(self) -> bool:
        """Tell whether the client was there and is not any more, or never appears."""
        if self._is_there():
            self._seen = True
            return False
        # Names are discovered a moment after the goal; without one nobody may be listening at all.
        return self._seen or bool(self._name and time.monotonic() - self._since > _APPEARS_S)

    def _is_there(self) -> bool:
        if not self._name:
            return bool(self._node.count_subscribers(self._feedback))
        nodes = self._node.get_node_names_and_namespaces()
        return any(f"{space.rstrip('/')}/{name}" == self._name for name, space in nodes)


class ChatServer:
    """Serves the action `chat`."""

    def __init__(self, node: Node, desk: TurnDesk, group: CallbackGroup) -> None:
        self._node = node
        self._desk = desk
        self._turns: dict[bytes, Turn] = {}
        self._clients: dict[bytes, Client] = {}
        self._server = ActionServer(
            node,
            Chat,
            "chat",
            self._execute,
            callback_group=group,
            cancel_callback=self._cancel,
            feedback_pub_qos_profile=QoSProfile(depth=FEEDBACK_DEPTH),
            result_timeout=RESULT_TIMEOUT_S,
        )
        # Clients leave in real time, also while a simulation stands still.
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        node.create_timer(_LOOK_S, self._look_for_clients, callback_group=group, clock=steady)

    def destroy(self) -> None:
        """Take the action server down."""
        self._server.destroy()

    def _cancel(self, goal: ServerGoalHandle) -> CancelResponse:
        turn = self._turns.get(bytes(goal.goal_id.uuid))
        if turn:
            turn.cancel()
        return CancelResponse.ACCEPT

    def _look_for_clients(self) -> None:
        for goal, client in self._clients.items():
            if client.is_gone():
                self._turns[goal].cancel()

    async def _execute(self, goal: ServerGoalHandle) -> Chat.Result:
        feedback = Feedback(goal)
        turn = self._desk.begin(goal.request, feedback.push)
        if isinstance(turn, Chat.Result):
            goal.abort()
            return turn
        name = bytes(goal.goal_id.uuid)
        self._turns[name] = turn
        self._clients[name] = Client(self._node, goal.request.client)
        if goal.is_cancel_requested:
            turn.cancel()
        try:
            result = await self._desk.finish(turn)
        finally:
            del self._turns[name], self._clients[name]
        feedback.flush()
        if result.error_code == Chat.Result.NONE:
            goal.succeed()
        elif result.error_code == Chat.Result.CANCELED and goal.is_cancel_requested:
            goal.canceled()
        else:
            goal.abort()
        return result
