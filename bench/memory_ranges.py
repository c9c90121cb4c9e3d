#!/usr/bin/env python3
# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""What bounds of numbers and places cost a query, beside the same filter in numpy and in SQL.

Each episode has a battery of 0 to 1 in steps of 0.001, a distance that no other has, and a place
in a hall of 100 m. Turn about in one process: memory, arrays of the bare values, and a table of
them with an index for each. How many fit and the ids of the latest ten must be the same.
"""

from __future__ import annotations

import argparse
import random
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from report import report, summary
from vocabulary import ACTIONS, things

from clara_memory import Episode, EpisodicMemory, Kind, RoleFiller, RoleRange

HALL_M = 100.0
SHOWN = 10
FIELDS = ("battery", "distance", "x", "y")
Question = tuple[str, tuple[RoleRange, ...]]  # an object or nothing, and ranges


def build(path: Path, count: int, chance: random.Random) -> tuple[np.ndarray, list[str]]:
    """Write a memory of random episodes; returns the values of FIELDS, (n, 4), and the objects."""
    names = [known[0] for known in things()][:1000]
    values = np.array(
        [
            (
                chance.randrange(1001) / 1000,
                chance.random() * 50,
                chance.random() * HALL_M,
                chance.random() * HALL_M,
            )
            for _ in range(count)
        ]
    )
    objects = [chance.choice(names) for _ in range(count)]
    with EpisodicMemory(path) as memory:
        for begin in range(0, count, 50_000):
            memory.store_all(
                Episode(
                    episode_id=f"e{number}",
                    action=chance.choice(ACTIONS),
                    object=objects[number],
                    result="SUCCEEDED",
                    end_ns=(1_700_000_000 + number) * 10**9,
                    context=(
                        RoleFiller("battery", "", Kind.NUMBER, (values[number, 0],)),
                        RoleFiller("distance", "", Kind.NUMBER, (values[number, 1],)),
                        RoleFiller("at", "map", Kind.POSITION, (*values[number, 2:], 0.0)),
                    ),
                )
                for number in range(begin, min(begin + 50_000, count))
            )
    return values, objects


def questions(chance: random.Random, objects: list[str]) -> dict[str, Callable[[], Question]]:
    """Return what makes a question, by what is shown of its kind."""

    def of(role: str, least: float, most: float, share: float) -> RoleRange:
        low = least + chance.random() * (most - least) * (1 - share)
        return RoleRange(role, low, low + (most - least) * share)

    def near(metres: float) -> RoleRange:
        center = (chance.random() * HALL_M, chance.random() * HALL_M, 0.0)
        return RoleRange("at", center=center, frame="map", radius=metres)

    return {
        "no bounds (an object)": lambda: (chance.choice(objects), ()),
        "an object, a battery of a tenth of the range": lambda: (
            chance.choice(objects),
            (of("battery", 0, 1, 0.1),),
        ),
        "a battery of a tenth of the range": lambda: ("", (of("battery", 0, 1, 0.1),)),
        "a distance of a hundredth of the range": lambda: ("", (of("distance", 0, 50, 0.01),)),
        "a distance of half the range": lambda: ("", (of("distance", 0, 50, 0.5),)),
        "within 5 m": lambda: ("", (near(5.0),)),
        "battery, distance and within 20 m": lambda: (
            "",
            (of("battery", 0, 1, 0.3), of("distance", 0, 50, 0.3), near(20.0)),
        ),
    }


def of_arrays(
    values: np.ndarray, things_done: np.ndarray, question: Question
) -> tuple[int, list[str]]:
    """Return how many fit and the latest ten ids, from the bare values."""
    name, ranges = question
    fits = things_done == name if name else np.ones(len(values), dtype=bool)
    for one in ranges:
        if one.center:
            metres = np.hypot(values[:, 2] - one.center[0], values[:, 3] - one.center[1])
            fits &= metres <= one.radius
        else:
            column = values[:, FIELDS.index(one.role)]
            fits &= (column >= one.low) & (column <= one.high)
    rows = np.flatnonzero(fits)
    return len(rows), [f"e{number}" for number in rows[::-1][:SHOWN]]


def of_sql(database: sqlite3.Connection, question: Question) -> tuple[int, list[str]]:
    """Return the same from a table of the bare values."""
    name, ranges = question
    where, given = (["object = ?"], [name]) if name else ([], [])
    parameters: list[Any] = [*given]
    for one in ranges:
        if one.center:
            (x, y, _), metres = one.center, one.radius
            where += ["x BETWEEN ? AND ?", "(x - ?) * (x - ?) + (y - ?) * (y - ?) <= ?"]
            parameters += [x - metres, x + metres, x, x, y, y, metres * metres]
        else:
            where.append(f"{one.role} BETWEEN ? AND ?")
            parameters += [one.low, one.high]
    chosen = f"FROM done WHERE {' AND '.join(where)}"
    count = database.execute(f"SELECT count(*) {chosen}", parameters).fetchone()[0]
    latest = database.execute(
        f"SELECT number {chosen} ORDER BY number DESC LIMIT {SHOWN}", parameters
    )
    return count, [f"e{number}" for (number,) in latest]


def of_memory(memory: EpisodicMemory, question: Question) -> tuple[int, list[str]]:
    """Return the same from memory."""
    name, ranges = question
    answer = memory.query(
        ask=["action"], ranges=ranges, max_episodes=SHOWN, **({"object": name} if name else {})
    )
    return answer.matches, [one.episode.episode_id for one in answer.episodes]


def main() -> None:
    """Measure, compare and report."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--episodes", type=int, default=100_000)
    parser.add_argument("--queries", type=int, default=200, help="of each kind")
    options = parser.parse_args()
    chance = random.Random(1)
    rows: dict[str, str] = {}
    figures: dict[str, object] = {"episodes": options.episodes, "queries": options.queries}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "memory.sqlite3")
        values, objects = build(path, options.episodes, chance)
        things_done = np.array(objects)
        database = sqlite3.connect(":memory:")
        database.execute(
            "CREATE TABLE done (number INTEGER PRIMARY KEY, object, battery, distance, x, y)"
        )
        database.executemany(
            "INSERT INTO done VALUES (?, ?, ?, ?, ?, ?)",
            ((number, objects[number], *values[number].tolist()) for number in range(len(values))),
        )
        for column in ("object", "battery", "distance", "x"):
            database.execute(f"CREATE INDEX by_{column} ON done ({column})")
        database.execute("ANALYZE")
        with EpisodicMemory(path, read_only=True) as memory:
            doors: dict[str, Callable[[Question], tuple[int, list[str]]]] = {
                "memory": lambda question: of_memory(memory, question),
                "numpy": lambda question: of_arrays(values, things_done, question),
                "sql": lambda question: of_sql(database, question),
            }
            for name, make in questions(chance, objects).items():
                took: dict[str, list[float]] = {door: [] for door in doors}
                for number in range(-5, options.queries):
                    question, told = make(), {}
                    for door, ask in doors.items():
                        began = time.perf_counter()
                        told[door] = ask(question)
                        if number >= 0:
                            took[door].append(time.perf_counter() - began)
                    if not told["memory"] == told["numpy"] == told["sql"]:
                        sys.exit(f"different answers to {question}: {told}")
                figures[name] = {door: summary(seconds) for door, seconds in took.items()}
                rows[name] = ", ".join(
                    f"{door} {summary(seconds)['median'] * 1e3:.2f} ms"
                    for door, seconds in took.items()
                )
                print(f"{name}: {rows[name]}", file=sys.stderr)
    report(
        "memory_ranges", f"Bounds of roles, {options.episodes:,} episodes, median", rows, figures
    )


if __name__ == "__main__":
    main()
