#!/usr/bin/env python3
# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""What durability costs, and whether it holds: appends against bare SQLite, and `kill -9`.

Appends of 100 episodes, each on disk before the next begins, turn about with bare SQLite that
writes the same rows with the same settings (WAL, synchronous=FULL). Then a writer is killed again
and again: every episode it had acknowledged must be there, and every commit whole or not at all.
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
from pathlib import Path

from report import report, summary

from clara_memory import Episode, EpisodicMemory

BATCH = 100
WRITER = """
import sys
from clara_memory import Episode, EpisodicMemory
memory = EpisodicMemory(sys.argv[1])
number = int(sys.argv[2])
print("ready", flush=True)
while True:
    memory.store_all(
        Episode(action="A", object=f"O{n}", episode_id=f"e{n}") for n in range(number, number + 7)
    )
    number += 7
    print(number, flush=True)
"""


def batch(number: int) -> list[Episode]:
    """Return the episodes of one append."""
    return [
        Episode(
            action=f"ACTION_{(number + place) % 200}",
            object=f"OBJECT_{(number * 7 + place) % 1000}",
            result="SUCCEEDED",
            start_ns=(1_700_000_000 + number) * 10**9,
        )
        for place in range(BATCH)
    ]


def appends(folder: Path, rounds: int) -> dict[str, list[float]]:
    """Return the seconds of each append."""
    taken: dict[str, list[float]] = {"clara": [], "bare SQLite": []}
    bare = sqlite3.connect(folder / "bare.sqlite3", isolation_level=None)
    bare.execute("PRAGMA journal_mode=WAL")
    bare.execute("PRAGMA synchronous=FULL")
    with EpisodicMemory(folder / "clara.sqlite3") as memory:
        schema = sqlite3.connect(folder / "clara.sqlite3").execute(
            "SELECT sql FROM sqlite_master WHERE name LIKE 'episodes%'"
        )
        for (statement,) in schema.fetchall():
            bare.execute(statement)
        copied = sqlite3.connect(folder / "clara.sqlite3")
        for number in range(rounds):
            episodes = batch(number)
            began = time.perf_counter()
            memory.store_all(episodes)
            taken["clara"].append(time.perf_counter() - began)
            rows = copied.execute(
                "SELECT * FROM episodes ORDER BY seq DESC LIMIT ?", (BATCH,)
            ).fetchall()
            marks = ", ".join("?" * len(rows[0]))
            began = time.perf_counter()
            bare.execute("BEGIN IMMEDIATE")
            bare.executemany(f"INSERT INTO episodes VALUES ({marks})", rows)
            bare.execute("COMMIT")
            taken["bare SQLite"].append(time.perf_counter() - began)
    return taken


def kill(path: Path, kills: int, seed: int) -> tuple[int, int]:
    """Return how many episodes were acknowledged in all, and how many of them were lost."""
    chance = random.Random(seed)
    acknowledged = begin = lost = 0
    for number in range(kills):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path), str(begin)],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert writer.stdout is not None
        writer.stdout.readline()
        for _ in range(chance.randrange(1, 12)):
            acknowledged = int(writer.stdout.readline())
        time.sleep(chance.random() * 0.004)  # anywhere within the next commit
        writer.kill()
        for line in writer.stdout:
            if line.endswith("\n"):
                acknowledged = int(line)
        writer.wait()
        with EpisodicMemory(path) as memory:
            held = {episode.episode_id for episode in memory.episodes()}
            if memory.set_aside or any(problem for _, problem in memory.verify()) or len(held) % 7:
                sys.exit(f"kill {number + 1}: the file is damaged or a commit is torn")
        lost += sum(f"e{one}" not in held for one in range(acknowledged))
        begin = len(held)
        print(f"\rkill {number + 1} of {kills}", end="", file=sys.stderr)
    print(file=sys.stderr)
    return acknowledged, lost


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--appends", type=int, default=1_000)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        taken = appends(Path(folder), options.appends)
        acknowledged, lost = kill(Path(folder, "killed.sqlite3"), options.kills, options.seed)
    median = {name: statistics.median(values) for name, values in taken.items()}
    ratio = median["bare SQLite"] / median["clara"]
    rows = {
        f"append of {BATCH}: {name}": f"median {value * 1e3:.2f} ms (n={options.appends})"
        for name, value in median.items()
    }
    rows["speed against bare SQLite"] = f"{ratio:.2f}"
    rows[f"after {options.kills} times kill -9"] = f"{acknowledged:,} acknowledged, {lost} lost"
    figures: dict[str, object] = {
        "seconds": {name: summary(values) for name, values in taken.items()},
        "speed_against_sqlite": ratio,
        "kills": options.kills,
        "acknowledged": acknowledged,
        "lost": lost,
    }
    report("durability", "Durable appends and kill -9", rows, figures)


if __name__ == "__main__":
    main()
