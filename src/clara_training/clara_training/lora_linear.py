# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""A linear layer with its adapter as one operation: y = x Wᵀ + s (x Aᵀ) Bᵀ. And RMSNorm as one.

What is not a matrix product is bound by memory, on a CPU and on a GPU. As separate operations the
adapter costs five passes over the layer's output and its gradient; here they are accumulated
inside the products.
"""

from __future__ import annotations

from types import MethodType
from typing import Any

import torch
import torch.nn.functional as F

from clara_training.products import has_product, linear

_TYPES = {"cpu": (torch.float32,), "cuda": (torch.bfloat16, torch.float16)}
_NORMS_ON = ("cuda",)
_NEAR = 0.02  # rounding in half precision


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
    ) -> torch.Tensor:
        """Return [..., out]."""
        ctx.scale, ctx.types = scale, (a.dtype, b.dtype)
        with torch.autocast(x.device.type, enabled=False):
            rows = x.reshape(-1, x.shape[-1]).to(weight.dtype)
            a, b = a.to(weight.dtype), b.to(weight.dtype)
            inner = rows @ a.T
            y = linear(rows, weight, bias)
            y.addmm_(inner, b.T, alpha=scale)
        ctx.save_for_backward(rows, weight, a, b, inner)
        return y.view(*x.shape[:-1], -1)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[Any, ...]:
        """Return the gradients of the arguments of forward."""
        (dy,) = gradients
        rows, weight, a, b, inner = ctx.saved_tensors
        flat = dy.reshape(-1, dy.shape[-1])
        g = (flat @ b).mul_(ctx.scale)
        dx = None
        if ctx.needs_input_grad[0]:
            dx = linear(flat, weight.T).addmm_(g, a).view(*dy.shape[:-1], -1)
        type_a, type_b = ctx.types
        da, db = (g.T @ rows).to(type_a), (flat.T @ inner).to(type_b).mul_(ctx.scale)
        return dx, None, None, da, db, None


def fuse(model: Any) -> int:
    """Let the adapted layers of a model compute so, in fp32 on a CPU and bf16 or fp16 on a GPU.

    Return how many do.

    Left alone are layers with dropout or in 4 bits, and whatever else peft computes otherwise.
    Without it the results are the same, to rounding.
    """
    from peft.tuners.lora import Linear

    fused = 0
    for module in model.modules():
        if type(module) is torch.nn.Linear and has_product(module.weight):
            module.forward = MethodType(_plain, module)  # the head, which has no adapter
        if type(module) is not Linear or len(module.active_adapters) != 1:
            continue
        layer, name = module.get_base_layer(), module.active_adapters[0]
        plain = (
            type(layer) is torch.nn.Linear
            and layer.weight.dtype in _TYPES.get(layer.weight.device.type, ())
            and isinstance(module.lora_dropout[name], torch.nn.Identity)
            and not module.lora_variant
            and not module.lora_bias[name]
        )
        if plain:
            module.forward = MethodType(_forward, module)
            fused += 1
    return fused


def _plain(module: Any, x: torch.Tensor) -> torch.Tensor:
    return linear(x, module.weight, module.bias)


def fuse_norms(model: Any) -> int:
    """Let the RMSNorms of a model on a GPU be one operation each; return how many are.

    transformers computes them in six, each of which reads and writes all of its input. Left alone
    are norms that give something else, to rounding, or call their fields otherwise.
    """
    fused = 0
    for module in model.modules():
        weight = getattr(module, "weight", None)
        if (
            type(module).__name__.endswith("RMSNorm")
            and hasattr(module, "variance_epsilon")
            and isinstance(weight, torch.Tensor)
            and weight.device.type in _NORMS_ON
            and weight.dtype in _TYPES[weight.device.type]
            and _is_plain(module)
        ):
            module.forward = MethodType(_norm, module)
            fused += 1
    return fused


def _is_plain(module: Any) -> bool:
    weight = module.weight
    x = torch.linspace(-3, 3, len(weight), dtype=weight.dtype, device=weight.device)[None]
    with torch.no_grad():
        return bool(torch.allclose(module(x), _norm(module, x), rtol=_NEAR, atol=_NEAR))


def _norm(module: Any, x: torch.Tensor) -> torch.Tensor:
    with torch.autocast(x.device.type, enabled=False):
        weight = module.weight.to(x.dtype)
        normed: torch.Tensor = F.rms_norm(x, weight.shape, weight, module.variance_epsilon)
        return normed


def _forward(module: Any, x: torch.Tensor) -> Any:
    layer, name = module.get_base_layer(), module.active_adapters[0]
    return LoraLinear.apply(  # type: ignore[no-untyped-call]
        x,
        layer.weight,
        layer.bias,
        module.lora_A[name].weight,
        module.lora_B[name].weight,
        module.scaling[name],
    )
