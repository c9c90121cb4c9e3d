# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Remembers what any ROS 2 action server does, from the topics that it publishes anyway.

- `<name>/_action/status` says when a goal was accepted and how it ended. Goals that had ended
  before the memory began to watch are left out: nobody can say when that was. But where memory
  knows the beginning of one and not its end (it was stopped in between), how it ended is told.
- Where service introspection is on, `<name>/_action/send_goal/_service_event` has the goal itself:
  its fields become context, a field `object` or `target` the object. It may come after the status,
  even after that of a goal that has ended: such a goal waits for it a while.
"""

import importlib
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import rclpy.action
from action_msgs.msg import GoalStatus, GoalStatusArray
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rclpy.subscription import Subscription
from service_msgs.msg import ServiceEventInfo

from clara_memory.conversions import to_ns
from clara_memory.episode import (
    MAX_FILLER,
    MAX_ROLES,
    STANDARD_ROLES,
    Kind,
    Outcome,
    RoleFiller,
    check_filler,
)
from clara_memory.errors import InvalidRequest
from clara_memory.messages import Event, Result

GOALS_KEPT = 1000  # beside those that the server lists
WAIT_FOR_GOAL_S = 2.0
_NAME = re.compile(r"/?[A-Za-z_][A-Za-z0-9_]*(/[A-Za-z_][A-Za-z0-9_]*)*\Z")
_TYPE = re.compile(r"([a-z][a-z0-9_]*)/action/([A-Z][A-Za-z0-9]*)\Z")
_OBJECT_FIELDS = ("object", "object_name", "object_id", "target", "target_name")
ENDED_UNSEEN = "it ended before memory was there again"
_DEPTH = 3
_LATCHED = QoSProfile(
    depth=100,
    reliability=ReliabilityPolicy.RELIABLE,
    durability=DurabilityPolicy.TRANSIENT_LOCAL,
)
_ENDED = {
    GoalStatus.STATUS_SUCCEEDED: Outcome.SUCCEEDED,
    GoalStatus.STATUS_ABORTED: Outcome.FAILED,
    GoalStatus.STATUS_CANCELED: Outcome.CANCELED,
}


@dataclass(frozen=True, slots=True)
class Watched:
    """An action server's name, and its type where that was given."""

    name: str
    type_name: str = ""

    @property
    def action(self) -> str:
        """Return what its goals are called in memory: the last part of the name, as PICK_UP."""
        return self.name.rsplit("/", 1)[-1].upper()


def parse_watched(field: str, written: str) -> Watched:
    """Return what a parameter names; raises InvalidRequest saying what is wrong with it."""
    name, _, type_name = written.partition(":")
    if not _NAME.match(name):
        raise InvalidRequest(field, f"has {written!r}: write it as '/dock', the action's name")
    if type_name and not _TYPE.match(type_name):
        raise InvalidRequest(field, f"has the type {type_name!r}: write it as my_msgs/action/Dock")
    return Watched(name, type_name)


@dataclass(slots=True)
class _Goal:
    """A goal that was accepted, until memory has been told how it ended."""

    accepted_ns: int
    told: bool = False
    outcome: Outcome | None = None
    end_ns: int = 0  # where it waited, so that waiting is not counted
    waits_until: float = 0.0  # time.monotonic()


class ActionWatcher:
    """Turns the goals of one action server into events and results."""

    def __init__(
        self,
        node: Node,
        watched: Watched,
        take: Callable[[Event | Result], None],
        awaits: Callable[[str], bool],
        now_ns: Callable[[], int],
    ) -> None:
        """Begin to watch; the functions are called on the executor's thread.

        `take` gets what there is to remember, `awaits` says of an action_id whether its result is
        waited for, `now_ns` the time.
        """
        self._node = node
        self._watched = watched
        self._take = take
        self._awaits = awaits
        self._now_ns = now_ns
        self._since_ns = now_ns()
        self._first = True
        self._open: dict[str, _Goal] = {}
        self._ended: dict[tuple[str, int], None] = {}  # by id and when it was accepted
        self._goals: dict[str, dict[str, Any]] = {}  # what was asked, until the goal is accepted
        self._events: Subscription | None = None
        # Not on ROS time, which may stand still.
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._waiting = node.create_timer(0.1, self._wait_no_longer, clock=steady)
        self._waiting.cancel()
        topic = f"{watched.name}/_action/status"
        self._status = node.create_subscription(GoalStatusArray, topic, self._on_status, _LATCHED)
        self._watch_goals()

    def stop(self) -> None:
        """Watch no more, and wait for no goal's content."""
        self._node.destroy_timer(self._waiting)
        for identity in [each for each, goal in self._open.items() if goal.outcome is not None]:
            self._end(identity)
        for subscription in (self._status, self._events):
            if subscription is not None:
                self._node.destroy_subscription(subscription)

    def _watch_goals(self) -> None:
        """Subscribe to the goals themselves, once their type is known."""
        if self._events is not None:
            return
        type_name = self._watched.type_name or self._type_in_graph()
        match = _TYPE.match(type_name)
        if match is None:
            return
        try:
            kind = getattr(importlib.import_module(f"{match[1]}.action"), match[2])
        except (ImportError, AttributeError):
            self._node.get_logger().warning(
                f"{self._watched.name}: {type_name} cannot be imported, its goals stay unknown",
                once=True,
            )
            return
        self._events = self._node.create_subscription(
            kind.Impl.SendGoalService.Event, self._event_topic, self._on_goal, 100
        )

    @property
    def _event_topic(self) -> str:
        return f"{self._watched.name}/_action/send_goal/_service_event"

    def _type_in_graph(self) -> str:
        wanted = self._status.topic_name.removesuffix("/_action/status")
        for name, types in _actions_in_graph(self._node):
            if name == wanted and types:
                return str(types[0])
        return ""

    def _on_goal(self, message: Any) -> None:
        if message.info.event_type != ServiceEventInfo.REQUEST_RECEIVED or not message.request:
            return
        request = message.request[0]
        identity = bytes(request.goal_id.uuid).hex()
        fields = event_fields(request.goal)
        goal = self._open.get(identity)
        if goal is None:
            self._goals[identity] = fields
            _trim(self._goals, GOALS_KEPT)
            return
        self._begin(identity, goal, fields)
        if goal.outcome is not None:
            self._end(identity)

    def _on_status(self, message: GoalStatusArray) -> None:
        self._watch_goals()
        first, self._first = self._first, False
        for status in message.status_list:
            identity = bytes(status.goal_info.goal_id.uuid).hex()
            accepted_ns = to_ns(status.goal_info.stamp)
            outcome = _ENDED.get(status.status)
            if (identity, accepted_ns) in self._ended:
                self._note_ended(identity, accepted_ns)
                continue
            goal = self._open_since(identity, accepted_ns)
            if goal is None:
                if first and outcome is not None and accepted_ns < self._since_ns:
                    self._note_ended(identity, accepted_ns)
                    if self._awaits(identity):
                        self._take(Result(identity, outcome, detail=ENDED_UNSEEN))
                    continue
                goal = self._open[identity] = _Goal(accepted_ns)
                fields = self._goals.pop(identity, None)
                if fields is not None or not self._expects_goals():
                    self._begin(identity, goal, fields or {})
            if outcome is None or goal.outcome is not None:
                continue
            goal.outcome = outcome
            if goal.told or not self._expects_goals():
                self._end(identity)
            else:
                goal.end_ns = max(accepted_ns, self._now_ns())
                goal.waits_until = time.monotonic() + WAIT_FOR_GOAL_S
                self._waiting.reset()
        # A server lists what has ended for as long as it likes: what it lists is not forgotten.
        _trim(self._ended, GOALS_KEPT + len(message.status_list))

    def _open_since(self, identity: str, accepted_ns: int) -> _Goal | None:
        goal = self._open.get(identity)
        if goal is None or goal.accepted_ns == accepted_ns:
            return goal
        # The id is used again.
        if goal.outcome is not None:
            self._end(identity)
        else:
            del self._open[identity]
        return None

    def _note_ended(self, identity: str, accepted_ns: int) -> None:
        """Remember that a goal has ended, as the latest that was seen."""
        self._ended.pop((identity, accepted_ns), None)
        self._ended[identity, accepted_ns] = None

    def _expects_goals(self) -> bool:
        return self._events is not None and self._node.count_publishers(self._event_topic) > 0

    def _wait_no_longer(self) -> None:
        waiting = {each: goal for each, goal in self._open.items() if goal.outcome is not None}
        late = [each for each, goal in waiting.items() if goal.waits_until <= time.monotonic()]
        for identity in late:
            self._end(identity)
        if len(late) == len(waiting):
            self._waiting.cancel()

    def _begin(self, identity: str, goal: _Goal, fields: dict[str, Any]) -> None:
        if goal.told:
            return
        goal.told = True
        event = Event(identity, self._watched.action, start_ns=goal.accepted_ns, **fields)
        self._take(event)

    def _end(self, identity: str) -> None:
        goal = self._open.pop(identity)
        assert goal.outcome is not None
        self._begin(identity, goal, {})
        self._note_ended(identity, goal.accepted_ns)
        self._take(Result(identity, goal.outcome, goal.end_ns))


def _actions_in_graph(node: Node) -> list[tuple[str, list[str]]]:
    # Jazzy and Kilted have the function alone; Lyrical has the method and deprecates the function.
    if hasattr(node, "get_action_names_and_types"):
        return list(node.get_action_names_and_types())
    return list(rclpy.action.get_action_names_and_types(node))


def _trim(kept: dict[Any, Any], most: int) -> None:
    while len(kept) > most:
        del kept[next(iter(kept))]


def event_fields(goal: Any) -> dict[str, Any]:
    """Return object and context of a goal: its fields that fit into roles, the first ones."""
    thing = ""
    context: dict[str, RoleFiller] = {}
    for filler in _fillers("", goal, _DEPTH):
        if filler.role in _OBJECT_FIELDS and filler.kind is Kind.TEXT and not thing:
            thing = filler.filler
        elif filler.role not in STANDARD_ROLES and len(context) < MAX_ROLES:
            context.setdefault(filler.role, filler)
    return {"object": thing, "context": tuple(context.values())}


def _fillers(prefix: str, message: Any, depth: int) -> Iterator[RoleFiller]:
    for name, kind in message.get_fields_and_field_types().items():
        value = getattr(message, name)
        if kind == "float":
            value = _of_float32(value)
        role = f"{prefix}_{name}" if prefix else name
        made = _filler(role[:32], value)
        if made is None:
            if hasattr(value, "get_fields_and_field_types") and depth > 1:
                yield from _fillers(role, value, depth - 1)
            continue
        try:
            check_filler("goal", made)
        except InvalidRequest:
            continue  # empty, not finite, or with control characters: nothing to remember
        yield made


def _filler(role: str, value: Any) -> RoleFiller | None:
    if isinstance(value, bool):
        return RoleFiller(role, "true" if value else "false")
    if isinstance(value, str):
        return RoleFiller(role, value[:MAX_FILLER])
    if isinstance(value, int | float):
        return RoleFiller(role, "", Kind.NUMBER, (float(value),))
    frame = ""
    if hasattr(value, "header") and hasattr(value, "pose"):
        frame, value = value.header.frame_id, value.pose
    for inner in ("pose", "position"):
        value = getattr(value, inner, value)
    if all(isinstance(getattr(value, axis, None), float) for axis in "xyz") and not hasattr(
        value, "w"
    ):
        kinds = value.get_fields_and_field_types()
        place = tuple(
            _of_float32(getattr(value, axis)) if kinds[axis] == "float" else getattr(value, axis)
            for axis in "xyz"
        )
        return RoleFiller(role, frame, Kind.POSITION, place)
    return None


def _of_float32(value: float) -> float:
    """Return the number that was meant by a float32: 0.3, not 0.30000001192092896."""
    return float(str(np.float32(value)))
