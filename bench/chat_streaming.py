#!/usr/bin/env python3
# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Streaming over ROS: chunks lost, cancel latency, other services while it generates.

Three clients, each in a process of its own, chat at once until they have had the chunks asked for;
a chunk is lost when its number is missing or the pieces do not join to the result. They talk to a
model of random weights, which is fast, so that the wire has something to do. Cancel and service
latencies are measured against SmolLM2 with every slot generating.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

_ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(_ROOT / "tests"))
sys.path.append(str(_ROOT / "src" / "clara_brain" / "test"))

from conftest import active
from domain_coordinator import domain_id
from rclpy.action import ActionClient
from rclpy.qos import QoSProfile
from report import percentile, report, summary
from running import Peer, Process
from tiny_model import write_model

from clara_interfaces.action import Chat
from clara_interfaces.msg import Sampling
from clara_interfaces.srv import GetPersonality

# Warm enough for a model of random weights not to say the same for ever; its end is one of 49,152.
FREE = Sampling(temperature=1.5, top_k=0, top_p=1.0, min_p=0.0, repeat_penalty=1.0)
SLOTS = 4


def brain(home: str, *parameters: str) -> Process:
    """Start a brain node."""
    words = [word for parameter in parameters for word in ("-p", parameter)]
    return Process(
        *("ros2", "run", "clara_brain", "brain_node", "--ros-args", "-r", "__ns:=/clara"),
        *("-p", "autostart:=true", "-p", f"slots:={SLOTS}", *words),
        env={"HOME": home},
    )


def goal(tokens: int, text: str = "Go on.") -> Chat.Goal:
    """Return a turn that goes on for long."""
    return Chat.Goal(
        text=text,
        max_tokens=tokens,
        memory_policy=Chat.Goal.NEVER,
        skill_policy=Chat.Goal.NEVER,
        sampling=FREE,
    )


def chat_client(peer: Peer) -> ActionClient:
    """Return a client of `chat` that is connected."""
    client = ActionClient(peer.node, Chat, "chat", feedback_sub_qos_profile=QoSProfile(depth=200))
    peer.spin_until(client.server_is_ready, 60.0, "chat")
    return client


def listen(domain: int, chunks: int) -> None:
    """Chat until that many chunks were sent to this client; print what was had, as JSON."""
    peer = Peer(domain)
    client = chat_client(peer)
    sent = received = broken = turns = 0
    while sent < chunks:
        pieces: list = []
        future = client.send_goal_async(
            goal(1900), feedback_callback=lambda message, to=pieces: to.append(message.feedback)
        )
        handle = peer.finish(future, 60.0, "acceptance")
        result = peer.finish(handle.get_result_async(), 300.0, "result").result
        if result.error_code:
            sys.exit(f"a turn failed: {result.error_msg}")
        end = time.monotonic() + 2.0

        def whole(to: list = pieces, text: str = result.text) -> bool:
            return "".join(piece.delta for piece in to) == text

        while not whole() and time.monotonic() < end:
            peer.executor.spin_once(timeout_sec=0.05)
        turns += 1
        numbers = [piece.seq for piece in pieces]
        # The last number is not known when the last piece is lost; then the text is too short.
        sent += max(numbers, default=-1) + 1
        received += len(set(numbers))
        broken += not whole()
    print(json.dumps({"sent": sent, "received": received, "broken": broken, "turns": turns}))
    client.destroy()
    peer.close()


def measure_loss(home: str, domain: int, clients: int, chunks: int) -> dict[str, float]:
    """Return what the clients had of what was sent to them."""
    model = Path(home) / "tiny.gguf"
    write_model(model)
    node = brain(home, f"model:={model}")
    watch = Peer(domain)
    try:
        watch.spin_until(lambda: active(watch, "brain"), 120.0, "brain active")
        command = [sys.executable, __file__, "--listen", str(domain), str(chunks // clients + 1)]
        began = time.perf_counter()
        running = [
            subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(clients)
        ]
        had = [json.loads(each.communicate()[0]) for each in running]
        seconds = time.perf_counter() - began
    finally:
        watch.close()
        node.close()
    total = {key: sum(each[key] for each in had) for key in had[0]}
    return {**total, "seconds": seconds}


def measure_latency(home: str, domain: int, rounds: int) -> dict[str, list[float]]:
    """Return seconds from cancelling to the result, and of a service call, under load."""
    node = brain(home)
    peer = Peer(domain)
    found: dict[str, list[float]] = {"cancel": [], "service": []}
    try:
        peer.spin_until(lambda: active(peer, "brain"), 120.0, "brain active")
        client = chat_client(peer)
        handles = []

        def start() -> None:
            pieces: list = []
            sent = client.send_goal_async(
                goal(2000, "Tell me a story."), feedback_callback=pieces.append
            )
            handles.append(peer.finish(sent, 60.0, "acceptance"))
            peer.spin_until(lambda: pieces, 60.0, "first piece")

        for _ in range(SLOTS):
            start()
        for _ in range(rounds):
            for _ in range(3):
                began = time.perf_counter()
                peer.call(GetPersonality, "personality/get")
                found["service"].append(time.perf_counter() - began)
            handle = handles.pop(0)
            result = handle.get_result_async()
            began = time.perf_counter()
            handle.cancel_goal_async()
            peer.finish(result, 30.0, "result")
            found["cancel"].append(time.perf_counter() - began)
            start()
        client.destroy()
    finally:
        peer.close()
        node.close()
    return found


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--chunks", type=int, default=100_000)
    parser.add_argument("--clients", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--listen", nargs=2, type=int, metavar=("DOMAIN", "CHUNKS"))
    options = parser.parse_args()
    os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
    if options.listen:
        listen(*options.listen)
        return
    with domain_id() as domain, tempfile.TemporaryDirectory() as home:
        os.environ["ROS_DOMAIN_ID"] = str(domain)
        latency = measure_latency(home, int(domain), options.rounds)
        loss = measure_loss(home, int(domain), options.clients, options.chunks)

    def words(name: str) -> str:
        values = latency[name]
        median, worst = percentile(values, 0.5), percentile(values, 0.99)
        return f"{median * 1e3:.1f} ms median, {worst * 1e3:.1f} ms p99, n = {len(values)}"

    rows = {
        f"chunks to {options.clients} clients at once": f"{loss['sent']:,}"
        f" in {loss['seconds']:.0f} s, {loss['sent'] - loss['received']} lost,"
        f" {loss['broken']} of {loss['turns']} texts broken",
        f"cancel to result, {SLOTS} generating": words("cancel"),
        f"personality/get, {SLOTS} generating": words("service"),
    }
    figures = {"chunks": loss, **{f"{key}_s": summary(each) for key, each in latency.items()}}
    report("chat_streaming", "streaming over ROS", rows, figures)


if __name__ == "__main__":
    main()
