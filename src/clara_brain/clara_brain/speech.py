# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""The topics `say`, `reply` and `reply_sentence`, for robots that only speak topics.

A sentence of a reply is published as soon as it is whole, from the thread that the words come on.
A turn that is cut short says so there at once, so that a speech synthesiser falls silent.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from rclpy.callback_groups import CallbackGroup
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.subscription import Subscription

from clara_brain import qos
from clara_brain.conversions import LONGEST_NAME
from clara_brain.decoding import Stop
from clara_brain.sentence_stream import SentenceStream
from clara_brain.turn_desk import TurnDesk
from clara_interfaces.action import Chat
from clara_interfaces.msg import Sentence, Utterance

_DEPTH = 100
# A reply that no model writes comes in one burst.
_SENTENCES_DEPTH = 1000
_CUT_SHORT = {
    Stop.CANCELED: Chat.Result.CANCELED,
    Stop.DEADLINE: Chat.Result.DEADLINE_EXCEEDED,
    Stop.ERROR: Chat.Result.SHUTTING_DOWN,
}


class SpokenReply:
    """Publishes one reply sentence by sentence, numbered without gaps; exactly one is the last.

    Words may come from any thread, also after the end: these are left out.
    """

    def __init__(self, node: Node, publisher: Publisher, said: Utterance) -> None:
        self._node = node
        self._publisher = publisher
        self._said = said
        self._stream = SentenceStream()
        self._sequence = 0
        self._ended = False
        self._lock = threading.Lock()

    def push(self, delta: str) -> None:
        """Take the next piece of the reply."""
        with self._lock:
            if not self._ended:
                for sentence in self._stream.push(delta):
                    self._publish(sentence)

    def cut_short(self, how: Stop) -> None:
        """End the reply at once: what was not said yet is not to be said."""
        self.end(_CUT_SHORT[how])

    def end(self, error_code: int) -> None:
        """End the reply, unless it has ended. With an error the half sentence is left out."""
        with self._lock:
            if self._ended:
                return
            self._ended = True
            left = self._stream.finish() if error_code == Chat.Result.NONE else []
            for sentence in left[:-1]:
                self._publish(sentence)
            self._publish(left[-1] if left else "", last=True, error_code=error_code)

    def _publish(self, text: str, **end: bool | int) -> None:
        sentence = Sentence(
            request_id=self._said.request_id,
            session_id=self._said.session_id,
            seq=self._sequence,
            text=text,
            **end,
        )
        sentence.header.stamp = self._node.get_clock().now().to_msg()
        self._publisher.publish(sentence)
        self._sequence += 1


class Speech:
    """Answers every Utterance on `say` with one on `reply`, while it listens."""

    def __init__(self, node: Node, desk: TurnDesk, group: CallbackGroup) -> None:
        self._node = node
        self._desk = desk
        self._group = group
        self._reply = qos.publisher(node, Utterance, "reply", _DEPTH)
        self._sentences = qos.publisher(node, Sentence, "reply_sentence", _SENTENCES_DEPTH)
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
        spoken = SpokenReply(self._node, self._sentences, said)
        replied, held = False, list[str]()

        def later(text: str) -> None:
            """Say what became of it, behind the reply to it."""
            if replied:
                self._say_more(said, text)
            else:
                held.append(text)

        result = await self._take(said, spoken, later)
        spoken.end(result.error_code)
        self._publish(said, result)
        replied = True
        for text in held:
            later(text)

    def _say_more(self, said: Utterance, text: str) -> None:
        """Publish a reply that comes behind the first, with sentences of its own."""
        spoken = SpokenReply(self._node, self._sentences, said)
        spoken.push(text)
        spoken.end(Chat.Result.NONE)
        self._publish(said, Chat.Result(text=text))

    def _publish(self, said: Utterance, result: Chat.Result) -> None:
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

    async def _take(
        self, said: Utterance, spoken: SpokenReply, later: Callable[[str], None]
    ) -> Chat.Result:
        if len(said.request_id) > LONGEST_NAME:
            self._desk.stop_if_told(said.text)  # a stop is obeyed before all that could refuse it
            return Chat.Result(
                error_code=Chat.Result.INVALID_REQUEST,
                error_msg=f"request_id has {len(said.request_id)} characters;"
                f" at most {LONGEST_NAME} are allowed",
            )
        goal = Chat.Goal(text=said.text, session_id=said.session_id)
        turn = self._desk.begin(goal, spoken.push, spoken.cut_short, later)
        return turn if isinstance(turn, Chat.Result) else await self._desk.finish(turn)
