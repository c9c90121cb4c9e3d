#!/usr/bin/env python3
# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""The table behind memory's design: every way to keep and ask episodes, in one run.

50 people, 200 actions, 1,000 things with their real synonyms, 10 results; person, thing and result
are given, the action is asked, and an answer must be given. Right is an action that the episodes
with the true cue have most often. Shares come with their 95 % interval (Wilson) and how many
questions they were counted over. Real narrated kitchen actions are `bench/memory_kitchen.py`'s,
times and bytes at a million `bench/memory_scale.py`'s.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable

import numpy as np
from clara_memory.hdc import Codes, Space, embedding, text
from clara_memory.hdc.codes import hamming
from memory_accuracy import Bench, Cue, interval
from memory_curves import Encoder, episodes, product, share_right, superposed
from report import report

Answer = Callable[[Cue], str | None]
KINDS = ("exact", "one edit in two roles", "two edits in two roles", "synonym", "synonym + edit")


class Meant(Encoder):
    """Codes of names that keep both resemblances: the bundle of trigrams and of an embedding."""

    def __init__(self, space: Space, vectors: Callable[[list[str]], np.ndarray]) -> None:
        super().__init__(space, spelling=True)
        self._vectors = vectors

    def code(self, name: str) -> Codes:
        """Return the code of a name, shape (words,)."""
        if name not in self._known:
            meant = embedding(self.space, self._vectors([name.replace("_", " ")]))[0]
            self._known[name] = self.space.bundle(np.stack([text(self.space, name), meant]))
        return self._known[name]


def nearest(encoder: Encoder, rows: list[tuple[str, str, str, str]]) -> Answer:
    """Keep one vector an episode; answer with the action of the nearest one."""
    vectors = encoder.records(rows)

    def ask(cue: Cue) -> str:
        probe = encoder.cue(*cue)
        best = min(
            (int(distances.min()), begin + int(distances.argmin()))
            for begin in range(0, len(rows), 20_000)
            for distances in [hamming(vectors[begin : begin + 20_000], probe)]
        )
        return rows[best[1]][1]

    return ask


def ways(bench: Bench, questions: int, vectors: int) -> dict[str, tuple[Answer, int]]:
    """Return each way to answer, and how many questions of a kind it is asked."""
    space = Space()
    found: dict[str, tuple[Answer, int]] = {
        "a vector an episode, symbol codes": (
            nearest(Encoder(space, spelling=False), bench.rows),
            vectors,
        ),
        "a vector an episode, spelling codes": (
            nearest(Encoder(space, spelling=True), bench.rows),
            vectors,
        ),
    }
    if bench.meaning is not None:
        found["a vector an episode, spelling + meaning codes"] = (
            nearest(Meant(space, bench.embedder), bench.rows),
            vectors,
        )
    found["factored, spelling"] = (
        lambda cue: bench.by_memory(bench.spelling, cue, True),
        questions,
    )
    if bench.meaning is not None:
        meaning = bench.meaning
        found["factored, spelling + meaning"] = (
            lambda cue: bench.by_memory(meaning, cue, True),
            questions,
        )
    found["SQL"] = (bench.by_sql, questions)
    found["SQL + rapidfuzz"] = (bench.by_fuzzy_sql, questions)
    if bench.meaning is not None:
        found["SQL + wordllama"] = (bench.by_meant_sql, questions)
    return found


def shares(right: int, asked: int) -> tuple[str, dict[str, object]]:
    """Return a share for people and for the results."""
    low, high = interval(right, asked)
    told = f"{right / asked:.1%} ({low:.1%} to {high:.1%}, n={asked:,})"
    return told, {"right": right / asked, "right_95": (low, high), "n": asked}


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--episodes", type=int, default=100_000)
    parser.add_argument("--questions", type=int, default=1_000)
    parser.add_argument("--vectors", type=int, default=200, help="questions to whole vectors")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    rows: dict[str, str] = {}
    figures: dict[str, object] = {"episodes": options.episodes}
    space = Space()
    for size in (200, 500, 1_000, 10_000):
        few = episodes(size, seed=size)
        for name, ask in (
            ("one vector, sum of bundled records", superposed(space, few)),
            ("one vector, sum of product records", product(space, few)),
        ):
            share = share_right(ask, few, options.questions, slips=False)
            told, figure = shares(round(share * options.questions), options.questions)
            rows[f"{name}, {size:,}"], figures[f"{name}, {size}"] = told, figure
    many = min(50_000, options.episodes)
    some = episodes(many, seed=many)
    share = share_right(product(space, some, block=100), some, options.vectors, slips=False)
    told, figure = shares(round(share * options.vectors), options.vectors)
    rows[f"product records in blocks of 100, {many:,}"] = told
    figures[f"product records in blocks of 100, {many}"] = figure
    print(f"one vector of all done; {options.episodes:,} episodes follow", file=sys.stderr)

    bench = Bench(options.episodes, options.seed)
    everybody = ways(bench, options.questions, options.vectors)
    for kind in KINDS:
        right = dict.fromkeys(everybody, 0)
        for number in range(options.questions):
            true, asked = bench.cue(kind)
            wanted = bench.right(true)
            for name, (answer, count) in everybody.items():
                right[name] += number < count and answer(asked) in wanted
        for name, (_, count) in everybody.items():
            told, figure = shares(right[name], min(count, options.questions))
            rows[f"{kind}: {name}"], figures[f"{kind}: {name}"] = told, figure
        print(f"{kind} done", file=sys.stderr)
    report(
        "memory_design",
        f"Ways to keep {options.episodes:,} episodes: right answers",
        rows,
        figures,
    )


if __name__ == "__main__":
    main()
