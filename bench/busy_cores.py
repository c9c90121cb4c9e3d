#!/usr/bin/env python3
# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""How fast the model writes while other programs keep the robot's cores busy.

The model that ships, a thread for each physical core, beside no, one, and as many processes that
compute without end as there are cores: llama-cpp-python as it comes, and with `clara_brain`
imported before, which tells OpenMP how long a thread may spin. The two take turns, each in a
process of its own.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
from contextlib import ExitStack

from clara_brain.model_info import default_model
from clara_brain.settings import physical_cores
from report import report
from rich.progress import track

SIDES = {"llama-cpp-python": "", "Clara": "import clara_brain"}
WRITE = """
import sys, time
from llama_cpp import Llama
path, threads, tokens, rounds = sys.argv[1], *map(int, sys.argv[2:])
model = Llama(path, n_ctx=512, n_threads=threads, n_threads_batch=threads, verbose=False)
for _ in range(rounds):
    model.reset()
    start = time.perf_counter()
    for number, _ in enumerate(model.generate(model.tokenize(b"Once upon a time"), temp=0.0)):
        if number == tokens:
            break
    print(tokens / (time.perf_counter() - start), flush=True)
"""


def speeds(side: str, options: argparse.Namespace) -> list[float]:
    """Return tokens a second of each round of a new process."""
    # What is set for this process came from importing clara_brain.
    environment = {key: value for key, value in os.environ.items() if key != "GOMP_SPINCOUNT"}
    words = [str(default_model()), *map(str, (options.threads, options.tokens, options.rounds))]
    done = subprocess.run(
        [sys.executable, "-c", SIDES[side] + WRITE, *words],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
    )
    return [float(line) for line in done.stdout.split()]


def main() -> None:
    """Measure, print, and write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tokens", type=int, default=12, help="that are written in a round")
    parser.add_argument("--rounds", type=int, default=2, help="of a process")
    parser.add_argument("--turns", type=int, default=3, help="processes of each side")
    parser.add_argument("--threads", type=int, default=physical_cores())
    options = parser.parse_args()
    load = {"idle": 0, "one busy": 1, "all busy": os.cpu_count() or 1}
    rows: dict[str, str] = {}
    figures: dict[str, object] = vars(options).copy()
    for said, busy in load.items():
        found: dict[str, list[float]] = {side: [] for side in SIDES}
        with ExitStack() as closing:
            for _ in range(busy):
                # Another program, as the kernel sees it: a session of its own.
                busily = [sys.executable, "-c", "while True: pass"]
                other = subprocess.Popen(busily, start_new_session=True)
                closing.callback(other.wait)
                closing.callback(other.kill)
            for _ in track(range(options.turns), said):
                for side, each in found.items():
                    each += speeds(side, options)
        medians = {side: statistics.median(each) for side, each in found.items()}
        ratio = medians["Clara"] / medians["llama-cpp-python"]
        for side, median in medians.items():
            rows[f"{said}: {side}"] = f"{median:.1f} tokens/s"
        rows[said] = f"{ratio:.2f} times as fast"
        figures[said] = {**medians, "ratio": ratio, "busy": busy}
    report("busy_cores", f"Writing on busy cores, {options.threads} threads", rows, figures)


if __name__ == "__main__":
    main()
