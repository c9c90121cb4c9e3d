#!/usr/bin/env python3
# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""What content alignment, coherence and accuracy do to a small SIM-ONE, on held-out books.

Each loss alone beside language modelling, then all three weighed by uncertainty and by dynamic
weight averaging, against language modelling alone within each seed: bits per byte, bits per token
of names and numbers, and what the losses' own heads learned in the last steps, beside what
guessing would give. The same steps, rows and first weights for all.
"""

from __future__ import annotations

import math
import statistics
from typing import Any

import numpy as np
import torch
from clara_training.corpus import TOKENIZER
from clara_training.decoder import count, documents_in
from clara_training.names import Names
from clara_training.objectives import LOSSES, SEGMENT, Objectives
from clara_training.pretrain_checkpoint import Progress
from clara_training.pretrain_loop import Execution, PretrainSettings, fit
from clara_training.pretrain_optimizer import new_optimizer
from clara_training.scratch import KINDS, new_model
from clara_training.simone import SimoneConfig
from clara_training.tokenizer import load_tokenizer
from report import report
from small_trainings import Bench, arguments, interval, judged, shown

CONFIG = SimoneConfig(layers=4, width=128, heads=2, kv_heads=2, inner=384)
ALONE = "language alone"
WAYS: dict[str, tuple[tuple[str, ...], str]] = {
    ALONE: ((), "uncertainty"),
    **{f"and {name.replace('_', ' ')}": ((name,), "uncertainty") for name in LOSSES},
    "and all, by uncertainty": (LOSSES, "uncertainty"),
    "and all, by dwa": (LOSSES, "dwa"),
}
LAST = 20  # steps over which the heads' own success is averaged


def train(bench: Bench, names: Names, way: str, seed: int, rate: float) -> dict[str, Any]:
    """Train a model in one way; return what it comes to on the held-out books."""
    options = bench.options
    KINDS["simone"].SIZES["bench"] = CONFIG
    model = new_model("simone", "bench", options.vocabulary, options.context, seed=seed)
    chosen, weights = WAYS[way]
    settings = PretrainSettings(
        **{"batch_size": options.rows, "num_epochs": 1, "max_steps": options.steps},
        **{"learning_rate": rate, "evaluations": 1, "seed": seed, "loss_weights": weights},
        **dict.fromkeys(chosen, True),
    )
    objectives = Objectives(chosen, weights, CONFIG.width, names, seed) if chosen else None
    progress = Progress()
    records: list[dict[str, Any]] = []
    fit(
        *(model, new_optimizer(model, settings, objectives), bench.rows(seed), bench.held_out),
        *(settings, Execution(), progress),
        **{"report": records.append, "keep": lambda best, due: None, "objectives": objectives},
    )
    last = [each for each in records if "told_right" in each][-LAST:]
    return {
        "bits_per_byte": progress.best,
        "bits_per_name_token": name_bits(model, bench, names),
        "told_right": {
            name: statistics.mean(
                each["told_right"][name] for each in last if name in each["told_right"]
            )
            for name in dict.fromkeys(name for each in last for name in each["told_right"])
        },
        "weights": last[-1]["loss_weights"] if last else {},
        "training_seconds": progress.seconds,
        "parameters": count(model),
    }


def name_bits(model: Any, bench: Bench, names: Names) -> float:
    """Return the bits for a held-out token of a name or number, of whole rows."""
    stream, context = bench.held_out, bench.options.context
    nats, found = 0.0, 0
    with torch.inference_mode():
        for start in range(0, len(stream) - context, 8 * context):
            starts = range(start, min(start + 8 * context, len(stream) - context), context)
            rows = np.stack([stream.slice(at, at + context + 1) for at in starts])
            tokens = torch.from_numpy(rows)
            here, targets = tokens[:, :-1], tokens[:, 1:]
            each, _ = model(here, targets, documents_in(here), each=True)
            named = torch.from_numpy(names.in_rows(rows))
            nats += float(each[named].sum())
            found += int(named.sum())
    return nats / math.log(2) / found


def main() -> None:
    """Measure, print, and write the results."""
    parser = arguments(__doc__, steps=160)
    parser.add_argument("--learning-rate", type=float, default=3e-3)
    options = parser.parse_args()
    bench = Bench(options)
    names = Names.of(load_tokenizer(bench.corpus / TOKENIZER))
    found: dict[str, list[dict[str, Any]]] = {way: [] for way in WAYS}
    for seed in range(options.seeds):
        for way in WAYS:
            found[way].append(
                bench.measure(
                    f"{way} {options.learning_rate:g}",
                    seed,
                    lambda w=way, s=seed: train(bench, names, w, s, options.learning_rate),
                )
            )
    rows: dict[str, str] = {}
    figures: dict[str, Any] = {
        "tokens": options.steps * options.rows * options.context,
        **{name: getattr(options, name) for name in ("vocabulary", "context", "rows", "steps")},
        **{"seeds": options.seeds, "learning_rate": options.learning_rate, "ways": found},
        "against_language_alone": {},
    }
    for measure, unit in (("bits_per_byte", "bits per byte"), ("bits_per_name_token", "on names")):
        base = [each[measure] for each in found[ALONE]]
        rows[f"{ALONE}, {unit}"] = shown(base)
        for way in list(WAYS)[1:]:
            values = [each[measure] for each in found[way]]
            less = [one - other for one, other in zip(values, base, strict=True)]
            rows[f"  {way}, {unit}"] = judged(less)
            figures["against_language_alone"].setdefault(way, {})[measure] = list(interval(less))
    keys = options.rows * (options.context // SEGMENT)
    chance = {"content_alignment": 1 / keys, "coherence": 0.5}
    for way in list(WAYS)[1:]:
        for name, guessed in chance.items():
            told = [each["told_right"][name] for each in found[way] if name in each["told_right"]]
            if told:
                rows[f"  {way}: {name} told right"] = f"{shown(told, 3)}, guessing {guessed:.3f}"
        cost = [
            one["training_seconds"] / other["training_seconds"]
            for one, other in zip(found[way], found[ALONE], strict=True)
        ]
        rows[f"  {way}: time of training"] = f"{statistics.median(cost):.2f} times"
        figures["against_language_alone"][way]["time"] = cost
    size = found[ALONE][0]["parameters"] / 1e6
    title = f"SIM-ONE of {size:.2f} M, {figures['tokens']} tokens, {options.seeds} seeds"
    report("losses", title, rows, figures)


if __name__ == "__main__":
    main()
