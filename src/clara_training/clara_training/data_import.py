# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""A dimension's file made of what another tool trains on; what was left out of it is counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from clara_training.data_files import data_path, write_examples
from clara_training.data_import_forms import Forms
from clara_training.data_import_read import read_entries_of
from clara_training.errors import DataError
from clara_training.examples import Example
from clara_training.manifest import sha256_of
from clara_training.spec import Spec
from clara_training.turns import exchanges, has_system

_SHOWN = 5  # kinds of faults
BAD = "bad entries"


@dataclass(frozen=True)
class ImportSettings:
    """What becomes of what an example has no place for."""

    difficulty: str = "medium"  # of a domain's examples, where an entry does not say
    omit: Collection[str] = ()  # "system", "later-turns", "unanswered", and names of fields
    system_in_question: bool = False
    skip_bad: bool = False


@dataclass(frozen=True)
class Imported:
    """The file that was made; `left_out` says of how many entries what was left out.

    Of the examples, some are of `several` turns and have a `system` message.
    """

    path: Path
    examples: int
    left_out: Mapping[str, int]
    several: int = 0
    system: int = 0

    @property
    def entries(self) -> int:
        """How many there were."""
        return self.examples + self.left_out.get(BAD, 0)


def import_examples(
    spec: Spec, run_folder: Path, file: Path, dimension: str, settings: ImportSettings
) -> Imported:
    """Make the file of a dimension of another file. Raises SpecError, DataError, StorageError."""
    path = data_path(run_folder, spec, dimension)
    if path.exists():
        raise DataError(f"{path} is there already: move it away first")
    examples, left_out = foreign_examples(file, dimension, spec.is_trait(dimension), settings)
    chosen = {"source": str(file), "left_out": dict(left_out)}
    said_before = [each.before for each in examples]
    several = sum(exchanges(before) > 0 for before in said_before)
    system = sum(map(has_system, said_before))
    counted = {"several_turns": several, "system": system}
    write_examples(path, examples, {"file": sha256_of(file)}, chosen, counted)
    return Imported(path, len(examples), left_out, several, system)


def foreign_examples(
    file: Path, dimension: str, trait: bool, settings: ImportSettings
) -> tuple[list[Example], Counter[str]]:
    """Read a file; return its examples, and of how many entries what was left out.

    Raises DataError with the file, the lines and what is wrong there.
    """
    forms = Forms(
        dimension, trait, settings.difficulty, settings.omit, settings.system_in_question
    )
    examples: list[Example] = []
    left_out: Counter[str] = Counter()
    faults: dict[str, list[int]] = {}
    for line, entry in read_entries_of(file):
        try:
            examples.append(forms.example(entry))
            left_out.update(forms.omitted)
        except DataError as error:
            faults.setdefault(str(error), []).append(line)
    bad = sum(map(len, faults.values()))
    if bad and not settings.skip_bad:
        raise DataError(_faults(file, faults, bad, bad + len(examples)))
    if bad:
        left_out[BAD] = bad
    return examples, left_out


def _faults(file: Path, faults: Mapping[str, list[int]], bad: int, entries: int) -> str:
    said = [
        f"{file}, line {lines[0]}{f' and {len(lines) - 1} more' if lines[1:] else ''}: {sentence}"
        for sentence, lines in faults.items()
    ]
    if bad == 1:
        return said[0]
    rest = [f"... and {len(said) - _SHOWN} more kinds of faults"] if len(said) > _SHOWN else []
    way = "; --skip-bad goes on without them" * (bad < entries)
    first = f"{bad} of {entries} entries cannot be examples{way}:"
    return "\n".join([first, *said[:_SHOWN], *rest])
