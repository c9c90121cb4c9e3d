# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""The training loop of MVLM and SIM-ONE, one for both.

- fused AdamW, decay on matrices only; warm-up, then a cosine or a plateau with a decay (WSD);
- fp32 on CPUs, bf16 under autocast with fp32 weights on CUDA; torch.compile where it is asked for;
- the loss is a mean over the tokens of a step, so how a step is cut into micro-batches changes
  nothing but rounding: out of memory is answered by smaller ones;
- a loss that is not finite ends the training before it reaches a weight.

It knows tensors and rows, and nothing of folders.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from clara_training.decoder import documents_in
from clara_training.errors import PretrainError
from clara_training.lora_step import out_of_memory
from clara_training.pretrain_checkpoint import Progress
from clara_training.scratch import Model, flops_per_token
from clara_training.shards import Rows, TokenStream, windows

Report = Callable[[dict[str, Any]], None]
# bf16 without sparsity, FLOP/s, by the datasheets: what an MFU is a share of.
_PEAKS = {"H100": 989e12, "H200": 989e12, "A100": 312e12}


@dataclass(frozen=True)
class PretrainSettings:
    """What is learned and how; everything here changes the weights."""

    batch_size: int = 16  # rows
    gradient_accumulation_steps: int = 1
    num_epochs: int = 3
    max_steps: int | None = None
    learning_rate: float = 1e-3
    schedule: Literal["cosine", "wsd"] = "cosine"
    warmup: float = 0.03  # share of all steps
    decay: float = 0.2  # share of all steps, of wsd
    final: float = 0.1  # of the learning rate, at the end
    weight_decay: float = 0.1
    max_gradient_norm: float = 1.0
    evaluations: int = 4  # in each epoch
    patience: int = 3  # evaluations without a new best before training stops; 0: never
    seed: int = 0

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
    checkpoint_seconds: float = 120.0


def new_optimizer(model: Model, settings: PretrainSettings) -> Any:
    """Return AdamW with weight decay on matrices, fused."""
    parameters = list(model.parameters())
    groups = [
        {"params": [p for p in parameters if p.ndim >= 2], "weight_decay": settings.weight_decay},
        {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=settings.learning_rate, betas=(0.9, 0.95), fused=True)


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
    keep: Callable[[bool], None],
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
        keep: is to write a checkpoint; true when the model is the best so far.

    Raises PretrainError when the loss is not finite, or a single row does not fit into memory.
    """
    run = torch.compile(model) if execution.compile else model
    total = settings.total_steps(rows.count)
    every = max(1, total // max(1, settings.num_epochs * settings.evaluations))
    progress.rows_at_once = progress.rows_at_once or settings.batch_size
    peak = _peak(execution.device)
    written = time.monotonic()
    patience = settings.patience or math.inf
    while progress.step < total and progress.waited < patience:
        began = time.perf_counter()
        rate = settings.rate(progress.step, total)
        for group in optimizer.param_groups:
            group["lr"] = rate
        first = progress.step * settings.step_rows
        batch = np.stack([rows.row(first + place) for place in range(settings.step_rows)])
        model.train()
        loss = _gradients(run, model, batch, execution.device, progress)
        norm = float(
            torch.nn.utils.clip_grad_norm_(model.parameters(), settings.max_gradient_norm)
        )
        if not (math.isfinite(loss) and math.isfinite(norm)):
            raise PretrainError(
                f"at step {progress.step + 1} of {total} the loss is {loss:g} and the gradient's"
                f" norm {norm:g}: training has diverged at a learning rate of {rate:g}"
            )
        # Here and not after the step, so that what is kept is known to have a finite loss.
        if time.monotonic() - written >= execution.checkpoint_seconds:
            keep(False)
            written = time.monotonic()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        seconds = time.perf_counter() - began
        progress.step += 1
        progress.tokens += settings.step_rows * rows.context
        progress.seconds += seconds
        speed = settings.step_rows * rows.context / seconds
        record = {
            "step": progress.step,
            "of": total,
            "epoch": progress.step * settings.step_rows / rows.count,
            "loss": loss,
            "learning_rate": rate,
            "gradient_norm": norm,
            "tokens_per_second": speed,
            "rows_at_once": progress.rows_at_once,
        }
        if execution.device.startswith("cuda"):
            record["memory_gb"] = torch.cuda.max_memory_allocated() / 1e9
            if peak:
                record["mfu"] = speed * flops_per_token(model) / peak
        report(record)
        if progress.step % every == 0 or progress.step == total:
            bits = bits_per_byte(run, model, held_out, rows.context, progress.rows_at_once)
            if not math.isfinite(bits):
                raise PretrainError(
                    f"after step {progress.step} of {total} the held-out loss is {bits:g}:"
                    f" training has diverged at a learning rate of {rate:g}"
                )
            best = progress.best is None or bits < progress.best
            progress.waited = 0 if best else progress.waited + 1
            if best:
                progress.best, progress.best_step = bits, progress.step
            report({"step": progress.step, "held_out_bits_per_byte": bits})
            keep(best)
            written = time.monotonic()


def _gradients(
    run: Any, model: Model, batch: np.ndarray[Any, Any], device: str, progress: Progress
) -> float:
    """Put the gradients of a step's rows into the parameters; return the mean loss, in nats.

    Raises PretrainError when a single row does not fit into memory.
    """
    tokens = int(batch.shape[0] * (batch.shape[1] - 1))
    while True:
        at_once = progress.rows_at_once
        try:
            total = 0.0
            for start in range(0, len(batch), at_once):
                part = torch.from_numpy(batch[start : start + at_once]).to(device)
                nll = _nll(run, part, device)
                (nll / tokens).backward()
                total += float(nll.detach())
            return total / tokens
        except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
            if not out_of_memory(error):
                raise
        # Outside the handler: the exception's frames would keep the tensors alive.
        model.zero_grad(set_to_none=True)
        if device.startswith("cuda"):
            torch.cuda.empty_cache()
        if at_once == 1:
            raise PretrainError(
                f"a single row of {batch.shape[1] - 1} tokens does not fit into the memory of"
                f" {device}: take a smaller --size or --context"
            )
        progress.rows_at_once = at_once // 2


def bits_per_byte(
    run: Any, model: Model, stream: TokenStream, context: int, rows_at_once: int
) -> float:
    """Return the bits that the model needs for a byte of the stream's text.

    Each token is predicted once, with up to `context` tokens of its own document before it.
    """
    device = str(next(model.parameters()).device)
    model.eval()
    nats = 0.0
    with torch.inference_mode():
        waiting: list[np.ndarray[Any, Any]] = []
        for row in windows(stream, context):
            if waiting and (len(waiting) == rows_at_once or len(row) != len(waiting[0])):
                nats += _nats(run, waiting, device)
                waiting = []
            waiting.append(row)
        nats += _nats(run, waiting, device)
    bits: float = nats / math.log(2) / stream.bytes
    return bits


def _nats(run: Any, rows: Sequence[np.ndarray[Any, Any]], device: str) -> float:
    return float(_nll(run, torch.from_numpy(np.stack(rows)).to(device), device))


def _nll(run: Any, rows: Tensor, device: str) -> Tensor:
    """Return the sum of NLL over rows (B, T + 1), in nats."""
    tokens, targets = rows[:, :-1], rows[:, 1:]
    cuda = device.startswith("cuda")
    with torch.autocast("cuda", torch.bfloat16, enabled=cuda):
        nll: Tensor = run(tokens, targets, documents_in(tokens))
    return nll


def _peak(device: str) -> float | None:
    if not device.startswith("cuda"):
        return None
    name = torch.cuda.get_device_name()
    return next((peak for key, peak in _PEAKS.items() if key in name), None)
