#!/usr/bin/env python3
# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""A training step from scratch on the CPU: SIM-ONE and MVLM against transformers' Llama and GPT-2.

The peer has the same shape and the same weights to begin with, sees the same rows (one document
each), has the same fused AdamW and clipping, float32 and SDPA. The steps alternate in one process,
so that what else the machine does meets both; the allocator keeps memory for both. The losses of
the first steps must agree, or there is no result. With `--compile` SIM-ONE and MVLM are measured
under torch.compile as well.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from clara_training.decoder import count, write_weights
from clara_training.lora_linear import keep_memory
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
        self.seconds: list[float] = []
        self.losses: list[float] = []

    def step(self, tokens: torch.Tensor, targets: torch.Tensor) -> None:
        """Train on rows of tokens (B, T)."""
        start = time.perf_counter()
        loss = self.loss(tokens, targets)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.losses.append(float(loss.detach()))
        self.seconds.append(time.perf_counter() - start)


def runners(kind: str, options: argparse.Namespace) -> dict[str, Runner]:
    """Return what takes turns: ours, the peer, and ours compiled where that is asked for."""
    from transformers import AutoModelForCausalLM

    def own(compiled: bool) -> Runner:
        model = new_model(kind, options.size, options.vocabulary, options.context)
        if compiled:
            model.compile_for("cpu")
        return Runner(model, lambda tokens, targets: model(tokens, targets) / targets.numel())

    ours = own(False)
    with tempfile.TemporaryDirectory() as folder:
        write_weights(Path(folder), *KINDS[kind].to_transformers(ours.model))
        peer = AutoModelForCausalLM.from_pretrained(
            folder, dtype=torch.float32, attn_implementation="sdpa"
        )
    peer.config.use_cache = False

    def their_loss(tokens: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        loss: torch.Tensor = peer(input_ids=tokens, shift_labels=targets, labels=targets).loss
        return loss

    found = {"ours": ours, "peer": Runner(peer, their_loss)}
    if options.compile:
        found["compiled"] = own(True)
    return found


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
    torch.set_num_threads(options.threads)
    keep_memory()
    draw = torch.Generator().manual_seed(0)
    shape = (options.rows, options.context + 1)
    rows: dict[str, str] = {}
    figures: dict[str, object] = vars(options).copy()
    for kind, peer in PEERS.items():
        found = runners(kind, options)
        for _ in range(options.steps + 2):
            batch = torch.randint(0, options.vocabulary, shape, generator=draw)
            for runner in found.values():
                runner.step(batch[:, :-1].contiguous(), batch[:, 1:].contiguous())
        for name, runner in found.items():
            apart = abs(runner.losses[1] - found["ours"].losses[1])
            if apart > 1e-3:
                raise SystemExit(
                    f"{name} of {kind} learns something else: loss differs by {apart}"
                )
        tokens = options.rows * options.context
        model = found["ours"].model
        rows[kind] = f"{count(model) / 1e6:.1f} M parameters, {tokens} tokens a step"
        for name, runner in found.items():
            seconds = runner.seconds[2:]
            median = statistics.median(seconds)
            label = {"ours": kind, "peer": peer, "compiled": f"{kind}, compiled"}[name]
            rate = tokens * flops_per_token(model) / median
            rows[f"  {label}"] = f"{tokens / median:.0f} tokens/s, {rate / 1e9:.1f} GFLOP/s"
            figures[f"{kind}_{name}_seconds"] = summary(seconds)
            if name != "peer":
                pairs = zip(found["peer"].seconds[2:], seconds, strict=True)
                ratio = statistics.median([theirs / our for theirs, our in pairs])
                rows[f"  {label} against {peer}"] = f"{ratio:.2f} times as fast"
                figures[f"{kind}_{name}_speed_against_{peer}"] = ratio
    title = f"A training step from scratch, {options.size}, {options.threads} threads"
    report("pretrain_step", title, rows, figures)


if __name__ == "__main__":
    main()
