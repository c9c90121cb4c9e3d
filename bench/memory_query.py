#!/usr/bin/env python3
# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""`memory/query` over DDS against calling the library: what a round trip adds.

One file of episodes; the same cues are asked of `EpisodicMemory` in this process and of a memory
node in another, turn about, and must give the same episodes.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from clara_memory.episode import Episode, Outcome
from conftest import active
from domain_coordinator import domain_id
from report import report, summary
from running import Peer, Process

from clara_interfaces.msg import RoleFiller
from clara_interfaces.srv import QueryMemory
from clara_memory import EpisodicMemory

ACTIONS = [f"ACTION_{number}" for number in range(200)]
OBJECTS = [f"OBJECT_{number}" for number in range(1000)]


def fill(path: Path, count: int, seed: int) -> None:
    """Write a memory of `count` random episodes."""
    chance = random.Random(seed)
    with EpisodicMemory(path) as memory:
        memory.store_all(
            Episode(
                action=chance.choice(ACTIONS),
                object=chance.choice(OBJECTS),
                outcome=chance.choice([Outcome.SUCCEEDED, Outcome.FAILED]),
                start_ns=1_700_000_000_000_000_000 + number * 1_000_000_000,
                end_ns=1_700_000_000_500_000_000 + number * 1_000_000_000,
            )
            for number in range(count)
        )


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--episodes", type=int, default=10_000)
    parser.add_argument("--queries", type=int, default=2_000)
    options = parser.parse_args()
    chance = random.Random(1)
    with domain_id() as domain, tempfile.TemporaryDirectory() as folder:
        os.environ.update(ROS_DOMAIN_ID=str(domain), ROS_AUTOMATIC_DISCOVERY_RANGE="LOCALHOST")
        file, copy = Path(folder, "node.sqlite3"), Path(folder, "library.sqlite3")
        for path in (file, copy):
            fill(path, options.episodes, seed=0)
        node = Process(
            *("ros2", "run", "clara_memory", "memory_node", "--ros-args", "-r", "__ns:=/clara"),
            *("-p", "autostart:=true", "-p", f"memory_path:={file}"),
            env={"HOME": folder},
        )
        peer = Peer(int(domain))
        library: list[float] = []
        remote: list[float] = []
        try:
            peer.spin_until(lambda: active(peer, "memory"), 60.0, "memory active")
            client = peer.node.create_client(QueryMemory, "memory/query")
            peer.spin_until(client.service_is_ready, 30.0, "memory/query")
            with EpisodicMemory(copy) as memory:
                for number in range(-20, options.queries):
                    name = chance.choice(OBJECTS)
                    request = QueryMemory.Request(cue=[RoleFiller(role="object", filler=name)])
                    began = time.perf_counter()
                    answer = memory.query(object=name)
                    middle = time.perf_counter()
                    future = client.call_async(request)
                    while not future.done():
                        peer.executor.spin_once(timeout_sec=1.0)
                    ended = time.perf_counter()
                    found = future.result()
                    ends = [match.episode.end_ns for match in answer.episodes]
                    other = [match.episode.end for match in found.episodes]
                    if not ends or ends != [stamp.sec * 10**9 + stamp.nanosec for stamp in other]:
                        sys.exit(f"different episodes for {name}")
                    if number >= 0:
                        library.append(middle - began)
                        remote.append(ended - middle)
        finally:
            peer.close()
            node.close()
    added = [over - plain for over, plain in zip(remote, library, strict=True)]
    figures = {
        "episodes": options.episodes,
        "library_s": summary(library),
        "service_s": summary(remote),
        "added_s": summary(added),
    }

    def shown(name: str) -> str:
        found = figures[name]
        assert isinstance(found, dict)
        return f"median {found['median'] * 1e3:.2f} ms, p99 {found['p99'] * 1e3:.2f} ms"

    rows = {
        "episodes in memory": f"{options.episodes:,}",
        "queries": f"{len(added):,}",
        "EpisodicMemory.query": shown("library_s"),
        "memory/query over DDS": shown("service_s"),
        "added by the round trip": shown("added_s"),
    }
    report("memory_query", "memory/query over DDS against the library", rows, figures)


if __name__ == "__main__":
    main()
