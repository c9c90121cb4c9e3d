# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Where turns come in: admission, the turns under way, and what became of them.

The Chat action and the topic `say` are two doors to this. A turn is refused at once when too many
wait. A stop waits for nothing.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from rclpy.callback_groups import CallbackGroup
from rclpy.clock import Clock
from rclpy.clock_type import ClockType
from rclpy.node import Node
from rclpy.timer import Timer

from clara_brain import conversions, parameters
from clara_brain.adapters import Adapters, PersonalityBy
from clara_brain.backend import Backend
from clara_brain.cleaning import clean_detail
from clara_brain.confirmation import asks_to_stop
from clara_brain.decoding import Stop
from clara_brain.errors import BrainError, QueueFull, Unforeseen
from clara_brain.memory_client import MemoryClient
from clara_brain.past_attempts import AttemptsPolicy, cue_of, experience
from clara_brain.plan import End, Ended, PlanRunner, Step, one_after_the_other
from clara_brain.promise import RosPromise
from clara_brain.recollection import Recollection
from clara_brain.sessions import Sessions
from clara_brain.skill_decision import Decision
from clara_brain.skill_gate import SkillGate
from clara_brain.skill_targets import SkillTargets
from clara_brain.skill_use import NOTHING_STOPPED, Decided, Status, Stopped
from clara_brain.skills import Skill
from clara_brain.state_topics import StateTopics
from clara_brain.turn import Promise, Turn
from clara_interfaces.action import Chat

_log = logging.getLogger(__name__)

_LONGEST_LOGGED = 300
# What a question waits for memory that may as well be about the world. On a busy core memory
# answers within 8 ms (bench/memory_under_load.py).
_BRIEFLY_S = 0.1


class TurnDesk:
    """Takes turns while an engine is there. All methods belong to the executor's thread."""

    def __init__(
        self, node: Node, targets: SkillTargets, state: StateTopics, group: CallbackGroup
    ) -> None:
        self._node = node
        self._targets = targets
        self._state = state
        self._group = group
        self._steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._gate = SkillGate()
        self._plans = PlanRunner(self._request_step, lambda skill: self._gate.refusal(skill))
        self._ordered_in = ""  # the conversation that ordered several steps, the last that did
        self._memory = MemoryClient(node, group)
        self._turns: list[Turn] = []
        self._deadlines: dict[Turn, Timer] = {}
        self._engine: Backend | None = None
        self._sessions: Sessions | None = None
        self._skills: tuple[Skill, ...] = ()
        self._adapters: Adapters | None = None
        self.total = 0
        self.last_error = ""

    def open(
        self, engine: Backend, sessions: Sessions, skills: tuple[Skill, ...], adapters: Adapters
    ) -> None:
        """Take turns from now on."""
        self._engine, self._sessions, self._skills = engine, sessions, skills
        self._adapters = adapters
        self._gate = SkillGate()

    def close(self) -> None:
        """Refuse new turns and end those under way; they are answered with SHUTTING_DOWN.

        What is still to come of an order of several steps is not begun.
        """
        self._plans.drop("I was stopped")
        self._engine = self._sessions = None
        for turn in self._turns:
            turn.cancel(Stop.ERROR)

    @property
    def under_way(self) -> int:
        """Return turns that have not been answered yet."""
        return len(self._turns)

    def begin(
        self,
        goal: Chat.Goal,
        on_token: Callable[[str], None],
        on_cancel: Callable[[Stop], None] = lambda how: None,
        later: Callable[[str], None] = lambda text: None,
    ) -> Turn | Chat.Result:
        """Admit a turn, or say at once why not.

        `on_cancel` hears of what ends it early, `later` is told what becomes of an order after the
        reply to it.
        """
        if self._engine is None or self._sessions is None or self._adapters is None:
            return conversions.failed(
                Chat.Result.NOT_ACTIVE, "the brain is not active; configure and activate its node"
            )
        try:
            # Before all that could refuse it.
            told_to_stop = asks_to_stop(goal.text, self._skills)
            stopped = self._stop() if told_to_stop else NOTHING_STOPPED
            settings = parameters.read(self._node)
            sliders, by = parameters.sliders(self._node), PersonalityBy(settings.personality_by)
            request = conversions.turn_request(
                goal,
                settings,
                parameters.persona(self._node, self._adapters.silent(by)),
                self._adapters.in_force(sliders, by),
            )
            before = [each for each in self._turns if each.session == goal.session_id != ""]
            stopped = replace(stopped, silenced=told_to_stop and bool(before))
            if len(self._turns) >= self._engine.capacity and stopped == NOTHING_STOPPED:
                raise QueueFull(
                    f"{len(self._turns)} turns are under way or waiting, which is the most;"
                    " try again later"
                )
        except Exception as error:
            if not isinstance(error, BrainError):
                _log.exception("a turn was refused in a way nobody foresaw")
                error = Unforeseen(error)
            self.last_error = str(error)
            return conversions.failed(conversions.error_code(error), str(error))
        turn = Turn(
            self._engine,
            self._sessions,
            self._skills,
            self._gate,
            self,
            request,
            on_token,
            on_cancel,
            stopped,
            later,
        )
        if before and not (stopped.goals or stopped.dropped):
            # What is said next must see what was replied before.
            turn.wait_at_gate()
        if settings.preempt or stopped.silenced:
            for each in before:
                each.cancel()
        self._turns.append(turn)
        if request.deadline is not None:
            self._end_at(request.deadline, turn)
        return turn

    async def finish(self, turn: Turn) -> Chat.Result:
        """Run an admitted turn to its end."""
        try:
            taken = await turn.run()
            for decided in taken.decided:
                self._log(decided, turn.session)
            result = conversions.chat_result(taken)
        except Exception as error:
            _log.exception("a turn could not be answered in a way nobody foresaw")
            result = conversions.failed(Chat.Result.UNKNOWN, str(Unforeseen(error)))
        finally:
            if timer := self._deadlines.pop(turn, None):
                self._node.destroy_timer(timer)
            mine = [each for each in self._turns if each.session == turn.session]
            self._turns.remove(turn)
            # One that ended out of turn, at the gate or by a stop, opens the gate for nobody.
            if turn.session and mine[0] is turn and len(mine) > 1:
                mine[1].pass_gate()
        self.total += 1
        if result.error_code not in (Chat.Result.NONE, Chat.Result.CANCELED):
            self.last_error = result.error_msg
        return result

    def promise(self) -> RosPromise:
        """Return a promise that wakes the node's executor (part of the turn's Host)."""
        return RosPromise(self._node)

    @property
    def confirm_seconds(self) -> float:
        """Return how long a question waits for its answer (part of the turn's Host)."""
        return parameters.read(self._node).confirm_timeout_s

    def unreachable(self, skill: Skill, awaited: bool = False) -> str:
        """Say why a target cannot be reached now (part of the turn's Host)."""
        return self._targets.unreachable(skill, awaited)

    def request_action(self, skill: Skill, decision: Decision) -> str:
        """Ask the robot to do it; return the action's id (part of the turn's Host)."""
        return self._targets.request(skill, decision)

    def request_plan(
        self, steps: Sequence[Step], session: str, later: Callable[[str], None]
    ) -> str:
        """Ask the robot to do the first of several things (part of the turn's Host)."""

        def begun(step: Step, action_id: str) -> None:
            self._gate.used(step.skill)
            self._log(Decided(step.decision, Status.REQUESTED, action_id), session)

        def told(text: str) -> None:
            self._node.get_logger().warning(f"an order of several steps ended early: {text}")
            later(text)

        self._ordered_in = session
        return self._plans.begin(steps, begun, told)

    def to_come(self) -> tuple[Decision, ...]:
        """Return what is still to be begun of an order of several steps (part of the Host)."""
        return self._plans.to_come

    def take_back(self, session: str) -> tuple[Decision, ...]:
        """Drop what is still to come of a conversation's order (part of the turn's Host)."""
        if session != self._ordered_in or not (dropped := self._plans.drop()):
            return ()
        words = one_after_the_other(dropped)
        self._node.get_logger().info(f"an order was taken back: Clara will not {words}")
        return dropped

    def state(self, text: str) -> str:
        """Answer a question about how the robot is now (part of the turn's Host)."""
        if self._engine is None:
            return ""
        stale_s = parameters.read(self._node).state_stale_s
        return self._state.answer(text, stale_s, self._engine.neutralise)

    async def experience(self, decision: Decision, wait: Promise) -> str:
        """Say how this went before (part of the turn's Host)."""
        settings = parameters.read(self._node)
        policy = AttemptsPolicy(settings.attempts_policy)
        if policy is AttemptsPolicy.NEVER or self._engine is None:
            return ""
        neutralise = self._engine.neutralise
        limit = settings.memory_timeout_s
        attempts = await self._memory.attempts(cue_of(decision), limit, wait)
        return experience(attempts, decision, policy, neutralise)

    def recall(self, text: str, briefly: bool, wait: Promise) -> Awaitable[Recollection | None]:
        """Ask memory (part of the turn's Host)."""
        settings = parameters.read(self._node)
        limit = settings.memory_timeout_s
        if briefly:
            limit = min(limit, _BRIEFLY_S)
        return self._memory.recall(text, settings.memory_episodes, limit, wait)

    def stop_if_told(self, text: str) -> None:
        """Obey a text that says stop, where it cannot be a turn."""
        if asks_to_stop(text, self._skills):
            self._stop()

    def _stop(self) -> Stopped:
        """Cancel what runs and keep the turns under way from starting more, whoever's they are."""
        for turn in self._turns:
            turn.hold_actions()
        dropped = self._plans.drop()
        if dropped:
            words = one_after_the_other(dropped)
            self._node.get_logger().warning(f"Clara was told to stop, and will not {words}")
        goals = self._targets.cancel_all("Clara was told to stop", wait=True)
        return Stopped(tuple(goals), dropped)

    def _request_step(self, step: Step, ended: Ended) -> str:
        def cleaned(end: End, detail: str) -> None:
            # What a server says may be spoken, as a part of why the next step is not begun.
            clean = self._engine.neutralise if self._engine else str
            ended(end, clean_detail(detail, clean))

        return self._targets.request(step.skill, step.decision, cleaned)

    def _end_at(self, deadline: float, turn: Turn) -> None:
        """End a turn at a time of time.monotonic(), also while it waits for others."""

        def end() -> None:
            timer.cancel()
            turn.cancel(Stop.DEADLINE)

        wait = max(0.0, deadline - time.monotonic())
        timer = self._node.create_timer(wait, end, callback_group=self._group, clock=self._steady)
        self._deadlines[turn] = timer

    def _log(self, decided: Decided, session: str) -> None:
        """Write one line for every decision, also those that came to nothing."""
        decision = decided.decision
        told = {
            "session": session,
            "skill": decision.skill,
            "arguments": decision.values,
            "outcome": decided.status.name.lower(),
            "reason": decision.reason,
            "written": decision.written[:_LONGEST_LOGGED],
            "action_id": decided.action_id,
        }
        self._node.get_logger().info(f"skill decision: {json.dumps(told, ensure_ascii=False)}")
