# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Set aside the adapters that an earlier export of the same run left, and this one is not of.

The robot loads whatever GGUF lies in `adapters/`: one of a dimension that the spec no longer has
would be no slider and in force at its full strength, one of another base model would not load. A
file that no export made was put there by somebody, and stays.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from clara_training.errors import ManifestError, StorageError
from clara_training.manifest import manifest_path, read_manifest
from clara_training.stages import Tell

FOLDER = "not-used"  # a dimension cannot be called so


def set_aside(
    adapters: Path, dimensions: Collection[str], base_sha256: str, tell: Tell
) -> list[Path]:
    """Move exported adapters out of the robot's reach, and return where they are now.

    Those of `dimensions` stay where they are of the base model with this hash. Raises
    StorageError.
    """
    moved = []
    for path in sorted(adapters.glob("*.gguf")):
        why = _why_not(path, dimensions, base_sha256)
        if not why:
            continue
        aside = adapters / FOLDER / path.name
        try:
            aside.parent.mkdir(exist_ok=True)
            path.replace(aside)
            if manifest_path(path).is_file():
                manifest_path(path).replace(manifest_path(aside))
        except OSError as error:
            raise StorageError(
                f"{path} is {why} and cannot be moved to {aside.parent} ({error.strerror}): remove"
                " it, or the robot loads it"
            ) from error
        tell(f"{path.name} is {why}: it is in {aside.parent} now, where the robot loads nothing")
        moved.append(aside)
    return moved


def _why_not(path: Path, dimensions: Collection[str], base_sha256: str) -> str:
    """Say why the robot is not to load an adapter; nothing where it may."""
    try:
        made_with = read_manifest(path)["inputs"].get("base")
    except ManifestError:
        # An export that was killed has written no manifest yet.
        if not path.with_suffix("").is_dir():
            return ""
        made_with = None
    if path.stem not in dimensions:
        return "of no dimension of the spec"
    return "" if made_with == base_sha256 else "of another base model"
