#!/usr/bin/env python3
# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Training SIM-ONE on a GPU: against transformers' Llama, eager and compiled, and litgpt's.

SIM-ONE of 341 M and 109 M with random weights and random tokens, rows of 1,024, one document each
(and packed with several, to see what the mask costs); every peer has the same shape, batch, bf16
autocast over fp32 weights, fused AdamW and clipping, and follows ours in the same run. It runs on
a machine that has only torch, transformers, tokenizers and safetensors, from a checkout, with
nothing installed, in less than ten minutes (it leaves out what would not fit and says so):

    python3 bench/gpu_pretrain.py

Most of that is compiling. `--sizes large` and `--sizes base` measure one of the two; the result
keeps what it had of the other, of the same machine and settings.

MFU counts 6 operations a weight and token and half of attention (`scratch.flops_per_token`), as a
share of the datasheet's dense bf16. `--tiny` only shows that it works, on a CPU too.
"""

from __future__ import annotations

import argparse
import gc
import json
import statistics
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "src" / "clara_training"))

import numpy as np
import torch
from clara_training.decoder import count
from clara_training.names import Names
from clara_training.objectives import LOSSES, Objectives
from clara_training.pretrain_checkpoint import Progress
from clara_training.pretrain_loop import PretrainSettings
from clara_training.pretrain_optimizer import new_optimizer
from clara_training.pretrain_step import Compute, gradients
from clara_training.scratch import flops_per_token, new_model

from clara_training import pretrain_device, simone

simone.SIZES["try"] = simone.SimoneConfig(layers=2, width=64, heads=4, kv_heads=4, inner=128)
DATASHEET = 989e12
MOST_SECONDS = 570.0
Step = Callable[[np.ndarray[Any, Any]], None]


def waited(device: str) -> float:
    """Return the time, when the device has done all that it was told."""
    if device != "cpu":
        torch.cuda.synchronize()
    return time.perf_counter()


def clara(options: argparse.Namespace, size: str, compiled: bool, losses: bool = False) -> Step:
    """Return a step of SIM-ONE's trainer; with `losses`, with all others beside language."""
    settings = PretrainSettings()
    model = new_model("simone", size, options.vocabulary, options.context).to(options.device)
    objectives = None
    if losses:
        # Ids stand for no text here: one in ten is a name.
        names = Names(
            ["\n", *(" Aa" if n % 10 == 0 else " a" for n in range(1, options.vocabulary))]
        )
        objectives = Objectives(LOSSES, "uncertainty", model.config.width, names, 0)
        objectives.to(options.device)
    optimizer = new_optimizer(model, settings, objectives)
    if compiled:
        model.compile_for(options.device)
    precision = pretrain_device.choose_precision("auto", options.device)
    compute = Compute(model, options.device, precision, objectives=objectives)
    progress = Progress(rows_at_once=options.rows)

    def step(batch: np.ndarray[Any, Any]) -> None:
        gradients(compute, batch, progress)
        if progress.rows_at_once < options.rows:
            raise torch.OutOfMemoryError
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    return step


def peer(options: argparse.Namespace, model: Any, loss_of: Any) -> Step:
    """Return a step of another model with the same optimiser and precision."""
    optimizer = new_optimizer(model, PretrainSettings())
    precision = pretrain_device.choose_precision("auto", options.device)

    def step(batch: np.ndarray[Any, Any]) -> None:
        rows = torch.from_numpy(batch).to(options.device)
        with precision.autocast(options.device):
            loss = loss_of(rows[:, :-1].contiguous(), rows[:, 1:].contiguous())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    return step


def hugging_face(options: argparse.Namespace, size: str, compiled: bool) -> Step:
    """Return a step of transformers' Llama of SIM-ONE's shape."""
    from transformers import LlamaConfig, LlamaForCausalLM

    config, _ = simone.to_transformers(
        new_model("simone", size, options.vocabulary, options.context)
    )
    shape = {
        name: value for name, value in config.items() if name not in ("architectures", "dtype")
    }
    model = LlamaForCausalLM._from_config(
        LlamaConfig(**shape), dtype=torch.float32, attn_implementation="sdpa"
    ).to(options.device)
    model.config.use_cache = False
    run = torch.compile(model) if compiled else model
    return peer(
        options,
        model,
        lambda tokens, targets: run(input_ids=tokens, labels=targets, shift_labels=targets).loss,
    )


def lit_gpt(options: argparse.Namespace, size: str) -> Step:
    """Return a step of litgpt's compiled model of SIM-ONE's shape. Raises ImportError."""
    from litgpt import GPT, Config

    shape = simone.SIZES[size]
    config = Config(
        name="bench",
        block_size=options.context,
        padded_vocab_size=options.vocabulary,
        vocab_size=options.vocabulary,
        n_layer=shape.layers,
        n_head=shape.heads,
        n_query_groups=shape.kv_heads,
        n_embd=shape.width,
        intermediate_size=shape.inner,
        rotary_percentage=1.0,
        parallel_residual=False,
        bias=False,
        norm_class_name="RMSNorm",
        mlp_class_name="LLaMAMLP",
    )
    model = GPT(config).to(options.device)
    model.lm_head.weight = model.transformer.wte.weight
    run = torch.compile(model)
    return peer(
        options,
        model,
        lambda tokens, targets: torch.nn.functional.cross_entropy(
            run(tokens).flatten(0, 1).float(), targets.flatten()
        ),
    )


def measure(
    options: argparse.Namespace, name: str, make: Callable[[], Step], packed: bool = False
) -> dict[str, Any] | str:
    """Return tokens/s and memory of a way to train, or a sentence on why there are none."""
    started = time.perf_counter()
    if started - options.began > MOST_SECONDS:
        return "left out, for the ten minutes are over"
    draw = np.random.default_rng(0)
    try:
        if options.device != "cpu":
            torch.cuda.reset_peak_memory_stats()
        step = make()
        seconds = []
        for number in range(options.warm + options.steps):
            batch = draw.integers(1, options.vocabulary, (options.rows, options.context + 1))
            batch[:, 0] = 0
            if packed:
                batch[:, options.context // 3 :: options.context // 3] = 0
            begin = waited(options.device)
            step(batch)
            if number >= options.warm:
                seconds.append(waited(options.device) - begin)
    except ImportError as error:
        return f"skipped: {error.name} is not installed"
    except torch.OutOfMemoryError:
        return f"{options.rows} rows do not fit into memory: take fewer --rows"
    finally:
        step = None  # type: ignore[assignment]
        gc.collect()
        torch.compiler.reset()
        if options.device != "cpu":
            torch.cuda.empty_cache()
    found: dict[str, Any] = {
        "tokens_per_second": options.rows * options.context / statistics.median(seconds),
        "with_set_up_seconds": time.perf_counter() - started,
    }
    if options.device != "cpu":
        found["memory_gb"] = torch.cuda.max_memory_allocated() / 1e9
    return found


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--tiny", action="store_true", help="a tiny model, to try the script")
    parser.add_argument("--rows", type=int, default=32, help="of a step")
    parser.add_argument("--context", type=int, default=1024)
    parser.add_argument("--vocabulary", type=int, default=32_000)
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--warm", type=int, default=4, help="steps before those that count")
    parser.add_argument("--sizes", nargs="+", default=["large", "base"], choices=simone.SIZES)
    parser.add_argument("--output", type=Path, default=ROOT / "bench/results/gpu_pretrain.json")
    options = parser.parse_args()
    if options.device == "cpu" and not options.tiny:
        sys.exit("gpu_pretrain.py: no CUDA GPU here; --tiny shows that the script works")
    if options.tiny:
        options.rows, options.context, options.vocabulary = 2, 128, 512
        options.steps, options.warm = 2, 1
    options.began = time.perf_counter()
    warnings.simplefilter("ignore")
    settings = pretrain_device.prepare(options.device)
    figures: dict[str, Any] = {
        "device": torch.cuda.get_device_name() if options.device != "cpu" else "cpu",
        "settings": settings,
        "torch": torch.__version__,
        **{name: getattr(options, name) for name in ("rows", "context", "vocabulary", "steps")},
        "sizes": {},
    }
    for size in ["try"] if options.tiny else options.sizes:
        model = new_model("simone", size, options.vocabulary, options.context)
        cost, begun = flops_per_token(model), time.perf_counter()
        ways: dict[str, Any] = {}
        figures["sizes"][size] = {"parameters": count(model), "ways": ways}
        del model
        for name, make, packed in (
            ("clara compiled", lambda s=size: clara(options, s, True), False),
            ("transformers compiled", lambda s=size: hugging_face(options, s, True), False),
            ("litgpt compiled", lambda s=size: lit_gpt(options, s), False),
            ("clara with all losses", lambda s=size: clara(options, s, True, True), False),
            ("clara packed", lambda s=size: clara(options, s, True), True),
            ("clara eager", lambda s=size: clara(options, s, False), False),
            ("transformers eager", lambda s=size: hugging_face(options, s, False), False),
        ):
            found = ways[name] = measure(options, name, make, packed)
            if isinstance(found, dict):
                found["mfu"] = found["tokens_per_second"] * cost / DATASHEET
            print(f"{size}: {name}: {found}", flush=True)
        best = ways["clara compiled"]
        if isinstance(best, dict):
            figures["sizes"][size]["clara_against"] = {
                name: best["tokens_per_second"] / other["tokens_per_second"]
                for name, other in ways.items()
                if name != "clara compiled" and isinstance(other, dict)
            }
            losses = ways["clara with all losses"]
            if isinstance(losses, dict) and "memory_gb" in best:
                share = losses["memory_gb"] / best["memory_gb"]
                figures["sizes"][size]["memory_with_all_losses"] = share
        figures["sizes"][size]["seconds"] = time.perf_counter() - begun
    print(json.dumps(figures, indent=2))
    if not options.tiny:
        options.output.parent.mkdir(exist_ok=True)
        if options.output.is_file():
            before = json.loads(options.output.read_text())
            sizes = before.pop("sizes", {})
            if before == {name: each for name, each in figures.items() if name != "sizes"}:
                figures["sizes"] = sizes | figures["sizes"]
        options.output.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
