# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""The importance matrix: how strongly each input of each weight is used on real text.

For every linear layer the sum of its squared inputs, gathered by hooks while the model reads. A
quantiser that knows it spends its precision where the inputs are large. Kept in the GGUF format of
llama.cpp's own imatrix files, so llama-quantize reads it too.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from clara_training import packages
from clara_training.errors import ExportError
from clara_training.export_families import family
from clara_training.export_gguf import TensorNames, announce, start, write_tensor
from clara_training.manifest import product_file

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SUMS, _COUNTS = ".in_sum2", ".counts"


def gather(
    model: Any, texts: Sequence[Sequence[int]]
) -> dict[str, tuple[NDArray[np.float32], int]]:
    """Read token lists with a transformers model; return sums and counts by llama.cpp's names.

    Each sum is (in,) f32: over all positions, the squared input of the layer.
    """
    torch = packages.load("torch", "the importance matrix")
    tqdm = packages.load("tqdm", "the importance matrix").tqdm
    if not texts:
        raise ExportError("an importance matrix needs texts to read")
    config = {**model.config.to_dict(), "architectures": [type(model).__name__]}
    names = TensorNames(family(config).arch, config.get("num_hidden_layers") or config["n_layer"])
    sums: dict[str, Any] = {}
    counts: dict[str, int] = {}
    hooks = []

    def watch(name: str) -> Any:
        def hook(module: Any, inputs: tuple[Any, ...], output: Any) -> None:
            flat = inputs[0].detach().reshape(-1, inputs[0].shape[-1]).float()
            sums[name] = sums.get(name, 0) + flat.square().sum(0)
            counts[name] = counts.get(name, 0) + flat.shape[0]

        return hook

    for path, module in model.named_modules():
        if type(module).__name__ in ("Linear", "Conv1D"):
            name = "output.weight" if path == "lm_head" else names[f"{path}.weight"]
            hooks.append(module.register_forward_hook(watch(name)))
    try:
        with torch.inference_mode():
            for tokens in tqdm(texts, desc="importance matrix", unit="text", leave=False):
                model(torch.tensor([list(tokens)], device=model.device), use_cache=False)
    finally:
        for hook in hooks:
            hook.remove()
    if model.config.tie_word_embeddings and "output.weight" in sums:
        # llama.cpp quantises the one tensor that both are under its first name.
        sums["token_embd.weight"] = sums.pop("output.weight")
        counts["token_embd.weight"] = counts.pop("output.weight")
    return {name: (total.cpu().numpy(), counts[name]) for name, total in sums.items()}


def save(path: Path, matrix: dict[str, tuple[NDArray[np.float32], int]]) -> None:
    """Write an importance matrix as llama.cpp's imatrix.gguf."""
    gguf = packages.load("gguf", "the importance matrix")
    arrays: list[tuple[str, NDArray[np.float32]]] = []
    for name, (sums, count) in matrix.items():
        arrays.append((name + _SUMS, sums.reshape(1, -1).astype(np.float32)))
        arrays.append((name + _COUNTS, np.array([[count]], dtype=np.float32)))
    with product_file(path) as part, contextlib.closing(gguf.GGUFWriter(part, "")) as writer:
        writer.add_type("imatrix")
        writer.add_array("imatrix.datasets", ["clara_training"])
        writer.add_uint32("imatrix.chunk_count", 1)
        writer.add_uint32("imatrix.chunk_size", max(count for _, count in matrix.values()))
        for name, array in arrays:
            announce(writer, name, array.shape, half=False)
        start(writer)
        for _, array in arrays:
            write_tensor(writer, array)


def load(path: Path) -> dict[str, NDArray[np.float32]]:
    """Read an importance matrix: the mean squared input, (in,), by name. Raises ExportError."""
    gguf = packages.load("gguf", "the importance matrix")
    try:
        tensors = {
            each.name: np.array(each.data).ravel() for each in gguf.GGUFReader(path).tensors
        }
        return {
            name.removesuffix(_SUMS): (
                values / max(1.0, float(tensors[name.removesuffix(_SUMS) + _COUNTS][0]))
            ).astype(np.float32)
            for name, values in tensors.items()
            if name.endswith(_SUMS)
        }
    except (OSError, ValueError, KeyError, IndexError) as error:
        raise ExportError(f"the importance matrix {path} cannot be read: {error}") from error
