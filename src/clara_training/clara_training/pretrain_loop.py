# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""The training loop of MVLM and SIM-ONE, one for both.

- warm-up, then a cosine or a plateau with a decay (WSD); clipping, of a model and of the heads of
  other losses apart;
- a loss that is not finite ends the training before it reaches a weight; an overflow of fp16 only
  costs a step;
- with several processes, each does its share of every step and all end in the same weights.

It knows tensors and rows, and nothing of folders. `pretrain_step.py` has what a step computes.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch

from clara_training.errors import PretrainError
from clara_training.held_out import held_out_rows, steps_between
from clara_training.objectives import LANGUAGE, LOSSES, Objectives
from clara_training.pretrain_checkpoint import Progress
from clara_training.pretrain_device import DeviceFigures, Precision
from clara_training.pretrain_step import ALONE, Compute, bits_per_byte, gradients
from clara_training.ranks import Ranks
from clara_training.scratch import Model, flops_per_token
from clara_training.shards import Rows, TokenStream

Report = Callable[[dict[str, Any]], None]


@dataclass(frozen=True)
class PretrainSettings:
    """What is learned and how; everything here changes the weights."""

    batch_size: int = 16  # rows
    gradient_accumulation_steps: int = 1
    num_epochs: int = 3
    max_steps: int | None = None
    learning_rate: float = 1e-3
    optimizer: Literal["adamw", "muon"] = "adamw"
    schedule: Literal["cosine", "wsd"] = "cosine"
    warmup: float = 0.03  # share of all steps
    decay: float = 0.2  # share of all steps, of wsd
    final: float = 0.1  # of the learning rate, at the end
    weight_decay: float = 0.1
    max_gradient_norm: float = 1.0
    evaluations: int = 4  # in each epoch, at most
    patience: int = 3  # evaluations without a new best before training stops; 0: never
    seed: int = 0
    content_alignment: bool = False
    coherence: bool = False
    accuracy: bool = False
    loss_weights: Literal["uncertainty", "dwa"] = "uncertainty"

    @property
    def losses(self) -> list[str]:
        """Names of the losses beside language modelling."""
        return [name for name in LOSSES if getattr(self, name)]

    @property
    def step_rows(self) -> int:
        """Rows of one step of the optimiser."""
        return self.batch_size * self.gradient_accumulation_steps

    def total_steps(self, rows: int) -> int:
        """Return how many steps there are for so many rows an epoch."""
        steps = max(1, self.num_epochs * rows // self.step_rows)
        return min(steps, self.max_steps) if self.max_steps else steps

    def rate(self, step: int, total: int) -> float:
        """Return the learning rate of a step (from 0)."""
        warm = math.ceil(self.warmup * total)
        if step < warm:
            return self.learning_rate * (step + 1) / warm
        if self.schedule == "cosine":
            done = (step - warm) / max(1, total - warm)
            share = 0.5 * (1 + math.cos(math.pi * done))
        else:
            share = min(1.0, (total - step) / max(1.0, self.decay * total))
        return self.learning_rate * (self.final + (1 - self.final) * share)


@dataclass(frozen=True)
class Execution:
    """Where and how it is computed; none of it changes what is learned, but for rounding."""

    device: str = "cpu"
    compile: bool = False
    precision: str = "auto"  # of PRECISIONS
    parallel: Literal["ddp", "fsdp2"] = "ddp"  # with several processes
    recompute: bool = False  # gradient checkpointing from the start
    checkpoint_seconds: float = 120.0


def fit(
    model: Model,
    optimizer: Any,
    rows: Rows,
    held_out: TokenStream,
    settings: PretrainSettings,
    execution: Execution,
    progress: Progress,
    *,
    report: Report,
    keep: Callable[[bool, bool], None],
    objectives: Objectives | None = None,
    precision: Precision | None = None,
    ranks: Ranks = ALONE,
    sharded: bool = False,
) -> None:
    """Train from where `progress` is to the end.

    Args:
        model: on the device; its weights are changed.
        optimizer: of `new_optimizer`, with its state.
        rows: to learn from.
        held_out: to measure on.
        settings: what is learned.
        execution: how it is computed.
        progress: is kept up to date.
        report: is given the figures of each step and evaluation.
        keep: is told whether the model is the best so far, and whether to write a checkpoint now.
        objectives: losses beside language modelling, on the device.
        precision: of products; fp32 without.
        ranks: this process among those that train.
        sharded: whether the model's weights are spread over them.

    Raises PretrainError when the loss is not finite, or a single row does not fit into memory.
    """
    if execution.compile:
        model.compile_for(execution.device)
    precision = precision or Precision("fp32")
    compute = Compute(model, execution.device, precision, ranks, objectives, sharded)
    total = settings.total_steps(rows.count)
    measured = held_out_rows(held_out, rows.context)
    step_tokens = settings.step_rows * rows.context
    evaluations = settings.num_epochs * settings.evaluations
    every = steps_between(evaluations, total, measured.tokens, step_tokens)
    progress.rows_at_once = progress.rows_at_once or settings.batch_size
    progress.recompute = progress.recompute or execution.recompute
    if progress.recompute:
        model.recompute_layers()
    device_figures = DeviceFigures(execution.device, flops_per_token(model), ranks.world)
    written = time.monotonic()

    def due() -> bool:
        late = ranks.leads and time.monotonic() - written >= execution.checkpoint_seconds
        return bool(ranks.sum_numbers(late)[0])

    patience = settings.patience or math.inf
    while progress.step < total and progress.waited < patience:
        began = time.perf_counter()
        rate = settings.rate(progress.step, total)
        for group in optimizer.param_groups:
            group["lr"] = rate * group.get("rate", 1.0)
        first = progress.step * settings.step_rows
        batch = np.stack([rows.row(first + place) for place in range(settings.step_rows)])
        model.train()
        found = gradients(compute, batch, progress)
        loss = found.language
        precision.unscale(optimizer)
        norm = _clip(model.parameters(), settings.max_gradient_norm)
        heads = _clip(objectives.parameters(), settings.max_gradient_norm) if objectives else 0.0
        overflow = precision.scaler is not None and not math.isfinite(norm + heads)
        if not math.isfinite(sum(found.others.values(), loss)) or not (
            overflow or math.isfinite(norm + heads)
        ):
            raise PretrainError(
                f"at step {progress.step + 1} of {total} the loss is {loss:g} and the gradient's"
                f" norm {norm:g}: training has diverged at a learning rate of {rate:g}"
            )
        # Here and not after the step, so that what is kept is known to have a finite loss.
        if due():
            keep(False, True)
            written = time.monotonic()
        if not overflow:
            optimizer.step()
        precision.update()
        optimizer.zero_grad(set_to_none=True)
        if objectives is not None:
            objectives.weights.note({LANGUAGE: loss, **found.others})
        seconds = time.perf_counter() - began
        progress.step += 1
        progress.tokens += step_tokens
        progress.seconds += seconds
        speed = step_tokens / seconds
        record: dict[str, Any] = {
            "step": progress.step,
            "of": total,
            "epoch": progress.step * settings.step_rows / rows.count,
            "loss": loss,
            "learning_rate": rate,
            "gradient_norm": norm,
            "tokens_per_second": speed,
            "rows_at_once": progress.rows_at_once,
            **device_figures(speed),
        }
        if precision.scaler is not None:
            record |= {"loss_scale": precision.scaler.get_scale(), "overflow": overflow}
        if objectives is not None:
            record |= {"losses": found.others, "told_right": found.right}
            record["loss_weights"] = objectives.weights.values()
        report(record)
        if progress.step % every == 0 or progress.step == total:
            bits = bits_per_byte(model, measured, progress.rows_at_once, compute)
            if not math.isfinite(bits):
                raise PretrainError(
                    f"after step {progress.step} of {total} the held-out loss is {bits:g}:"
                    f" training has diverged at a learning rate of {rate:g}"
                )
            best = progress.best is None or bits < progress.best
            progress.waited = 0 if best else progress.waited + 1
            if best:
                progress.best, progress.best_step = bits, progress.step
            evaluation = {"held_out_bits_per_byte": bits, "held_out_tokens": measured.tokens}
            progress.history.append(
                {
                    **{"step": progress.step, "tokens": progress.tokens, "loss": loss},
                    **{"seconds": progress.seconds, **evaluation},
                }
            )
            report({"step": progress.step, **evaluation})
            write = due() or progress.step == total or progress.waited >= patience
            keep(best, write)
            written = time.monotonic() if write else written


def _clip(parameters: Any, largest: float) -> float:
    """Clip the norm of gradients; return what it was."""
    norm = torch.nn.utils.clip_grad_norm_(list(parameters), largest)
    return float(norm.full_tensor() if hasattr(norm, "full_tensor") else norm)
