#!/usr/bin/env python3
# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""2,000 turns through a brain node, and what they leave behind: memory, threads, descriptors.

Four turns at a time, in fifty conversations that outgrow their context and are dropped again, with
the personality moved now and then. The first tenth is left out: caches fill there.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from clara_brain.model_info import default_model
from conftest import active
from domain_coordinator import domain_id
from rclpy.action import ActionClient
from report import report
from running import Footprint, Peer, Process
from tqdm import tqdm

from clara_interfaces.action import Chat
from clara_interfaces.srv import SetPersonality

AT_ONCE, SESSIONS = 4, 50
SAID = ("Hello!", "What is tea?", "Count to ten.", "Why is the sky blue?", "Tell me about ships.")


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=2000)
    parser.add_argument("--tokens", type=int, default=16)
    options = parser.parse_args()
    samples: list[dict[str, float]] = []
    with domain_id() as domain, tempfile.TemporaryDirectory() as home:
        os.environ.update(ROS_DOMAIN_ID=str(domain), ROS_AUTOMATIC_DISCOVERY_RANGE="LOCALHOST")
        node = Process(
            *(sys.executable, "-m", "clara_brain.node", "--ros-args", "-r", "__ns:=/clara"),
            *("-p", "autostart:=true", "-p", "n_ctx:=512", "-p", f"slots:={AT_ONCE}"),
            env={"HOME": home},
        )
        peer = Peer(int(domain))
        try:
            peer.spin_until(lambda: active(peer, "brain"), 120.0, "brain active")
            client = ActionClient(peer.node, Chat, "chat")
            peer.spin_until(client.server_is_ready, 60.0, "chat")
            began = time.perf_counter()
            for number in tqdm(range(0, options.turns, AT_ONCE), unit=" x 4 turns"):
                futures = [
                    client.send_goal_async(
                        Chat.Goal(
                            text=SAID[turn % len(SAID)],
                            session_id=f"s{turn % SESSIONS}",
                            max_tokens=options.tokens,
                            memory_policy=Chat.Goal.NEVER,
                        )
                    )
                    for turn in range(number, number + AT_ONCE)
                ]
                handles = [peer.finish(future, 60.0, "acceptance") for future in futures]
                for handle in handles:
                    result = peer.finish(handle.get_result_async(), 120.0, "result").result
                    if result.error_code:
                        sys.exit(f"a turn failed: {result.error_msg}")
                if number % 100 == 0:
                    request = SetPersonality.Request(
                        names=["warmth"], values=[(number % 1000) / 1000]
                    )
                    peer.call(SetPersonality, "personality/set", request)
                samples.append(asdict(Footprint.of(node.pid)))
            seconds = time.perf_counter() - began
            client.destroy()
        finally:
            peer.close()
            node.close()
    kept = samples[len(samples) // 10 :]
    first, last = kept[0], kept[-1]
    model_mb = default_model().stat().st_size / 1e6
    rows = {
        "turns": f"{options.turns:,} in {seconds:.0f} s",
        "resident memory": f"{first['rss_mb']:.0f} MB after a tenth, {last['rss_mb']:.0f} MB at"
        f" the end, {max(each['rss_mb'] for each in kept):.0f} MB at most; the model file has"
        f" {model_mb:.0f} MB",
        "threads": f"{first['threads']:.0f} and {last['threads']:.0f}",
        "descriptors": f"{first['descriptors']:.0f} and {last['descriptors']:.0f}",
    }
    figures = {
        "turns": options.turns,
        "seconds": seconds,
        "model_file_mb": model_mb,
        "after_a_tenth": first,
        "at_the_end": last,
        "largest_rss_mb": max(each["rss_mb"] for each in kept),
    }
    report("chat_soak", "a brain node after many turns", rows, figures)


if __name__ == "__main__":
    main()
