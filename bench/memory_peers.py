#!/usr/bin/env python3
# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""One stream of episodes into Clara's memory and into its peers, side by side.

Each system runs in a process of its own, is fed through its own documented API, and is asked which
action was done by whom with what: with the names as they were stored, with one letter wrong, and
about a thing that never came. The peers are not part of Clara's environment:

    pip install emem==0.3.0 robotmem==0.1.3 hipercampo==0.1.0b16 wordllama

emem is given Clara's embedder (wordllama), for its own wants a download; robotmem runs with its
word index alone (`embed_backend="none"`) for the same reason; hipercampo stores and is asked by
role. What each does for durability is its own: Clara commits with synchronous=FULL, the peers with
synchronous=NORMAL (SQLite then syncs at checkpoints only).
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import json
import random
import string
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from rich.progress import Progress

BATCH = 100


class System(Protocol):
    """A memory that is fed facts (subject, action, object, result) and asked for the action."""

    def store(self, facts: list[dict[str, str]]) -> None:
        """Store facts, as durably as the system does when left alone."""

    def ask(self, subject: str, thing: str) -> str:
        """Return the action that the best answer names, as text; empty where it abstains."""

    def close(self) -> None:
        """Write what is not written yet."""


class Clara:
    """EpisodicMemory, asked by role."""

    def __init__(self, folder: Path) -> None:
        from clara_memory.meaning import wordllama_embedder

        from clara_memory import Episode, EpisodicMemory

        self._episode = Episode
        self._memory = EpisodicMemory(folder / "clara.sqlite3", meaning=wordllama_embedder())

    def store(self, facts: list[dict[str, str]]) -> None:
        """See System."""
        self._memory.store_all(self._episode(**fact) for fact in facts)

    def ask(self, subject: str, thing: str) -> str:
        """See System."""
        answer = self._memory.query(subject=subject, object=thing, ask=("action",))
        best = answer.answers[0].candidates if answer.answers else ()
        return best[0].filler if best else ""

    def close(self) -> None:
        """See System."""
        self._memory.close()


class Emem:
    """emem's SpatioTemporalMemory: text observations, asked by meaning."""

    def __init__(self, folder: Path) -> None:
        from clara_memory.meaning import wordllama_embedder
        from emem import SpatioTemporalMemory
        from emem.config import SpatioTemporalMemoryConfig
        from emem.embeddings import CallableEmbeddingProvider

        provider = CallableEmbeddingProvider(wordllama_embedder())
        config = SpatioTemporalMemoryConfig(
            db_path=str(folder / "emem.db"),
            hnsw_path=str(folder / "emem.hnsw.bin"),
            embedding_dim=provider.dim,
        )
        self._memory = SpatioTemporalMemory(config=config, embedding_provider=provider)

    def store(self, facts: list[dict[str, str]]) -> None:
        """See System."""
        for fact in facts:
            self._memory.add(sentence(fact), x=0.0, y=0.0)

    def ask(self, subject: str, thing: str) -> str:
        """See System."""
        return self._memory.semantic_search(f"{subject} {thing}", n_results=1)

    def close(self) -> None:
        """See System."""
        self._memory.close()


class Robotmem:
    """robotmem's RobotMemory: sentences, asked by words."""

    def __init__(self, folder: Path) -> None:
        from robotmem.sdk import RobotMemory

        self._memory = RobotMemory(db_path=folder / "robotmem.db", embed_backend="none")

    def store(self, facts: list[dict[str, str]]) -> None:
        """See System."""
        self._memory.batch_learn([sentence(fact) for fact in facts])

    def ask(self, subject: str, thing: str) -> str:
        """See System."""
        found = self._memory.recall(f"{subject} {thing}", n=1)
        return str(found[0]["content"]) if found else ""

    def close(self) -> None:
        """See System."""
        self._memory.close()


class Hipercampo:
    """hipercampo's facts of roles, asked for one of them."""

    def __init__(self, folder: Path) -> None:
        from hipercampo.cycle.memory import Hipercampo as Memory

        self._memory = Memory(str(folder / "hipercampo.db"))

    def store(self, facts: list[dict[str, str]]) -> None:
        """See System."""
        for fact in facts:
            self._memory.remember_fact(
                {"subject": fact["subject"], "predicate": fact["action"], "object": fact["object"]}
            )

    def ask(self, subject: str, thing: str) -> str:
        """See System."""
        answer = self._memory.ask_role("predicate", {"subject": subject, "object": thing})
        return str(answer.get("answer") or "")

    def close(self) -> None:
        """See System."""
        self._memory.close()


# What each is imported as, and how it is made.
SYSTEMS: dict[str, Callable[[Path], System]] = {
    "clara_memory": Clara,
    "emem": Emem,
    "robotmem": Robotmem,
    "hipercampo": Hipercampo,
}


def sentence(fact: dict[str, str]) -> str:
    """Write a fact the way that a robot would log it."""
    return f"{fact['subject']} {fact['action']} {fact['object']}: {fact['result']}"


def one_edit(name: str, chance: random.Random) -> str:
    """Replace, insert or drop one letter of a name."""
    place = chance.randrange(len(name))
    letter = chance.choice(string.ascii_lowercase)
    kind = chance.randrange(3)
    end = name[place:] if kind == 1 else name[place + 1 :]
    return name[:place] + ("" if kind == 2 else letter) + end


def stream(episodes: int, questions: int, seed: int) -> dict[str, object]:
    """Make facts in which who and what name one action, and questions about some of them."""
    from vocabulary import ACTIONS, PEOPLE, RESULTS, things

    chance = random.Random(seed)
    names = [known[0] for known in things()]
    known, unseen = names[:1000], names[1000:]
    pairs = [(who, what) for who in PEOPLE for what in known]
    facts = [
        {
            "subject": who,
            "action": chance.choice(ACTIONS),
            "object": what,
            "result": chance.choice(RESULTS),
        }
        for who, what in chance.sample(pairs, episodes)
    ]
    asked = chance.sample(facts, questions)
    met = {fact["object"] for fact in facts}
    return {
        "facts": facts,
        "exact": [(fact["subject"], fact["object"], fact["action"]) for fact in asked],
        "one letter wrong": [
            (fact["subject"], one_edit(fact["object"], chance), fact["action"]) for fact in asked
        ],
        "never seen": [
            (chance.choice(PEOPLE), what, "")
            for what in chance.choices([name for name in unseen if name not in met], k=questions)
        ],
    }


def run(name: str, given: Path, folder: Path) -> dict[str, object]:
    """Feed one system and ask it; times in seconds."""
    from report import summary

    document = json.loads(given.read_text())
    facts = document["facts"]
    system = SYSTEMS[name](folder)
    system.ask("James", "aerosol_can")  # weights and imports that come with the first question
    before = resident()
    batches = []
    for begin in range(0, len(facts), BATCH):
        start = time.perf_counter()
        system.store(facts[begin : begin + BATCH])
        batches.append(time.perf_counter() - start)
    grown = resident() - before
    figures: dict[str, object] = {"append_of_100_s": summary(batches), "rss_growth_bytes": grown}
    for kind in ("exact", "one letter wrong", "never seen"):
        right, times = 0, []
        for subject, thing, action in document[kind]:
            start = time.perf_counter()
            answer = system.ask(subject, thing)
            times.append(time.perf_counter() - start)
            # An answer in words counts where it holds the action; no answer is right only where
            # there is none.
            right += (action in answer) if action else not answer
        figures[kind] = {"right": right, "asked": len(times), "seconds": summary(times)}
    system.close()
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    figures["bytes_per_episode"] = size / len(facts)
    return figures


def resident() -> int:
    """Return the bytes of RAM that this process holds."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def wilson(right: int, asked: int) -> tuple[float, float]:
    """Return the 95 % interval of a share (Wilson 1927)."""
    z, share = 1.96, right / asked
    middle = (share + z * z / (2 * asked)) / (1 + z * z / asked)
    half = z / (1 + z * z / asked) * (share * (1 - share) / asked + z * z / (4 * asked**2)) ** 0.5
    return middle - half, middle + half


def main() -> None:
    """Run every system that is installed, and report."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--episodes", type=int, default=5000)
    parser.add_argument("--questions", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--run", nargs=3, metavar=("SYSTEM", "STREAM", "FOLDER"))
    options = parser.parse_args()
    if options.run:
        name, given, folder = options.run
        with contextlib.redirect_stdout(sys.stderr):
            figures = run(name, Path(given), Path(folder))
        print(json.dumps(figures))
        return
    from report import report

    found: dict[str, dict] = {}
    missing = [name for name in SYSTEMS if not importlib.util.find_spec(name)]
    with tempfile.TemporaryDirectory() as scratch, Progress(transient=True) as progress:
        given = Path(scratch) / "stream.json"
        given.write_text(json.dumps(stream(options.episodes, options.questions, options.seed)))
        there = [name for name in SYSTEMS if name not in missing]
        task = progress.add_task("", total=len(there))
        for name in there:
            progress.update(task, description=name)
            folder = Path(scratch) / name
            folder.mkdir()
            command = [sys.executable, __file__, "--run", name, str(given), str(folder)]
            done = subprocess.run(command, capture_output=True, text=True)
            if done.returncode:
                sys.exit(f"{name} failed:\n{done.stderr[-2000:]}")
            found[name] = json.loads(done.stdout.splitlines()[-1])
            progress.advance(task)
    rows = {"episodes": f"{options.episodes:,}", "not installed": ", ".join(missing) or "none"}
    for name, figures in found.items():
        shares = []
        for kind in ("exact", "one letter wrong", "never seen"):
            low, high = wilson(figures[kind]["right"], figures[kind]["asked"])
            share = figures[kind]["right"] / figures[kind]["asked"]
            shares.append(f"{kind} {share:.1%} ({low:.1%} to {high:.1%})")
        rows[name] = "\n".join(
            [
                "right: " + ", ".join(shares),
                f"question {figures['exact']['seconds']['median'] * 1e3:.2f} ms, "
                f"append of 100 {figures['append_of_100_s']['median'] * 1e3:.1f} ms, "
                f"{figures['bytes_per_episode']:.0f} bytes an episode on disk, "
                f"{figures['rss_growth_bytes'] / 1e6:.0f} MB of RAM",
            ]
        )
    if "hipercampo" in found:
        ratio = (
            found["hipercampo"]["append_of_100_s"]["median"]
            / found["clara_memory"]["append_of_100_s"]["median"]
        )
        rows["appends against hipercampo"] = f"{ratio:.0f} times as fast"
    report("memory_peers", "One stream into each memory", rows, {"systems": found})


if __name__ == "__main__":
    main()
