# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""The head and the loss as one operation, for models whose head is frozen.

The loss of a token depends on its own hidden state alone, so its gradient, (softmax - one-hot) W,
is known with it, whatever the loss is weighted with later. Both are computed here for a few tokens
at a time: the logits of 49,152 or 151,936 words are never there for all tokens, and what reads
them finds them in the cache. (Liger Kernel, Hsu et al., arXiv:2410.10989, does so on a GPU.)
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from clara_training.products import Packed, has_product, times

_TOKENS = 128  # at a time


class HeadLoss(torch.autograd.Function):  # type: ignore[misc]
    """-log softmax(h Wᵀ + b) at the targets. W and b are frozen."""

    @staticmethod
    def forward(
        ctx: Any,
        hidden: torch.Tensor,  # [tokens, width]
        weight: torch.Tensor,  # [vocabulary, width]
        bias: torch.Tensor | None,
        targets: torch.Tensor,  # [tokens]
        packed: Packed | None,  # of the weight
    ) -> torch.Tensor:
        """Return [tokens]."""
        wants = ctx.needs_input_grad[0]
        nll, slopes = [], []
        for rows, wanted in zip(hidden.split(_TOKENS), targets.split(_TOKENS), strict=True):
            logits = times(rows, weight, bias, packed.forward if packed else None)
            log_p = torch.log_softmax(logits, -1)
            del logits
            at_target = wanted[:, None]
            nll.append(-log_p.gather(1, at_target)[:, 0])
            if wants:
                p = log_p.exp_()
                p.scatter_add_(1, at_target, p.new_full((len(p), 1), -1.0))
                slopes.append(times(p, weight.T, packed=packed.backward if packed else None))
        if wants:
            ctx.save_for_backward(torch.cat(slopes))
        return torch.cat(nll)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[Any, ...]:
        """Return the gradient of the hidden states."""
        (slopes,) = ctx.saved_tensors
        return gradients[0][:, None] * slopes, None, None, None, None


def can_fuse(model: Any) -> bool:
    """Tell whether a model's head is a plain frozen layer in fp32 on a CPU.

    Whether its logits are what the head gives (some models scale or cap them) is not known here.
    """
    head = model.get_output_embeddings()
    return (
        type(head) is torch.nn.Linear
        and has_product(head.weight)
        and not head.weight.requires_grad
    )


@contextmanager
def headless(model: Any) -> Iterator[Any]:
    """Let a model return, as its logits, what its head is given; yield the head."""
    head = model.get_output_embeddings()
    forward = head.forward
    head.forward = lambda hidden: hidden
    try:
        yield head
    finally:
        head.forward = forward
