# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Memory on a CPU: what was used is kept, not given back and cleared anew; and what is left."""

from __future__ import annotations

import ctypes
from pathlib import Path

from clara_training import packages

_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4  # of glibc's malloc.h
_NEVER = -1
_CONTAINER = Path("/sys/fs/cgroup")


def keep_memory() -> bool:
    """Let the C library keep what is freed; True where it can.

    glibc takes every large tensor from the kernel and gives it back, page by cleared page, some
    thousand times a step of training.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):  # not glibc
        return False
    return bool(mallopt(_M_MMAP_MAX, 0) and mallopt(_M_TRIM_THRESHOLD, _NEVER))


def memory_left() -> int:
    """Return how many bytes a process may still take, of the machine's or its container's."""
    psutil = packages.load("psutil", "training")  # peft and accelerate bring it
    left = int(psutil.virtual_memory().available)
    try:
        most = int((_CONTAINER / "memory.max").read_text())
        used = int((_CONTAINER / "memory.current").read_text())
    except (OSError, ValueError):  # no container, another kind of one, or one without a limit
        return left
    return max(0, min(left, most - used))
