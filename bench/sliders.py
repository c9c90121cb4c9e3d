#!/usr/bin/env python3
# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Live sliders: equal to an offline merge, set in microseconds, and what adapters cost in speed.

Adapters of rank 16 on every linear layer, with random weights of the size that training gives:
neither speed nor equality depends on what they have learned. Compared with reloading a merged
model, which is how a slider works without them.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
from clara_training.base import find_base, load_model, load_tokenizer
from clara_training.export_gguf import read_config, write_model
from clara_training.gguf_scores import GgufScores, log_softmax
from clara_training.machine import use_threads
from clara_training.validate import general_texts
from report import report

from clara_training import adapters_gguf, quantize

WEIGHTS = (0.8, 0.7, 0.3, 0.9, 0.7, 0.8, 0.9, 0.8)
COUNTS = (0, 1, 2, 4, 8)


def make_adapters(base: object, folder: Path, count: int) -> list[Path]:
    """Save peft adapters with random weights."""
    import torch
    from peft import LoraConfig, get_peft_model

    model = load_model(base, "cpu")
    folders = []
    for number in range(count):
        torch.manual_seed(number)
        config = LoraConfig(r=16, lora_alpha=32, target_modules="all-linear")
        wrapped = get_peft_model(model, config)
        for name, parameter in wrapped.named_parameters():
            if "lora_B" in name:
                torch.nn.init.normal_(parameter, std=5e-3)
        folders.append(folder / f"adapter{number}")
        wrapped.save_pretrained(folders[-1])
        model = wrapped.unload()
    return folders


def merge(base: object, folders: list[Path], target: Path) -> None:
    """Add the adapters, at their weights, to the model in f32, and save it."""
    from peft import PeftModel

    model = load_model(base, "cpu")
    for folder, weight in zip(folders, WEIGHTS, strict=False):
        wrapped = PeftModel.from_pretrained(model, folder)
        for layer in wrapped.modules():
            if hasattr(layer, "set_scale"):
                layer.set_scale("default", weight)
        model = wrapped.merge_and_unload()
    model.save_pretrained(target)
    load_tokenizer(base).save_pretrained(target)


def generation(model: GgufScores, tokens: int) -> float:
    """Tokens a second, one at a time."""
    model.logits([1])
    start = time.perf_counter()
    for place in range(tokens):
        model.step(1, place + 1)
    return tokens / (time.perf_counter() - start)


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base", default="smollm2", help="model: smollm2, or a folder")
    parser.add_argument("--tokens", type=int, default=64, help="generated at a time")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=0)
    options = parser.parse_args()
    use_threads(options.threads or None)
    base = find_base(options.base)
    config = read_config(base.folder)
    text = general_texts(load_tokenizer(base), 256)[0]
    rows: dict[str, str] = {}
    figures: dict[str, object] = {"model": options.base}
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        folders = make_adapters(base, folder, max(COUNTS))
        names = [each.name for each in folders]
        weights = dict(zip(names, WEIGHTS, strict=True))
        half, small, merged = (folder / f"{n}.gguf" for n in ("f16", "q8", "merged"))
        write_model(base.folder, half)
        quantize.quantise(half, small, "Q8_0", threads=options.threads)
        for each in folders:
            adapters_gguf.write_adapter(each, config, each.with_suffix(".gguf"), base=base.name)
        for count in COUNTS[1:]:
            adapters_gguf.collapse(
                {each.with_suffix(".gguf"): weights[each.name] for each in folders[:count]},
                folder / f"collapsed{count}.gguf",
            )
        merge(base, folders[:2], folder / "merged")
        write_model(folder / "merged", merged)
        with GgufScores(merged, n_ctx=512, threads=options.threads) as model:
            offline = log_softmax(model.logits(text))
        with GgufScores(half, n_ctx=512, threads=options.threads) as model:
            for name in names[:2]:
                model.load_adapter(name, folder / f"{name}.gguf")
            model.load_adapter("collapsed", folder / "collapsed2.gguf")
            plain = log_softmax(model.logits(text))
            moved = float((np.exp(offline) * (offline - plain)).sum(-1).mean())
            for label, scales in (
                ("live", {name: weights[name] for name in names[:2]}),
                ("collapsed", {"collapsed": 1.0}),
            ):
                model.use(scales)
                live = log_softmax(model.logits(text))
                kl = float((np.exp(offline) * (offline - live)).sum(-1).mean())
                figures[f"kl_{label}"] = kl
                rows[f"two adapters {label}, against the offline merge (f16)"] = (
                    f"KL {kl:.1e} (without adapters {moved:.1e})"
                )
        with GgufScores(small, n_ctx=512, threads=options.threads) as model:
            for name in names:
                model.load_adapter(name, folder / f"{name}.gguf")
            for count in COUNTS[1:]:
                model.load_adapter(f"c{count}", folder / f"collapsed{count}.gguf")
            setting = []
            for turn in range(200):
                start = time.perf_counter()
                model.use(dict.fromkeys(names, 0.1 + 0.001 * turn))
                setting.append(time.perf_counter() - start)
            ways = {"0": {}}
            for count in COUNTS[1:]:
                ways[f"{count} separate"] = {name: weights[name] for name in names[:count]}
                ways[f"{count} collapsed"] = {f"c{count}": 1.0}
            speeds: dict[str, list[float]] = {way: [] for way in ways}
            for _ in range(options.rounds):
                for way, scales in ways.items():
                    model.use(scales)
                    speeds[way].append(generation(model, options.tokens))
        reloading = []
        for _ in range(3):
            start = time.perf_counter()
            with GgufScores(merged, n_ctx=512, threads=options.threads) as model:
                model.logits([1])
            reloading.append(time.perf_counter() - start)
    rows["setting eight scales"] = f"{1e6 * statistics.median(setting):.0f} µs"
    rows["loading a merged model instead (f16, cached)"] = (
        f"{1e3 * statistics.median(reloading):.0f} ms, once it is merged"
    )
    bare = statistics.median(speeds["0"])
    for way, values in speeds.items():
        speed = statistics.median(values)
        rows[f"adapters: {way}"] = f"{speed:.1f} tokens/s ({speed / bare:.2f} x)"
    figures |= {
        "set_seconds": statistics.median(setting),
        "reload_seconds": statistics.median(reloading),
        "tokens_per_second": speeds,
    }
    report("sliders", "Live sliders (SmolLM2 as Q8_0 unless said otherwise)", rows, figures)


if __name__ == "__main__":
    main()
