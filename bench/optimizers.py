#!/usr/bin/env python3
# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Muon against AdamW at equal steps: bits per byte of held-out books, of a small SIM-ONE.

Each at two learning rates, and compared within each seed at its better one; what a step costs is
measured in the same run.
"""

from __future__ import annotations

import statistics
from typing import Any

from clara_training.decoder import count
from clara_training.pretrain_checkpoint import Progress
from clara_training.pretrain_loop import Execution, PretrainSettings, fit
from clara_training.pretrain_optimizer import new_optimizer
from clara_training.scratch import KINDS, new_model
from clara_training.simone import SimoneConfig
from report import report
from small_trainings import Bench, arguments, interval, judged, shown

CONFIG = SimoneConfig(layers=4, width=128, heads=2, kv_heads=2, inner=384)
OPTIMIZERS = ("adamw", "muon")


def train(bench: Bench, name: str, rate: float, seed: int) -> dict[str, Any]:
    """Train a model with an optimiser; return its bits per byte and the time of a step."""
    options = bench.options
    KINDS["simone"].SIZES["bench"] = CONFIG
    model = new_model("simone", "bench", options.vocabulary, options.context, seed=seed)
    settings = PretrainSettings(
        **{"batch_size": options.rows, "num_epochs": 1, "max_steps": options.steps},
        **{"learning_rate": rate, "evaluations": 1, "seed": seed, "optimizer": name},
    )
    progress = Progress()
    fit(
        *(model, new_optimizer(model, settings), bench.rows(seed), bench.held_out),
        *(settings, Execution(), progress),
        **{"report": lambda record: None, "keep": lambda best, due: None},
    )
    return {
        "bits_per_byte": progress.best,
        "step_seconds": progress.seconds / progress.step,
        "parameters": count(model),
    }


def main() -> None:
    """Measure, print, and write the results."""
    parser = arguments(__doc__, steps=160)
    parser.add_argument("--learning-rates", type=float, nargs="+", default=[1e-3, 3e-3])
    options = parser.parse_args()
    bench = Bench(options)
    found: dict[str, dict[str, list[dict[str, Any]]]] = {name: {} for name in OPTIMIZERS}
    for rate in options.learning_rates:
        for seed in range(options.seeds):
            for name in OPTIMIZERS:
                figures = bench.measure(
                    f"{name} {rate:g}",
                    seed,
                    lambda n=name, r=rate, s=seed: train(bench, n, r, s),
                )
                found[name].setdefault(f"{rate:g}", []).append(figures)
    rows: dict[str, str] = {}
    best: dict[str, list[float]] = {}
    for name, by_rate in found.items():
        for rate, trained in by_rate.items():
            bits = [each["bits_per_byte"] for each in trained]
            rows[f"{name}, learning rate {rate}"] = f"{shown(bits)} bits per byte"
            if name not in best or sum(bits) < sum(best[name]):
                best[name] = bits
    less = [one - other for one, other in zip(best["muon"], best["adamw"], strict=True)]
    rows["muon - adamw, each at its better rate"] = judged(less)
    seconds = {
        name: statistics.median(each["step_seconds"] for some in by_rate.values() for each in some)
        for name, by_rate in found.items()
    }
    rows["time of a step, muon to adamw"] = f"{seconds['muon'] / seconds['adamw']:.2f}"
    tokens = options.steps * options.rows * options.context
    size = next(iter(found["adamw"].values()))[0]["parameters"] / 1e6
    figures = {
        "tokens": tokens,
        **{name: getattr(options, name) for name in ("vocabulary", "context", "rows", "steps")},
        **{"seeds": options.seeds, "found": found, "step_seconds": seconds},
        "muon_minus_adamw_at_best": list(interval(less)),
    }
    report("optimizers", f"SIM-ONE of {size:.2f} M, {tokens} tokens", rows, figures)


if __name__ == "__main__":
    main()
