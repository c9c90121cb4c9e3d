#!/usr/bin/env python3
# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""A training step from scratch on the CPU: SIM-ONE and MVLM against transformers' Llama and GPT-2.

The peer has the same shape and the same weights to begin with, sees the same rows (one document
each), has the same fused AdamW and clipping, float32 and SDPA. Each is in a process of its own, so
that each has the memory allocator that its user gets: Clara's trainer lets it keep what is freed
(`allocator.py`). A second peer has that as well. The steps take turns, so that what else the
machine does meets all. The losses of the first steps must agree, or there is no result. With
`--compile` SIM-ONE and MVLM are measured under torch.compile as well.
"""

from __future__ import annotations

import argparse
import multiprocessing
import statistics
import tempfile
import time
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import torch
from clara_training.allocator import keep_memory
from clara_training.decoder import count, write_weights
from clara_training.pretrain_loop import PretrainSettings
from clara_training.pretrain_optimizer import new_optimizer
from clara_training.scratch import KINDS, flops_per_token, new_model
from report import report, summary

PEERS = {"simone": "LlamaForCausalLM", "mvlm": "GPT2LMHeadModel"}


class Runner:
    """A model and its optimiser; a call is a step."""

    def __init__(self, model: Any, loss: Any) -> None:
        self.model, self.loss = model.train(), loss
        self.optimizer = new_optimizer(model, PretrainSettings())

    def step(self, tokens: torch.Tensor, targets: torch.Tensor) -> tuple[float, float]:
        """Train on rows of tokens (B, T); return seconds and loss."""
        start = time.perf_counter()
        loss = self.loss(tokens, targets)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        found = float(loss.detach())
        return time.perf_counter() - start, found


def own(kind: str, options: argparse.Namespace, *, compiled: bool = False) -> Runner:
    """Return ours."""
    keep_memory()
    model = new_model(kind, options.size, options.vocabulary, options.context)
    if compiled:
        model.compile_for("cpu")
    return Runner(model, lambda tokens, targets: model(tokens, targets) / targets.numel())


def peer(kind: str, options: argparse.Namespace, *, keeps: bool = False) -> Runner:
    """Return transformers' model with the same weights; it may keep memory as ours does."""
    from transformers import AutoModelForCausalLM

    if keeps:
        keep_memory()
    ours = new_model(kind, options.size, options.vocabulary, options.context)
    with tempfile.TemporaryDirectory() as folder:
        write_weights(Path(folder), *KINDS[kind].to_transformers(ours))
        model = AutoModelForCausalLM.from_pretrained(
            folder, dtype=torch.float32, attn_implementation="sdpa"
        )
    model.config.use_cache = False

    def loss(tokens: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = model(input_ids=tokens, shift_labels=targets, labels=targets).loss
        return found

    return Runner(model, loss)


MAKE = {
    "ours": own,
    "peer": peer,
    "peer_keeping_memory": partial(peer, keeps=True),
    "compiled": partial(own, compiled=True),
}


def serve(connection: Connection, name: str, kind: str, options: argparse.Namespace) -> None:
    """Do a step for each batch (B, T + 1) that comes, and send its seconds and loss."""
    torch.set_num_threads(options.threads)
    runner = MAKE[name](kind, options)
    while (batch := connection.recv()) is not None:
        tokens = torch.from_numpy(batch)
        connection.send(runner.step(tokens[:, :-1].contiguous(), tokens[:, 1:].contiguous()))


class Process:
    """A runner in a process of its own."""

    def __init__(self, name: str, kind: str, options: argparse.Namespace) -> None:
        self.connection, theirs = multiprocessing.Pipe()
        context = multiprocessing.get_context("spawn")
        self.process = context.Process(
            target=serve, args=(theirs, name, kind, options), daemon=True
        )
        self.process.start()
        theirs.close()
        self.seconds: list[float] = []
        self.losses: list[float] = []

    def step(self, batch: torch.Tensor) -> None:
        """Do a step and wait for it."""
        self.connection.send(batch.numpy())
        seconds, loss = self.connection.recv()
        self.seconds.append(seconds)
        self.losses.append(loss)

    def end(self) -> None:
        """Let the process end."""
        self.connection.send(None)
        self.process.join()


def main() -> None:
    """Measure, print, and write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", default="tiny")
    parser.add_argument("--vocabulary", type=int, default=8192)
    parser.add_argument("--context", type=int, default=256)
    parser.add_argument("--rows", type=int, default=4)
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--compile", action="store_true")
    options = parser.parse_args()
    draw = torch.Generator().manual_seed(0)
    shape = (options.rows, options.context + 1)
    rows: dict[str, str] = {}
    figures: dict[str, object] = vars(options).copy()
    for kind, theirs in PEERS.items():
        names = [name for name in MAKE if name != "compiled" or options.compile]
        found = {name: Process(name, kind, options) for name in names}
        for _ in range(options.steps + 2):
            batch = torch.randint(0, options.vocabulary, shape, generator=draw)
            for runner in found.values():
                runner.step(batch)
        for runner in found.values():
            runner.end()
        for name, runner in found.items():
            apart = abs(runner.losses[1] - found["ours"].losses[1])
            if apart > 1e-3:
                raise SystemExit(
                    f"{name} of {kind} learns something else: loss differs by {apart}"
                )
        tokens = options.rows * options.context
        model = new_model(kind, options.size, options.vocabulary, options.context)
        rows[kind] = f"{count(model) / 1e6:.1f} M parameters, {tokens} tokens a step"
        peers = {theirs: "peer", f"{theirs} keeping memory": "peer_keeping_memory"}
        labels = {"ours": kind, "compiled": f"{kind}, compiled"}
        labels |= {name: label for label, name in peers.items()}
        for name, runner in found.items():
            seconds = runner.seconds[2:]
            median = statistics.median(seconds)
            rate = tokens * flops_per_token(model) / median
            rows[f"  {labels[name]}"] = f"{tokens / median:.0f} tokens/s, {rate / 1e9:.1f} GFLOP/s"
            figures[f"{kind}_{name}_seconds"] = summary(seconds)
            for label, other in peers.items() if name not in peers.values() else ():
                pairs = zip(found[other].seconds[2:], seconds, strict=True)
                ratio = statistics.median([they / we for they, we in pairs])
                rows[f"  {labels[name]} against {label}"] = f"{ratio:.2f} times as fast"
                key = f"{kind}_{name}_speed_against_{label}".replace(" ", "_")
                figures[key] = ratio
    title = f"A training step from scratch, {options.size}, {options.threads} threads"
    report("pretrain_step", title, rows, figures)


if __name__ == "__main__":
    main()
