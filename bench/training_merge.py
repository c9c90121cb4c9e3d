#!/usr/bin/env python3
# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Merging adapters into SmolLM2-135M: directly and by mergekit, and how far from the formula.

The adapters are random, of rank 16 on all linear layers, for a merge takes as long whatever was
learned. Both ways write a whole model; each is run once per method, one after the other. The
formula is computed in float64 by numpy, from the adapters' files alone.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from clara_training.base import find_base, load_model
from clara_training.merge import merge_adapters
from clara_training.merge_config import MergeSettings
from clara_training.merge_direct import METHODS
from clara_training.spec import Spec
from peft import LoraConfig, get_peft_model
from report import report
from safetensors import safe_open
from safetensors.torch import load_file

NAMES = (
    "warmth",
    "playful",
    "formal",
    "encouragement",
    "medical",
    "coding",
    "teaching",
    "quantum",
)
WEIGHTS = (0.8, 0.7, 0.3, 0.9, 0.7, 0.8, 0.9, 0.8)
ALL = (*METHODS, "dare_ties", "dare_linear", "slerp", "multislerp")


def random_adapter(base: str, folder: Path, seed: int) -> None:
    """Write an adapter with random matrices."""
    config = LoraConfig(r=16, lora_alpha=32, target_modules="all-linear", task_type="CAUSAL_LM")
    model = get_peft_model(load_model(find_base(base), "cpu"), config)
    torch.manual_seed(seed)
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.01)
    model.save_pretrained(folder, save_embedding_layers=False)


def formula(run: Path, weights: dict[str, float], target: str, method: str, density: float) -> Any:
    """Return what a method adds to one tensor, in float64; None where it is no adapter's."""
    parts = []
    module = f"base_model.model.{target.removesuffix('.weight')}"
    for name, weight in weights.items():
        folder = run / "adapters" / name
        config = json.loads((folder / "adapter_config.json").read_text())
        tensors = load_file(folder / "adapter_model.safetensors")
        if f"{module}.lora_A.weight" not in tensors:
            return None
        a, b = (tensors[f"{module}.lora_{kind}.weight"].double().numpy() for kind in "AB")
        change = config["lora_alpha"] / config["r"] * (b @ a)
        if method == "ties":
            kept = int(density * change.size)
            smallest = np.partition(np.abs(change), change.size - kept, axis=None)[
                change.size - kept
            ]
            change = np.where(np.abs(change) >= smallest, change, 0)
        parts.append(weight * change)
    if method != "ties":
        return sum(parts)
    sign = np.where(sum(parts) >= 0, 1, -1)
    return sum(np.where(np.sign(part) == sign, part, 0) for part in parts)


def distance(
    run: Path, base: Path, weights: dict[str, float], settings: MergeSettings, every: int
) -> float:
    """Return the largest relative distance of some merged tensors from the formula."""
    worst = 0.0
    with (
        safe_open(base / "model.safetensors", "pt") as before,
        safe_open(run / "merged" / "model.safetensors", "pt") as after,
    ):
        for target in sorted(before.keys())[::every]:
            wanted = before.get_tensor(target).double().numpy()
            change = formula(run, weights, target, settings.method, settings.density)
            if change is not None:
                wanted = wanted + change
            got = after.get_tensor(target).double().numpy()
            worst = max(worst, float(np.linalg.norm(got - wanted) / np.linalg.norm(wanted)))
    return worst


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--adapters", type=int, default=2, choices=range(1, len(NAMES) + 1))
    parser.add_argument("--methods", nargs="+", default=list(ALL), choices=ALL)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--base", default="smollm2")
    parser.add_argument("--every", type=int, default=8, help="nth tensor is checked")
    parser.add_argument("--no-mergekit", action="store_true", help="only what is merged directly")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    weights = dict(zip(NAMES[: options.adapters], WEIGHTS, strict=False))
    base = find_base(options.base)
    rows: dict[str, str] = {}
    figures: dict[str, object] = {"adapters": options.adapters, "threads": options.threads}
    with tempfile.TemporaryDirectory() as scratch:
        run = Path(scratch) / "run"
        spec = Spec(weights, {}, options.base, 1, "ties", Path(scratch) / "clara_spec.json")
        for seed, name in enumerate(weights):
            random_adapter(options.base, run / "adapters" / name, seed)
        for method in options.methods:
            if (method == "slerp" and len(weights) > 2) or (
                method == "multislerp" and len(weights) < 2
            ):
                rows[method] = f"not for {len(weights)} adapters"
                continue
            found = {}
            for engine in ("direct", "mergekit"):
                if engine == "direct" and method not in METHODS:
                    continue
                if engine == "mergekit" and options.no_mergekit:
                    continue
                settings = MergeSettings(method=method, engine=engine)
                start = time.perf_counter()
                merge_adapters(run, spec, settings)
                found[engine] = {"seconds": time.perf_counter() - start}
                if method in METHODS:
                    far = distance(run, base.folder, weights, settings, options.every)
                    found[engine]["distance"] = far
            figures[method] = found
            rows[method] = "\n".join(
                f"{engine} {each['seconds']:.1f} s"
                + (f", {each['distance']:.0e} from the formula" if "distance" in each else "")
                for engine, each in found.items()
            )
            if len(found) == 2:
                ratio = found["mergekit"]["seconds"] / found["direct"]["seconds"]
                rows[method] += f"\n{ratio:.1f} times as fast as mergekit"
    report("training_merge", f"Merging {len(weights)} adapters, float32", rows, figures)


if __name__ == "__main__":
    main()
