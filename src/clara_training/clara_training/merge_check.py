# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Whether adapters and models belong together, found out before anything is written.

Only headers of weights are read here: names and shapes.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clara_training import packages
from clara_training.base import Base
from clara_training.errors import AdapterError, ManifestError, MergeError
from clara_training.manifest import BASE_NAME, read_manifest
from clara_training.merge_config import Member
from clara_training.weight_files import ADAPTER, ADAPTER_CONFIG, ADAPTER_PREFIX, weight_files

Shape = tuple[int, ...]


@dataclass(frozen=True)
class AdapterHeader:
    """What an adapter changes: module names of the base, with the scale of B A."""

    path: Path
    modules: dict[str, tuple[Shape, Shape]]  # shapes of A (rank, in) and B (out, rank)
    scale: float
    transposed: bool  # the base keeps its weights as (in, out)


def tensor_shapes(folder: Path) -> dict[str, tuple[Path, Shape]]:
    """Return the file and shape of each tensor of a model's folder. Raises MergeError."""
    found: dict[str, tuple[Path, Shape]] = {}
    safetensors = packages.load("safetensors", "merging")
    for path in weight_files(folder):
        try:
            with safetensors.safe_open(path, framework="pt") as file:
                for name in file.keys():  # noqa: SIM118 - it is no dict
                    found[name] = (path, tuple(file.get_slice(name).get_shape()))
        except (OSError, safetensors.SafetensorError) as error:
            raise MergeError(f"{path} cannot be read: {error}") from error
    if not found:
        raise MergeError(f"{folder} has no weights (*.safetensors)")
    return found


def adapter_header(folder: Path) -> AdapterHeader:
    """Read what an adapter changes. Raises AdapterError for what is not plain LoRA."""
    config = _adapter_config(folder)
    for name in ("use_dora", "modules_to_save", "rank_pattern", "alpha_pattern", "lora_bias"):
        if config.get(name):
            raise AdapterError(f"adapter {folder} has {name}, which is more than can be merged")
    if config.get("bias", "none") != "none":
        raise AdapterError(f"adapter {folder} has trained biases, which cannot be merged")
    try:
        rank, alpha = int(config["r"]), float(config["lora_alpha"])
    except (KeyError, TypeError, ValueError):
        raise AdapterError(f"adapter {folder} does not say its r and lora_alpha") from None
    path = folder / ADAPTER
    if not path.is_file():
        raise AdapterError(f"adapter {folder} has no {ADAPTER}")
    modules: dict[str, tuple[Shape, Shape]] = {}
    shapes = {name: shape for name, (_, shape) in tensor_shapes(folder).items()}
    for name, shape in shapes.items():
        module, _, kind = name.removeprefix(ADAPTER_PREFIX).rpartition(".lora_")
        if kind == "A.weight" and name.replace("lora_A", "lora_B") in shapes:
            modules[module] = (shape, shapes[name.replace("lora_A", "lora_B")])
        elif kind != "B.weight":
            raise AdapterError(f"adapter {folder} has the tensor {name}, which is not LoRA's")
    scale = alpha / math.sqrt(rank) if config.get("use_rslora") else alpha / rank
    return AdapterHeader(path, modules, scale, bool(config.get("fan_in_fan_out")))


def check_members(members: Sequence[Member], base: Base) -> None:
    """Raise MergeError or AdapterError unless all members fit the base and its tokenizer."""
    shapes = {name: shape for name, (_, shape) in tensor_shapes(base.folder).items()}
    vocabulary = _vocabulary(base.folder)
    base_sha256 = ""
    for member in members:
        if not member.folder.is_dir():
            raise MergeError(
                f"{member.name} is to be merged, but {member.folder} is not there; "
                f"clara-train lora --only {member.name} trains it"
            )
        theirs = _vocabulary(member.folder)
        if theirs is not None and vocabulary is not None and theirs != vocabulary:
            raise MergeError(
                f"{member.name} ({member.folder}) has another tokenizer than the base "
                f"{base.name}: {_difference(theirs, vocabulary)}; models can only be merged when "
                "each token is the same in all of them"
            )
        if not member.is_adapter:
            _check_model(member, base, shapes)
            continue
        _check_adapter(member, base, shapes)
        trained_on = base_of(member.folder)
        if trained_on:
            base_sha256 = base_sha256 or base.sha256()
            if trained_on[1] != base_sha256:
                raise MergeError(
                    f"adapter {member.name} was trained on another base model "
                    f"({trained_on[0]}) than the one it is to be merged into ({base.name}); "
                    "train it again, or merge into its own with --base"
                )


def base_of(folder: Path) -> tuple[str, str] | None:
    """Return name and hash of the base of an adapter or a merged model; None where unknown."""
    try:
        manifest = read_manifest(folder)
    except ManifestError:
        return None
    sha256 = manifest.get("inputs", {}).get("base")
    return (str(manifest["settings"].get(BASE_NAME)), str(sha256)) if sha256 else None


def _check_model(member: Member, base: Base, shapes: dict[str, Shape]) -> None:
    theirs = {name: shape for name, (_, shape) in tensor_shapes(member.folder).items()}
    for name in sorted({*shapes, *theirs}):
        if shapes.get(name) != theirs.get(name):
            raise MergeError(
                f"{member.name} ({member.folder}) is of another shape than the base {base.name}: "
                f"{name} is {_shown(theirs.get(name))} there and {_shown(shapes.get(name))} in "
                "the base; only models of one architecture and size can be merged"
            )


def _check_adapter(member: Member, base: Base, shapes: dict[str, Shape]) -> None:
    header = adapter_header(member.folder)
    if not header.modules:
        raise AdapterError(f"adapter {member.folder} has no LoRA matrices in it")
    for module, (a, b) in header.modules.items():
        wanted = (a[1], b[0]) if header.transposed else (b[0], a[1])
        there = shapes.get(f"{module}.weight")
        if there != wanted:
            raise MergeError(
                f"adapter {member.name} does not fit the base {base.name}: {module} is "
                f"{_shown(there)} in the base and {_shown(wanted)} in the adapter, which was "
                f"trained on {_adapter_config(member.folder).get('base_model_name_or_path')}"
            )


def _adapter_config(folder: Path) -> dict[str, Any]:
    path = folder / ADAPTER_CONFIG
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise AdapterError(f"{path} cannot be read: {error}") from error
    if not isinstance(config, dict) or config.get("peft_type") != "LORA":
        raise AdapterError(f"{path} is not that of a LoRA adapter")
    return config


def _vocabulary(folder: Path) -> dict[str, int] | None:
    """Return token to id, with added tokens; None where there is no tokenizer.json."""
    path = folder / "tokenizer.json"
    if not path.is_file():
        return None
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        model = document["model"]["vocab"]
        pairs = (
            model.items()
            if isinstance(model, dict)
            else ((t, i) for i, (t, _) in enumerate(model))
        )
        added = {each["content"]: each["id"] for each in document.get("added_tokens", ())}
        return {**dict(pairs), **added}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise MergeError(f"the tokenizer {path} cannot be read: {error}") from error


def _difference(theirs: dict[str, int], ours: dict[str, int]) -> str:
    if len(theirs) != len(ours):
        return f"{len(theirs)} tokens against {len(ours)}"
    token = next(t for t in sorted({*theirs, *ours}) if theirs.get(t) != ours.get(t))
    return f"the token {token!r} is {theirs.get(token)} there and {ours.get(token)} in the base"


def _shown(shape: Shape | None) -> str:
    return "missing" if shape is None else "x".join(map(str, shape))
