#!/usr/bin/env python3
# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Why memory is factored, in three pictures: accuracy and time by episodes, accuracy by D.

Random episodes of 50 people, 200 actions, 1,000 things and 10 results; person, thing and result
are given, the action is asked. Four ways to keep the same episodes:

- one vector that is the sign of the sum of all bundled records (the textbook's demo);
- one vector that is the sign of the sum of all product-bound records (a gist of one block);
- one bundled record an episode, of trigram codes, and the nearest one's action;
- columns of ids and similarities of fillers: `EpisodicMemory.query`.

Draws docs/images/memory_*.svg where matplotlib is installed (`pip install matplotlib`).
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import random
import sqlite3
import statistics
import string
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
from clara_memory.hdc import Gist, Space, bind
from clara_memory.hdc.codes import Codes, hamming
from clara_memory.hdc.encoders import text
from report import RESULTS as MEASURED
from report import report
from vocabulary import ACTIONS, PEOPLE, RESULTS, things

from clara_memory import Episode, EpisodicMemory

IMAGES = Path(__file__).resolve().parent.parent / "docs" / "images"
ROLES = ("subject", "action", "object", "result")
Record = tuple[str, str, str, str]
Ask = Callable[[str, str, str], str]


def episodes(count: int, seed: int) -> list[Record]:
    """Draw episodes."""
    chance = random.Random(seed)
    names = [known[0] for known in things()][:1000]
    return [
        (
            chance.choice(PEOPLE),
            chance.choice(ACTIONS),
            chance.choice(names),
            chance.choice(RESULTS),
        )
        for _ in range(count)
    ]


def one_letter_wrong(name: str, chance: random.Random) -> str:
    """Replace one letter of a name by another."""
    place = chance.randrange(len(name))
    letters = string.ascii_lowercase.replace(name[place].lower(), "")
    return name[:place] + chance.choice(letters) + name[place + 1 :]


class Encoder:
    """Codes of names, kept: trigram codes where `spelling`, else one code a symbol."""

    def __init__(self, space: Space, spelling: bool) -> None:
        self.space, self._spelling = space, spelling
        self._known: dict[str, Codes] = {}
        self.roles = space.symbols([f"role {role}" for role in ROLES])

    def code(self, name: str) -> Codes:
        """Return the code of a name, shape (words,)."""
        if name not in self._known:
            one = text(self.space, name) if self._spelling else self.space.symbol(name)
            self._known[name] = one
        return self._known[name]

    def records(self, rows: list[Record]) -> Codes:
        """Return bundled records, shape (len(rows), words)."""
        out = np.empty((len(rows), self.space.words), dtype=np.uint64)
        for begin in range(0, len(rows), 1000):
            some = rows[begin : begin + 1000]
            codes = np.array([[self.code(name) for name in row] for row in some])
            out[begin : begin + len(some)] = self.space.bundle(bind(self.roles, codes))
        return out

    def cue(self, subject: str, thing: str, result: str) -> Codes:
        """Return the bundle of a cue without its action."""
        given = np.array([self.code(subject), self.code(thing), self.code(result)])
        return self.space.bundle(bind(self.roles[[0, 2, 3]], given))


def superposed(space: Space, rows: list[Record]) -> Ask:
    """One vector of all bundled records: unbind the role, name the action that is nearest."""
    encoder = Encoder(space, spelling=False)
    sums = np.zeros(space.dimensions, dtype=np.int64)
    for begin in range(0, len(rows), 1000):
        bits = space.to_bits(encoder.records(rows[begin : begin + 1000]))
        sums += 2 * bits.sum(axis=0, dtype=np.int64) - len(bits)
    whole = space.from_bits(sums > 0)
    actions = space.symbols(ACTIONS)

    def ask(subject: str, thing: str, result: str) -> str:
        probe = bind(bind(whole, encoder.cue(subject, thing, result)), encoder.roles[1])
        return ACTIONS[int(np.argmin(hamming(actions, probe)))]

    return ask


def product(space: Space, rows: list[Record], block: int = 0) -> Ask:
    """One vector of all product-bound records (or blocks of them), as signs."""
    gist = Gist(space, block=min(block or len(rows), 30_000))
    for row in rows:
        gist.add(row)
    gist = Gist.from_bytes(gist.to_bytes())
    return lambda subject, thing, result: gist.ask([subject, None, thing, result], ACTIONS)[0][0]


def each(space: Space, rows: list[Record]) -> Ask:
    """One vector an episode: the action of the nearest."""
    encoder = Encoder(space, spelling=True)
    vectors = encoder.records(rows)

    def ask(subject: str, thing: str, result: str) -> str:
        probe = encoder.cue(subject, thing, result)
        nearest = min(
            (int(distances.min()), begin + int(distances.argmin()))
            for begin in range(0, len(rows), 20_000)
            for distances in [hamming(vectors[begin : begin + 20_000], probe)]
        )
        return rows[nearest[1]][1]

    return ask


def remembered(rows: list[Record]) -> EpisodicMemory:
    """Return Clara's memory of the episodes."""
    memory = EpisodicMemory()
    memory.store_all(
        Episode(subject=one, action=two, object=three, result=four)
        for one, two, three, four in rows
    )
    return memory


def factored(rows: list[Record]) -> Ask:
    """Ask Clara's memory."""
    memory = remembered(rows)

    def ask(subject: str, thing: str, result: str) -> str:
        answer = memory.query(
            subject=subject, object=thing, result=result, ask=("action",), guess=True
        )
        found = answer.answers[0].candidates if answer.answers else ()
        return found[0].filler if found else ""

    return ask


def share_right(ask: Ask, rows: list[Record], questions: int, slips: bool) -> float:
    """Ask for the action of random episodes; right is one that the true cue has most often."""
    chance = random.Random(len(rows))
    true: dict[tuple[str, str, str], Counter[str]] = {}
    for subject, action, thing, result in rows:
        true.setdefault((subject, thing, result), Counter())[action] += 1
    hits = 0
    for _ in range(questions):
        subject, _, thing, result = chance.choice(rows)
        counted = true[subject, thing, result]
        best = {name for name, count in counted.items() if count == max(counted.values())}
        if slips:
            subject, thing = one_letter_wrong(subject, chance), one_letter_wrong(thing, chance)
        hits += ask(subject, thing, result) in best
    return hits / questions


def same_as_sql(rows: list[Record], questions: int) -> int:
    """Return how often an exact cue gets the very actions, each as often, that SQL counts."""
    chance = random.Random(len(rows))
    memory = remembered(rows)
    database = sqlite3.connect(":memory:")
    database.execute("CREATE TABLE e (subject, action, object, result)")
    database.executemany("INSERT INTO e VALUES (?, ?, ?, ?)", rows)
    where = "SELECT action, count(*) FROM e WHERE subject = ? AND object = ? GROUP BY action"
    same = 0
    for _ in range(questions):
        subject, _, thing, _ = chance.choice(rows)
        answer = memory.query(subject=subject, object=thing, ask=("action",), top_k=100)
        found = {one.filler: one.support for one in answer.answers[0].candidates}
        same += found == dict(database.execute(where, (subject, thing)).fetchall())
    return same


def by_episodes(sizes: list[int], questions: int) -> dict[str, list[float]]:
    """Return the share of right answers of each way at each size."""
    curves: dict[str, list[float]] = {}
    space = Space()
    for size in sizes:
        rows = episodes(size, seed=size)
        ways = {
            "sum of bundled records": superposed(space, rows),
            "sum of product records": product(space, rows),
            "a vector an episode": each(space, rows),
            "factored": factored(rows),
        }
        for name, ask in ways.items():
            exact = share_right(ask, rows, questions, slips=False)
            curves.setdefault(name, []).append(exact)
            if name in ("a vector an episode", "factored"):
                slipped = share_right(ask, rows, questions, slips=True)
                curves.setdefault(f"{name}, a letter wrong in two roles", []).append(slipped)
        same = same_as_sql(rows, questions) / questions
        curves.setdefault("factored: the same answers as SQL", []).append(same)
        print(f"accuracy at {size:,} episodes done", file=sys.stderr)
    return curves


def table(rows: list[Record]) -> Ask:
    """Rows in SQLite without an index, as a log keeps them."""
    database = sqlite3.connect(":memory:")
    database.execute("CREATE TABLE e (subject, action, object, result)")
    database.executemany("INSERT INTO e VALUES (?, ?, ?, ?)", rows)
    select = "SELECT action FROM e WHERE subject = ? AND object = ? AND result = ?"

    def ask(subject: str, thing: str, result: str) -> str:
        return str(database.execute(select, (subject, thing, result)).fetchall())

    return ask


def whole_vectors(space: Space, count: int) -> Ask:
    """Compare a probe with so many vectors, as any exact search over them must."""
    vectors = np.zeros((count, space.words), dtype=np.uint64)
    probe = space.symbol("probe")

    def ask(subject: str, thing: str, result: str) -> str:
        parts = (vectors[begin : begin + 20_000] for begin in range(0, count, 20_000))
        return str(min(int(hamming(part, probe).min()) for part in parts))

    return ask


def times(sizes: list[int], repeats: int) -> dict[str, list[float]]:
    """Return the median milliseconds of a question of each way at each size, turn about."""
    curves: dict[str, list[float]] = {}
    space = Space()
    for size in sizes:
        rows = episodes(size, seed=size)
        ways = {
            "factored": factored(rows),
            "SQLite, reading the table": table(rows),
            "vectors of 10,000 bits, all compared": whole_vectors(space, size),
        }
        taken: dict[str, list[float]] = {name: [] for name in ways}
        chance = random.Random(size)
        for _ in range(repeats if size < 1_000_000 else max(10, repeats // 5)):
            subject, _, thing, result = chance.choice(rows)
            for name, ask in ways.items():
                began = time.perf_counter()
                ask(subject, thing, result)
                taken[name].append((time.perf_counter() - began) * 1e3)
        for name, values in taken.items():
            curves.setdefault(name, []).append(statistics.median(values))
        print(f"times at {size:,} episodes done", file=sys.stderr)
    return curves


def by_dimensions(sizes: list[int], questions: int) -> dict[str, list[float]]:
    """Return the share of right answers by the dimensions of the codes."""
    curves: dict[str, list[float]] = {}
    rows = episodes(10_000, seed=1)
    for dimensions in sizes:
        space = Space(dimensions)
        ask = each(space, rows)
        few = rows[:1000]
        for name, share in {
            "a vector an episode, 10,000 episodes": share_right(ask, rows, questions, False),
            "the same, a letter wrong in two roles": share_right(ask, rows, questions, True),
            "gist of 10 blocks of 100 records": share_right(
                product(space, few, block=100), few, questions, False
            ),
        }.items():
            curves.setdefault(name, []).append(share)
        print(f"{dimensions:,} dimensions done", file=sys.stderr)
    return curves


def growth(sizes: list[int], values: list[float]) -> float:
    """Return the slope of log time over log episodes between the last two sizes."""
    return float(np.log(values[-1] / values[-2]) / np.log(sizes[-1] / sizes[-2]))


def draw(name: str, title: str, x: list[int], curves: dict, labels: tuple[str, str]) -> None:
    """Draw curves over a logarithmic axis into docs/images."""
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot

    pyplot.rcParams["svg.hashsalt"] = "clara"
    pyplot.rcParams["svg.fonttype"] = "none"
    figure, axes = pyplot.subplots(figsize=(7, 3.6), layout="constrained")
    for later, (label, values) in zip(reversed(range(len(curves))), curves.items(), strict=True):
        dashes = "--" if "wrong" in label else "-"
        # Curves can lie on one another: the rings of each are around those of the ones after it.
        ring = {"marker": "o", "fillstyle": "none", "markersize": 3 + 1.8 * later}
        axes.plot(x, values, dashes, label=label, **ring)
    axes.set(xscale="log", xlabel=labels[0], ylabel=labels[1], title=title)
    if labels[1].endswith("ms"):
        axes.set_yscale("log")
    else:
        axes.set_ylim(-0.03, 1.03)
    axes.grid(alpha=0.3)
    axes.legend(fontsize=7)
    IMAGES.mkdir(parents=True, exist_ok=True)
    figure.savefig(IMAGES / f"{name}.svg", metadata={"Date": None})
    pyplot.close(figure)


def draw_all(figures: dict) -> None:
    """Draw the three pictures of what was measured, where matplotlib is installed."""
    if not importlib.util.find_spec("matplotlib"):
        print("no pictures: matplotlib is not installed")
        return
    right, spent, spread = (
        dict(figures[name])
        for name in ("accuracy_by_episodes", "milliseconds_by_episodes", "accuracy_by_dimensions")
    )
    right.pop("factored: the same answers as SQL")
    sizes, long, wide = right.pop("episodes"), spent.pop("episodes"), spread.pop("dimensions")
    draw("memory_accuracy", "Right answers", sizes, right, ("episodes", "share"))
    draw("memory_times", "Time of a question", long, spent, ("episodes", "median, ms"))
    draw("memory_dimensions", "Right answers", wide, spread, ("dimensions", "share"))
    print(f"drawn into {IMAGES.relative_to(IMAGES.parent.parent)}")


def main() -> None:
    """Measure, report, draw."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--questions", type=int, default=200)
    parser.add_argument("--largest", type=int, default=100_000, help="episodes, for accuracy")
    parser.add_argument("--draw", action="store_true", help="only draw what was measured last")
    options = parser.parse_args()
    if options.draw:
        draw_all(json.loads((MEASURED / "memory_curves.json").read_text()))
        return
    sizes = [100, 300, 1000, 3000, 10_000, 30_000, 100_000]
    sizes = [size for size in sizes if size <= options.largest]
    long = [1000, 10_000, 100_000, 1_000_000]
    wide = [256, 512, 1024, 2048, 4096, 8192, 16384]
    right = by_episodes(sizes, options.questions)
    spent = times(long, repeats=50)
    spread = by_dimensions(wide, options.questions)
    rows = {
        "episodes": "  ".join(f"{size:,}" for size in sizes),
        **{name: "  ".join(f"{one:.1%}" for one in values) for name, values in right.items()},
        "ms by episodes": "  ".join(f"{size:,}" for size in long),
        **{
            f"{name} ": "  ".join(f"{one:.3g}" for one in values)
            + f"  (growth N^{growth(long, values):.2f})"
            for name, values in spent.items()
        },
        "by dimensions": "  ".join(f"{size:,}" for size in wide),
        **{name: "  ".join(f"{one:.1%}" for one in values) for name, values in spread.items()},
    }
    figures = {
        "questions": options.questions,
        "accuracy_by_episodes": {"episodes": sizes, **right},
        "milliseconds_by_episodes": {"episodes": long, **spent},
        "accuracy_by_dimensions": {"dimensions": wide, **spread},
    }
    report("memory_curves", "Ways to keep episodes", rows, figures)
    draw_all(figures)


if __name__ == "__main__":
    main()
