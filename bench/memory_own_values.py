#!/usr/bin/env python3
# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""What a role costs whose values come again, and one with a value of its own in each episode.

RAM and opening time are those of a process that opens the file, each above what the same episodes
take without that role; the shortest of the rounds.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from report import report

from clara_memory import Episode, EpisodicMemory, Kind, RoleFiller

OPEN = """
import sys, time
from clara_memory import EpisodicMemory
before = int(open("/proc/self/statm").read().split()[1]) * 4096
began = time.perf_counter()
memory = EpisodicMemory(sys.argv[1], read_only=True)
print(time.perf_counter() - began, int(open("/proc/self/statm").read().split()[1]) * 4096 - before)
"""
CHANCE = random.Random(1)
ROLES: dict[str, Callable[[], tuple[RoleFiller, ...]]] = {
    "none": lambda: (),
    "one of 20 places": lambda: (RoleFiller("place", f"room {CHANCE.randrange(20)}"),),
    "a text of its own": lambda: (RoleFiller("order", f"ord-{CHANCE.getrandbits(40):010x}"),),
    "a number of its own": lambda: (
        RoleFiller("distance", "", Kind.NUMBER, (CHANCE.random() * 50,)),
    ),
    "a position of its own": lambda: (
        RoleFiller("pose", "map", Kind.POSITION, (CHANCE.random(), CHANCE.random(), 0.0)),
    ),
}


def measured(folder: Path, name: str, count: int, rounds: int) -> tuple[float, int]:
    """Return the seconds that opening takes, and the bytes of RAM."""
    path = folder / f"{name}.sqlite3"
    with EpisodicMemory(path) as memory:
        for begin in range(0, count, 10_000):
            memory.store_all(
                Episode(
                    action=f"ACT_{CHANCE.randrange(40)}",
                    object=f"thing_{CHANCE.randrange(1000)}",
                    result="SUCCEEDED",
                    context=ROLES[name](),
                )
                for _ in range(min(10_000, count - begin))
            )
    told = [
        subprocess.run(
            [sys.executable, "-c", OPEN, path], capture_output=True, text=True, check=True
        )
        for _ in range(rounds)
    ]
    figures = [one.stdout.split() for one in told]
    return min(float(one[0]) for one in figures), min(int(one[1]) for one in figures)


def main() -> None:
    """Measure, print, and write bench/results/memory_own_values.json."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--episodes", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = {
            name: measured(Path(folder), name, asked.episodes, asked.rounds) for name in ROLES
        }
    seconds, ram = found.pop("none")
    report(
        "memory_own_values",
        f"{asked.episodes:,} episodes: what one more role costs each",
        {
            name: f"{(own - ram) / asked.episodes:.0f} bytes of RAM, "
            f"{(took - seconds) / asked.episodes * 1e6:.0f} µs of opening"
            for name, (took, own) in found.items()
        },
        {
            "episodes": asked.episodes,
            "rounds": asked.rounds,
            "opening_s_without": seconds,
            "ram_bytes_without": ram,
            "bytes_an_episode": {
                name: (own - ram) / asked.episodes for name, (_, own) in found.items()
            },
            "opening_us_an_episode": {
                name: (took - seconds) / asked.episodes * 1e6 for name, (took, _) in found.items()
            },
        },
    )


if __name__ == "__main__":
    main()
