#!/usr/bin/env python3
# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""From `say` to the first sentence on `reply_sentence`, against the whole `reply`.

What a robot with a loudspeaker waits before it speaks. A brain with SmolLM2 and its defaults, over
real DDS, is asked twenty things, one after another, each in a conversation of its own; times are
those of the one who asks. A sentence is lost where its number is missing, or the sentences do not
join to the reply.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from conftest import active
from domain_coordinator import domain_id
from report import percentile, report, summary
from running import Peer, Process

from clara_interfaces.msg import Sentence, Utterance

QUESTIONS = (
    "Hello! Who are you?",
    "What is a whale?",
    "Why is the sky blue?",
    "How do I make tea?",
    "Tell me a short story about a ship.",
    "What can I cook with eggs and rice?",
    "Why do leaves fall in autumn?",
    "Give me three reasons to go for a walk.",
    "What is the difference between a cat and a dog?",
    "I am tired today.",
    "How does a bicycle stay upright?",
    "Tell me about the moon.",
    "What should I read next?",
    "Explain what a robot is to a child.",
    "Is it better to get up early?",
    "How do bees make honey?",
    "What is good about rain?",
    "Write a poem about the sea.",
    "How do I learn to swim?",
    "What does a doctor do?",
)
PATIENCE_S = 120.0


class Loudspeaker:
    """Says something to Clara, and keeps when she answered what."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer
        self._say = peer.node.create_publisher(Utterance, "say", 10)
        self._came: list[tuple[float, Sentence]] = []
        self._replied: list[tuple[float, Utterance]] = []
        node = peer.node
        for kind, topic, kept in (
            (Sentence, "reply_sentence", self._came),
            (Utterance, "reply", self._replied),
        ):

            def keep(message: object, kept: list = kept) -> None:
                kept.append((time.perf_counter(), message))

            node.create_subscription(kind, topic, keep, 1000)
        peer.spin_until(self._say.get_subscription_count, PATIENCE_S, "somebody who hears")

    def ask(self, number: int, text: str) -> dict[str, float]:
        """Return the seconds to the first sentence and to the reply, and what was lost."""
        self._came.clear()
        self._replied.clear()
        name = f"question {number}"
        began = time.perf_counter()
        self._say.publish(Utterance(request_id=name, session_id=name, text=text))
        self._peer.spin_until(lambda: self._replied, PATIENCE_S, "the reply")
        # What came later than the reply is a loss only after a while.
        self._peer.spin_for(lambda: self._came and self._came[-1][1].last, 2.0)
        (at, reply), sentences = self._replied[0], [sentence for _, sentence in self._came]
        if reply.error_code:
            sys.exit(f"a turn failed: {reply.error_msg}")
        words = " ".join(sentence.text for sentence in sentences).split()
        lost = sentences[-1].seq + 1 - len(sentences) if sentences else 1
        return {
            "first": self._came[0][0] - began,
            "whole": at - began,
            "sentences": len(sentences),
            "lost": max(lost, int("".join(words) != "".join(reply.text.split()))),
        }


def measure(domain: int, rounds: int) -> list[dict[str, float]]:
    """Ask a brain everything; the first answer, which warms it up, does not count."""
    with tempfile.TemporaryDirectory() as home:
        brain = Process(
            *("ros2", "run", "clara_brain", "brain_node", "--ros-args", "-r", "__ns:=/clara"),
            *("-p", "autostart:=true"),
            env={"HOME": home},
        )
        peer = Peer(domain)
        try:
            peer.spin_until(lambda: active(peer, "brain"), PATIENCE_S, "brain active")
            speaker = Loudspeaker(peer)
            speaker.ask(-1, QUESTIONS[0])
            asked = QUESTIONS * rounds
            return [speaker.ask(number, text) for number, text in enumerate(asked)]
        finally:
            peer.close()
            brain.close()


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=1, help="times that everything is asked")
    options = parser.parse_args()
    os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
    with domain_id() as domain:
        os.environ["ROS_DOMAIN_ID"] = str(domain)
        replies = measure(int(domain), options.rounds)
    times = {name: [each[name] for each in replies] for name in ("first", "whole")}
    sentences = [each["sentences"] for each in replies]
    lost = sum(each["lost"] for each in replies)
    load, _, _ = os.getloadavg()

    def words(name: str) -> str:
        low, high = (percentile(times[name], share) for share in (0.05, 0.95))
        return f"{statistics.median(times[name]):.2f} s median ({low:.2f} to {high:.2f} s)"

    rows = {
        f"`say` to first sentence, {len(replies)} replies": words("first"),
        "`say` to whole reply": words("whole"),
        "sentences of a reply": f"{statistics.median(sentences):.0f} median,"
        f" {sum(sentences)} in all, {lost} lost",
        "load of the machine": f"{load:.1f}",
    }
    figures = {
        **{f"{name}_s": summary(each) for name, each in times.items()},
        "sentences": sum(sentences),
        "lost": lost,
        "load": load,
        "replies": replies,
    }
    report("sentences", "a reply sentence by sentence", rows, figures)


if __name__ == "__main__":
    main()
