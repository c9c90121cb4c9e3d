# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""The gradient of one optimiser step, whatever the memory allows to be computed at once.

- The loss is the mean over all reply tokens of the step: how the step is cut into micro-batches
  changes nothing but rounding. Out of memory is therefore answered by smaller ones, then by
  recomputing activations (gradient checkpointing), and only then by giving up.
- With contrast, each example brings its opposite (the reply with little of the trait) along, and
  the odds-ratio term of ORPO (Hong, Lee & Thorne, arXiv:2403.07691) pushes the two apart.
- Anchors are conversations of another kind, which the model is to find as likely as it did before
  (Li & Hoiem's learning without forgetting, arXiv:1606.09282, on the tokens that are there).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F

from clara_training.chat_encoding import Encoded
from clara_training.errors import LoraError, out_of_memory
from clara_training.packing import Layout, TokenLosses, rows, token_losses


@dataclass(frozen=True)
class Lesson:
    """What is to be said, and with contrast, what is not.

    An anchor has `before`, the NLL of each of its reply tokens in the base model; it is not
    learned but kept.
    """

    wanted: Encoded
    unwanted: Encoded | None = None
    before: torch.Tensor | None = None  # [reply tokens]

    def __len__(self) -> int:
        return len(self.wanted) + (len(self.unwanted) if self.unwanted else 0)

    @property
    def reply_tokens(self) -> int:
        """How many tokens are learned."""
        return self.wanted.reply_tokens


@dataclass
class MemoryBudget:
    """How much goes into one micro-batch; it shrinks when memory runs out."""

    tokens: int  # of a packed row
    examples: int  # of a padded micro-batch
    recompute: bool = False

    def shrink(self, batches: Sequence[Sequence[Lesson]], layout: Layout) -> bool:
        """Halve the micro-batches; False when there is nothing left to halve."""
        largest = max(map(len, batches))
        if largest == 1:
            if self.recompute:
                return False
            self.recompute = True
        elif layout is Layout.PADDED:
            self.examples = largest // 2
        else:
            # A row of one lesson is as short as it can be: what counts are those of more.
            widest = max(sum(map(len, batch)) for batch in batches if len(batch) > 1)
            longest = max(len(lesson) for batch in batches for lesson in batch)
            # A row wider than the longest lesson may be cut to just what that one needs.
            half = widest // 2
            self.tokens = max(half, longest) if widest > longest else half
        return True

    def __str__(self) -> str:
        recompute = ", activations recomputed" if self.recompute else ""
        return f"micro-batches of {self.tokens} tokens or {self.examples} examples{recompute}"


@dataclass(frozen=True)
class Objective:
    """What a step minimises, with the sums of the whole step, on all ranks."""

    tokens: int  # reply tokens of the step's lessons
    lessons: int
    contrast: float = 0.0
    anchor: float = 0.0
    anchor_tokens: int = 1

    def loss(self, losses: TokenLosses, batch: Sequence[Lesson]) -> tuple[Any, float]:
        """Return this micro-batch's part of the loss, and its sum of NLL of wanted replies.

        NLL / tokens + contrast · mean of -log sigmoid(log odds(wanted) - log odds(unwanted)), with
        odds = p / (1 - p), and p is the geometric mean of the tokens' probabilities. For anchors,
        anchor · mean over their tokens of Huber's loss (delta 1) between NLL now and before.
        """
        examples = examples_of(batch)
        sums = losses.sums(len(examples))
        learned = [at for at, lesson in enumerate(batch) if lesson.before is None]
        nll = sums[learned].sum()
        loss = nll / self.tokens
        pairs = [at for at in learned if batch[at].unwanted]
        if self.contrast and pairs:
            counts = torch.tensor([each.reply_tokens for each in examples], device=sums.device)
            log_odds = _log_odds(sums / counts)
            ratio = log_odds[pairs] - log_odds[len(batch) :]
            loss = loss + self.contrast * F.softplus(-ratio).sum() / self.lessons
        for at, lesson in enumerate(batch):
            if lesson.before is not None:
                now = losses.nll[losses.example == at]
                moved = F.huber_loss(now, lesson.before.to(now.device), reduction="sum")
                loss = loss + self.anchor * moved / self.anchor_tokens
        return loss, float(nll.detach())


def examples_of(batch: Sequence[Lesson]) -> list[Encoded]:
    """Return what a micro-batch reads: all that is wanted, then all that is not."""
    wanted = [lesson.wanted for lesson in batch]
    return wanted + [lesson.unwanted for lesson in batch if lesson.unwanted]


def accumulate(
    model: Any,
    lessons: Sequence[Lesson],
    layout: Layout,
    device: str,
    budget: MemoryBudget,
    objective: Objective,
) -> float:
    """Add the gradients of a step's share to the parameters and return its sum of NLL.

    Raises LoraError when one example alone does not fit into memory.
    """

    def backward(batch: Sequence[Lesson]) -> float:
        if budget.recompute:
            recompute_activations(model)
        return _backward(model, batch, layout, device, objective)

    return _within_memory(model, lessons, layout, device, budget, backward)


def _within_memory(
    model: Any,
    lessons: Sequence[Lesson],
    layout: Layout,
    device: str,
    budget: MemoryBudget,
    work: Callable[[Sequence[Lesson]], float],
) -> float:
    """Do `work` for each micro-batch and return the sum; begin again, smaller, out of memory."""
    while True:
        batches = micro_batches(lessons, layout, budget)
        try:
            return sum(map(work, batches))
        except (MemoryError, RuntimeError) as error:
            if not out_of_memory(error):
                raise
        # Outside the handler: the exception's frames would keep the tensors alive.
        model.zero_grad(set_to_none=True)
        if device.startswith("cuda"):
            torch.cuda.empty_cache()
        if not budget.shrink(batches, layout):
            longest = max(map(len, lessons))
            raise LoraError(
                f"an example of {longest} tokens alone does not fit into the memory of {device}; "
                "take a smaller base model, --four-bit, or a smaller --max-length"
            )


def micro_batches(
    lessons: Sequence[Lesson], layout: Layout, budget: MemoryBudget
) -> list[list[Lesson]]:
    """Cut a step's lessons into what is computed at once."""
    if layout is not Layout.PADDED:
        return rows(lessons, budget.tokens)
    by_length = sorted(lessons, key=len)
    return [
        by_length[start : start + budget.examples]
        for start in range(0, len(by_length), budget.examples)
    ]


def part_of_loss(
    model: Any,
    lessons: Sequence[Lesson],
    layout: Layout,
    device: str,
    budget: MemoryBudget,
    objective: Objective,
) -> float:
    """Return what these lessons add to the loss, which nothing learns from.

    Raises LoraError when one example alone does not fit into memory.
    """

    def forward(batch: Sequence[Lesson]) -> float:
        losses = token_losses(model, examples_of(batch), layout, device)
        return float(objective.loss(losses, batch)[0])

    if not lessons:  # of several processes, some may have none
        return 0.0
    with torch.inference_mode():
        return _within_memory(model, lessons, layout, device, budget, forward)


def anchored(
    model: Any, examples: Sequence[Encoded], layout: Layout, device: str, budget: MemoryBudget
) -> list[Lesson]:
    """Return anchors: conversations, with the NLL of their tokens as the model is now.

    Raises LoraError when one alone does not fit into memory.
    """
    found: dict[int, torch.Tensor] = {}
    numbers = {id(example): number for number, example in enumerate(examples)}

    def forward(batch: Sequence[Lesson]) -> float:
        wanted = [lesson.wanted for lesson in batch]
        losses = token_losses(model, wanted, layout, device)
        for at, example in enumerate(wanted):
            found[numbers[id(example)]] = losses.nll[losses.example == at].cpu()
        return 0.0

    model.eval()  # dropout would be noise in what is to be kept
    with torch.no_grad():
        lessons = [Lesson(example) for example in examples]
        _within_memory(model, lessons, layout, device, budget, forward)
    return [Lesson(example, before=found[at]) for at, example in enumerate(examples)]


def recompute_activations(model: Any) -> None:
    """Turn gradient checkpointing on: a third more time, a fraction of the memory."""
    if hasattr(model, "activation_checkpointing_enable"):  # what newer transformers call it
        model.activation_checkpointing_enable({"use_reentrant": False})
    else:
        model.gradient_checkpointing_enable({"use_reentrant": False})


def _backward(
    model: Any, batch: Sequence[Lesson], layout: Layout, device: str, objective: Objective
) -> float:
    losses = token_losses(model, examples_of(batch), layout, device)
    loss, nll = objective.loss(losses, batch)
    loss.backward()
    return nll


def _log_odds(mean_nll: torch.Tensor) -> torch.Tensor:
    log_p = -mean_nll.clamp_min(1e-6)  # p = 1 has no odds
    return log_p - torch.log(-torch.expm1(log_p))
