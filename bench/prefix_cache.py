#!/usr/bin/env python3
# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""What the kept KV cache saves: time to the first token after a prompt of 3,500 tokens.

Each round has a prompt of its own, so that `cold` finds nothing. Then the same prompt again, the
same with a tail of about 100 new tokens, and the same in a new engine that reads the cache from
disk: its figure is the time to read it and to the first token together.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

from clara_brain.engine import Engine, Request
from clara_brain.model_info import default_model
from clara_brain.prompt import RawPrompt
from clara_brain.sampler import SamplerSettings
from clara_brain.settings import EngineSettings
from report import report, summary

SAMPLING = SamplerSettings(0.0, 1.0, 0, 0.0, 1.0, 0)


def prompt_of(engine: Engine, number: int, tokens: int) -> str:
    """Return a text of about that many tokens, unlike any other from its first words on."""
    lines = [f"Round {number} of the log of a robot."]
    while engine.count_tokens("\n".join(lines)) < tokens:
        first = len(lines) * 10
        lines += [
            f"At minute {minute} the robot {('moved', 'stopped', 'turned')[minute % 3]} near"
            f" shelf {minute * 7 % 97} and saw {minute * 13 % 41} boxes."
            for minute in range(first, first + 10)
        ]
    return "\n".join(lines)


def first_token(engine: Engine, text: str) -> tuple[float, int]:
    """Return seconds to the first token, and how many tokens were cached."""
    completion = engine.complete(Request(RawPrompt(text), SAMPLING, 2))
    if completion.error:
        raise completion.error
    return completion.time_to_first_token, completion.cached_tokens


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--tokens", type=int, default=3500)
    options = parser.parse_args()
    found: dict[str, list[float]] = {"cold": [], "same": [], "new_tail": [], "restart": []}
    restored: list[float] = []
    tail = "\nThe operator asks: " + "what did you see near the shelves, and why? " * 9
    with tempfile.TemporaryDirectory() as folder:
        settings = EngineSettings(
            n_ctx=options.tokens + 1024, slots=1, cache_path=Path(folder), cache_bytes=1 << 30
        )
        for number in range(options.rounds):
            engine = Engine(default_model(), settings)
            text = prompt_of(engine, number, options.tokens)
            seconds, cached = first_token(engine, text)
            assert cached < 32, "the cold prompt was not cold"
            found["cold"].append(seconds)
            found["same"].append(first_token(engine, text)[0])
            found["new_tail"].append(first_token(engine, text + tail)[0])
            first_token(engine, text)
            engine.close()
            began = time.perf_counter()
            bare = Engine(default_model(), EngineSettings(n_ctx=settings.n_ctx, slots=1))
            loading = time.perf_counter() - began
            bare.close()
            began = time.perf_counter()
            engine = Engine(default_model(), settings)
            reading = max(0.0, time.perf_counter() - began - loading)
            seconds, cached = first_token(engine, text)
            assert cached > options.tokens // 2, "the cache was not found after the restart"
            restored.append(reading)
            found["restart"].append(reading + seconds)
            engine.close()
    medians = {name: statistics.median(values) for name, values in found.items()}
    rows = {"cold": f"{medians['cold']:.2f} s to the first token of {options.tokens} and more"}
    ratios = {}
    for name, words in (
        ("same", "the same prompt again"),
        ("new_tail", "with a new tail"),
        ("restart", "after a restart, reading the cache included"),
    ):
        ratios[name] = medians["cold"] / medians[name]
        rows[words] = f"{medians[name] * 1e3:.1f} ms, {ratios[name]:.0f} times as fast"
    figures = {
        "prompt_tokens": options.tokens,
        "time_to_first_token_s": {name: summary(values) for name, values in found.items()},
        "reading_the_cache_s": summary(restored),
        "times_as_fast": ratios,
    }
    report("prefix_cache", "a prefix kept in the KV cache", rows, figures)


if __name__ == "__main__":
    main()
