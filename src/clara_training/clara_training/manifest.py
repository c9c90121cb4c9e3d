# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Manifests: what a product was made from, how, by which code, and how good it is.

A folder's manifest is `manifest.json` in it, a file's is `<file>.manifest.json` beside it. It is
written last, so that a product with a fitting manifest is a finished one: `is_done` is how every
stage knows what need not be made again.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timezone
from fnmatch import fnmatchcase
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import Any

from clara_training import __version__
from clara_training.atomic import atomic_file, atomic_json
from clara_training.errors import ManifestError
from clara_training.folders import files_below

FORMAT = 1
# How a base model was asked for, a path or a name: what it is, is among the inputs.
BASE_NAME = "base_model"
_CHUNK = 1 << 20
_SETTLED_NS = 2_000_000_000  # what was written within this time may change and look the same
_RECORDED_PACKAGES = (
    *("torch", "transformers", "peft", "tokenizers", "safetensors", "numpy"),
    *("mergekit", "gguf", "llama-cpp-python", "anthropic"),
)


def manifest_path(product: str | Path) -> Path:
    """Return where the manifest of a folder or file is."""
    product = Path(product)
    if product.is_dir():
        return product / "manifest.json"
    return product.with_name(f"{product.name}.manifest.json")


@contextmanager
def product_file(path: str | Path) -> Iterator[Path]:
    """Give a path to write a file to that will have a manifest, as `atomic_file` does.

    The manifest of the file that was there goes before it: it would vouch for the new one, where
    both have one size, and the process is killed before that one's own is written.
    """
    with atomic_file(path) as partial:
        yield partial
        manifest_path(path).unlink(missing_ok=True)


def write_manifest(
    product: str | Path,
    stage: str,
    inputs: Mapping[str, str],
    settings: Mapping[str, Any],
    metrics: Mapping[str, Any],
) -> dict[str, Any]:
    """Write the manifest of a finished product and return it.

    `inputs` maps names to sha256 (see `sha256_of`); `settings` is all that was chosen and would
    change the product; `metrics` is what was measured. The last two must be JSON.
    Raises StorageError, and ManifestError when the product is not there.
    """
    product = Path(product)
    if not product.exists():
        raise ManifestError(f"{product} is not there to write a manifest for")
    manifest = {
        "format": FORMAT,
        "stage": stage,
        "product": product.name,
        "sha256": sha256_of(product),
        "bytes": _sizes(product),
        "inputs": dict(inputs),
        "settings": _as_json(settings),
        "metrics": _as_json(metrics),
        "code": {"version": __version__, "sha256": code_sha256(), "packages": _packages()},
        "created": datetime.now(timezone.utc).isoformat(timespec="seconds"),
    }
    atomic_json(manifest_path(product), manifest)
    return manifest


def read_manifest(product: str | Path) -> dict[str, Any]:
    """Read the manifest of a folder or file.

    Raises ManifestError when there is none, or it cannot be understood.
    """
    path = manifest_path(product)
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ManifestError(f"{product} has no manifest ({path} is not there)") from None
    except OSError as error:
        raise ManifestError(f"manifest {path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise ManifestError(f"manifest {path} is damaged: {error}") from None
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise ManifestError(f"manifest {path} is not one that this version of Clara understands")
    return manifest


def is_done(
    product: str | Path, stage: str, inputs: Mapping[str, str], settings: Mapping[str, Any]
) -> bool:
    """Tell whether a product is there, whole, and made by `stage` from just these inputs.

    A base model may have been called otherwise.
    """
    try:
        manifest = read_manifest(product)
    except ManifestError:
        return False
    return bool(
        manifest.get("stage") == stage
        and manifest.get("inputs") == dict(inputs)
        and _without_name(manifest.get("settings", {})) == _without_name(_as_json(settings))
        and manifest.get("bytes") == _sizes(Path(product))
    )


def _without_name(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in settings.items() if name != BASE_NAME}


def sha256_of(path: str | Path, patterns: Sequence[str] = ("*",)) -> str:
    """Return the sha256 of a file, or of a folder's names and contents (manifests left out).

    Of a folder, only files whose path in it fits one of the patterns count; "*" is any text, with
    slashes. Raises ManifestError when it cannot be read.
    """
    path = Path(path)
    try:
        if not path.is_dir():
            return _digest([("", path)])
        fit = [
            (name, file)
            for name, file in _files(path)
            if any(fnmatchcase(name, pattern) for pattern in patterns)
        ]
        return _digest(fit)
    except OSError as error:
        raise ManifestError(
            f"{error.filename or path} cannot be read: {error.strerror}"
        ) from error


# A base model of gigabytes is asked for its hash by every stage and for every adapter.
_digests: dict[tuple[Any, ...], str] = {}


def _digest(files: Sequence[tuple[str, Path]]) -> str:
    """Hash files with their names; of one without a name, what is in it. Once while they stay."""
    stats = [file.stat() for _, file in files]
    key = tuple(
        (name, each.st_dev, each.st_ino, each.st_size, each.st_mtime_ns, each.st_ctime_ns)
        for (name, _), each in zip(files, stats, strict=True)
    )
    if key in _digests:
        return _digests[key]
    settled = max((each.st_ctime_ns for each in stats), default=0) + _SETTLED_NS < time.time_ns()
    digest = hashlib.sha256()
    for (name, file), each in zip(files, stats, strict=True):
        if name:
            digest.update(f"{name}\0{each.st_size}\0".encode())
        _add_file(digest, file)
    if settled:
        _digests[key] = digest.hexdigest()
    return digest.hexdigest()


@lru_cache(maxsize=1)
def code_sha256() -> str:
    """Return the sha256 of this package's own sources."""
    digest = hashlib.sha256()
    folder = Path(__file__).parent
    for path in sorted(folder.glob("*.py")):
        digest.update(f"{path.name}\0".encode() + path.read_bytes())
    return digest.hexdigest()


def _files(folder: Path) -> list[tuple[str, Path]]:
    return [
        (name, path)
        for name, path in files_below(folder)
        if path.is_file() and not path.name.endswith("manifest.json")
    ]


def _sizes(product: Path) -> dict[str, int]:
    if product.is_dir():
        return {name: path.stat().st_size for name, path in _files(product)}
    return {product.name: product.stat().st_size} if product.exists() else {}


def _add_file(digest: hashlib._Hash, path: Path) -> None:
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)


def _as_json(value: Mapping[str, Any]) -> dict[str, Any]:
    """Return the value as it comes back from the file: tuples are lists, keys are texts."""
    plain: dict[str, Any] = json.loads(json.dumps(dict(value), allow_nan=False))
    return plain


def _packages() -> dict[str, str]:
    versions = {}
    for name in _RECORDED_PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions
