# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Memory that was used on a CPU is kept, not given back and cleared anew."""

from __future__ import annotations

import ctypes

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
