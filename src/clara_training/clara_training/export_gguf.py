# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Write a transformers model as a GGUF: f16 or f32 tensors, tokenizer, chat template, lineage.

Tensors are read, laid out and written one at a time, so that a model needs no more memory than its
largest tensor. The tensors are byte-equal to those of llama.cpp's convert_hf_to_gguf.py. The file
takes its name only when it is whole.
"""

from __future__ import annotations

import contextlib
import errno
import json
import math
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from clara_training import packages
from clara_training.errors import ExportError, StorageError
from clara_training.export_families import Family, family, kept, rope_frequencies
from clara_training.export_vocab import known_name, write_vocab
from clara_training.manifest import product_file
from clara_training.weight_files import weight_files

if TYPE_CHECKING:
    import torch
    from gguf import GGUFWriter
    from numpy.typing import NDArray

Lineage = Mapping[str, str | float | int | bool]


def read_config(folder: Path) -> dict[str, Any]:
    """Read config.json of a transformers folder. Raises ExportError."""
    path = folder / "config.json"
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ExportError(
            f"{folder} is not a model in the format of transformers: {path.name} cannot be read"
            f" ({error})"
        ) from error
    return dict(config)


def write_model(
    folder: Path, path: Path, *, lineage: Lineage | None = None, outtype: str = "f16"
) -> int:
    """Write the model of a transformers folder as a GGUF; return the number of its parameters.

    `lineage` becomes metadata, as "clara.base_model". Raises ExportError.
    """
    gguf = packages.load("gguf", "export")
    config = read_config(folder)
    kind = family(config)
    half = {"f16": True, "f32": False}[outtype]
    with TensorFolder(folder) as tensors, product_file(path) as part:
        writer = gguf.GGUFWriter(part, kind.arch)
        plan = _plan(tensors, kind, config)
        check_space(
            path, sum(math.prod(shape) for _, shape, _ in plan.values()) * (2 if half else 4)
        )
        for name, (_, shape, plain) in plan.items():
            announce(writer, name, shape, half=half and not plain)
        parameters = writer.get_total_parameter_count()[0]
        writer.add_type(gguf.GGUFType.MODEL)
        writer.add_size_label(gguf.size_label(parameters, parameters, 0, 0))
        writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16 if half else gguf.LlamaFileType.ALL_F32)
        writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
        _describe(writer, folder, kind, config, lineage or {})
        with contextlib.closing(writer):
            _write(writer, tensors, kind, config, plan, half, path)
    return int(parameters)


def write_description(folder: Path, path: Path) -> None:
    """Write what a GGUF of a transformers folder says of the model, and no tensors.

    llama.cpp loads it as a vocabulary. Raises ExportError for whatever `write_model` would refuse
    without having read a weight.
    """
    gguf = packages.load("gguf", "export")
    config = read_config(folder)
    kind = family(config)
    with TensorFolder(folder) as tensors:
        _plan(tensors, kind, config)
    with contextlib.closing(gguf.GGUFWriter(path, kind.arch)) as writer:
        _describe(writer, folder, kind, config, {})
        start(writer)


def _describe(
    writer: GGUFWriter, folder: Path, kind: Family, config: Mapping[str, Any], lineage: Lineage
) -> None:
    kind.parameters(writer, config)
    write_vocab(writer, folder, config["vocab_size"])
    name = known_name(folder, kind.arch, str(lineage.get("general.name", "")))
    add_lineage(writer, {**lineage, **({"general.name": name} if name else {})})


Plan = dict[str, tuple[str, tuple[int, ...], bool]]


def _plan(tensors: TensorFolder, kind: Family, config: Mapping[str, Any]) -> Plan:
    """For each tensor of the GGUF: the tensor it comes from, its shape, whether it stays f32."""
    layers = config.get("num_hidden_layers") or config["n_layer"]
    names = TensorNames(kind.arch, layers)
    plan: Plan = {}
    frequencies = rope_frequencies(config)
    if frequencies is not None:
        plan["rope_freqs.weight"] = ("", tuple(frequencies.shape), True)
    for source in tensors.names:
        if not kept(source, config):
            continue
        name, shape = names[source], tensors.shape(source)
        if kind.transposed(source):
            shape = shape[::-1]
        plain = len(shape) < 2 or name.endswith("_norm.weight") or name == "position_embd.weight"
        plan[name] = (source, shape, plain)
    return plan


def _write(
    writer: GGUFWriter,
    tensors: TensorFolder,
    kind: Family,
    config: Mapping[str, Any],
    plan: Plan,
    half: bool,
    path: Path,
) -> None:
    torch = packages.load("torch", "export")
    tqdm = packages.load("tqdm", "export").tqdm
    start(writer)
    bar = tqdm(plan.values(), desc=f"writing {path.name}", unit="tensor", leave=False)
    for source, _, plain in bar:
        tensor = tensors[source] if source else rope_frequencies(config)
        assert tensor is not None
        tensor = kind.layout(source, tensor.to(torch.float32), config)
        if half and not plain:
            tensor = tensor.to(torch.float16)
        if not bool(tensor.isfinite().all()):
            raise ExportError(
                f"the tensor {source} has values that are not finite in"
                f" {'f16; export f32' if half else 'f32; the training or the merge diverged'}"
            )
        write_tensor(writer, tensor.contiguous().numpy())


def check_space(path: Path, needed: int) -> None:
    """Raise StorageError unless the disk of `path` has room for so many bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(path.parent).free
    if free < needed:
        raise StorageError(
            f"{path} cannot be written: it needs {needed / 1e6:.0f} MB, and the disk has"
            f" {free / 1e6:.0f} MB; make room and run the same command again, it goes on from here"
        )


def write_tensor(writer: GGUFWriter, array: NDArray[Any]) -> None:
    """Write the data of the next tensor that was announced. Raises OSError."""
    try:
        writer.write_tensor_data(array)
    except OSError as error:
        # numpy says how much it wrote, but not that the disk is full.
        if error.errno is None:
            raise OSError(errno.ENOSPC, str(error)) from error
        raise


def start(writer: GGUFWriter) -> None:
    """Write everything that comes before the data of the tensors."""
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()


def announce(writer: GGUFWriter, name: str, shape: tuple[int, ...], *, half: bool) -> None:
    """Tell the writer of a tensor whose data come later: f16, else f32."""
    kind = np.dtype(np.float16 if half else np.float32)
    writer.add_tensor_info(name, shape, kind, math.prod(shape) * kind.itemsize)


def add_lineage(writer: GGUFWriter, lineage: Lineage) -> None:
    """Add metadata: texts, numbers (as f64, so that 0.8 stays 0.8) and truth values."""
    for key, value in lineage.items():
        if isinstance(value, bool):
            writer.add_bool(key, value)
        elif isinstance(value, int):
            writer.add_uint64(key, value)
        elif isinstance(value, float):
            writer.add_float64(key, value)
        else:
            writer.add_string(key, value)


class TensorNames:
    """llama.cpp's name for each tensor of a transformers model of one architecture."""

    def __init__(self, arch: str, layers: int) -> None:
        gguf = packages.load("gguf", "export")
        kinds = {name: kind for kind, name in gguf.MODEL_ARCH_NAMES.items()}
        self._arch = arch
        self._map = gguf.get_tensor_name_map(kinds[arch], layers)

    def __getitem__(self, name: str) -> str:
        """Return the name. Raises ExportError when llama.cpp has no such tensor."""
        found = self._map.get_name(name, try_suffixes=(".weight", ".bias"))
        if found is None:
            raise ExportError(
                f"the tensor {name} has no place in llama.cpp's architecture {self._arch!r}"
            )
        return str(found)


class TensorFolder:
    """The safetensors files of a model, as one: names in the order of the files, read lazily."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._open = contextlib.ExitStack()
        self._files: dict[str, Any] = {}

    def __enter__(self) -> TensorFolder:
        safetensors = packages.load("safetensors", "export")
        paths = weight_files(self._folder)
        if not paths:
            raise ExportError(f"{self._folder} has no model.safetensors: save the model there")
        for path in paths:
            try:
                file = self._open.enter_context(safetensors.safe_open(path, framework="pt"))
            except (safetensors.SafetensorError, OSError) as error:
                self._open.close()
                raise ExportError(f"{path} cannot be read: {error}") from error
            self._files.update(dict.fromkeys(file.keys(), file))
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    @property
    def names(self) -> list[str]:
        """All tensors."""
        return list(self._files)

    def shape(self, name: str) -> tuple[int, ...]:
        """Shape of a tensor, without reading it."""
        return tuple(self._files[name].get_slice(name).get_shape())

    def __getitem__(self, name: str) -> torch.Tensor:
        return self._files[name].get_tensor(name)  # type: ignore[no-any-return]
