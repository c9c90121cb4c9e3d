#!/usr/bin/env python3
# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""How many records a gist's block holds: how often it names the missing filler, by block size."""

from __future__ import annotations

import argparse
import random

from clara_memory.hdc import Gist, Space
from report import report

SIZES = (25, 50, 100, 200, 300, 500, 1000, 2000)
ACTIONS = [f"action {number}" for number in range(200)]


def right(space: Space, size: int, questions: int, signs: bool) -> float:
    """Return the share of questions (subject, object, result given) that get the right action."""
    chance = random.Random(size)
    gist = Gist(space, block=size)
    records = [
        [
            f"subject {chance.randrange(50)}",
            chance.choice(ACTIONS),
            f"object {number}",
            f"result {chance.randrange(10)}",
        ]
        for number in range(size)
    ]
    for record in records:
        gist.add(record)
    if signs:
        gist = Gist.from_bytes(gist.to_bytes())
    hits = 0
    for _ in range(questions):
        subject, action, thing, result = chance.choice(records)
        hits += gist.ask([subject, None, thing, result], ACTIONS)[0][0] == action
    return hits / questions


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--questions", type=int, default=200)
    options = parser.parse_args()
    space = Space()
    rows, figures = {}, {}
    for size in SIZES:
        sums = right(space, size, options.questions, signs=False)
        signs = right(space, size, options.questions, signs=True)
        octets = space.words * 8 / size
        rows[f"{size:,} records a block"] = (
            f"{sums:.1%} right from sums, {signs:.1%} from signs ({octets:.1f} bytes a record)"
        )
        figures[str(size)] = {"sums": sums, "signs": signs, "bytes": octets}
    figures["questions"] = options.questions
    report("gist_capacity", "Capacity of a gist's block, 10,000 dimensions", rows, figures)


if __name__ == "__main__":
    main()
