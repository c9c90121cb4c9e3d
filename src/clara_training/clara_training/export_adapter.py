# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""One LoRA adapter alone as a GGUF, without a merge: of a run, or of peft, TRL or unsloth.

Of its base model no weights are read: the shapes that the adapter must fit follow from the config,
which a GGUF of the base has, too. An adapter of a run knows the hash of its base, and that is
looked at where the base is at hand.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from clara_training import packages
from clara_training.adapters_gguf import ADAPTER_FILES, adapter_settings, write_adapter
from clara_training.base import Base, find_base, load_config
from clara_training.errors import BaseModelError, ExportError, first_line
from clara_training.export_families import family
from clara_training.manifest import BASE_NAME, sha256_of, write_manifest
from clara_training.merge_check import Shape, base_of
from clara_training.weight_files import ADAPTER, ADAPTER_PREFIX

STAGE = "export"
_HEAD = "lm_head"


def export_adapter(folder: Path, path: Path, *, base: str = "") -> int:
    """Write the adapter in a folder as a GGUF, f16, and its manifest; return its rank.

    `base` is the model that it was trained on (`smollm2`, a folder, a GGUF, a name at the hub),
    where that is not to be found under the name that the adapter has for it.
    Raises ExportError, StorageError, MissingPackage.
    """
    settings = adapter_settings(folder)
    trained_on = base_of(folder)  # of a run's
    called = trained_on[0] if trained_on else settings.get("base_model_name_or_path")
    name = base or str(called or "")
    if not name:
        raise ExportError(f"the adapter {folder} does not say its base model: name it with --base")
    config = _config(folder, name)
    _check_fit(folder, name, str(called or name), config)
    lineage = {"clara.adapter_sha256": sha256_of(folder, ("*",) if trained_on else ADAPTER_FILES)}
    if trained_on:
        lineage["clara.base_sha256"] = trained_on[1]
        _check_hash(folder, name, trained_on)
    title = Base(name, Path(name)).title
    rank = write_adapter(folder, config.to_dict(), path, base=title, lineage=lineage)
    inputs = {"adapter": lineage["clara.adapter_sha256"]}
    write_manifest(path, STAGE, inputs, {"outtype": "f16", BASE_NAME: name}, {"rank": rank})
    return rank


def _config(folder: Path, name: str) -> Any:
    """Return the base model's config, which names its architecture."""
    transformers = packages.load("transformers", "export")
    try:
        config = load_config(name)
    except BaseModelError as error:
        raise ExportError(
            f"{error}. The adapter {folder} is for it: name it as it is to be found here, with"
            " --base; a folder with its config.json, or a GGUF of it, is enough"
        ) from error
    if not config.architectures:  # a GGUF's
        kinds = transformers.AutoModelForCausalLM._model_mapping
        config.architectures = [kinds[type(config)].__name__] if type(config) in kinds else None
    family(config.to_dict())
    return config


def _check_fit(folder: Path, name: str, called: str, config: Any) -> None:
    """Raise ExportError unless each A and B has the sizes of its layer of the base model."""
    shapes = _layers(name, config)
    for key, shape in _shapes(folder / ADAPTER).items():
        module, _, kind = key.removeprefix(ADAPTER_PREFIX).rpartition(".lora_")
        if kind not in ("A.weight", "B.weight"):
            continue  # of which write_adapter says what it is
        if module not in shapes:
            raise ExportError(
                f"the adapter {folder} was trained on another base model ({called}) than {name},"
                f" which has no linear layer {module}: name its own with --base"
            )
        side, does = (1, "reads") if kind == "A.weight" else (0, "gives")
        wanted, found = shapes[module][side], shape[side]
        if found != wanted:
            raise ExportError(
                f"the adapter {folder} was trained on another base model ({called}) than {name}:"
                f" {module} {does} {wanted} values there and"
                f" {found} in the adapter; name its own with --base"
            )
        if module == _HEAD and config.tie_word_embeddings:
            raise ExportError(
                f"the adapter {folder} changes {_HEAD}, which {name} shares with its embeddings:"
                " llama.cpp cannot change one alone; train it without, or merge it"
            )


def _shapes(path: Path) -> dict[str, Shape]:
    safetensors = packages.load("safetensors", "export")
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            keys = list(file.keys())
            return {key: tuple(file.get_slice(key).get_shape()) for key in keys}
    except (OSError, safetensors.SafetensorError) as error:
        raise ExportError(f"{path} cannot be read: {error}") from error


def _layers(name: str, config: Any) -> dict[str, Shape]:
    """Return (out, in) of each linear layer of a model, which is not made for that."""
    torch = packages.load("torch", "export")
    transformers = packages.load("transformers", "export")
    try:
        with torch.device("meta"):
            model = transformers.AutoModelForCausalLM.from_config(config)
    except Exception as error:  # whatever a config has in it that a model cannot be made of
        raise ExportError(f"the config of {name} is of no model: {first_line(error)}") from error
    found = {}
    for module, layer in model.named_modules():
        if isinstance(layer, torch.nn.Linear):
            found[module] = tuple(layer.weight.shape)
        elif type(layer).__name__ == "Conv1D":  # GPT-2's, (in, out)
            found[module] = tuple(layer.weight.shape[::-1])
    return found


def _check_hash(folder: Path, name: str, trained_on: tuple[str, str]) -> None:
    """Raise ExportError where the base model is at hand, and is another one."""
    try:
        found = find_base(name).sha256()
    except BaseModelError:
        return
    if found != trained_on[1]:
        raise ExportError(
            f"{folder} was trained on another base model ({trained_on[0]}) than {name} is now:"
            " name its own with --base"
        )
