# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""A linear layer with its adapter as one operation: y = x Wᵀ + s (x Aᵀ) Bᵀ.

What is not a matrix product is bound by memory, on a CPU and on a GPU. As separate operations the
adapter costs five passes over the layer's output and its gradient; here they are accumulated
inside the products.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import MethodType
from typing import Any

import torch

from clara_training.products import Packed, has_product, linear, thin_gradient, times

FAST_TYPES: dict[str, tuple[torch.dtype, ...]] = {
    "cpu": (torch.float32,),
    "cuda": (torch.bfloat16, torch.float16),
}


class LoraLinear(torch.autograd.Function):  # type: ignore[misc]
    """The gradient of x, A and B; W and the bias are frozen.

    With g = s dy B: dx = dy W + g A, dA = gᵀ x, dB = s dyᵀ (x Aᵀ). All products are in W's type;
    sums within them are fp32.
    """

    @staticmethod
    def forward(
        ctx: Any,
        x: torch.Tensor,  # [..., in]
        weight: torch.Tensor,  # [out, in]
        bias: torch.Tensor | None,
        a: torch.Tensor,  # [rank, in]
        b: torch.Tensor,  # [out, rank]
        scale: float,
        packed: Packed | None = None,  # of the weight
    ) -> torch.Tensor:
        """Return [..., out]."""
        ctx.scale, ctx.types, ctx.packed = scale, (a.dtype, b.dtype), packed
        with torch.autocast(x.device.type, enabled=False):
            rows = x.reshape(-1, x.shape[-1]).to(weight.dtype)
            a, b = a.to(weight.dtype), b.to(weight.dtype)
            inner = times(rows, a)
            y = times(rows, weight, bias, packed.forward if packed else None)
            y.addmm_(inner, b.T, alpha=scale)
        ctx.save_for_backward(rows, weight, a, b, inner)
        return y.view(*x.shape[:-1], -1)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[Any, ...]:
        """Return the gradients of the arguments of forward."""
        (dy,) = gradients
        rows, weight, a, b, inner = ctx.saved_tensors
        flat = dy.reshape(-1, dy.shape[-1])
        g = times(flat, b.T).mul_(ctx.scale)
        dx = None
        if ctx.needs_input_grad[0]:
            dx = times(flat, weight.T, packed=ctx.packed.backward if ctx.packed else None)
            dx = dx.addmm_(g, a).view(*dy.shape[:-1], -1)
        type_a, type_b = ctx.types
        da = thin_gradient(g, rows).to(type_a)
        db = thin_gradient(inner, flat).T.to(type_b).mul_(ctx.scale)
        return dx, None, None, da, db, None, None


def fuse(model: Any) -> int:
    """Let the adapted layers of a model compute so, in fp32 on a CPU and bf16 or fp16 on a GPU.

    Return how many do. On a CPU the other linear layers, such as the head, go the quickest way,
    too. Left alone are layers with dropout or in 4 bits, and what else peft computes otherwise.
    Without it the results are the same, to rounding.
    """
    fused = 0
    parts: set[int] = set()
    for module in model.modules():
        if _can_fuse(module):
            module.forward = MethodType(_forward, module)
            parts.update(id(part) for part in module.modules())
            fused += 1
        elif (
            type(module) is torch.nn.Linear
            and id(module) not in parts
            and has_product(module.weight)
        ):
            module.forward = MethodType(_plain, module)
    return fused


def pack(model: Any, most: float) -> int:
    """Pack the frozen weights of what `fuse` has made quick, if `most` more bytes hold that.

    They stay packed with the base model. Return how many bytes that takes, beside the weights.
    """
    frozen = [layer for layer in _quick_layers(model) if not layer.weight.requires_grad]
    missing = [layer for layer in frozen if packed_of(layer) is None]
    if Packed.bytes_of(layer.weight for layer in missing) <= most:
        for layer in missing:
            layer.packed = Packed.of(layer.weight)
    return Packed.bytes_of(layer.weight for layer in frozen if packed_of(layer))


def packed_of(layer: Any) -> Packed | None:
    """Return a layer's packed weight; None where it has none, or not of its weight as it is."""
    packed: Packed | None = getattr(layer, "packed", None)
    return packed if packed and packed.version == layer.weight._version else None


def _quick_layers(model: Any) -> Iterator[Any]:
    for module in model.modules():
        way = getattr(module.forward, "__func__", None)
        if way is _forward:
            yield module.get_base_layer()
        elif way is _plain:
            yield module


def _can_fuse(module: Any) -> bool:
    from peft.tuners.lora import Linear

    if type(module) is not Linear or len(module.active_adapters) != 1:
        return False
    layer, name = module.get_base_layer(), module.active_adapters[0]
    return (
        type(layer) is torch.nn.Linear
        and layer.weight.dtype in FAST_TYPES.get(layer.weight.device.type, ())
        and isinstance(module.lora_dropout[name], torch.nn.Identity)
        and not module.lora_variant
        and not module.lora_bias[name]
    )


def _plain(module: Any, x: torch.Tensor) -> torch.Tensor:
    return linear(x, module.weight, module.bias, packed_of(module))


def _forward(module: Any, x: torch.Tensor) -> Any:
    layer, name = module.get_base_layer(), module.active_adapters[0]
    return LoraLinear.apply(  # type: ignore[no-untyped-call]
        x,
        layer.weight,
        layer.bias,
        module.lora_A[name].weight,
        module.lora_B[name].weight,
        module.scaling[name],
        packed_of(layer),
    )
