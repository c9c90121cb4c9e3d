# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Fill what is absent or broken in a run's data, and leave what is good as it is.

The starter data come first, for they are free; Claude makes the rest where there is a key.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from clara_training.data_check import check_file
from clara_training.data_duplicates import without_duplicates
from clara_training.data_files import data_path, keep_unusable, usable, write_examples
from clara_training.errors import DataError, ManifestError
from clara_training.examples import file_name
from clara_training.manifest import read_manifest, sha256_of
from clara_training.spec import Spec
from clara_training.starter import FOLDER, no_starter, starter_examples, starter_names


@dataclass(frozen=True)
class Filled:
    """What became of one dimension's file."""

    dimension: str
    before: int
    unusable: int
    after: int
    wanted: int
    kept_copy: Path | None = None

    @property
    def changed(self) -> bool:
        """Whether the file was written."""
        return self.after != self.before or self.unusable > 0


def fill_from_starter(
    spec: Spec,
    run_folder: Path,
    names: Sequence[str],
    say: Callable[[str], None] = lambda _: None,
    *,
    may_be_empty: bool = False,
) -> list[Filled]:
    """Mend and fill the files of these dimensions from the starter data.

    A file with as many usable examples as the spec asks for, and nothing else, is left alone.
    Raises DataError when a dimension is left without any example, after the others are filled,
    unless it may be empty because more is to come.
    """
    filled = [_fill(spec, run_folder, name) for name in names]
    for each in filled:
        if each.kept_copy is not None:
            say(
                f"{each.dimension}: {each.unusable} entries could not be used; the file as it was "
                f"is {each.kept_copy}"
            )
    without = [each.dimension for each in filled if not each.after]
    if without and not may_be_empty:
        name = without[0]
        raise DataError(_fault_of(spec, run_folder, name) or no_starter(spec, name))
    return filled


def check_own(spec: Spec, run_folder: Path, names: Sequence[str]) -> None:
    """Raise DataError for what cannot be learned from in a file that somebody wrote or changed.

    Filling up would leave it out, and have Clara's own examples in its place.
    """
    for name in names:
        path = data_path(run_folder, spec, name)
        if not _vouched_for(path) and (fault := _fault_of(spec, run_folder, name)):
            or_else = (
                f", or run clara-train data missing --run {run_folder}, which keeps a copy of the"
                " file, leaves out what cannot be learned from, and fills it up with Clara's own"
                " examples"
                if name in starter_names()
                else ""
            )
            raise DataError(f"{fault} (clara-train data check finds all): mend it{or_else}")


def _vouched_for(path: Path) -> bool:
    """Tell whether a file is as Clara made it."""
    try:
        return bool(read_manifest(path)["sha256"] == sha256_of(path))
    except ManifestError:
        return False


def _fault_of(spec: Spec, run_folder: Path, name: str) -> str:
    """Say what is wrong with the file of a dimension; nothing where it is absent or empty."""
    path = data_path(run_folder, spec, name)
    report = check_file(path, name, spec.is_trait(name))
    if not path.exists() or report.empty or not report.faults:
        return ""
    fault = report.faults[0]
    return fault if fault.startswith(str(path)) else f"{path}, {fault}"


def _fill(spec: Spec, run_folder: Path, name: str) -> Filled:
    trait = spec.is_trait(name)
    path = data_path(run_folder, spec, name)
    found = usable(path, name, trait)
    wanted = spec.examples_per_dimension
    before = len(found.examples)
    examples = found.examples
    if before < wanted:
        examples, _ = without_duplicates([*examples, *starter_examples(name, trait)])
    if len(examples) == before and not found.unusable:
        return Filled(name, before, 0, before, wanted)
    if not examples:
        return Filled(name, before, found.unusable, 0, wanted)
    kept_copy = keep_unusable(path, found)
    starter = FOLDER / file_name(name, trait)
    inputs = {"starter": sha256_of(starter)} if starter.is_file() else {}
    metrics = {"unusable": found.unusable, "begun": not before}
    write_examples(path, examples, inputs, {"source": "starter"}, metrics)
    return Filled(name, before, found.unusable, len(examples), wanted, kept_copy)
