#!/usr/bin/env python3
# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""How memory's queries grow with the number of episodes, against the time to read whole vectors.

Every figure of one size is measured turn about in one process: reading 1,250 bytes an episode
once (what any exact search over 10,000-bit vectors must do), exact search with faiss and usearch
over such vectors where they are installed (`pip install faiss-cpu usearch`), SQLite with indices,
and memory. Opening the file and the RAM it takes are measured in processes of their own.
"""

from __future__ import annotations

import argparse
import random
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from report import report, summary
from vocabulary import ACTIONS, PEOPLE, RESULTS, things

from clara_memory import Episode, EpisodicMemory

DIMENSIONS = 10_000
WORDS = 160  # 10,000 bits in whole cache lines
OPEN = """
import sys, time
began = time.perf_counter()
from clara_memory import EpisodicMemory
loaded = time.perf_counter()
memory = EpisodicMemory(sys.argv[1], read_only=True)
opened = time.perf_counter()
for name in sys.argv[2:]:
    memory.query(object=name)
    memory.query(object=name, result="SUCCEEDED")
rss = int(open("/proc/self/statm").read().split()[1]) * 4096
print(opened - loaded, loaded - began, rss)
"""


def build(path: Path, count: int, seed: int) -> list[str]:
    """Write a memory of random episodes; returns the names of the things in it."""
    chance = random.Random(seed)
    names = [known[0] for known in things()][:1000]
    with EpisodicMemory(path) as memory:
        for begin in range(0, count, 50_000):
            memory.store_all(
                Episode(
                    subject=chance.choice(PEOPLE),
                    action=chance.choice(ACTIONS),
                    object=chance.choice(names),
                    result=chance.choice(RESULTS),
                    start_ns=(1_700_000_000 + begin + number) * 10**9,
                )
                for number in range(min(50_000, count - begin))
            )
            print(f"\rstored {begin + 50_000:,} of {count:,}", end="", file=sys.stderr)
    print(file=sys.stderr)
    return names


def vector_peers(vectors: np.ndarray) -> dict[str, Callable[[], object]]:
    """Return a search for the 10 nearest of all vectors with each library that is installed."""
    found: dict[str, Callable[[], object]] = {}
    octets = vectors.view(np.uint8)
    cue = octets[:1].copy()
    try:
        import faiss

        index = faiss.IndexBinaryFlat(octets.shape[1] * 8)
        index.add(octets)
        found["faiss IndexBinaryFlat"] = lambda: index.search(cue, 10)
    except ImportError:
        print("faiss is not installed: pip install faiss-cpu")
    try:
        from usearch.index import MetricKind, search

        found["usearch exact"] = lambda: search(octets, cue[0], 10, MetricKind.Hamming, exact=True)
    except ImportError:
        print("usearch is not installed: pip install usearch")
    return found


def queries(memory: EpisodicMemory, names: list[str], chance: random.Random) -> dict[str, object]:
    """Return each kind of query, to be called once for each measurement."""

    def misspelt(name: str) -> str:
        place = chance.randrange(len(name) - 1)
        return name[:place] + name[place + 1] + name[place] + name[place + 2 :]

    return {
        "role query": lambda: memory.query(
            subject=chance.choice(PEOPLE),
            object=chance.choice(names),
            result=chance.choice(RESULTS),
            ask=["action"],
        ),
        "selective cue": lambda: memory.query(object=chance.choice(names), ask=["action"]),
        "misspelt cue": lambda: memory.query(
            subject=chance.choice(PEOPLE), object=misspelt(chance.choice(names)), ask=["action"]
        ),
        "two wide roles": lambda: memory.query(
            subject=chance.choice(PEOPLE), result=chance.choice(RESULTS), ask=["action"]
        ),
        "widest cue": lambda: memory.query(result=chance.choice(RESULTS)),
    }


def measure(folder: Path, count: int, rounds: int) -> dict[str, object]:
    """Return the figures of one size."""
    path = folder / f"{count}.sqlite3"
    names = build(path, count, seed=count)
    chance = random.Random(1)
    vectors = np.random.default_rng(1).integers(0, 2**63, (count, WORDS), dtype=np.uint64)
    sql = sqlite3.connect(path)
    sql.execute("CREATE INDEX temp_by_object ON episodes (object, subject, result)")

    def by_sql() -> object:
        return sql.execute(
            "SELECT action, count(*) FROM episodes WHERE object = ? AND subject = ? AND result = ?"
            " GROUP BY action",
            (chance.choice(names), chance.choice(PEOPLE), chance.choice(RESULTS)),
        ).fetchall()

    with EpisodicMemory(path, read_only=True) as memory:
        slow: dict[str, Callable[[], object]] = {
            "read": lambda: np.bitwise_xor.reduce(vectors, axis=None),
            **vector_peers(vectors),
        }
        fast = {**queries(memory, names, chance), "SQLite, indexed": by_sql}
        taken: dict[str, list[float]] = {name: [] for name in (*slow, *fast)}
        for one in fast.values():
            one()
        for turn in range(rounds):
            for name, one in (*slow.items(), *fast.items()):
                if name in slow and turn >= max(5, rounds // 50):
                    continue
                began = time.perf_counter()
                one()
                taken[name].append(time.perf_counter() - began)
            print(f"\r{count:,}: {turn + 1} of {rounds}", end="", file=sys.stderr)
    print(file=sys.stderr)
    sql.execute("DROP INDEX temp_by_object")
    sql.close()
    command = [sys.executable, "-c", OPEN, str(path), *names[:20]]
    opened = [
        [
            float(part)
            for part in subprocess.run(command, capture_output=True, check=True).stdout.split()
        ]
        for _ in range(3)
    ]
    read = statistics.median(taken["read"])
    return {
        "seconds": {name: summary(values) for name, values in taken.items()},
        "share_of_read": {name: statistics.median(v) / read for name, v in taken.items()},
        "open_s": statistics.median(one[0] for one in opened),
        "rss_bytes": max(one[2] for one in opened),
        "disk_bytes_per_episode": path.stat().st_size / count,
    }


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--rounds", type=int, default=1_000)
    options = parser.parse_args()
    figures: dict[str, object] = {}
    rows: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as folder:
        for count in options.sizes:
            found = measure(Path(folder), count, options.rounds)
            figures[str(count)] = found
            seconds, shares = found["seconds"], found["share_of_read"]
            assert isinstance(seconds, dict) and isinstance(shares, dict)
            for name, one in seconds.items():
                rows[f"{count:,}: {name}"] = (
                    f"median {one['median'] * 1e3:8.3f} ms, p99 {one['p99'] * 1e3:8.3f} ms, "
                    f"{shares[name]:.4f} of reading (n={one['n']})"
                )
            rows[f"{count:,}: file opened"] = f"{found['open_s']:.2f} s"
            rows[f"{count:,}: RAM of a process that asks"] = f"{found['rss_bytes'] / 1e6:.0f} MB"
            rows[f"{count:,}: on disk"] = f"{found['disk_bytes_per_episode']:.0f} bytes an episode"
    report("memory_scale", "Memory's queries against reading whole vectors", rows, figures)


if __name__ == "__main__":
    main()
