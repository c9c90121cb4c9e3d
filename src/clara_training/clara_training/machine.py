# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""What of this machine is free: its cores and its memory."""

from __future__ import annotations

import os
from pathlib import Path

from clara_training import packages

_CONTAINER = Path("/sys/fs/cgroup")
_LOOK_SECONDS = 0.5


def use_threads(threads: int | None) -> None:
    """Set PyTorch's threads; with None, as many as there are cores that nobody keeps busy.

    Two programs with a thread on each core stall each other for minutes, for a thread that waits
    does so spinning.
    """
    torch = packages.load("torch", "training")
    # Processes that torchrun starts here all see the same idle cores.
    beside = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    torch.set_num_threads(max(1, idle_cores() // beside) if threads is None else threads)


def idle_cores() -> int:
    """Return how many of this process's cores nobody keeps busy now, at least 1.

    Seen in half a second: the load average still has what ended a minute ago, as the build before
    a first training.
    """
    psutil = packages.load("psutil", "training")
    shares = psutil.cpu_percent(_LOOK_SECONDS, percpu=True)
    own = os.sched_getaffinity(0)
    busy = sum(float(share) / 100 for core, share in enumerate(shares) if core in own)
    return max(1, len(own) - round(busy))


def memory_left() -> int:
    """Return how many bytes a process may still take, of the machine's or its container's."""
    psutil = packages.load("psutil", "training")
    left = int(psutil.virtual_memory().available)
    try:
        most = int((_CONTAINER / "memory.max").read_text())
        used = int((_CONTAINER / "memory.current").read_text())
    except (OSError, ValueError):  # no container, another kind of one, or one without a limit
        return left
    return max(0, min(left, most - used))
