#!/usr/bin/env python3
# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Whether exact cues get from memory the very answers that SQL gives, at every size.

Random cues of one to all of subject, action, object and result, half of them of an episode that is
there and half put together by chance; another role is asked where one is left. The same are: how
many episodes fit, every filler of the role asked with how many episodes have it and how many of
them succeeded, and, where they are at most 1,000, the ids of the episodes.
"""

from __future__ import annotations

import argparse
import random
import sqlite3
import sys
import tempfile
from pathlib import Path

from clara_memory.retrieval import MAX_EPISODES, MAX_TOP_K
from memory_accuracy import interval
from report import report
from vocabulary import ACTIONS, PEOPLE, things

from clara_memory import Episode, EpisodicMemory, Outcome

ROLES = ("subject", "action", "object", "result")
RESULTS = ("SUCCEEDED", "FAILED", "CANCELED", "TIMED_OUT")


def build(path: Path, count: int, chance: random.Random) -> None:
    """Write a memory of random episodes."""
    names = [known[0] for known in things()][:1000]
    with EpisodicMemory(path) as memory:
        for begin in range(0, count, 50_000):
            memory.store_all(
                Episode(
                    subject=chance.choice(PEOPLE),
                    action=chance.choice(ACTIONS),
                    object=chance.choice(names),
                    result=chance.choice(RESULTS),
                )
                for _ in range(min(50_000, count - begin))
            )


def same(
    memory: EpisodicMemory, database: sqlite3.Connection, cue: dict[str, str], asked: str
) -> bool:
    """Whether memory and SQL say the same."""
    where = " AND ".join(f"{role} = ?" for role in cue)
    values = tuple(cue.values())
    answer = memory.query(
        ask=[asked] if asked else ["action"], top_k=MAX_TOP_K, max_episodes=MAX_EPISODES, **cue
    )
    ids = database.execute(f"SELECT episode_id FROM episodes WHERE {where}", values).fetchall()
    if answer.matches != len(ids) or answer.abstained != (not ids):
        return False
    if len(ids) <= MAX_EPISODES and {one for (one,) in ids} != {
        match.episode.episode_id for match in answer.episodes
    }:
        return False
    if not asked or not ids:
        return True
    counted = {
        (filler, count, succeeded)
        for filler, count, succeeded in database.execute(
            f"SELECT {asked}, count(*), sum(outcome = {int(Outcome.SUCCEEDED)}) "
            f"FROM episodes WHERE {where} GROUP BY {asked}",
            values,
        )
    }
    told = {(one.filler, one.support, one.succeeded) for one in answer[asked].candidates}
    # Memory lists at most 100 fillers: of those, each must be SQL's.
    return told == counted if len(counted) <= MAX_TOP_K else told < counted


def main() -> None:
    """Compare and report."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument(
        "--sizes", type=int, nargs="+", default=[1_000, 10_000, 100_000, 1_000_000]
    )
    parser.add_argument("--queries", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    rows: dict[str, str] = {}
    figures: dict[str, object] = {}
    for size in options.sizes:
        chance = random.Random(options.seed + size)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "memory.sqlite3")
            build(path, size, chance)
            database = sqlite3.connect(path)
            database.execute("CREATE INDEX by_object ON episodes (object, subject, result)")
            database.execute("CREATE INDEX by_subject ON episodes (subject, action)")
            database.execute("CREATE INDEX by_action ON episodes (action, result)")
            hits = 0
            with EpisodicMemory(path, read_only=True) as memory:
                for number in range(options.queries):
                    row = dict(
                        zip(
                            ROLES,
                            database.execute(
                                f"SELECT {', '.join(ROLES)} FROM episodes WHERE seq = ?",
                                (chance.randint(1, size),),
                            ).fetchone(),
                            strict=True,
                        )
                    )
                    if number % 2:
                        row |= {"action": chance.choice(ACTIONS), "result": chance.choice(RESULTS)}
                    # The result alone fits a quarter of all: SQL would read for minutes.
                    given = chance.sample(ROLES[:3], chance.randint(1, 3))
                    given += ["result"] if chance.random() < 0.5 else []
                    left = [role for role in ROLES if role not in given]
                    cue = {role: row[role] for role in given}
                    hits += same(memory, database, cue, chance.choice(left) if left else "")
            database.close()
        low, high = interval(hits, options.queries)
        rows[f"{size:,} episodes"] = (
            f"{hits:,} of {options.queries:,} the same ({low:.2%} to {high:.2%})"
        )
        figures[str(size)] = {"same": hits, "queries": options.queries, "same_95": (low, high)}
        print(f"{size:,} episodes done", file=sys.stderr)
    report("memory_exact", "Exact cues: memory against SQL", rows, figures)


if __name__ == "__main__":
    main()
