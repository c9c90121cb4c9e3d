# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""What the device is told before training, and asked while it runs: precision, settings, figures.

Weights, gradients and optimiser are fp32 always; the precision is that of matrix products.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

import torch

from clara_training.errors import PretrainError

PRECISIONS = ("auto", "fp32", "bf16", "fp16")
# Read by torch when it first asks CUDA for memory, and by NCCL when the processes join.
_ENVIRONMENT = {"PYTORCH_CUDA_ALLOC_CONF": "expandable_segments:True"}
_SEVERAL = {
    # A process that fails ends the others, where they would wait for it for ever.
    "TORCH_NCCL_ASYNC_ERROR_HANDLING": "1",
    # Sums of gradients stay in order behind the products that make them.
    "CUDA_DEVICE_MAX_CONNECTIONS": "1",
}
# Dense bf16 and fp16 products, FLOP/s, by the datasheets: what an MFU is a share of.
_PEAKS = {"H100": 989e12, "H200": 989e12, "A100": 312e12}
_SMALLEST_SCALE = 1.0


@dataclass
class Precision:
    """The precision of products; fp16 has a scaler, for small gradients would become zero."""

    name: str
    dtype: torch.dtype | None = None
    scaler: Any = None

    def autocast(self, device: str) -> AbstractContextManager[Any]:
        """Return the context for forward passes."""
        context: AbstractContextManager[Any] = torch.autocast(
            torch.device(device).type, self.dtype, enabled=self.dtype is not None
        )
        return context

    def scale(self, loss: Any) -> Any:
        """Scale a loss before its gradients are taken."""
        return loss if self.scaler is None else self.scaler.scale(loss)

    def unscale(self, optimizer: Any) -> None:
        """Scale the gradients back."""
        if self.scaler is not None:
            self.scaler.unscale_(optimizer)

    def update(self) -> None:
        """Take a smaller scale when gradients overflowed, a larger one after many that did not.

        Raises PretrainError when no scale is small enough.
        """
        if self.scaler is None:
            return
        self.scaler.update()
        if self.scaler.get_scale() < _SMALLEST_SCALE:
            raise PretrainError(
                "gradients overflow fp16 at every scale: take --precision bf16 or fp32, or a"
                " smaller --learning_rate"
            )


def choose_precision(name: str, device: str) -> Precision:
    """Return a precision. auto: bf16 on CUDA, fp16 where the GPU has no bf16, fp32 on CPUs.

    Raises PretrainError for one that there is not.
    """
    if name not in PRECISIONS:
        raise PretrainError(f"{name!r} is no precision: take one of {', '.join(PRECISIONS)}")
    kind = torch.device(device).type
    if name == "auto":
        name = "fp32"
        if kind == "cuda":
            name = "bf16" if torch.cuda.get_device_capability(device)[0] >= 8 else "fp16"
    if name == "fp32":
        return Precision(name)
    if name == "bf16":
        return Precision(name, torch.bfloat16)
    return Precision(name, torch.float16, torch.amp.GradScaler(kind))


def check_device(device: str) -> None:
    """Raise PretrainError where a device is asked for that is not there."""
    if torch.device(device).type == "cuda" and not torch.cuda.is_available():
        raise PretrainError(
            f"the device {device} was asked for, but PyTorch finds no CUDA GPU; leave --device out"
            " to take the CPU, and see clara-train doctor"
        )


def prepare(device: str, processes: int = 1) -> str:
    """Set what makes training on CUDA quicker; say what it is, or nothing on a CPU.

    What the environment sets already stays. Call it before anything is on the GPU.
    Raises PretrainError where there is none.
    """
    if torch.device(device).type != "cuda":
        return ""
    check_device(device)
    wanted = {**_ENVIRONMENT, **(_SEVERAL if processes > 1 else {})}
    shown = [f"{name}={os.environ.setdefault(name, value)}" for name, value in wanted.items()]
    torch.set_float32_matmul_precision("high")
    torch.backends.cudnn.allow_tf32 = True
    return f"{torch.cuda.get_device_name(device)}: TF32 for fp32 products; " + ", ".join(shown)


@contextmanager
def exact_products() -> Iterator[None]:
    """Within it, products of fp32 are of fp32: what is measured there is a model's own."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


class DeviceFigures:
    """Memory, MFU and utilisation of a GPU; nothing on a CPU."""

    def __init__(self, device: str, flops_per_token: float, processes: int = 1) -> None:
        self._device = device if torch.device(device).type == "cuda" else None
        self._peak = self._utilization = None
        if self._device is None:
            return
        torch.cuda.reset_peak_memory_stats(self._device)  # of an earlier training of this process
        name = torch.cuda.get_device_name(self._device)
        self._peak = next((peak for key, peak in _PEAKS.items() if key in name), None)
        self._cost = flops_per_token / processes
        try:  # wants NVIDIA's bindings, which are not always there
            torch.cuda.utilization(self._device)
            self._utilization = torch.cuda.utilization
        except Exception:  # the bindings raise many kinds
            self._utilization = None

    def __call__(self, tokens_per_second: float) -> dict[str, float]:
        """Return the figures for a step of all processes."""
        if self._device is None:
            return {}
        found = {"memory_gb": torch.cuda.max_memory_allocated(self._device) / 1e9}
        if self._peak:
            found["mfu"] = tokens_per_second * self._cost / self._peak
        if self._utilization:
            try:
                found["gpu_utilization"] = self._utilization(self._device) / 100
            except Exception:  # of a driver that was replaced meanwhile; CUDA itself goes on
                self._utilization = None
        return found
