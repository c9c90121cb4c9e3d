# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Where skills go: the topic `action_request`, or an action, service or topic of the robot's own.

For an action or a service of the robot's own the brain says on `action_event` and `action_result`
what it started and how that ended, so that memory learns it. All methods belong to the executor's
thread.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from action_msgs.msg import GoalStatus
from action_msgs.srv import CancelGoal
from rclpy.action import ActionClient
from rclpy.callback_groups import CallbackGroup
from rclpy.clock import Clock
from rclpy.clock_type import ClockType
from rclpy.node import Node
from unique_identifier_msgs.msg import UUID

from clara_brain import conversions, qos
from clara_brain.errors import SkillRefused
from clara_brain.plan import End, Ended
from clara_brain.request_results import RequestResults
from clara_brain.skill_decision import Decision
from clara_brain.skill_messages import MessageTemplate, outcome_of
from clara_brain.skills import Skill, TargetKind
from clara_interfaces.msg import ActionEvent, ActionResult

_DEPTH = 100
# What a server answers that has no such goal, or none that still runs.
_HAS_ENDED = (
    CancelGoal.Response.ERROR_UNKNOWN_GOAL_ID,
    CancelGoal.Response.ERROR_GOAL_TERMINATED,
)
_NAMES = {
    ActionResult.SUCCEEDED: "succeeded",
    ActionResult.FAILED: "failed",
    ActionResult.CANCELED: "canceled",
    ActionResult.TIMED_OUT: "timed out",
}


@dataclass
class _Way:
    """How a skill with a target of its own is reached: an action or service client, or a topic."""

    skill: Skill
    template: MessageTemplate
    client: Any
    closed: bool = False  # and its client is still to be destroyed


@dataclass
class _Running:
    """A goal or a call under way. `goal` is None until the server has taken it.

    `told`: how it ended has been reported, to `ended` as well, though a goal may go on after its
    time.
    """

    way: _Way
    decision: Decision
    action_id: str
    ended: Ended | None = None
    timer: Any = None
    goal: Any = None
    cancel: bool = False
    told: bool = False

    @property
    def is_goal(self) -> bool:
        """Whether it can be canceled."""
        return self.way.template.target.kind is TargetKind.ACTION


class SkillTargets:
    """Requests what was decided, and reports what came of it."""

    def __init__(self, node: Node, group: CallbackGroup) -> None:
        self._node = node
        self._group = group
        self._steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._requests = qos.publisher(node, ActionEvent, "action_request", _DEPTH)
        self._answers = RequestResults(node, group, self._steady)
        self._events: Any = None
        self._results: Any = None
        self._ways: dict[str, _Way] = {}
        self._running: dict[str, _Running] = {}
        # What servers have not answered yet: whether they take a goal, and whether they cancel it.
        self._unanswered: dict[Any, _Way] = {}

    def open(self, skills: tuple[Skill, ...]) -> None:
        """Connect to the targets. Raises SkillFileError for a type that is not there or unfit."""
        templates = [(skill, MessageTemplate(skill)) for skill in skills if skill.target]
        for skill, template in templates:
            self._ways[skill.name] = _Way(skill, template, self._client(skill, template))
        if any(skill.target and skill.target.remember for skill in skills):
            self._events = qos.publisher(self._node, ActionEvent, "action_event", _DEPTH)
            self._results = qos.publisher(self._node, ActionResult, "action_result", _DEPTH)
        if any(skill.target is None for skill in skills):
            self._answers.open()

    def close(self) -> None:
        """Let go of the targets."""
        self.cancel_all("Clara was stopped")
        for way in self._ways.values():
            kind = way.skill.target.kind if way.skill.target else None
            if kind is TargetKind.ACTION:
                way.closed = True
                self._let_go(way)
            elif kind is TargetKind.SERVICE:
                self._node.destroy_client(way.client)
            else:
                self._node.destroy_publisher(way.client)
        self._ways.clear()
        self._running.clear()
        self._answers.close()
        for publisher in filter(None, (self._events, self._results)):
            self._node.destroy_publisher(publisher)
        self._events = self._results = None

    @property
    def busy(self) -> bool:
        """Whether a server has still to answer that it takes a goal, or that it cancels one."""
        return bool(self._unanswered)

    def reachable(self, skill: Skill) -> bool:
        """Whether somebody serves, or listens to, the target of a skill."""
        way = self._ways.get(skill.name)
        if way is None:
            return bool(self._requests.get_subscription_count())
        if way.template.target.kind is TargetKind.ACTION:
            return bool(way.client.server_is_ready())
        if way.template.target.kind is TargetKind.SERVICE:
            return bool(way.client.service_is_ready())
        return bool(way.client.get_subscription_count())

    def unreachable(self, skill: Skill, awaited: bool = False) -> str:
        """Say why the target of a skill cannot be reached now; empty when it can.

        A request without a target of its own is published whether or not somebody listens, unless
        its end is `awaited`.
        """
        if self.reachable(skill):
            return ""
        name = self.full_name(skill)
        if skill.target is None:
            return f"nobody listens to {name} now, to say how it ended" if awaited else ""
        if skill.target.kind is TargetKind.TOPIC:
            return f"nobody listens to the topic {name} now"
        kind = "action" if skill.target.kind is TargetKind.ACTION else "service"
        return f"nobody serves the {kind} {name} now"

    def full_name(self, skill: Skill) -> str:
        """Return the target's name with its namespace."""
        if skill.target is None:
            return str(self._requests.topic_name)
        return str(self._node.resolve_topic_name(skill.target.name))

    def request(self, skill: Skill, decision: Decision, ended: Ended | None = None) -> str:
        """Start what was decided; return the action's id. Raises SkillRefused.

        `ended` is called once with how it ended: later, and never for a topic of the robot's own.
        """
        identity = uuid.uuid4()
        event = conversions.action_event(decision, str(identity))
        event.header.stamp = self._node.get_clock().now().to_msg()
        if reason := self.unreachable(skill, awaited=ended is not None):
            raise SkillRefused(reason)
        way = self._ways.get(skill.name)
        if way is None:
            if ended:
                self._answers.wait_for(event.action_id, ended)
            self._requests.publish(event)
            return str(event.action_id)
        target = way.template.target
        message = way.template.build(decision.values)
        if target.remember:
            self._events.publish(event)
        if target.kind is TargetKind.TOPIC:
            # Nobody answers on a topic; memory keeps it as an episode whose end is not known.
            way.client.publish(message)
        else:
            self._start(_Running(way, decision, str(identity), ended), message, identity)
        return str(identity)

    def cancel_all(self, reason: str, wait: bool = False) -> list[tuple[Decision, str]]:
        """Have every goal under way canceled; return them with their ids.

        Without `wait` each is reported as canceled at once, and calls of services are given up as
        well; otherwise its server's answer is waited for.
        """
        stopped = []
        for running in list(self._running.values()):
            if running.told and (running.goal is None or not running.way.client.server_is_ready()):
                del self._running[running.action_id]  # nobody carries it out
            elif running.is_goal:
                stopped.append((running.decision, running.action_id))
                running.cancel = True
                self._cancel_goal(running)
            if not wait:
                self._give_up(running, ActionResult.CANCELED, reason)
        return stopped

    def _client(self, skill: Skill, template: MessageTemplate) -> Any:
        target, node = template.target, self._node
        if target.kind is TargetKind.ACTION:
            return ActionClient(node, template.interface, target.name, callback_group=self._group)
        if target.kind is TargetKind.SERVICE:
            return node.create_client(template.interface, target.name, callback_group=self._group)
        return qos.publisher(node, template.interface, target.name, _DEPTH)

    def _start(self, running: _Running, message: Any, identity: uuid.UUID) -> None:
        self._running[running.action_id] = running
        limit = running.way.skill.timeout
        running.timer = self._node.create_timer(
            limit,
            lambda: self._out_of_time(running),
            callback_group=self._group,
            clock=self._steady,
        )
        client = running.way.client
        if running.way.template.target.kind is TargetKind.SERVICE:
            future = client.call_async(message)
            future.add_done_callback(self._guarded(running, self._answered))
        else:
            name = UUID(uuid=list(identity.bytes))
            future = client.send_goal_async(message, goal_uuid=name)
            self._unanswered[future] = running.way
            future.add_done_callback(self._guarded(running, self._accepted))

    def _guarded(
        self, running: _Running, work: Callable[[_Running, Any], None]
    ) -> Callable[[Any], None]:
        """Call `work` with what a future brings; what it raises is how the action failed."""

        def done(future: Any) -> None:
            try:
                answer = future.result()
            except Exception as error:
                self._end(running, ActionResult.FAILED, f"it could not be asked: {error}")
            else:
                work(running, answer)
            self._unanswered.pop(future, None)
            self._let_go(running.way)

        return done

    def _accepted(self, running: _Running, goal: Any) -> None:
        if not goal.accepted:
            self._end(running, ActionResult.FAILED, "the server did not take the goal")
            return
        running.goal = goal
        if running.cancel:
            self._cancel_goal(running)
        goal.get_result_async().add_done_callback(self._guarded(running, self._finished))

    def _finished(self, running: _Running, answer: Any) -> None:
        good, detail = outcome_of(answer.result)
        if answer.status == GoalStatus.STATUS_CANCELED:
            self._end(running, ActionResult.CANCELED, detail or "it was told to stop")
        elif answer.status == GoalStatus.STATUS_SUCCEEDED and good:
            self._end(running, ActionResult.SUCCEEDED, detail)
        else:
            self._end(running, ActionResult.FAILED, detail)

    def _answered(self, running: _Running, response: Any) -> None:
        good, detail = outcome_of(response)
        self._end(running, ActionResult.SUCCEEDED if good else ActionResult.FAILED, detail)

    def _out_of_time(self, running: _Running) -> None:
        running.cancel = True
        self._cancel_goal(running)
        limit = running.way.skill.timeout
        self._give_up(running, ActionResult.TIMED_OUT, f"it took more than {limit:g} s")

    def _cancel_goal(self, running: _Running) -> None:
        if running.goal is None:
            return

        def answered(future: Any) -> None:
            del self._unanswered[future]
            self._let_go(running.way)
            answer = future.result()
            if answer.return_code in _HAS_ENDED:
                if running.told:
                    self._running.pop(running.action_id, None)
            elif not answer.goals_canceling:
                name = running.way.skill.name
                self._node.get_logger().error(
                    f"skill {name} goes on: its server refuses to cancel {running.action_id}"
                )

        future = running.goal.cancel_goal_async()
        self._unanswered[future] = running.way
        future.add_done_callback(answered)

    def _let_go(self, way: _Way) -> None:
        """Destroy a closed client once its server has answered: what it yet takes is canceled."""
        if way.closed and all(each is not way for each in self._unanswered.values()):
            way.closed = False
            way.client.destroy()

    def _give_up(self, running: _Running, outcome: int, detail: str) -> None:
        """Report how it ended; a goal stays within reach of a stop until its result comes."""
        self._tell(running, outcome, detail)
        if not running.is_goal:
            self._running.pop(running.action_id, None)

    def _end(self, running: _Running, outcome: int, detail: str) -> None:
        if self._running.pop(running.action_id, None):
            self._tell(running, outcome, detail)

    def _tell(self, running: _Running, outcome: int, detail: str) -> None:
        if running.told:
            return  # its time was up before, or Clara was stopped
        running.told = True
        self._node.destroy_timer(running.timer)
        result = ActionResult(action_id=running.action_id, outcome=outcome, detail=detail)
        result.header.stamp = self._node.get_clock().now().to_msg()
        if running.way.template.target.remember and self._results is not None:
            self._results.publish(result)
        told = {
            "skill": running.way.skill.name,
            "action_id": running.action_id,
            "outcome": _NAMES[outcome],
            "detail": detail,
        }
        self._node.get_logger().info(f"skill result: {json.dumps(told, ensure_ascii=False)}")
        if running.ended:
            running.ended(End(outcome), detail)
