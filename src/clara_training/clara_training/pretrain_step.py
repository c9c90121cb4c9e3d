# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""One step's gradients, and bits per byte: what is computed of rows, in parts that fit in memory.

Losses are means over the whole step, on all processes, so how it is cut changes nothing but
rounding: out of memory is answered by smaller parts of the same step.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from clara_training.decoder import Documents, documents_in
from clara_training.errors import PretrainError, out_of_memory
from clara_training.held_out import HeldOutRows
from clara_training.objectives import LANGUAGE, Objectives, StepPlan
from clara_training.pretrain_checkpoint import Progress
from clara_training.pretrain_device import Precision
from clara_training.ranks import Ranks
from clara_training.scratch import Model
from clara_training.varlen import takes

ALONE = Ranks(0, 1, "cpu")


@dataclass
class Compute:
    """What computes. `sharded`: by FSDP2."""

    model: Model
    device: str
    precision: Precision = field(default_factory=lambda: Precision("fp32"))
    ranks: Ranks = ALONE
    objectives: Objectives | None = None
    sharded: bool = False


@dataclass(frozen=True)
class StepLoss:
    """The mean NLL of a step, in nats; and of other losses the means and the share told right."""

    language: float
    others: dict[str, float]
    right: dict[str, float]


def gradients(compute: Compute, batch: np.ndarray[Any, Any], progress: Progress) -> StepLoss:
    """Put the gradients of a step's rows (rows, T + 1) into the parameters.

    This process does its share of the rows; the gradients are then summed over all.
    Raises PretrainError when a single row does not fit into memory.
    """
    places = compute.ranks.share(range(len(batch)))
    plan = compute.objectives.plan(batch, compute.device) if compute.objectives else None
    while True:
        at_once = progress.rows_at_once
        try:
            found = _parts(compute, batch, places, plan, at_once)
            break
        except (MemoryError, RuntimeError) as error:
            if not out_of_memory(error):
                raise
        # Outside the handler: the exception's frames would keep the tensors alive.
        for module in (compute.model, compute.objectives):
            if module is not None:
                module.zero_grad(set_to_none=True)
        if compute.device.startswith("cuda"):
            torch.cuda.empty_cache()
        if at_once == 1 and progress.recompute:
            raise PretrainError(
                f"a single row of {batch.shape[1] - 1} tokens does not fit into the memory of"
                f" {compute.device}: take a smaller --size or --context{_or_rows(compute)}"
            )
        if compute.sharded:
            raise PretrainError(
                f"{at_once} rows at once do not fit into the memory of {compute.device}, and"
                " fsdp2 cannot take less on its own: take --recompute, or halve --batch_size and"
                " double --gradient_accumulation_steps, which is the same training"
            )
        if at_once == 1:
            progress.recompute = True
            compute.model.recompute_layers()
        else:
            progress.rows_at_once = at_once // 2
    _sum_gradients(compute, plan)
    names = [] if plan is None else plan.there
    sums = [found.get(name, 0.0) for name in (LANGUAGE, *names, *(f"right {n}" for n in names))]
    sums = compute.ranks.sum_numbers(*sums)
    means = {}
    right = {}
    for at, name in enumerate(names):
        count = plan.counts[name] if plan else 1
        means[name] = sums[1 + at] / count
        if f"right {name}" in found:
            right[name] = sums[1 + len(names) + at] / count
    return StepLoss(sums[0] / (batch.size - len(batch)), means, right)


def _or_rows(compute: Compute) -> str:
    """Say what else takes memory: what losses compare with, however small a micro-batch is."""
    if compute.objectives is None or not compute.objectives.heads:
        return ""
    return ", or fewer rows a step: a smaller --batch_size or --gradient_accumulation_steps"


def _parts(
    compute: Compute,
    batch: np.ndarray[Any, Any],
    places: Sequence[int],
    plan: StepPlan | None,
    at_once: int,
) -> dict[str, float]:
    """Add the gradients of the rows at `places`; return the sums of their losses."""
    tokens = batch.size - len(batch)  # rows share their ends
    # FSDP2 takes the mean over processes, where the sum is wanted.
    share = compute.ranks.world if compute.sharded else 1
    found: dict[str, Tensor] = {}

    def add(name: str, value: Tensor) -> None:
        # Not read before the end: reading waits for the GPU, which waits for its next work then.
        found[name] = found.get(name, 0.0) + value.detach().double()

    # What has to be brought to the GPU or asked of it comes first, and its work then has no gaps.
    whole = torch.from_numpy(batch).to(compute.device)
    at = torch.tensor(places, dtype=torch.int64, device=compute.device)
    parts = [
        (part, whole[part], documents_of(whole[part, :-1], compute.precision))
        for part in at.split(at_once)
        if len(part)
    ]
    for part, rows, documents in parts:
        if plan is None or compute.objectives is None:
            with compute.precision.autocast(compute.device):
                nll = compute.model(rows[:, :-1], rows[:, 1:], documents)
            compute.precision.scale(nll * (share / tokens)).backward()
            add(LANGUAGE, nll)
            continue
        objectives = compute.objectives
        with compute.precision.autocast(compute.device):
            each, states = compute.model(rows[:, :-1], rows[:, 1:], documents, each=True)
        embedding = compute.model.input_embedding
        terms = objectives.terms(plan, part, embedding, states, each)
        losses = {LANGUAGE: each.sum() / tokens}
        losses |= {name: terms.sums[name] / plan.counts[name] for name in terms.sums}
        compute.precision.scale(objectives.weights(losses) * share).backward()
        add(LANGUAGE, each.sum())
        for name, value in terms.sums.items():
            add(name, value)
        for name, hits in terms.right.items():
            add(f"right {name}", hits)
    if compute.objectives is not None and plan is not None and compute.ranks.leads:
        price = compute.objectives.weights.price((LANGUAGE, *plan.there))
        if price.requires_grad:
            compute.precision.scale(price * share).backward()
    return {name: float(value) for name, value in found.items()}


def _sum_gradients(compute: Compute, plan: StepPlan | None) -> None:
    others: list[Any] = []
    if compute.objectives is not None and plan is not None:
        others = compute.objectives.parameters_of(plan.there)
    if not compute.sharded:
        compute.ranks.sum_gradients([*compute.model.parameters(), *others])
    elif others:
        compute.ranks.sum_gradients(others)
        for parameter in others:
            parameter.grad /= compute.ranks.world


def bits_per_byte(
    model: Model,
    held_out: HeldOutRows,
    rows_at_once: int,
    compute: Compute | None = None,
) -> float:
    """Return the bits that the model needs for a byte of the rows' text.

    Each token is predicted once, with up to `context` tokens of its own document before it.
    With `compute`, in its precision, and by all of its processes; never compiled, for the last
    rows have shapes of their own, and compiling for them takes longer than they do.
    """
    device = str(next(model.parameters()).device)
    compute = compute or Compute(model, device)
    model.eval()
    stream, context = held_out.stream, held_out.context
    starts = compute.ranks.share(held_out.starts)
    whole = [start for start in starts if start + context < len(stream)]
    groups = [whole[at : at + rows_at_once] for at in range(0, len(whole), rows_at_once)]
    groups += [[start] for start in starts if start + context >= len(stream)]
    # A model that is spread is gathered by all processes, as often as the busiest needs it.
    idle = int(compute.ranks.largest(len(groups))) - len(groups) if compute.sharded else 0
    groups.reverse()
    nats = 0.0
    with torch.inference_mode(), torch.compiler.set_stance("force_eager"):
        while groups:
            group = groups.pop()
            rows = [stream.slice(at, min(at + context + 1, len(stream))) for at in group]
            try:
                there = torch.from_numpy(np.stack(rows)).to(device)
                nats += float(_nll(model, there, compute.precision))
                continue
            except (MemoryError, RuntimeError) as error:
                if not out_of_memory(error) or len(group) == 1 or compute.sharded:
                    raise
            # Without the compiled loss, measuring takes more for each row than learning did.
            if device.startswith("cuda"):
                torch.cuda.empty_cache()
            half = len(group) // 2
            groups = [
                part for each in (*groups, group) for part in (each[half:], each[:half]) if part
            ]
        for _ in range(idle):
            row = torch.from_numpy(stream.slice(0, 2)[None]).to(device)
            _nll(model, row, compute.precision)
    nats = compute.ranks.sum_numbers(nats)[0]
    bits: float = nats / math.log(2) / held_out.bytes
    return bits


def _nll(model: Model, rows: Tensor, precision: Precision) -> Tensor:
    """Return the sum of NLL over rows (B, T + 1), in nats."""
    tokens, targets = rows[:, :-1], rows[:, 1:]
    with precision.autocast(str(rows.device)):
        nll: Tensor = model(tokens, targets, documents_of(tokens, precision))
    return nll


def documents_of(tokens: Tensor, precision: Precision) -> Documents:
    """Find the documents in rows (B, T), for the quickest attention that there is for them."""
    return documents_in(tokens, varlen=takes(str(tokens.device), precision.dtype))
