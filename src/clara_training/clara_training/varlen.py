# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Causal attention within each document of a packed row, as one kernel on a GPU.

PyTorch's variable-length attention (2.11 or newer, CUDA) is FlashAttention (Dao 2023,
arXiv:2307.08691) over documents that lie end to end: no mask is stored, and no pair of tokens of
two documents is computed. Its interface is young and changes; this is the one place that knows.
"""

from __future__ import annotations

import inspect
from functools import cache
from typing import Any

import torch
from torch import Tensor

_DTYPES = (torch.bfloat16, torch.float16)
_AMPERE = 8  # the compute capability that FlashAttention asks for


@cache
def _kernel() -> tuple[Any, bool] | None:
    """Return the function, and whether it has to be told of grouped queries."""
    try:
        from torch.nn.attention.varlen import varlen_attn
    except ImportError:  # an older PyTorch
        return None
    given = inspect.signature(varlen_attn).parameters
    return (varlen_attn, "enable_gqa" in given) if "window_size" in given else None


def takes(device: str, dtype: torch.dtype | None) -> bool:
    """Tell whether there is such a kernel for this device and type of numbers."""
    if torch.device(device).type != "cuda" or dtype not in _DTYPES or _kernel() is None:
        return False
    major: int = torch.cuda.get_device_capability(device)[0]
    return major >= _AMPERE


def varlen_attention(
    q: Tensor, k: Tensor, v: Tensor, bounds: Tensor, longest: int, scale: float | None = None
) -> Tensor:
    """Mix the values of each document: (tokens, heads, size), of q's shape.

    Args:
        q: queries, (tokens, heads, size), bf16 or fp16.
        k: keys, (tokens, kv heads, size).
        v: values, as k.
        bounds: where each document begins, and the end, (documents + 1,), int32.
        longest: tokens of the longest document, or more.
        scale: of the scores; None: 1 / sqrt(size).

    Raises RuntimeError where `takes` says no.
    """
    found = _kernel()
    if found is None:
        raise RuntimeError("this PyTorch has no variable-length attention: it came with 2.11")
    function, told_of_groups = found
    extra = {"enable_gqa": True} if told_of_groups and q.shape[1] != k.shape[1] else {}
    mixed: Tensor = function(
        *(q, k, v, bounds, bounds, longest, longest), scale=scale, window_size=(-1, 0), **extra
    )
    return mixed
