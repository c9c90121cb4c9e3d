# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""The training loop of an adapter: AdamW, warm-up and cosine, early stopping, checkpoints.

It knows tensors and lessons, and nothing of specs, files of data or folders of runs.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from clara_training.errors import LoraError
from clara_training.lora_checkpoint import CheckpointFile, Standing
from clara_training.lora_step import Lesson, MemoryBudget, Objective, accumulate, part_of_loss
from clara_training.packing import Layout
from clara_training.ranks import Ranks

Report = Callable[[dict[str, Any]], None]


@dataclass(frozen=True)
class LoopSettings:
    """What the loop is told."""

    epochs: int = 3
    step_examples: int = 16
    max_steps: int | None = None
    learning_rate: float = 2e-4
    warmup: float = 0.05  # share of all steps
    weight_decay: float = 0.0
    max_gradient_norm: float = 1.0
    contrast: float = 0.0
    anchor: float = 0.0
    evaluations: int = 2  # in each epoch
    patience: int = 2  # evaluations without a new best before training stops; 0: never
    seed: int = 0

    def total_steps(self, lessons: int) -> int:
        """Return how many steps there are for this many lessons."""
        steps = self.epochs * math.ceil(lessons / self.step_examples)
        return min(steps, self.max_steps) if self.max_steps else steps

    def rate(self, step: int, total: int) -> float:
        """Return the learning rate of a step (from 0): linear warm-up, then a cosine to zero."""
        warm = math.ceil(self.warmup * total)
        if step < warm:
            return self.learning_rate * (step + 1) / warm
        return self.learning_rate * 0.5 * (1 + math.cos(math.pi * (step - warm) / (total - warm)))


def fit(
    model: Any,
    lessons: Sequence[Lesson],
    held_out: Sequence[Lesson],
    layout: Layout,
    budget: MemoryBudget,
    settings: LoopSettings,
    ranks: Ranks,
    checkpoint: CheckpointFile,
    report: Report,
    anchors: Sequence[Lesson] = (),
) -> Standing:
    """Train the parameters that require gradients; at the end they are the best ones seen.

    With anchors, each step has half as many of them as lessons. Held-out lessons are judged by the
    loss that is trained, contrast included.

    Without held-out examples, or with a patience of 0, the last ones are the best.
    Raises LoraError, StorageError.
    """
    parameters = {name: p for name, p in model.named_parameters() if p.requires_grad}
    optimizer = torch.optim.AdamW(
        parameters.values(),
        lr=settings.learning_rate,
        weight_decay=settings.weight_decay,
        fused=True,
    )
    standing = Standing()
    found = checkpoint.read()
    if found:
        standing, adapter, state = found
        _load(parameters, adapter)
        optimizer.load_state_dict(state)
        report({"note": f"goes on after step {standing.step}"})
    total = settings.total_steps(len(lessons))
    per_epoch = math.ceil(len(lessons) / settings.step_examples)
    every = max(1, per_epoch // settings.evaluations)

    held_tokens = sum(lesson.reply_tokens for lesson in held_out)
    judged = Objective(held_tokens, len(held_out), settings.contrast)
    room = str(budget)

    def note_memory() -> None:
        nonlocal room
        if str(budget) != room:
            room = str(budget)
            report({"note": f"out of memory; smaller from here on: {room}"})

    def evaluate() -> None:
        if not held_out:
            return
        model.eval()
        share = ranks.share(held_out)
        part = part_of_loss(model, share, layout, ranks.device, budget, judged)
        note_memory()
        loss = ranks.sum_numbers(part)[0]
        model.train()
        _judge(standing, loss, parameters, settings)
        report({"step": standing.step, "held_out_loss": loss})

    model.train()
    if not found:
        evaluate()
    while standing.step < total and not standing.stopped_early:
        start = time.monotonic()
        step = standing.step
        # Dropout draws the same in a step whether the run was interrupted before it or not.
        torch.manual_seed(settings.seed * 1_000_003 + step * ranks.world + ranks.rank)
        batch = step_lessons(lessons, step, settings)
        kept = step_anchors(anchors, step, settings)
        objective = Objective(
            sum(lesson.reply_tokens for lesson in batch),
            len(batch),
            settings.contrast,
            settings.anchor,
            sum(lesson.reply_tokens for lesson in kept),
        )
        batch += kept
        rate = settings.rate(step, total)
        for group in optimizer.param_groups:
            group["lr"] = rate
        share = ranks.share(batch)
        nll = accumulate(model, share, layout, ranks.device, budget, objective) if share else 0.0
        note_memory()
        ranks.sum_gradients(list(parameters.values()))
        norm = torch.nn.utils.clip_grad_norm_(parameters.values(), settings.max_gradient_norm)
        standing.last_loss = ranks.sum_numbers(nll)[0] / objective.tokens
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        if not math.isfinite(standing.last_loss + float(norm)):
            raise LoraError(
                f"the loss is {standing.last_loss} at step {step + 1}, training has come apart: "
                "take a lower --learning-rate"
            )
        seconds = time.monotonic() - start
        tokens = sum(map(len, batch))
        standing.step += 1
        standing.tokens += tokens
        standing.seconds += seconds
        report(
            {
                "step": standing.step,
                "of": total,
                "epoch": standing.step / per_epoch,
                "loss": standing.last_loss,
                "learning_rate": rate,
                "gradient_norm": float(norm),
                "tokens": tokens,
                "reply_tokens": objective.tokens,
                "seconds": seconds,
            }
        )
        if standing.step % every == 0 or standing.step == total:
            evaluate()
        if ranks.leads and checkpoint.due():
            checkpoint.write(standing, _copy(parameters), optimizer.state_dict())
    if standing.best and settings.patience:
        _load(parameters, standing.best)
    else:
        standing.best_step = standing.step
    return standing


def step_lessons(lessons: Sequence[Lesson], step: int, settings: LoopSettings) -> list[Lesson]:
    """Return the lessons of a step: each epoch has an order of its own, by seed and epoch."""
    per_epoch = math.ceil(len(lessons) / settings.step_examples)
    epoch, place = divmod(step, per_epoch)
    order = list(range(len(lessons)))
    random.Random(f"{settings.seed} {epoch}").shuffle(order)
    start = place * settings.step_examples
    return [lessons[number] for number in order[start : start + settings.step_examples]]


def step_anchors(anchors: Sequence[Lesson], step: int, settings: LoopSettings) -> list[Lesson]:
    """Return the anchors of a step, one after the other, round and round."""
    count = min(len(anchors), max(1, settings.step_examples // 2))
    return [anchors[(step * count + at) % len(anchors)] for at in range(count)]


def _judge(
    standing: Standing, loss: float, parameters: dict[str, Any], settings: LoopSettings
) -> None:
    """Take note of a held-out loss: a new best is kept, too many others end the training."""
    if standing.first_held_out is None:
        standing.first_held_out = loss
    if standing.best_held_out is None or loss < standing.best_held_out:
        standing.best_held_out = loss
        standing.best_step = standing.step
        standing.best = _copy(parameters)
        standing.waited = 0
        return
    standing.waited += 1
    standing.stopped_early = bool(settings.patience) and standing.waited >= settings.patience


def _copy(parameters: dict[str, Any]) -> dict[str, torch.Tensor]:
    return {name: parameter.detach().cpu().clone() for name, parameter in parameters.items()}


def _load(parameters: dict[str, Any], values: dict[str, torch.Tensor]) -> None:
    with torch.no_grad():
        for name, parameter in parameters.items():
            parameter.copy_(values[name])
