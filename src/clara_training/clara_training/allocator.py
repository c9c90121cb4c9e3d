# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Memory that is used again is kept, and that of a model that is done with is let go."""

from __future__ import annotations

import ctypes
import gc

from clara_training import packages

_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4  # of glibc's malloc.h
_NEVER = -1


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


def release_memory() -> None:
    """Let go of the memory of models that nobody holds any more, on a GPU too.

    Layers that compute another way (see `lora_linear.fuse`) hold themselves, by their method.
    """
    gc.collect()
    torch = packages.load("torch", "training")
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
