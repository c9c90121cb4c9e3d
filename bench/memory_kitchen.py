#!/usr/bin/env python3
# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Real narrated kitchen actions: video and noun as it was narrated are given, the verb is asked.

The data nobody here tuned to: annotations of EPIC-KITCHENS-100 (Damen et al. 2022; for research
only, CC BY-NC 4.0, so they do not come with Clara). From a clone of
https://github.com/epic-kitchens/epic-kitchens-100-annotations:

    python bench/memory_kitchen.py --nouns A/EPIC_100_noun_classes_v2.csv
        A/EPIC_100_validation.csv A/UDA_annotations/EPIC_100_uda_source_train.csv

An episode has the video, the verb's and the noun's class; a question has the noun as somebody said
it, which is another word for its class in a quarter of them ("paraphrased"). Right is a verb that
the video's episodes with that class have most often. Shares come with their 95 % interval.
"""

from __future__ import annotations

import argparse
import csv
import random
import sqlite3
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from clara_memory.meaning import wordllama_embedder
from memory_accuracy import interval, unit_vectors
from rapidfuzz import fuzz, process
from report import report

from clara_memory import Episode, EpisodicMemory

Cue = tuple[str, str]  # video, noun
Row = tuple[str, str, str, str]  # video, verb, class of the noun, noun as narrated


def read(files: list[Path], nouns: Path) -> list[Row]:
    """Return the narrated actions."""
    with nouns.open(newline="", encoding="utf-8") as stream:
        keys = {row["id"]: row["key"] for row in csv.DictReader(stream)}
    rows = []
    for file in files:
        with file.open(newline="", encoding="utf-8") as stream:
            for row in csv.DictReader(stream):
                key = keys[row["noun_class"]]
                rows.append((row["video_id"], row["verb"], spoken(key), spoken(row["noun"])))
    return rows


def spoken(noun: str) -> str:
    """Turn `spoon:wooden`, the head first, into words."""
    head, *rest = noun.split(":")
    return " ".join([*rest, head])


class Kitchen:
    """The actions in memory and in SQL, and everybody's way to answer."""

    def __init__(self, rows: list[Row]) -> None:
        self.rows = rows
        self.sql = sqlite3.connect(":memory:")
        self.sql.execute("CREATE TABLE e (video, verb, noun)")
        self.sql.executemany("INSERT INTO e VALUES (?, ?, ?)", [row[:3] for row in rows])
        self.sql.execute("CREATE INDEX by_cue ON e (video, noun)")
        self.nouns = sorted({row[2] for row in rows})
        self.embedder = wordllama_embedder()
        self.vectors = unit_vectors(self.embedder, self.nouns)
        self.spelling, self.meaning = self._memory(None), self._memory(self.embedder)

    def _memory(self, meaning: object) -> EpisodicMemory:
        memory = EpisodicMemory(meaning=meaning)
        memory.store_all(
            Episode(subject=video, action=verb, object=noun) for video, verb, noun, _ in self.rows
        )
        return memory

    def right(self, cue: Cue) -> set[str]:
        """Return the verbs that the episodes with this cue have most often."""
        rows = self.sql.execute(
            "SELECT verb, count(*) FROM e WHERE video = ? AND noun = ? GROUP BY verb", cue
        ).fetchall()
        most = max((count for _, count in rows), default=0)
        return {verb for verb, count in rows if count == most}

    def by_sql(self, cue: Cue) -> str | None:
        """Answer as SQL does."""
        return min(self.right(cue), default=None)

    def by_fuzzy_sql(self, cue: Cue) -> str | None:
        """Answer as SQL does, with the nearest known noun by spelling."""
        return self.by_sql((cue[0], process.extractOne(cue[1], self.nouns, scorer=fuzz.ratio)[0]))

    def by_meant_sql(self, cue: Cue) -> str | None:
        """Answer as SQL does, with the nearest known noun by meaning where it is not known."""
        video, noun = cue
        if noun not in self.nouns:
            meant = unit_vectors(self.embedder, [noun])[0]
            noun = self.nouns[int((self.vectors @ meant).argmax())]
        return self.by_sql((video, noun))

    def by_memory(self, memory: EpisodicMemory, cue: Cue) -> str | None:
        """Answer as memory does when it must answer."""
        answer = memory.query(subject=cue[0], object=cue[1], ask=["action"], guess=True)
        candidates = answer["action"].candidates
        return candidates[0].filler if candidates else None


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("annotations", nargs="+", type=Path, help="CSV files of narrated actions")
    parser.add_argument("--nouns", type=Path, required=True, help="EPIC_100_noun_classes_v2.csv")
    parser.add_argument("--questions", type=int, default=2_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    try:
        rows = read(options.annotations, options.nouns)
    except (OSError, KeyError, UnicodeDecodeError) as error:
        sys.exit(f"memory_kitchen: not the annotations of EPIC-KITCHENS-100: {error}")
    kitchen = Kitchen(rows)
    ways: dict[str, Callable[[Cue], str | None]] = {
        "SQL": kitchen.by_sql,
        "SQL + rapidfuzz": kitchen.by_fuzzy_sql,
        "SQL + wordllama": kitchen.by_meant_sql,
        "memory": lambda cue: kitchen.by_memory(kitchen.spelling, cue),
        "memory + meaning": lambda cue: kitchen.by_memory(kitchen.meaning, cue),
    }
    asked, hits = Counter[str](), Counter[tuple[str, str]]()
    for video, _, key, noun in random.Random(options.seed).sample(rows, options.questions):
        kinds = ("all", "paraphrased") if noun != key else ("all",)
        asked.update(kinds)
        wanted = kitchen.right((video, key))
        for name, way in ways.items():
            if way((video, noun)) in wanted:
                hits.update((kind, name) for kind in kinds)
    table, figures = {"episodes": f"{len(rows):,}"}, {"episodes": len(rows)}
    for kind, count in asked.items():
        for name in ways:
            share, (low, high) = hits[kind, name] / count, interval(hits[kind, name], count)
            table[f"{kind}: {name}"] = f"{share:.1%} ({low:.1%} to {high:.1%}, n={count:,})"
            figures[f"{kind}: {name}"] = {"right": share, "right_95": (low, high), "n": count}
    report("memory_kitchen", "Narrated kitchen actions: the verb asked", table, figures)


if __name__ == "__main__":
    main()
