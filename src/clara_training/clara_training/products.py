# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Linear layers in fp32 on a CPU by oneDNN, which PyTorch has beside MKL and takes for bf16 alone.

On AMD's processors its y = x Wᵀ and dx = dy W are a tenth to a third quicker than MKL's. The
gradient of the weights, dyᵀ x, is not, and stays with MKL, but that of an adapter's is. A weight
that stays as it is can be packed once, in place of in every product, which is a twentieth quicker.
The results are the same to rounding.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def _find() -> Any:
    """Return PyTorch's function, or None where it has none: it is none that it promises."""
    found = getattr(torch.ops.mkldnn, "_linear_pointwise", None)
    if found is None or not torch.backends.mkldnn.is_available():
        return None
    x, w = torch.ones(2, 3), torch.ones(4, 3)
    try:
        return found if torch.equal(found(x, w, None, "none", [], ""), x @ w.T) else None
    except RuntimeError:  # a build without it, or with other arguments
        return None


def _find_packing() -> Any:
    """Return PyTorch's function that packs a weight, or None where it has none."""
    found = getattr(torch.ops.mkldnn, "_reorder_linear_weight", None)
    if _PRODUCT is None or found is None:
        return None
    x, w = torch.ones(2, 3), torch.ones(4, 3)
    try:
        packed = found(w, _PACKED_FOR)
        return found if torch.equal(_PRODUCT(x, packed, None, "none", [], ""), x @ w.T) else None
    except RuntimeError:
        return None


_PACKED_FOR = 1024  # rows; the order that it takes is good for a tenth of them, too
_PRODUCT = _find()
_PACK = _find_packing()


def has_product(tensor: Tensor) -> bool:
    """Tell whether `product` is for such tensors."""
    return (
        tensor.device.type == "cpu"
        and tensor.dtype is torch.float32
        and not torch.is_autocast_enabled("cpu")
        and _PRODUCT is not None
    )


def product(rows: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Return rows (n, in) times the transpose of weight (out, in): (n, out), without gradients."""
    if torch.compiler.is_compiling():
        compiled: Tensor = _compiled_product(rows, weight, bias)
        return compiled
    y: Tensor = _PRODUCT(rows, weight, bias, "none", [], "")
    return y


@torch.library.custom_op("clara::product", mutates_args=())  # type: ignore[untyped-decorator]
def _compiled_product(rows: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Be an operation of its own: torch.compile refuses PyTorch's where weights change."""
    y: Tensor = _PRODUCT(rows, weight, bias, "none", [], "")
    return y


@_compiled_product.register_fake  # type: ignore[untyped-decorator]
def _(rows: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    return rows.new_empty(rows.shape[0], weight.shape[0])


@dataclass(frozen=True)
class Packed:
    """A weight W (out, in) that stays as it is, in oneDNN's order: for x Wᵀ, and for dy W."""

    forward: Tensor
    backward: Tensor
    version: int  # of the weight

    @staticmethod
    def bytes_of(weights: Iterable[Tensor]) -> int:
        """Return how much memory they take packed, beside what they take now."""
        return sum(2 * weight.nbytes for weight in weights)

    @classmethod
    def of(cls, weight: Tensor) -> Packed | None:
        """Pack a weight; None where oneDNN or its packing is not there for it."""
        if _PACK is None or not has_product(weight):
            return None
        given = weight.detach()
        return cls(_PACK(given, _PACKED_FOR), _PACK(given.T, _PACKED_FOR), weight._version)


def times(
    rows: Tensor, weight: Tensor, bias: Tensor | None = None, packed: Tensor | None = None
) -> Tensor:
    """Return rows Wᵀ + b, the quickest way, without gradients; `packed` is the same weight."""
    if has_product(rows) and rows.numel():
        return product(rows, weight if packed is None else packed, bias)
    return F.linear(rows, weight, bias)


def thin_gradient(dy: Tensor, x: Tensor) -> Tensor:
    """Return dyᵀ x, (out, in), of a few outputs; the quickest way, without gradients."""
    if has_product(x) and x.numel():
        return product(dy.T.contiguous(), x.T)
    return dy.T @ x


class _Linear(torch.autograd.Function):  # type: ignore[misc]
    """y = x Wᵀ + b, and its gradients."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, packed: Packed | None
    ) -> Tensor:
        """Map (..., in) to (..., out)."""
        rows = x.reshape(-1, x.shape[-1])
        ctx.packed = packed
        ctx.save_for_backward(rows, weight)
        y = product(rows, packed.forward if packed else weight, bias)
        return y.view(*x.shape[:-1], -1)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients of x, W and b."""
        rows, weight = ctx.saved_tensors
        wants_x, wants_weight, wants_bias, _ = ctx.needs_input_grad
        (dy,) = gradients
        flat = dy.reshape(-1, dy.shape[-1])
        transposed = ctx.packed.backward if ctx.packed else weight.T
        return (
            product(flat, transposed).view(*dy.shape[:-1], -1) if wants_x else None,
            flat.T @ rows if wants_weight else None,
            flat.sum(0) if wants_bias else None,
            None,
        )


def linear(
    x: Tensor, weight: Tensor, bias: Tensor | None = None, packed: Packed | None = None
) -> Tensor:
    """Map (..., in) to (..., out) as `torch.nn.functional.linear` does, the quickest way."""
    if has_product(x) and x.numel():
        y: Tensor = _Linear.apply(x, weight, bias, packed)  # type: ignore[no-untyped-call]
        return y
    return F.linear(x, weight, bias)


class Linear(nn.Linear):  # type: ignore[misc]
    """A linear layer that computes so."""

    def forward(self, x: Tensor) -> Tensor:
        """Map (..., in) to (..., out)."""
        return linear(x, self.weight, self.bias)
