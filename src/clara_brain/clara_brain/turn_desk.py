# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Where turns come in: admission, the turns under way, and what became of them.

The Chat action and the topic `say` are two doors to this. A turn is refused at once when too many
wait.
"""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable

from rclpy.callback_groups import CallbackGroup
from rclpy.node import Node
from rclpy.qos import QoSProfile

from clara_brain import conversions, parameters
from clara_brain.adapters import Adapters, PersonalityBy
from clara_brain.decoding import Stop
from clara_brain.engine import Engine
from clara_brain.errors import BrainError, QueueFull
from clara_brain.grounding import Recollection
from clara_brain.memory_client import MemoryClient
from clara_brain.persona import system_prompt
from clara_brain.promise import RosPromise
from clara_brain.sessions import Sessions
from clara_brain.skill_decision import Decision
from clara_brain.skills import Skill
from clara_brain.turn import Turn
from clara_interfaces.action import Chat
from clara_interfaces.msg import ActionEvent

_DEPTH = 100


class TurnDesk:
    """Takes turns while an engine is there. All methods belong to the executor's thread."""

    def __init__(self, node: Node, group: CallbackGroup) -> None:
        self._node = node
        self._memory = MemoryClient(node, group)
        self._turns: list[Turn] = []
        self._engine: Engine | None = None
        self._sessions: Sessions | None = None
        self._skills: tuple[Skill, ...] = ()
        self._adapters: Adapters | None = None
        self._requests = node.create_publisher(
            ActionEvent, "action_request", QoSProfile(depth=_DEPTH)
        )
        self.total = 0
        self.last_error = ""

    def open(
        self, engine: Engine, sessions: Sessions, skills: tuple[Skill, ...], adapters: Adapters
    ) -> None:
        """Take turns from now on."""
        self._engine, self._sessions, self._skills = engine, sessions, skills
        self._adapters = adapters

    def close(self) -> None:
        """Refuse new turns and end those under way; they are answered with SHUTTING_DOWN."""
        self._engine = self._sessions = None
        for turn in self._turns:
            turn.cancel(Stop.ERROR)

    @property
    def under_way(self) -> int:
        """Return turns that have not been answered yet."""
        return len(self._turns)

    def begin(self, goal: Chat.Goal, on_token: Callable[[str], None]) -> Turn | Chat.Result:
        """Admit a turn, or say at once why not."""
        if self._engine is None or self._sessions is None or self._adapters is None:
            return conversions.failed(
                Chat.Result.NOT_ACTIVE, "the brain is not active; configure and activate its node"
            )
        settings = parameters.read(self._node)
        sliders, by = parameters.sliders(self._node), PersonalityBy(settings.personality_by)
        try:
            request = conversions.turn_request(
                goal,
                settings,
                system_prompt(sliders, self._adapters.silent(by)),
                self._adapters.in_force(sliders, by),
            )
            if len(self._turns) >= self._engine.capacity:
                raise QueueFull(
                    f"{len(self._turns)} turns are under way or waiting, which is the most;"
                    " try again later"
                )
        except BrainError as error:
            self.last_error = str(error)
            return conversions.failed(conversions.error_code(error), str(error))
        turn = Turn(self._engine, self._sessions, self._skills, self, request, on_token)
        before = [each for each in self._turns if each.session and each.session == turn.session]
        if before:
            # What is said next must see what was replied before.
            turn.wait_at_gate()
        if settings.preempt:
            for each in before:
                each.cancel()
        self._turns.append(turn)
        return turn

    async def finish(self, turn: Turn) -> Chat.Result:
        """Run an admitted turn to its end."""
        try:
            result = conversions.chat_result(await turn.run())
        finally:
            self._turns.remove(turn)
            following = [each for each in self._turns if each.session == turn.session]
            if following and turn.session:
                following[0].pass_gate()
        self.total += 1
        if result.error_code not in (Chat.Result.NONE, Chat.Result.CANCELED):
            self.last_error = result.error_msg
        return result

    def promise(self) -> RosPromise:
        """Return a promise that wakes the node's executor (part of the turn's Host)."""
        return RosPromise(self._node)

    def request_action(self, decision: Decision) -> str:
        """Publish an action request; return its id (part of the turn's Host)."""
        event = conversions.action_event(decision, str(uuid.uuid4()))
        event.header.stamp = self._node.get_clock().now().to_msg()
        self._requests.publish(event)
        self._node.get_logger().info(f"requested: {decision.in_words()} ({event.action_id})")
        return str(event.action_id)

    def recall(self, text: str) -> Awaitable[Recollection | None]:
        """Ask memory (part of the turn's Host)."""
        settings = parameters.read(self._node)
        return self._memory.recall(text, settings.memory_episodes, settings.memory_timeout_s)
