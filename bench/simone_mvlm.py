#!/usr/bin/env python3
# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""SIM-ONE against MVLM at equal parameters and tokens: bits per byte of held-out books.

Both have the same depth and width, as many parameters to within 3 % (MVLM has more: biases and
positions), the same trainer, rows and steps, and are compared within each seed at the default
learning rate, and at a higher one, so that neither is judged by a rate that suits the other.
"""

from __future__ import annotations

from typing import Any

from clara_training.decoder import count
from clara_training.mvlm import MvlmConfig
from clara_training.pretrain_checkpoint import Progress
from clara_training.pretrain_loop import Execution, PretrainSettings, fit
from clara_training.pretrain_optimizer import new_optimizer
from clara_training.scratch import KINDS, new_model
from clara_training.simone import SimoneConfig
from report import report
from small_trainings import Bench, arguments, interval, judged, shown

KINDS_COMPARED = ("simone", "mvlm")


def train(bench: Bench, kind: str, rate: float, seed: int) -> dict[str, Any]:
    """Train a model; return its held-out bits per byte and its parameters."""
    options = bench.options
    model = new_model(kind, "bench", options.vocabulary, options.context, seed=seed)
    settings = PretrainSettings(
        **{"batch_size": options.rows, "num_epochs": 1, "max_steps": options.steps},
        **{"learning_rate": rate, "evaluations": 1, "seed": seed},
    )
    progress = Progress()
    fit(
        *(model, new_optimizer(model, settings), bench.rows(seed), bench.held_out),
        *(settings, Execution(), progress),
        report=lambda record: None,
        keep=lambda best, due: None,
    )
    return {"bits_per_byte": progress.best, "parameters": count(model)}


def main() -> None:
    """Measure, print, and write the results."""
    parser = arguments(__doc__, steps=200)
    parser.add_argument("--learning-rates", type=float, nargs="+", default=[1e-3, 3e-3])
    parser.add_argument("--width", type=int, default=192, help="a multiple of 64")
    options = parser.parse_args()
    bench = Bench(options)
    shape: dict[str, Any] = {"layers": 4, "width": options.width, "heads": options.width // 64}
    inner = options.width * 8 // 3  # as many weights as in an MLP four times as wide
    KINDS["simone"].SIZES["bench"] = SimoneConfig(**shape, kv_heads=shape["heads"], inner=inner)
    KINDS["mvlm"].SIZES["bench"] = MvlmConfig(**shape)
    figures: dict[str, Any] = {
        "tokens": options.steps * options.rows * options.context,
        **{
            name: getattr(options, name)
            for name in ("vocabulary", "context", "rows", "steps", "width")
        },
        **{"seeds": options.seeds, "threads": options.threads, "bits_per_byte": {}},
    }
    rows: dict[str, str] = {}
    best: dict[str, list[float]] = {}
    for rate in options.learning_rates:
        bits: dict[str, list[float]] = {kind: [] for kind in KINDS_COMPARED}
        for seed in range(options.seeds):
            for kind in KINDS_COMPARED:
                found = bench.measure(
                    f"{kind} {options.width} {rate:g}",
                    seed,
                    lambda k=kind, r=rate, s=seed: train(bench, k, r, s),
                )
                bits[kind].append(found["bits_per_byte"])
                figures[f"{kind}_parameters"] = found["parameters"]
        for kind, values in bits.items():
            rows[f"{kind}, learning rate {rate:g}"] = f"{shown(values)} bits per byte"
            if kind not in best or sum(values) < sum(best[kind]):
                best[kind] = values
        less = [one - other for one, other in zip(bits["simone"], bits["mvlm"], strict=True)]
        rows[f"  simone - mvlm, {rate:g}"] = judged(less)
        figures["bits_per_byte"][f"{rate:g}"] = {
            **bits,
            "simone_minus_mvlm": list(interval(less)),
        }
    less = [one - other for one, other in zip(best["simone"], best["mvlm"], strict=True)]
    rows["simone - mvlm, each at its better rate"] = judged(less)
    figures["simone_minus_mvlm_at_best"] = list(interval(less))
    sizes = " and ".join(f"{figures[f'{k}_parameters'] / 1e6:.2f} M" for k in ("simone", "mvlm"))
    report("simone_mvlm", f"{sizes} parameters, {figures['tokens']} tokens", rows, figures)


if __name__ == "__main__":
    main()
