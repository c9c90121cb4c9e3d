# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""LoRA adapters as GGUF, for llama.cpp to scale while it runs; and several collapsed into one.

An adapter changes a weight by scale x alpha / rank x B A, with A (rank, in) and B (out, rank).
Several are one of the summed rank: their A beneath each other, their scaled B side by side. That
is exact, and much faster to run than the several.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from clara_training import packages
from clara_training.errors import ExportError
from clara_training.export_families import family
from clara_training.export_gguf import (
    Lineage,
    TensorNames,
    add_lineage,
    announce,
    check_space,
    start,
    write_tensor,
)
from clara_training.manifest import product_file
from clara_training.weight_files import ADAPTER, ADAPTER_CONFIG, ADAPTER_PREFIX

if TYPE_CHECKING:
    import torch

ADAPTER_FILES = (ADAPTER_CONFIG, ADAPTER)
# What peft saves of the base where the head or the embeddings are adapted, changed or not.
_SAVED_ALONG = (".base_layer.weight", "lm_head.weight", "embed_tokens.weight", "wte.weight")
_ALONG = ": where it is the base's own, save the adapter with save_embedding_layers=False"
# What of peft's settings makes more of an adapter than B A, and the value that does not.
_PLAIN = {
    "peft_type": "LORA",
    "use_dora": False,
    "use_qalora": False,
    "modules_to_save": None,
    "layer_replication": None,
    "alora_invocation_tokens": None,
    "trainable_token_indices": None,
}
# Ways to begin that leave the base's weights as they are; others (pissa, olora, ...) do not.
_BEGUN = (None, True, False, "gaussian", "eva", "orthogonal")
Pair = tuple[NDArray[Any], NDArray[Any]]


def write_adapter(
    folder: Path,
    config: Mapping[str, Any],
    path: Path,
    *,
    base: str,
    lineage: Lineage | None = None,
    outtype: str = "f16",
) -> int:
    """Write a peft LoRA adapter as a GGUF; return its largest rank.

    `config` is that of the model it was trained on, `base` that model's name. The same tensors as
    llama.cpp's convert_lora_to_gguf.py. Raises ExportError.
    """
    settings = adapter_settings(folder)
    pairs, alpha = _pairs(folder, settings, config)
    _write(
        path,
        family(config).arch,
        pairs,
        alpha,
        half={"f16": True, "f32": False}[outtype],
        lineage={
            "general.name": folder.name,
            "general.base_model.count": 1,
            "general.base_model.0.name": base,
            **(lineage or {}),
        },
    )
    return _rank(pairs)


def adapter_settings(folder: Path) -> dict[str, Any]:
    """Read adapter_config.json of a peft adapter. Raises ExportError unless it is a plain LoRA."""
    path = folder / ADAPTER_CONFIG
    try:
        settings: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        wanting = [name for name in ("r", "lora_alpha") if not settings.get(name)]
    except (OSError, ValueError, AttributeError) as error:
        raise ExportError(
            f"{folder} is not a peft adapter: {path.name} cannot be read ({error})"
        ) from error
    for name, wanted in _PLAIN.items():
        if (settings.get(name) or wanted) != wanted:
            raise ExportError(
                f"the adapter {folder} has {name} {settings[name]!r}, which llama.cpp cannot apply"
                " while it runs; train it without, or merge it"
            )
    begun = settings.get("init_lora_weights")
    if begun not in _BEGUN:
        raise ExportError(
            f"the adapter {folder} was begun with init_lora_weights {begun!r}, which changes the"
            " base model's own weights: save it again with peft's"
            " path_initial_model_for_weight_conversion, or merge it"
        )
    if not (folder / ADAPTER).is_file():
        raise ExportError(
            f"the adapter {folder} has no {ADAPTER}"
            + (": save it again with a newer peft" * (folder / "adapter_model.bin").is_file())
        )
    if wanting:
        raise ExportError(f"{path} does not say {' and '.join(wanting)} of the adapter")
    return settings


def collapse(weights: Mapping[Path, float], path: Path) -> int:
    """Make one GGUF adapter of several, each at its weight; return the summed rank.

    At scale 1 it does what they do together at those weights. Raises ExportError.
    """
    gguf = packages.load("gguf", "export")
    parts: dict[str, list[Pair]] = {}
    archs: set[str] = set()
    bases: dict[str, str] = {}  # by hash: they may have been called otherwise, one by one
    for source, weight in weights.items():
        reader, tensors = _read(source)
        archs.add(str(_field(reader, gguf.Keys.General.ARCHITECTURE, "")))
        called = str(_field(reader, "general.base_model.0.name", ""))
        bases[str(_field(reader, "clara.base_sha256", called))] = called
        alpha = float(_field(reader, gguf.Keys.Adapter.LORA_ALPHA, 0.0))
        for name, (a, b) in tensors.items():
            scale = weight * alpha / a.shape[0] if alpha else weight
            parts.setdefault(name, []).append((a, b * np.float32(scale)))
    if len(archs) != 1 or len(bases) != 1:
        raise ExportError(
            "adapters of different models cannot be collapsed into one: they were made for"
            f" {', '.join(sorted(bases.values())) or 'nothing'}"
        )
    pairs = {
        name: (
            np.concatenate([a for a, _ in found]),
            np.concatenate([b for _, b in found], axis=1),
        )
        for name, found in parts.items()
    }
    names = ", ".join(f"{source.stem} {weight:g}" for source, weight in weights.items())
    lineage: Lineage = {
        "general.name": path.stem,
        "general.base_model.count": 1,
        "general.base_model.0.name": next(iter(bases.values())),
        "clara.collapsed": names,
    }
    # With an alpha of 0, llama.cpp applies the scale alone, whatever the rank.
    _write(path, archs.pop(), pairs, 0.0, half=True, lineage=lineage)
    return _rank(pairs)


def _rank(pairs: Mapping[str, Pair]) -> int:
    return max(int(a.shape[0]) for a, _ in pairs.values())


def _pairs(
    folder: Path, settings: Mapping[str, Any], config: Mapping[str, Any]
) -> tuple[dict[str, Pair], float]:
    """Return A and B by llama.cpp's name of the weight, and the alpha of all of them."""
    safetensors = packages.load("safetensors.torch", "export")
    path = folder / ADAPTER
    try:
        tensors: dict[str, torch.Tensor] = safetensors.load_file(path)
    except Exception as error:  # safetensors raises its own and OSError
        raise ExportError(f"{path} cannot be read: {error}") from error
    kind = family(config)
    names = TensorNames(kind.arch, config.get("num_hidden_layers") or config["n_layer"])
    alpha = float(settings["lora_alpha"])
    rooted = bool(settings.get("use_rslora"))
    rank = int(settings["r"])
    written_alpha = alpha * rank**0.5 if rooted else alpha
    pairs: dict[str, Pair] = {}
    for key in sorted(tensors):
        if not key.endswith((".lora_A.weight", ".lora_B.weight")):
            raise ExportError(
                f"{path} has the tensor {key}, which is no part of a plain LoRA"
                + _ALONG * key.endswith(_SAVED_ALONG)
            )
        if key.endswith(".lora_B.weight"):
            continue
        module = key.removeprefix(ADAPTER_PREFIX).removesuffix(".lora_A.weight")
        partner = key.replace(".lora_A.", ".lora_B.")
        if partner not in tensors:
            raise ExportError(f"{path} lacks the tensor {partner}")
        a, b = tensors[key].float(), tensors[partner].float()
        own = float(_own(settings.get("alpha_pattern"), module, alpha))
        wanted = own / (a.shape[0] ** 0.5 if rooted else a.shape[0])
        given = written_alpha / a.shape[0]
        if wanted != given:
            b = b * (wanted / given)
        b = kind.rows(f"{module}.weight", b, config)
        pairs[names[f"{module}.weight"]] = (a.numpy(), b.contiguous().numpy())
    if not pairs:
        raise ExportError(f"{path} holds no adapter")
    return pairs, written_alpha


def _own(pattern: Mapping[str, Any] | None, module: str, default: float) -> float:
    """Find a module's own value as peft does: a pattern is one of the end of its name."""
    for end, value in (pattern or {}).items():
        if re.match(rf"(.*\.)?({end})$", module):
            return float(value)
    return default


def _write(
    path: Path,
    arch: str,
    pairs: Mapping[str, Pair],
    alpha: float,
    *,
    half: bool,
    lineage: Lineage,
) -> None:
    gguf = packages.load("gguf", "export")
    kind = np.float16 if half else np.float32
    arrays = [
        (f"{name}.lora_{letter}", np.ascontiguousarray(array, dtype=kind))
        for name, pair in pairs.items()
        for letter, array in zip("ab", pair, strict=True)
    ]
    for name, array in arrays:
        if not np.isfinite(array).all():
            raise ExportError(f"the adapter for {path.stem} has values in {name} beyond f16")
    check_space(path, sum(array.nbytes for _, array in arrays))
    with product_file(path) as part, contextlib.closing(gguf.GGUFWriter(part, arch)) as writer:
        writer.add_type(gguf.GGUFType.ADAPTER)
        writer.add_string(gguf.Keys.Adapter.TYPE, "lora")
        writer.add_float32(gguf.Keys.Adapter.LORA_ALPHA, alpha)
        writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16 if half else gguf.LlamaFileType.ALL_F32)
        add_lineage(writer, lineage)
        for name, array in arrays:
            announce(writer, name, array.shape, half=half)
        start(writer)
        for _, array in arrays:
            write_tensor(writer, array)


def _read(path: Path) -> tuple[Any, dict[str, Pair]]:
    gguf = packages.load("gguf", "export")
    try:
        reader = gguf.GGUFReader(path)
    except (OSError, ValueError) as error:
        raise ExportError(f"the adapter {path} cannot be read: {error}") from error
    halves = {tensor.name: tensor.data.astype(np.float32) for tensor in reader.tensors}
    names = sorted(name.removesuffix(".lora_a") for name in halves if name.endswith(".lora_a"))
    if not names or len(halves) != 2 * len(names):
        raise ExportError(f"{path} is not a LoRA adapter")
    return reader, {name: (halves[f"{name}.lora_a"], halves[f"{name}.lora_b"]) for name in names}


def _field(reader: Any, key: str, default: Any) -> Any:
    field = reader.get_field(key)
    return default if field is None else field.contents()
