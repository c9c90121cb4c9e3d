# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Quantise a GGUF with llama.cpp, and say where it could not do what was asked.

The k-quants (Q4_K and its like) work on blocks of 256; a row that is not a multiple of 256 falls
back to a type with blocks of 32, which is larger and no better. `choose` therefore prefers Q8_0
for models with such rows.
"""

from __future__ import annotations

import ctypes
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from clara_training import packages
from clara_training.errors import ExportError
from clara_training.export_gguf import check_space
from clara_training.gguf_scores import last_complaint, llama, log_lines
from clara_training.manifest import product_file

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# llama.cpp's enum llama_ftype
KINDS = {"F16": 1, "Q8_0": 7, "Q6_K": 18, "Q5_K_M": 17, "Q4_K_M": 15}
WEIGHTED = ("Q6_K", "Q5_K_M", "Q4_K_M")  # those that an importance matrix makes truer
# Blocks of 32 weights in 34 bytes, of 256 in 210; Q4_K_M is Q4_K's 4.5 bits, Q5_K_M Q5_K's 5.5,
# and some of Q6_K's 6.56.
_BYTES_A_WEIGHT = {
    "F16": 2.0,
    "Q8_0": 34 / 32,
    "Q6_K": 210 / 256,
    "Q5_K_M": 5.7 / 8,
    "Q4_K_M": 4.8 / 8,
}
BLOCK = 256


@dataclass(frozen=True)
class Quantised:
    """What came out: bytes, bits per weight, and what fell back ("name: q4_K -> q5_0")."""

    kind: str
    bytes: int
    bits_per_weight: float
    fallbacks: tuple[str, ...]

    def sentence(self) -> str:
        """Say it for people."""
        text = f"{self.kind}: {self.bytes / 1e6:.1f} MB, {self.bits_per_weight:.2f} bits a weight"
        if not self.fallbacks:
            return text
        return (
            f"{text}; {len(self.fallbacks)} tensors fell back to another type, for their rows are"
            f" not a multiple of {BLOCK} (first: {self.fallbacks[0]})"
        )


def choose(path: Path) -> str:
    """Return the quantisation that suits an f16 GGUF: Q4_K_M, or Q8_0 where rows do not fit."""
    gguf = packages.load("gguf", "quantising")
    rows = {int(each.shape[0]) for each in gguf.GGUFReader(path).tensors if len(each.shape) > 1}
    return "Q4_K_M" if all(row % BLOCK == 0 for row in rows) else "Q8_0"


def quantise(
    source: Path,
    path: Path,
    kind: str,
    matrix: dict[str, NDArray[np.float32]] | None = None,
    *,
    threads: int = 0,
) -> Quantised:
    """Write `source` (f16 or f32) as `kind`; `matrix` is an importance matrix by tensor.

    Metadata travel along. Raises ExportError.
    """
    if kind not in KINDS:
        raise ExportError(f"{kind!r} is no quantisation known here; there are {', '.join(KINDS)}")
    gguf = packages.load("gguf", "quantising")
    weights = sum(int(each.n_elements) for each in gguf.GGUFReader(source).tensors)
    needed = int(weights * _BYTES_A_WEIGHT[kind])
    check_space(path, needed)
    cpp = llama()
    log_lines()
    params = cpp.llama_model_quantize_default_params()
    params.ftype = KINDS[kind]
    params.nthread = threads or len(os.sched_getaffinity(0))
    entries = None
    if matrix:
        # The array ends with an entry without a name.
        entries = (cpp.llama_model_imatrix_data * (len(matrix) + 1))()
        for entry, (name, values) in zip(entries, matrix.items(), strict=False):
            entry.name = name.encode()
            entry.data = values.ctypes.data_as(ctypes.POINTER(ctypes.c_float))
            entry.size = values.size
        params.imatrix = entries
    with product_file(path) as part:
        code = cpp.llama_model_quantize(os.fsencode(source), os.fsencode(part), params)
        lines = log_lines()
        if code:
            # The disk may have filled meanwhile, of which llama.cpp says nothing.
            check_space(path, needed - (part.stat().st_size if part.exists() else 0))
            raise ExportError(
                f"llama.cpp could not quantise {source} to {kind}: {last_complaint(lines)}"
            )
    size = path.stat().st_size
    fallbacks = tuple(_fallback(line) for line in lines if "falling back to" in line)
    return Quantised(kind, size, 8 * size / weights, fallbacks)


def _fallback(line: str) -> str:
    name = line.partition("warning:")[2].split(" - ")[0].strip() or line.strip()
    wanted = line.partition("required for type")[2].partition(")")[0].strip()
    return f"{name}: {wanted} -> {line.rpartition('falling back to')[2].strip()}"
