#!/usr/bin/env python3
# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""How often memory finds what it was asked for, against SQL with the best repairs of the cue.

Random episodes of 50 people, 200 actions, 1,000 things, 10 results; asked: the action, given
person, thing and result, some of them misspelt or by another name. Right is an action that the
episodes with the true cue have most often. SQL gets the nearest known name by rapidfuzz or by
wordllama, or the cue as it stands; like memory it must answer ("forced"). Then memory may say that
it does not know: for things never seen it should, for slips of the pen it should not.
"""

from __future__ import annotations

import argparse
import random
import sqlite3
import string
from collections import Counter
from collections.abc import Callable

import numpy as np
from clara_memory.meaning import Embedder, wordllama_embedder
from rapidfuzz import fuzz, process
from report import report
from vocabulary import ACTIONS, PEOPLE, RESULTS, things

from clara_memory import Episode, EpisodicMemory, MemoryFault

Cue = tuple[str, str, str]


def slip(name: str, edits: int, known: set[str], chance: random.Random) -> str:
    """Return a name with so many letters changed, left out, put in or swapped."""
    while True:
        text = name
        for _ in range(edits):
            place = chance.randrange(len(text))
            letter = chance.choice(string.ascii_lowercase)
            kind = chance.randrange(4)
            if kind == 0:
                text = text[:place] + letter + text[place + 1 :]
            elif kind == 1 and len(text) > 2:
                text = text[:place] + text[place + 1 :]
            elif kind == 2:
                text = text[:place] + letter + text[place:]
            else:
                text = text[:place] + text[place : place + 2][::-1] + text[place + 2 :]
        if text.strip() and text.lower() not in known and text.lower() != name.lower():
            return text


def interval(hits: int, count: int) -> tuple[float, float]:
    """Return the 95 % Wilson interval of a share."""
    share, z = hits / count, 1.96
    middle = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count) * (share * (1 - share) / count + (z / 2 / count) ** 2) ** 0.5
    return max(0.0, middle - half), min(1.0, middle + half)


def auroc(positive: list[float], negative: list[float]) -> float:
    """Return how often a positive scores above a negative, ties counting half."""
    high, low = np.asarray(positive)[:, None], np.asarray(negative)[None, :]
    return float(np.mean((high > low) + 0.5 * (high == low)))


def unit_vectors(embedder: Embedder, names: list[str]) -> np.ndarray:
    """Return the embeddings of names, each of length 1: (names, size)."""
    vectors = np.asarray(embedder(names), dtype=np.float32)
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)


class Bench:
    """One random memory, the same rows in SQL, and everybody's way to answer."""

    def __init__(self, episodes: int, seed: int) -> None:
        self.chance = random.Random(seed)
        everything = things()
        self.chance.shuffle(everything)
        self.known, unseen = everything[:1000], everything[1000:]
        self.unseen = [name for names in unseen for name in names]
        self.names = [names[0] for names in self.known]
        self.all_names = {name for names in everything for name in names}
        self.people = {name.lower() for name in PEOPLE}
        self.rows = [
            (
                self.chance.choice(PEOPLE),
                self.chance.choice(ACTIONS),
                self.chance.choice(self.names),
                self.chance.choice(RESULTS),
            )
            for _ in range(episodes)
        ]
        self.sql = sqlite3.connect(":memory:")
        self.sql.execute("CREATE TABLE e (person, action, thing, result)")
        self.sql.executemany("INSERT INTO e VALUES (?, ?, ?, ?)", self.rows)
        self.sql.execute("CREATE INDEX by_thing ON e (thing, person, result)")
        self.spelling = self._memory(None)
        self.meaning = None
        try:
            embedder = wordllama_embedder()
        except MemoryFault as error:
            print(f"without synonyms: {error}")
            return
        self.meaning = self._memory(embedder)
        self.embedder = embedder
        self.person_vectors, self.thing_vectors = self._unit(PEOPLE), self._unit(self.names)

    def _memory(self, meaning: object) -> EpisodicMemory:
        memory = EpisodicMemory(meaning=meaning)
        memory.store_all(
            Episode(subject=person, action=action, object=thing, result=result)
            for person, action, thing, result in self.rows
        )
        return memory

    def _unit(self, names: list[str]) -> np.ndarray:
        return unit_vectors(self.embedder, names)

    def right(self, cue: Cue) -> set[str]:
        """Return the actions that episodes with exactly this cue have most often."""
        rows = self.sql.execute(
            "SELECT action, count(*) FROM e WHERE person = ? AND thing = ? AND result = ? "
            "GROUP BY action",
            cue,
        ).fetchall()
        most = max((count for _, count in rows), default=0)
        return {action for action, count in rows if count == most}

    def by_sql(self, cue: Cue) -> str | None:
        """Answer as SQL does."""
        return min(self.right(cue), default=None)

    def by_fuzzy_sql(self, cue: Cue) -> str | None:
        """Answer as SQL does, with the nearest known names by spelling."""
        person = process.extractOne(cue[0], PEOPLE, scorer=fuzz.ratio)[0]
        thing = process.extractOne(cue[1], self.names, scorer=fuzz.ratio)[0]
        return self.by_sql((person, thing, cue[2]))

    def by_meant_sql(self, cue: Cue) -> str | None:
        """Answer as SQL does, with the nearest known names by meaning."""
        person, thing, result = cue
        if person not in PEOPLE:
            person = PEOPLE[int((self.person_vectors @ self._unit([person])[0]).argmax())]
        if thing not in self.names:
            thing = self.names[int((self.thing_vectors @ self._unit([thing])[0]).argmax())]
        return self.by_sql((person, thing, result))

    def by_memory(self, memory: EpisodicMemory, cue: Cue, guess: bool) -> str | None:
        """Answer as memory does."""
        answer = memory.query(
            subject=cue[0], object=cue[1], result=cue[2], ask=["action"], guess=guess
        )
        candidates = answer["action"].candidates
        return candidates[0].filler if candidates else None

    def cue(self, kind: str) -> tuple[Cue, Cue]:
        """Return a cue that some episode has, and how it is asked."""
        while True:
            person, _, thing, result = self.chance.choice(self.rows)
            asked_person, asked_thing = person, thing
            if "edit" in kind:
                edits = 2 if "two edits" in kind else 1
                asked_person = slip(person, edits, self.people, self.chance)
                if "synonym" not in kind:
                    asked_thing = slip(thing, edits, self.all_names, self.chance)
            if "synonym" in kind:
                others = self.known[self.names.index(thing)][1:]
                if not others:
                    continue
                asked_thing = self.chance.choice(others)
            return (person, thing, result), (asked_person, asked_thing, result)


TASKS = ("exact", "one edit in two roles", "two edits in two roles", "synonym", "synonym + edit")


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--episodes", type=int, default=100_000)
    parser.add_argument("--queries", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    bench = Bench(options.episodes, options.seed)
    memories = {"memory": bench.spelling}
    if bench.meaning is not None:
        memories["memory + meaning"] = bench.meaning
    ways: dict[str, Callable[[Cue], str | None]] = {
        "SQL": bench.by_sql,
        "SQL + rapidfuzz": bench.by_fuzzy_sql,
    }
    if bench.meaning is not None:
        ways["SQL + wordllama"] = bench.by_meant_sql
    for name, memory in memories.items():
        ways[f"{name}, forced"] = lambda cue, memory=memory: bench.by_memory(memory, cue, True)
        ways[name] = lambda cue, memory=memory: bench.by_memory(memory, cue, False)
    figures: dict[str, object] = {"episodes": options.episodes, "queries": options.queries}
    rows = {"episodes": f"{options.episodes:,}", "queries of each kind": f"{options.queries:,}"}
    for task in TASKS:
        right: Counter[str] = Counter()
        wrong: Counter[str] = Counter()
        for _ in range(options.queries):
            true, asked = bench.cue(task)
            wanted = bench.right(true)
            for name, way in ways.items():
                got = way(asked)
                right[name] += got in wanted
                wrong[name] += got is not None and got not in wanted
        figures[task] = {
            name: {
                "right": right[name] / options.queries,
                "right_95": interval(right[name], options.queries),
                "wrong": wrong[name] / options.queries,
            }
            for name in ways
        }
        for name in ways:
            low, high = interval(right[name], options.queries)
            rows[f"{task}: {name}"] = (
                f"{right[name] / options.queries:6.1%} right ({low:.1%} to {high:.1%}), "
                f"{wrong[name] / options.queries:.1%} wrong"
            )
    for name, memory in memories.items():
        slips, unseen, false = [], [], 0
        for _ in range(options.queries):
            (person, thing, result), _ = bench.cue("exact")
            similar = {}
            for kind, asked in (
                ("slip", slip(thing, 1, bench.all_names, bench.chance)),
                ("unseen", bench.chance.choice(bench.unseen)),
            ):
                answer = memory.query(
                    subject=person, object=asked, result=result, ask=["action"], guess=True
                )
                read = [reading for reading in answer.readings if reading.cue.role == "object"]
                similar[kind] = read[0].similarity if read else 0.0
                if kind == "unseen":
                    false += bool(read and read[0].accepted)
            slips.append(similar["slip"])
            unseen.append(similar["unseen"])
        figures[f"abstention, {name}"] = {
            "auroc_slip_against_unseen": auroc(slips, unseen),
            "false_answers": false / options.queries,
            "false_answers_95": interval(false, options.queries),
        }
        low, high = interval(false, options.queries)
        rows[f"slip against unseen: {name}"] = f"AUROC {auroc(slips, unseen):.3f}"
        rows[f"unseen thing answered: {name}"] = (
            f"{false / options.queries:.1%} ({low:.1%} to {high:.1%})"
        )
    report("memory_accuracy", "Memory against SQL: the right answer", rows, figures)


if __name__ == "__main__":
    main()
