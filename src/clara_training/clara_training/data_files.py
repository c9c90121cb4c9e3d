# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""The data files of a run: what is usable in them, and writing them without losing anything."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clara_training.atomic import atomic_file, atomic_text
from clara_training.data_check import check_file
from clara_training.errors import DataError, ManifestError
from clara_training.examples import Example, file_name
from clara_training.manifest import read_manifest, write_manifest
from clara_training.spec import Spec


@dataclass(frozen=True)
class Found:
    """What a dimension's file holds."""

    examples: list[Example]
    unusable: (
        int  # entries that are broken or near-duplicates; a file that is no list counts as one
    )


def data_folder(run_folder: Path) -> Path:
    """Return the folder of a run's data."""
    return run_folder / "data"


def data_path(run_folder: Path, spec: Spec, dimension: str) -> Path:
    """Return the file of a dimension in a run. Raises SpecError for one that is not there."""
    return data_folder(run_folder) / file_name(dimension, spec.is_trait(dimension))


def example_sha256(example: Example) -> str:
    """Return a short hash that knows an example again, changed in no word."""
    text = json.dumps(example.as_json(), sort_keys=True)
    return hashlib.sha256(text.encode("utf-8")).hexdigest()[:16]


def begun_anew(path: Path) -> bool:
    """Tell whether a file was begun from the starter data, none being there, and not since then.

    Whatever it had before was lost, and not taken out by anyone.
    """
    try:
        return bool(read_manifest(path)["metrics"].get("begun"))
    except ManifestError:
        return False


def usable(path: Path, dimension: str, trait: bool) -> Found:
    """Return what can be learned from in a file, near-duplicates left out."""
    if not path.exists():
        return Found([], 0)
    report = check_file(path, dimension, trait)
    unreadable = report.entries == 0 and not report.empty
    return Found(report.distinct, report.entries - len(report.distinct) + unreadable)


def write_examples(
    path: Path,
    examples: Sequence[Example],
    inputs: dict[str, str],
    settings: dict[str, Any],
    metrics: dict[str, Any],
) -> None:
    """Write a data file, an entry a line, and its manifest.

    Raises DataError when there is nothing to write, and StorageError.
    """
    if not examples:
        raise DataError(f"there is no example to write into {path}")
    atomic_text(path, _text(examples))
    counted = {"examples": len(examples), **metrics}
    write_manifest(path, "data", inputs, settings, counted)


def keep_unusable(path: Path, found: Found) -> Path | None:
    """Keep a copy of a file that holds what cannot be used, before it is written anew.

    `found` is what `usable` says of it. Returns the copy, or None where none is needed. Raises
    StorageError.
    """
    if not found.unusable:
        return None
    number = 1
    while (aside := path.with_name(f"{path.name}.unusable-{number}")).exists():
        number += 1
    with atomic_file(aside) as partial:
        shutil.copyfile(path, partial)
    return aside


def _text(examples: Sequence[Example]) -> str:
    lines = (json.dumps(each.as_json(), ensure_ascii=False) for each in examples)
    return "[\n" + ",\n".join(lines) + "\n]\n"
