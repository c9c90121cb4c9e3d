# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Many small trainings on one corpus, compared seed by seed; what several benchmarks share.

A seed fixes first weights and the order of rows, so that two ways of training differ in nothing
else, and the interval is that of the differences within a seed. What is done is kept in a file
and not done again when a benchmark is cut off.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from clara_training.allocator import keep_memory
from clara_training.corpus import CorpusSettings, make_corpus
from clara_training.shards import HELD_OUT, TRAIN, Rows, TokenStream

Figures = dict[str, Any]
WORK = Path(tempfile.gettempdir()) / "clara-small-trainings"
# Poetry, story, letter and prophecy, in both translations: 45,000 tokens, seconds to measure on.
HELD_OUT_BOOKS = ("Ecclesiastes", "Hosea", "James", "Ruth")
# Student's t at 0.975, by degrees of freedom.
_STUDENT = (0.0, 12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262)


def arguments(description: str, *, steps: int, vocabulary: int = 2048) -> argparse.ArgumentParser:
    """Return the options that these benchmarks share."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--corpus", type=Path, help="of clara-train; else KJV and WEB")
    parser.add_argument("--work", type=Path, default=WORK, help="keeps what is done already")
    parser.add_argument("--vocabulary", type=int, default=vocabulary)
    parser.add_argument("--context", type=int, default=256)
    parser.add_argument("--rows", type=int, default=8, help="of a step")
    parser.add_argument("--steps", type=int, default=steps)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    return parser


class Bench:
    """The corpus, and what was measured on it."""

    def __init__(self, options: argparse.Namespace) -> None:
        torch.set_num_threads(options.threads)
        keep_memory()
        self.options = options
        self.corpus = options.corpus or options.work / f"corpus-{options.vocabulary}"
        if options.corpus is None:
            settings = CorpusSettings(vocab_size=options.vocabulary, held_out=HELD_OUT_BOOKS)
            make_corpus(None, self.corpus, settings)
        self.held_out = TokenStream(self.corpus, HELD_OUT)
        self._kept = options.work / f"{Path(sys.argv[0]).stem}.jsonl"
        self._kept.parent.mkdir(parents=True, exist_ok=True)
        self._shape = [options.vocabulary, options.context, options.rows, options.steps]
        lines = self._kept.read_text().splitlines() if self._kept.exists() else []
        self._done = {json.dumps(key): figures for key, figures in map(json.loads, lines)}

    def rows(self, seed: int) -> Rows:
        """Return the rows to train on, in the order of a seed."""
        return Rows(TokenStream(self.corpus, TRAIN), self.options.context, seed)

    def measure(self, name: str, seed: int, train: Callable[[], Figures]) -> Figures:
        """Return the figures of a training, which is done if it was not yet."""
        key = json.dumps([name, seed, *self._shape])
        if key not in self._done:
            start = time.perf_counter()
            figures = {**train(), "seconds": time.perf_counter() - start}
            with self._kept.open("a") as file:
                file.write(json.dumps([json.loads(key), figures]) + "\n")
            self._done[key] = figures
        print(f"{name}, seed {seed}: {self._done[key]}", flush=True)
        return self._done[key]


def interval(values: Sequence[float]) -> tuple[float, float]:
    """Return mean and half the width of its 95 % interval (Student's t), of 2 to 10 values."""
    half = _STUDENT[len(values) - 1] * statistics.stdev(values) / len(values) ** 0.5
    return statistics.mean(values), half


def shown(values: Sequence[float], digits: int = 4) -> str:
    """Return `mean ± half the interval`."""
    mean, half = interval(values)
    return f"{mean:.{digits}f} ± {half:.{digits}f}"


def judged(differences: Sequence[float], digits: int = 4) -> str:
    """Return differences (less is better) with a verdict that the interval allows."""
    mean, half = interval(differences)
    verdict = (
        "no difference to be seen" if abs(mean) <= half else "better" if mean < 0 else "worse"
    )
    return f"{mean:+.{digits}f} ± {half:.{digits}f}, {verdict}"
