# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Read the header of a GGUF file and check it before llama.cpp sees it.

llama.cpp may abort the whole process on a damaged file, so the magic, the version, the metadata
and the extent of every tensor are checked here first. Format:
https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

from __future__ import annotations

import math
import mmap
import re
import struct
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from clara_brain.errors import ModelError

MAGIC = b"GGUF"
VERSIONS = (2, 3)
_MAX_DIMENSIONS = 4
_MAX_ELEMENTS = 1 << 62  # llama.cpp counts in signed 64 bits
_SHOWN_ITEMS = 16
_PART_NAME = re.compile(r"(.*)-(\d{5})-of-(\d{5})\.gguf")

_SCALARS = {
    0: "B",
    1: "b",
    2: "H",
    3: "h",
    4: "I",
    5: "i",
    6: "f",
    7: "?",
    10: "Q",
    11: "q",
    12: "d",
}
_UINT32, _STRING, _ARRAY = 4, 8, 9
_ALIGNMENT = "general.alignment"

# ggml type: elements in a block, bytes of a block.
_BLOCKS = {
    0: (1, 4),
    1: (1, 2),
    2: (32, 18),
    3: (32, 20),
    6: (32, 22),
    7: (32, 24),
    8: (32, 34),
    9: (32, 36),
    10: (256, 84),
    11: (256, 110),
    12: (256, 144),
    13: (256, 176),
    14: (256, 210),
    15: (256, 292),
    16: (256, 66),
    17: (256, 74),
    18: (256, 98),
    19: (256, 50),
    20: (32, 18),
    21: (256, 110),
    22: (256, 82),
    23: (256, 136),
    24: (1, 1),
    25: (1, 2),
    26: (1, 4),
    27: (1, 8),
    28: (1, 8),
    29: (256, 56),
    30: (1, 2),
    34: (256, 54),
    35: (256, 66),
    39: (32, 17),
}

# general.file_type, as llama.cpp's enum llama_ftype names it.
FILE_TYPES = {
    0: "F32",
    1: "F16",
    2: "Q4_0",
    3: "Q4_1",
    7: "Q8_0",
    8: "Q5_0",
    9: "Q5_1",
    10: "Q2_K",
    11: "Q3_K_S",
    12: "Q3_K_M",
    13: "Q3_K_L",
    14: "Q4_K_S",
    15: "Q4_K_M",
    16: "Q5_K_S",
    17: "Q5_K_M",
    18: "Q6_K",
    19: "IQ2_XXS",
    20: "IQ2_XS",
    21: "Q2_K_S",
    22: "IQ3_XS",
    23: "IQ3_XXS",
    24: "IQ1_S",
    25: "IQ4_NL",
    26: "IQ3_S",
    27: "IQ3_M",
    28: "IQ2_S",
    29: "IQ2_M",
    30: "IQ4_XS",
    31: "IQ1_M",
    32: "BF16",
    36: "TQ1_0",
    37: "TQ2_0",
    38: "MXFP4_MOE",
}


@dataclass(frozen=True)
class GgufHeader:
    """What the header of a GGUF file says.

    `metadata` holds Python values; an array is given as its first items and its length, as text.
    `parameters` is the number of weights of all tensors. Of a model that is split into files,
    tensors and weights are those of all parts.
    """

    version: int
    tensors: int
    parameters: int
    metadata: dict[str, Any]

    @property
    def architecture(self) -> str:
        """Name of the architecture, as "llama"."""
        return str(self.metadata.get("general.architecture", ""))

    @property
    def quantization(self) -> str:
        """Name of the quantisation, as "Q4_1"; "unknown" where the file does not say."""
        return FILE_TYPES.get(self.metadata.get("general.file_type", -1), "unknown")

    @property
    def trained_context_length(self) -> int:
        """Tokens that the model was trained for; 0 where the file does not say."""
        return int(self.metadata.get(f"{self.architecture}.context_length", 0))


class _Cut(Exception):
    """The file ends inside of what is being read."""


class _Cursor:
    """Reads little-endian values one after another and never beyond the end."""

    def __init__(self, data: mmap.mmap) -> None:
        self.data = data
        self.at = 0

    def take(self, count: int) -> bytes:
        if count > len(self.data) - self.at:
            raise _Cut
        self.at += count
        return self.data[self.at - count : self.at]

    def skip(self, count: int) -> None:
        if count > len(self.data) - self.at:
            raise _Cut
        self.at += count

    def number(self, code: str) -> Any:
        return struct.unpack("<" + code, self.take(struct.calcsize("<" + code)))[0]

    def string(self) -> str:
        return self.take(self.number("Q")).decode("utf-8", "replace")

    def value(self, kind: int) -> Any:
        if kind == _STRING:
            return self.string()
        if kind == _ARRAY:
            return self.array()
        if kind not in _SCALARS:
            raise ModelError(f"unknown metadata type {kind}")
        return self.number(_SCALARS[kind])

    def array(self) -> str:
        kind, count = self.number("I"), self.number("Q")
        if kind == _ARRAY:
            raise ModelError("arrays of arrays are not supported")
        if kind != _STRING and kind not in _SCALARS:
            raise ModelError(f"unknown metadata type {kind}")
        shown = [self.value(kind) for _ in range(min(count, _SHOWN_ITEMS))]
        rest = count - len(shown)
        if kind == _STRING:
            for _ in range(rest):
                self.skip(self.number("Q"))
        else:
            self.skip(rest * struct.calcsize("<" + _SCALARS[kind]))
        return f"{shown} ({count} items)" if rest else str(shown)


def parts(path: Path) -> list[Path]:
    """Return the files of a model, by their names, when `path` is the first of several."""
    named = _PART_NAME.fullmatch(path.name)
    if not named or int(named[2]) != 1:
        return [path]
    numbers = range(1, int(named[3]) + 1)
    return [path.with_name(f"{named[1]}-{number:05d}-of-{named[3]}.gguf") for number in numbers]


def read_header(path: str | Path) -> GgufHeader:
    """Read and check the header of a GGUF file, and of the further files of a split model.

    Raises ModelError with one sentence when a file is missing, unreadable, no GGUF, too new, or
    cut short.
    """
    path = Path(path)
    header = _read(path)
    count, number = (_number(header, f"split.{name}") for name in ("count", "no"))
    if count > 1:
        files = parts(path)
        if number != 0 or len(files) != count:
            raise ModelError(
                f"{path} is part {number + 1} of {count} of a model: give its first part, whose"
                f" name ends in -00001-of-{count:05d}.gguf"
            )
        others = [_read(each) for each in files[1:]]
        header = replace(
            header,
            tensors=header.tensors + sum(each.tensors for each in others),
            parameters=header.parameters + sum(each.parameters for each in others),
        )
    if not header.architecture:
        raise ModelError(
            f"{path} does not say its architecture (general.architecture): convert it again"
        )
    return header


def _number(header: GgufHeader, name: str) -> int:
    value = header.metadata.get(name, 0)
    return value if isinstance(value, int) else 0


def _read(path: Path) -> GgufHeader:
    try:
        if path.exists() and not path.is_file():
            # A pipe or a device may never end, or never begin.
            raise ModelError(f"{path} is no regular file; give a model in llama.cpp's GGUF format")
        with path.open("rb") as file:
            magic = file.read(4)
            if magic != MAGIC:
                raise ModelError(
                    f"{path} is not a GGUF file: it starts with {magic!r}, not {MAGIC!r};"
                    " give a model in llama.cpp's GGUF format"
                )
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                return _parse(data, path)
    except OSError as error:
        raise ModelError(f"model file {path} cannot be read: {error.strerror}") from error


def _parse(data: mmap.mmap, path: Path) -> GgufHeader:
    cursor = _Cursor(data)
    cursor.skip(len(MAGIC))
    try:
        version = cursor.number("I")
        if version not in VERSIONS:
            raise ModelError(
                f"{path} is GGUF version {version}; versions {VERSIONS[0]} and {VERSIONS[1]} are"
                " understood: update clara_brain and llama-cpp-python, or convert the model again"
            )
        tensors, pairs = cursor.number("Q"), cursor.number("Q")
        metadata: dict[str, Any] = {}
        for _ in range(pairs):
            key = cursor.string()
            if not key or key in metadata:
                raise ModelError(f"{path} is damaged: metadata {key[:64]!r} is there twice")
            try:
                kind = cursor.number("I")
                metadata[key] = cursor.value(kind)
                if key == _ALIGNMENT and kind != _UINT32:
                    raise ModelError("it is no uint32")
            except ModelError as error:
                raise ModelError(
                    f"{path} is damaged or too new: metadata {key[:64]!r}: {error}"
                ) from error
        parameters, extent = _tensors(cursor, tensors, path)
    except _Cut:
        raise ModelError(
            f"{path} is cut short: its header ends after {len(data)} bytes;"
            " copy or download it again"
        ) from None
    alignment = metadata.get(_ALIGNMENT, 32)
    if alignment < 1 or alignment & (alignment - 1):
        raise ModelError(f"{path} is damaged: {_ALIGNMENT} is {alignment}, no power of two")
    needed = -(-cursor.at // alignment) * alignment + extent
    if needed > len(data):
        raise ModelError(
            f"{path} is cut short: {len(data)} of at least {needed} bytes are there;"
            " copy or download it again"
        )
    return GgufHeader(version, tensors, parameters, metadata)


def _tensors(cursor: _Cursor, count: int, path: Path) -> tuple[int, int]:
    """Return the number of weights, and the bytes of the data section that the tensors need."""
    parameters = extent = 0
    names: set[str] = set()
    for _ in range(count):
        name = cursor.string()
        if name in names:
            raise ModelError(f"{path} is damaged: tensor {name[:64]!r} is there twice")
        names.add(name)
        dimensions = cursor.number("I")
        if dimensions > _MAX_DIMENSIONS:
            raise ModelError(
                f"{path} is damaged: tensor {name[:64]!r} has {dimensions} dimensions"
            )
        shape = [cursor.number("Q") for _ in range(dimensions)]
        kind, offset = cursor.number("I"), cursor.number("Q")
        if kind not in _BLOCKS:
            raise ModelError(
                f"{path} is damaged or too new: tensor {name[:64]!r} has the unknown type {kind};"
                " update clara_brain and llama-cpp-python, or quantise the model another way"
            )
        elements = math.prod(shape)
        block, size = _BLOCKS[kind]
        if elements > _MAX_ELEMENTS or (shape and shape[0] % block):
            raise ModelError(
                f"{path} is damaged: tensor {name[:64]!r} cannot have the shape {shape}"
            )
        parameters += elements
        extent = max(extent, offset + elements // block * size)
    return parameters, extent
