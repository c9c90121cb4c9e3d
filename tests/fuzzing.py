# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Sends what `malformed` makes to running nodes, and holds the answers against `acceptance`.

Requests go out a few at a time, as services keep no more than ten, and thousands a minute. A
request that was answered wrongly comes back with every field taken out that does not matter.
"""

from __future__ import annotations

import copy
import math
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from acceptance import must_refuse
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.strategies import SearchStrategy
from rclpy.action import ActionClient
from rclpy.serialization import serialize_message
from running import Footprint, Peer, Process

from clara_interfaces.action import Chat
from clara_interfaces.msg import ActionEvent, ActionResult, Utterance
from clara_interfaces.srv import GetMemoryStats, GetPersonality

AT_ONCE = 8
LIMIT_S = 60.0
PATIENCE_S, TIMES = 10.0, 3  # for one answer, before it is asked for again
_SHOWN = 300
_LONGEST_SENTENCE = 1000
# A healthy node has no reason for any of these.
_NEVER = ("UNKNOWN", "NOT_ACTIVE", "NO_MODEL", "STORAGE_FAILED", "BACKEND_FAILED")


@dataclass
class Findings:
    """What came of fuzzing one door of a node."""

    door: str
    sent: int = 0
    sent_again: int = 0
    refused: int = 0
    wrong: list[str] = field(default_factory=list)
    seconds: float = 0.0
    before: Footprint | None = None
    after: Footprint | None = None

    def add(self, complaint: str, request: Any) -> None:
        """Note an answer that was wrong."""
        shown = repr(request)
        self.wrong.append(f"{complaint}: {shown[:_SHOWN]}{'...' * (len(shown) > _SHOWN)}")


def made_of(strategy: SearchStrategy[Any], count: int, number: int) -> Iterator[Any]:
    """Return `count` messages of a strategy, the same ones for the same `number`."""
    made: list[Any] = []

    @seed(number)
    @settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def collect(message: Any) -> None:
        made.append(message)

    collect()
    # Where there are not so many different ones, as of a request with no field, they come again.
    return (copy.copy(made[place % len(made)]) for place in range(count))


def complaint(request: Any, answer: Any) -> str:
    """Say what is wrong with an answer; "" where nothing is."""
    reason, code, said = must_refuse(request), answer.error_code, answer.error_msg
    names = {getattr(type(answer), name, None): name for name in _NEVER}
    # A grammar or a bias may leave the model no token to choose.
    impossible = reason is None and isinstance(request, Chat.Goal)
    if code in names and not (impossible and names[code] == "BACKEND_FAILED"):
        return f"{names[code]}: {said[:_SHOWN]}"
    if reason and not code:
        return f"accepted, though {reason}"
    if reason == "" and code:
        return f"refused with {said[:_SHOWN]!r}"
    if bool(code) != bool(said):
        return f"error_code {code} with error_msg {said[:_SHOWN]!r}"
    if not said.isprintable() or len(said) > _LONGEST_SENTENCE:
        return f"error_msg of {len(said)} characters is no sentence: {said[:_SHOWN]!r}"
    return "" if _finite(answer) else "a number in the answer is not finite"


def _finite(value: Any) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    if hasattr(value, "get_fields_and_field_types"):
        return all(_finite(getattr(value, name)) for name in value.get_fields_and_field_types())
    return all(map(_finite, value)) if isinstance(value, (list, tuple)) else True


def smallest(request: Any, is_wrong: Callable[[Any], bool]) -> Any:
    """Return the request with every field at its default that is wrong without it as well."""
    fresh = type(request)()
    for name in request.get_fields_and_field_types():
        tried = copy.copy(request)
        setattr(tried, name, getattr(fresh, name))
        if is_wrong(tried):
            request = tried
    return request


class Fuzzer:
    """Sends through a peer to one node."""

    def __init__(self, peer: Peer, node: Process, number: int) -> None:
        self._peer = peer
        self._node = node
        self._number = number

    def service(self, kind: Any, name: str, strategy: SearchStrategy[Any], count: int) -> Findings:
        """Call a service `count` times."""
        client = self._peer.client(kind, name)
        # A service that is found may not have found its client yet: the first answer may be lost.
        self._peer.spin_until(
            lambda: self._peer.try_call(kind, name), LIMIT_S, f"first answer of {name}"
        )
        requests = made_of(strategy, count, self._number)

        def is_wrong(request: Any) -> bool:
            return bool(complaint(request, self._peer.call(kind, name, request, LIMIT_S)))

        return self._send(name, requests, client.call_async, smaller=is_wrong)

    def chat(self, strategy: SearchStrategy[Any], count: int) -> Findings:
        """Send `count` goals."""
        client = ActionClient(self._peer.node, Chat, "chat")
        self._peer.spin_until(client.server_is_ready, LIMIT_S, "action chat")
        self._peer.spin_until(lambda: self._knock(client), LIMIT_S, "first answer of chat")
        try:
            return self._send(
                "chat", made_of(strategy, count, self._number), lambda goal: _Goal(client, goal)
            )
        finally:
            client.destroy()

    def _knock(self, client: ActionClient) -> bool:
        """Send a goal that is refused at once; whether its result came soon."""
        goal, end = _Goal(client, Chat.Goal()), time.monotonic() + 2.0
        while not goal.done() and time.monotonic() < end:
            self._peer.executor.spin_once(timeout_sec=0.05)
        return goal.done()

    def say(self, strategy: SearchStrategy[Any], count: int) -> Findings:
        """Publish `count` utterances and wait for a reply to each."""
        heard: dict[str, list[Utterance]] = {}
        node = self._peer.node
        replies = node.create_subscription(
            Utterance, "reply", lambda one: heard.setdefault(one.request_id, []).append(one), 100
        )
        say = node.create_publisher(Utterance, "say", 100)
        self._peer.spin_until(
            lambda: say.get_subscription_count() and node.count_publishers(replies.topic_name),
            LIMIT_S,
            "topics say and reply",
        )
        number = 0

        def send(said: Utterance) -> _Reply:
            nonlocal number
            number += 1
            if len(said.request_id) <= 128:
                said.request_id = str(number)
            say.publish(said)
            return _Reply(heard, said.request_id)

        try:
            return self._send("say", made_of(strategy, count, self._number), send)
        finally:
            node.destroy_subscription(replies)
            node.destroy_publisher(say)

    def events(self, kind: Any, strategy: SearchStrategy[Any], count: int) -> Findings:
        """Publish `count` events or results; memory counts each of them as taken or rejected."""
        topic = "action_event" if kind is ActionEvent else "action_result"
        publisher = self._peer.events if kind is ActionEvent else self._peer.results
        self._peer.spin_until(lambda: self._peer.subscribers(topic), LIMIT_S, f"topic {topic}")
        findings, began = Findings(topic), time.monotonic()
        taken, rejected, _ = self._counts(kind)
        surely = perhaps = 0
        for message in made_of(strategy, count, self._number):
            findings.sent += 1
            verdict = must_refuse(message)
            surely += bool(verdict)
            perhaps += verdict is None
            publisher.publish(message)
            if findings.sent % AT_ONCE and findings.sent < count:
                continue
            self._peer.spin_until(
                lambda: sum(self._counts(kind)[:2]) >= taken + rejected + findings.sent,
                LIMIT_S,
                f"count of {findings.sent} messages on {topic}",
            )
            if findings.before is None and findings.sent >= count // 5:
                findings.before = Footprint.of(self._node.pid)
        _, now_rejected, dropped = self._counts(kind)
        findings.refused = now_rejected - rejected
        if dropped or not surely <= findings.refused <= surely + perhaps:
            findings.wrong.append(
                f"{findings.refused} rejected and {dropped} dropped, where {surely} must be and"
                f" {perhaps} may be rejected"
            )
        findings.after = Footprint.of(self._node.pid)
        findings.seconds = time.monotonic() - began
        return findings

    def bytes(self, kind: Any, topic: str, strategy: SearchStrategy[Any], count: int) -> Findings:
        """Publish serialised messages with bytes cut off or changed; the node must live on."""
        findings, began = Findings(f"{topic} (bytes)"), time.monotonic()
        publisher = self._peer.node.create_publisher(kind, topic, 100)
        self._peer.spin_until(publisher.get_subscription_count, LIMIT_S, f"topic {topic}")
        chance = random.Random(self._number)
        node = "memory" if kind in (ActionEvent, ActionResult) else "brain"
        probes = {
            "memory": (GetMemoryStats, "memory/stats"),
            "brain": (GetPersonality, "personality/get"),
        }
        try:
            for message in made_of(strategy, count, self._number):
                publisher.publish(damaged(bytes(serialize_message(message)), chance))
                findings.sent += 1
                if findings.sent % AT_ONCE == 0 or findings.sent == count:
                    self._peer.call(*probes[node], limit=LIMIT_S)
                if findings.before is None and findings.sent >= count // 5:
                    findings.before = Footprint.of(self._node.pid)
        except AssertionError as error:
            findings.wrong.append(f"after {findings.sent} messages: {error}")
        finally:
            self._peer.node.destroy_publisher(publisher)
        findings.after = Footprint.of(self._node.pid) if self._node.running else None
        findings.seconds = time.monotonic() - began
        return findings

    def _counts(self, kind: Any) -> tuple[int, int, int]:
        stats = self._peer.call(GetMemoryStats, "memory/stats", limit=LIMIT_S)
        taken = stats.events_received if kind is ActionEvent else stats.results_received
        return taken, stats.rejected, stats.dropped

    def _send(
        self,
        door: str,
        requests: Iterator[Any],
        send: Callable[[Any], Any],
        smaller: Callable[[Any], bool] | None = None,
    ) -> Findings:
        """Keep AT_ONCE requests under way until all are answered."""
        findings, began = Findings(door), time.monotonic()
        under_way: list[_Asked] = []  # from the oldest that is not answered on
        requests = iter(list(requests))  # made before the clock of an answer runs
        while True:
            # Never far ahead of the oldest: what comes later would push it out of a full history.
            while len(under_way) < AT_ONCE and (request := next(requests, None)) is not None:
                under_way.append(_Asked(request, send))
                findings.sent += 1
                if findings.sent == 1000:
                    findings.before = Footprint.of(self._node.pid)
            if not under_way:
                break
            self._peer.executor.spin_once(timeout_sec=0.05)
            while under_way and under_way[0].answer.done():
                asked = under_way.pop(0)
                self._judge(findings, asked.request, asked.answer.result(), smaller)
            if under_way and under_way[0].late and under_way[0].times < TIMES:
                # On a busy machine DDS loses an answer now and then; what makes a node silent
                # does so again.
                under_way[0].ask(send)
                findings.sent_again += 1
            elif (under_way and under_way[0].late) or not self._node.running:
                last = self._node.output[-2 * _SHOWN :]
                died = "" if self._node.running else f"the node died ({last}), "
                for asked in under_way:
                    if not asked.answer.done():
                        findings.add(f"{died}no answer to one of {findings.sent}", asked.request)
                break
        findings.after = Footprint.of(self._node.pid) if self._node.running else None
        findings.seconds = time.monotonic() - began
        return findings

    def _judge(
        self,
        findings: Findings,
        request: Any,
        answer: Any,
        smaller: Callable[[Any], bool] | None,
    ) -> None:
        findings.refused += bool(answer.error_code)
        if wrong := complaint(request, answer):
            if smaller and len(findings.wrong) < 5:
                request = smallest(request, smaller)
            findings.add(wrong, request)


class _Asked:
    """A request under way."""

    def __init__(self, request: Any, send: Callable[[Any], Any]) -> None:
        self.request = request
        self.times = 0
        self.ask(send)

    def ask(self, send: Callable[[Any], Any]) -> None:
        """Send it, once more where it was sent before."""
        self.answer = send(self.request)
        self.times += 1
        self._since = time.monotonic()

    @property
    def late(self) -> bool:
        return time.monotonic() - self._since > PATIENCE_S


class _Goal:
    """A goal of the Chat action, from sending to its result."""

    def __init__(self, client: ActionClient, goal: Chat.Goal) -> None:
        self._result: Any = None
        self._sent = client.send_goal_async(goal)

    def done(self) -> bool:
        if self._result is None and self._sent.done():
            self._result = self._sent.result().get_result_async()
        return self._result is not None and self._result.done()

    def result(self) -> Chat.Result:
        return self._result.result().result


class _Reply:
    """The reply to an utterance."""

    def __init__(self, heard: dict[str, list[Utterance]], request_id: str) -> None:
        self._heard, self._request_id = heard, request_id

    def done(self) -> bool:
        return bool(self._heard.get(self._request_id))

    def result(self) -> Utterance:
        replies = self._heard[self._request_id]
        reply = replies.pop()
        if not replies:
            del self._heard[self._request_id]
        return reply


def damaged(sound: bytes, chance: random.Random) -> bytes:
    """Return a serialised message that is cut short, or with bytes or lengths changed.

    Never longer than it was by more than a few bytes: what takes memory is a length that lies.
    """
    how = chance.randrange(4)
    if how == 0:
        return sound[: chance.randrange(1, len(sound) + 1)]
    changed = bytearray(sound)
    if how == 1:
        for _ in range(chance.randrange(1, 8)):
            changed[chance.randrange(len(changed))] = chance.randrange(256)
    elif how == 2 and len(changed) > 8:
        place = chance.randrange(4, len(changed) - 3) & ~3
        changed[place : place + 4] = chance.choice(
            (b"\xff\xff\xff\xff", b"\xff\xff\xff\x7f", b"\x00\x00\x00\x80", b"\x00\x00\x01\x00")
        )
    else:
        changed += bytes(chance.randrange(256) for _ in range(chance.randrange(1, 9)))
    return bytes(changed)
