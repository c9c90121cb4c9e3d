# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Several processes that train together, started by `torchrun`; alone, they are a group of one.

Every process knows every step's examples and takes its share; the adapters' gradients are summed
once a step. The result is that of one process, whatever their number. Nothing is exchanged inside
a step, so that a process that runs out of memory can do its share again on its own.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist

from clara_training.errors import LoraError, first_line

Item = TypeVar("Item")
# The others wait while one makes the corpus, or writes files; torchrun ends all when one fails.
_PATIENCE = timedelta(days=1)


@dataclass(frozen=True)
class Ranks:
    """This process among all, and the device that it computes on."""

    rank: int
    world: int
    device: str

    @property
    def leads(self) -> bool:
        """Tell whether this is the one that writes files and speaks."""
        return self.rank == 0

    def share(self, items: Sequence[Item]) -> list[Item]:
        """Return what this process does of a step's items."""
        return list(items[self.rank :: self.world])

    def sum_numbers(self, *numbers: float) -> list[float]:
        """Return the sums over all processes."""
        if self.world == 1:
            return list(numbers)
        total = torch.tensor(numbers, dtype=torch.float64, device=self.device)
        dist.all_reduce(total)
        return [float(value) for value in total.tolist()]

    def largest(self, number: float) -> float:
        """Return the largest of the numbers of all processes."""
        if self.world == 1:
            return number
        found = torch.tensor([number], dtype=torch.float64, device=self.device)
        dist.all_reduce(found, dist.ReduceOp.MAX)
        return float(found)

    def sum_gradients(self, parameters: Sequence[Any]) -> None:
        """Replace the gradients by their sums over all processes; in one message."""
        if self.world == 1:
            return
        for parameter in parameters:
            if parameter.grad is None:  # this process had nothing to do in this step
                parameter.grad = torch.zeros_like(parameter)
        flat = torch.cat([parameter.grad.reshape(-1) for parameter in parameters])
        dist.all_reduce(flat)
        start = 0
        for parameter in parameters:
            end = start + parameter.numel()
            parameter.grad.copy_(flat[start:end].view_as(parameter))
            start = end

    def wait(self) -> None:
        """Wait until all processes are here."""
        if self.world > 1:
            dist.barrier()


@contextmanager
def join_ranks(device: str) -> Iterator[Ranks]:
    """Join the processes that `torchrun` started with this one; leave them at the end.

    On CUDA each process has the GPU of its number and NCCL carries the sums; on CPUs it is gloo.
    Raises LoraError when they do not find each other.
    """
    world = int(os.environ.get("WORLD_SIZE", "1"))
    if world == 1:
        yield Ranks(0, 1, device)
        return
    if device == "cuda":
        own, there = int(os.environ.get("LOCAL_RANK", "0")), torch.cuda.device_count()
        if own >= there:
            raise LoraError(
                f"process {own + 1} of this machine has no GPU, for PyTorch finds {there}: start"
                " as many with torchrun --nproc-per-node, or take --device cpu"
            )
        device = f"cuda:{own}"
        torch.cuda.set_device(device)
    try:
        dist.init_process_group("nccl" if device.startswith("cuda") else "gloo", timeout=_PATIENCE)
    except (RuntimeError, ValueError) as error:
        raise LoraError(
            f"the {world} processes that torchrun started do not find each other: "
            f"{first_line(error)}"
        ) from error
    try:
        yield Ranks(dist.get_rank(), world, device)
    finally:
        dist.destroy_process_group()
