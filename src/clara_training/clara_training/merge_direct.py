# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Merging adapters tensor by tensor, straight from their matrices: linear, task_arithmetic, ties.

mergekit first writes each adapter out as a whole model. Here a change is B A of one module, made
when its turn comes, so that eight adapters need the disk and memory of one model, and what no
adapter touches is copied. The results are mergekit's to rounding.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.torch
import torch

from clara_training.atomic import disk_error
from clara_training.errors import MergeError
from clara_training.merge_check import AdapterHeader, adapter_header, tensor_shapes
from clara_training.merge_config import Member, MergeSettings
from clara_training.weight_files import ADAPTER_PREFIX

METHODS = ("linear", "task_arithmetic", "ties")
SHARD_BYTES = 4 << 30
Progress = Callable[[int, int], None]


def merge_weights(
    settings: MergeSettings,
    members: Sequence[Member],
    base: Path,
    output: Path,
    progress: Progress = lambda done, of: None,
) -> dict[str, float]:
    """Write the merged weights into the folder `output`; return the relative size of the change.

    Raises MergeError, OSError.
    """
    sources = [Source(member) for member in members]
    weights = torch.tensor([member.weight for member in members], dtype=torch.float64)
    dtype = getattr(torch, settings.dtype)
    shapes = tensor_shapes(base)
    done = 0
    changed, whole = 0.0, 0.0
    shards = _shards({name: shape for name, (_, shape) in shapes.items()}, dtype.itemsize)
    index = {}
    for number, names in enumerate(shards, 1):
        file_name = "model.safetensors"
        if len(shards) > 1:
            file_name = f"model-{number:05d}-of-{len(shards):05d}.safetensors"
        merged = {}
        for name in names:
            before = read_tensor(shapes[name][0], name)
            after = before.float() if before.is_floating_point() else before
            change = _change(name, after, sources, weights, settings)
            if change is not None:
                changed += float(torch.linalg.vector_norm(change)) ** 2
                after = after + change
            whole += float(torch.linalg.vector_norm(before.float())) ** 2
            merged[name] = after.to(dtype) if before.is_floating_point() else after
            index[name] = file_name
            done += 1
            progress(done, len(shapes))
        write_tensors(output / file_name, merged)
    if len(shards) > 1:
        total = sum(path.stat().st_size for path in output.glob("*.safetensors"))
        document = {"metadata": {"total_size": total}, "weight_map": index}
        (output / "model.safetensors.index.json").write_text(json.dumps(document, indent=2))
    for source in sources:
        source.close()
    return {"relative_change": (changed / whole) ** 0.5 if whole else 0.0}


def combine(
    changes: Sequence[torch.Tensor], weights: torch.Tensor, settings: MergeSettings
) -> torch.Tensor:
    """Combine the changes of one tensor by the method.

    task_arithmetic, linear: scale · sum of w_i D_i; with `normalize`, over sum of w_i.
    ties (Yadav et al., arXiv:2306.01708): D_i trimmed to its largest `density`; then the sum of
    those w_i D_i that have the sign of the sum of all; with `normalize`, over the sum of their
    w_i.
    """
    parts = [change * float(weight) for change, weight in zip(changes, weights, strict=True)]
    if settings.method != "ties":
        total = torch.stack(parts).sum(0) if len(parts) > 1 else parts[0]
        return total * (
            settings.scale / float(weights.sum()) if settings.normalize else settings.scale
        )
    parts = [trim(part, settings.density) for part in parts]
    stacked = torch.stack(parts)
    positive = stacked.sum(0) >= 0
    agrees = torch.where(positive, stacked > 0, stacked < 0)
    total = (stacked * agrees).sum(0)
    if settings.normalize:
        divisor = (agrees * weights.to(total.dtype).view(-1, *[1] * total.dim())).sum(0)
        total = total / torch.where(divisor == 0, 1, divisor)
    return total * settings.scale


def trim(change: torch.Tensor, density: float) -> torch.Tensor:
    """Keep the largest numbers by magnitude, the share `density` of all; the rest become 0."""
    if density >= 1:
        return change
    sizes = change.abs().flatten().numpy()
    kept = max(1, int(density * sizes.size))
    # A partition: a sort of all, as mergekit does it, takes ten times as long.
    threshold = np.partition(sizes, sizes.size - kept)[sizes.size - kept]
    return torch.where(change.abs() >= float(threshold), change, 0.0)


class Source:
    """The changes of one member: of an adapter, or of a whole model."""

    def __init__(self, member: Member) -> None:
        self.member = member
        self.header: AdapterHeader | None = None
        if member.is_adapter:
            self.header = adapter_header(member.folder)
            self._files = {self.header.path: _open(self.header.path)}
        else:
            self._shapes = tensor_shapes(member.folder)
            self._files = {path: _open(path) for path, _ in self._shapes.values()}

    def change(self, name: str, base: torch.Tensor) -> torch.Tensor | None:
        """Return what is added to a tensor of the base, in float32; None where it is nothing."""
        if self.header is None:
            theirs = self._files[self._shapes[name][0]].get_tensor(name)
            change = theirs.float() - base
            return self._finite(change, name) if bool(change.any()) else None
        module = name.removesuffix(".weight")
        if not name.endswith(".weight") or module not in self.header.modules:
            return None
        file = self._files[self.header.path]
        a = file.get_tensor(f"{ADAPTER_PREFIX}{module}.lora_A.weight").float()
        b = file.get_tensor(f"{ADAPTER_PREFIX}{module}.lora_B.weight").float()
        change = torch.mm(b * self.header.scale, a)
        return self._finite(change.T if self.header.transposed else change, name)

    def close(self) -> None:
        """Let go of the files."""
        self._files.clear()

    def _finite(self, change: torch.Tensor, name: str) -> torch.Tensor:
        if not bool(torch.isfinite(change).all()):
            raise MergeError(
                f"{self.member.name} ({self.member.folder}) has numbers that are not finite in "
                f"{name}; it is damaged, or its training came apart: make it again"
            )
        return change


def _change(
    name: str,
    base: torch.Tensor,
    sources: Sequence[Source],
    weights: torch.Tensor,
    settings: MergeSettings,
) -> torch.Tensor | None:
    if not base.is_floating_point():
        return None
    found = [source.change(name, base) for source in sources]
    if all(change is None for change in found):
        return None
    changes = [torch.zeros_like(base) if change is None else change for change in found]
    return combine(changes, weights, settings)


def _shards(shapes: dict[str, tuple[int, ...]], itemsize: int) -> list[list[str]]:
    shards: list[list[str]] = [[]]
    size = 0
    for name, shape in shapes.items():
        bytes_ = int(np.prod(shape, dtype=np.int64)) * itemsize
        if size and size + bytes_ > SHARD_BYTES:
            shards.append([])
            size = 0
        shards[-1].append(name)
        size += bytes_
    return shards


def _open(path: Path) -> Any:
    return safetensors.safe_open(path, framework="pt")  # type: ignore[no-untyped-call]


def read_tensor(path: Path, name: str) -> torch.Tensor:
    """Read one tensor of a safetensors file."""
    with _open(path) as file:
        tensor: torch.Tensor = file.get_tensor(name)
    return tensor


def write_tensors(path: Path, tensors: dict[str, torch.Tensor]) -> None:
    """Write a safetensors file. Raises OSError."""
    try:
        safetensors.torch.save_file(
            {name: tensor.contiguous() for name, tensor in tensors.items()}, path, {"format": "pt"}
        )
    except safetensors.SafetensorError as error:
        raise disk_error(error) from error
