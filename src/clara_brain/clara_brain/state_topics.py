# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""The topics that tell of the robot's state: subscribed to at configure, read when asked.

No executor waits for them, so a topic at 1 kHz wakes nobody: the middleware keeps the latest
message, and it is taken and decoded once somebody asks. All methods belong to the executor's
thread.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from rclpy.callback_groups import CallbackGroup
from rclpy.clock import Clock
from rclpy.clock_type import ClockType
from rclpy.exceptions import NameValidationException
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rclpy.subscription import Subscription
from rclpy.timer import Timer
from rosidl_parser import definition as idl

from clara_brain.errors import StateTopicError
from clara_brain.live_state import (
    Heard,
    StateEntry,
    StateWords,
    parse_all,
    place,
    scaled,
    sentence,
)
from clara_brain.skill_messages import field_type, imported, value_at

# Takes what any publisher offers, but nothing from before it subscribed.
_LIVE = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
# Takes what was published before it subscribed, but only of publishers that keep that.
_LATCHED = QoSProfile(
    depth=1,
    reliability=ReliabilityPolicy.RELIABLE,
    durability=DurabilityPolicy.TRANSIENT_LOCAL,
)
_SEEK_S = 1.0
_NUMBERS = (*idl.INTEGER_TYPES, *idl.FLOATING_POINT_TYPES)


class _Unwatched(CallbackGroup):  # type: ignore[misc]
    """Entities that no executor waits for."""

    def can_execute(self, entity: object) -> bool:
        return False

    def beginning_execution(self, entity: object) -> bool:
        return False

    def ending_execution(self, entity: object) -> None:
        pass


class _Topic:
    """The latest message of a topic, and when it came, in nanoseconds of the wall clock."""

    def __init__(self, node: Node, kind: type, name: str) -> None:
        self._node = node
        self._kind = kind
        self.message: Any = None
        self.came = 0
        self._live = self._subscription(name, _LIVE)
        self._latched: Subscription | None = None

    def seek_latched(self) -> None:
        """Subscribe to what a publisher keeps, once there is one that does.

        Before that, each publisher that keeps nothing would warn that the two do not fit.
        """
        if self._latched:
            return
        name = self._live.topic_name
        offered = [each.qos_profile for each in self._node.get_publishers_info_by_topic(name)]
        if any(_keeps(qos) for qos in offered):
            self._latched = self._subscription(name, _LATCHED)

    def take(self) -> None:
        """Take what has come since the last time."""
        for subscription in filter(None, (self._latched, self._live)):
            with subscription.handle:
                taken = subscription.handle.take_message(self._kind, False)
            if taken:
                message, about = taken
                came = _came(about, latched=subscription is self._latched)
                if came >= self.came:
                    self.message, self.came = message, came

    def close(self) -> None:
        for subscription in filter(None, (self._live, self._latched)):
            self._node.destroy_subscription(subscription)

    def _subscription(self, name: str, qos: QoSProfile) -> Subscription:
        return self._node.create_subscription(
            self._kind, name, lambda message: None, qos, callback_group=_Unwatched()
        )


def _keeps(offered: QoSProfile) -> bool:
    return (offered.durability, offered.reliability) == (_LATCHED.durability, _LATCHED.reliability)


def _came(about: dict[str, int], latched: bool) -> int:
    """Return when a message came; of one that its publisher had kept, when it was published."""
    received, sent = about["received_timestamp"], about["source_timestamp"]
    return min(received, sent) if latched and sent > 0 else received or sent


class StateTopics:
    """Answers questions about the robot's state from the topics of `state_topics`."""

    def __init__(self, node: Node, group: CallbackGroup) -> None:
        self._node = node
        self._group = group
        self._timer: Timer | None = None
        self._words = StateWords(())
        self._topics: dict[tuple[str, str], _Topic] = {}

    def open(self, written: Sequence[str]) -> None:
        """Subscribe. Raises StateTopicError with one sentence that names the entry."""
        try:
            entries = parse_all(written)
        except ValueError as error:
            raise StateTopicError(str(error)) from None
        for number, entry in enumerate(entries):
            try:
                kind = checked(entry)
                if (entry.topic, entry.type) not in self._topics:
                    self._topics[entry.topic, entry.type] = _Topic(self._node, kind, entry.topic)
            except (ValueError, NameValidationException) as error:
                raise StateTopicError(f"{place(number, written[number])}: {error}") from None
        self._words = StateWords(entries)
        if entries:
            steady = Clock(clock_type=ClockType.STEADY_TIME)
            self._timer = self._node.create_timer(
                _SEEK_S, self._seek_latched, callback_group=self._group, clock=steady
            )

    def close(self) -> None:
        """Let go of the topics, and forget what came."""
        if self._timer:
            self._node.destroy_timer(self._timer)
        self._timer = None
        for topic in self._topics.values():
            topic.close()
        self._topics.clear()
        self._words = StateWords(())

    def answer(self, text: str, stale_s: float, neutralise: Callable[[str], str]) -> str:
        """Return the reply to a question about the state; empty for any other text."""
        return " ".join(
            sentence(entry, self._heard(entry), stale_s, neutralise)
            for entry in self._words.asked(text)
        )

    def _seek_latched(self) -> None:
        for topic in self._topics.values():
            topic.seek_latched()

    def _heard(self, entry: StateEntry) -> Heard | None:
        topic = self._topics[entry.topic, entry.type]
        topic.take()
        if topic.message is None:
            return None
        value = value_at(topic.message, entry.field)
        value = value.item() if hasattr(value, "item") else value  # arrays are numpy's
        return Heard(scaled(entry, value), max(0.0, (time.time_ns() - topic.came) / 1e9))


def checked(entry: StateEntry) -> Any:
    """Return the type of an entry's topic. Raises ValueError where it has no such value."""
    kind = imported(entry.type)
    slot = field_type(kind, entry.field)
    name = getattr(slot, "typename", "")
    text = isinstance(slot, idl.AbstractGenericString)
    if not text and name not in (*_NUMBERS, idl.BOOLEAN_TYPE):
        raise ValueError(f"{entry.field} of {entry.type} is no number, text or boolean")
    if entry.times != 1.0 and name not in _NUMBERS:
        raise ValueError(f"times is for numbers, but {entry.field} of {entry.type} is none")
    return kind
