# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Fill what is absent or broken in a run's data, and leave what is good as it is.

The starter data come first, for they are free; Claude makes the rest where there is a key.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from clara_training.data_duplicates import without_duplicates
from clara_training.data_files import data_path, keep_unusable, usable, write_examples
from clara_training.errors import DataError
from clara_training.examples import file_name
from clara_training.manifest import sha256_of
from clara_training.spec import Spec
from clara_training.starter import FOLDER, no_starter, starter_examples


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
        raise DataError(no_starter(spec, without[0]))
    return filled


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
    kept_copy = keep_unusable(path, name, trait)
    starter = FOLDER / file_name(name, trait)
    inputs = {"starter": sha256_of(starter)} if starter.is_file() else {}
    metrics = {"unusable": found.unusable, "begun": not before}
    write_examples(path, examples, inputs, {"source": "starter"}, metrics)
    return Filled(name, before, found.unusable, len(examples), wanted, kept_copy)
