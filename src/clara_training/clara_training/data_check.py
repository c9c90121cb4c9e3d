# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""`clara-train data check`: whether the training data can be learned from.

Faults make a file unusable (`data missing` mends it); warnings say what will train badly.
"""

from __future__ import annotations

import re
import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from clara_training.data_cost import CHARACTERS_A_TOKEN
from clara_training.data_duplicates import duplicate_numbers
from clara_training.errors import DataError
from clara_training.examples import (
    DIFFICULTIES,
    KNOWLEDGE_SUFFIX,
    TRAIT_SUFFIX,
    Example,
    KnowledgeExample,
    TraitExample,
    conversation,
    file_name,
    knowledge_example,
    read_entries,
    split,
    tag_of,
    trait_example,
)
from clara_training.lora import LoraSettings
from clara_training.spec import Spec
from clara_training.turns import exchanges, has_system

LORA = LoraSettings()
FEWEST = 40  # examples, below which an adapter hardly learns
HELD_OUT_FROM, HELD_OUT_TO = 0.08, 0.22
# Length may not give the trait away: mean length of high to that of low.
LENGTHS_FROM, LENGTHS_TO = 0.6, 1.7
LEAST_OF_A_DIFFICULTY = 0.15
LEAST_OF_THE_MOST = 0.5  # examples of a dimension, to those of the one with the most
# Of the words of an English text a third are among its commonest; of one in another language
# hardly any.
_COMMON = """
the a an and or but if of to in on at by for from with as is are was were be been am it its this
that these those i you he she we they me my your his her our their them us not no do does did have
has had will would can could should may might must what which who when where how why there here so
than then i'm you're it's i'll that's don't can't
"""
COMMON_WORDS = frozenset(_COMMON.split())
FEWEST_COMMON = 0.10
FEWEST_WORDS_TO_JUDGE = 12
FOREIGN_LETTERS = 0.05
SHOWN = 5


@dataclass
class Report:
    """What is known of one file."""

    dimension: str
    path: Path
    trait: bool
    examples: list[Example] = field(default_factory=list)
    distinct: list[Example] = field(default_factory=list)  # of these, near-duplicates left out
    entries: int = 0
    held_out: int = 0
    empty: bool = False  # the file holds `[]`
    faults: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    figures: dict[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Return what JSON can hold."""
        return {
            "dimension": self.dimension,
            "path": str(self.path),
            "entries": self.entries,
            "usable": len(self.examples),
            "held_out": self.held_out,
            "faults": self.faults,
            "warnings": self.warnings,
            "figures": self.figures,
        }


def check_run(spec: Spec, folder: Path, names: Sequence[str]) -> list[Report]:
    """Check the files of these dimensions in a run's data folder, and how they are balanced."""
    reports = [
        check_file(folder / file_name(name, spec.is_trait(name)), name, spec.is_trait(name))
        for name in names
    ]
    for trait in (True, False):
        alike = [each for each in reports if each.trait is trait]
        most = max((len(each.examples) for each in alike), default=0)
        for each in alike:
            if each.examples and len(each.examples) < LEAST_OF_THE_MOST * most:
                each.warnings.append(
                    f"{len(each.examples)} examples, where another dimension has {most}: "
                    "they will not be learned alike"
                )
    return reports


def check_path(path: Path) -> Report:
    """Check a file, its dimension and kind taken from its name. Raises DataError."""
    for suffix, trait in ((TRAIT_SUFFIX, True), (KNOWLEDGE_SUFFIX, False)):
        if name := tag_of(path, suffix):
            return check_file(path, name, trait)
    raise DataError(
        f"{path} is named neither <trait>{TRAIT_SUFFIX} nor <domain>{KNOWLEDGE_SUFFIX}"
    )


def check_file(path: Path, dimension: str, trait: bool) -> Report:
    """Check one file; what is wrong is in the report, nothing is raised for it."""
    report = Report(dimension, path, trait)
    try:
        entries = read_entries(path)
    except DataError as error:
        report.faults.append(str(error))
        report.empty = "([])" in str(error)
        return report
    report.entries = len(entries)
    numbers = []
    for number, entry in enumerate(entries, 1):
        try:
            example = checked_entry(entry, dimension, trait)
        except DataError as error:
            report.faults.append(f"entry {number}: {error}")
            continue
        report.examples.append(example)
        numbers.append(number)
        # An answer that is a program, or a formula, is in no language.
        if not trait and (language := other_language(example)):
            report.warnings.append(f"entry {number}: {language}")
    _judge(report, numbers)
    return report


def checked_entry(entry: object, dimension: str, trait: bool) -> Example:
    """Return an entry as an example. Raises DataError with a part of a sentence."""
    example: Example = (
        trait_example(entry, dimension) if trait else knowledge_example(entry, dimension)
    )
    if trait and (language := other_language(example)):
        raise DataError(language)
    return example


def other_language(example: Example) -> str:
    """Return what tells that an example is not English, or nothing."""
    text = " ".join(_texts(example))
    letters = [c for c in text if c.isalpha()]
    foreign = sum(not c.isascii() for c in letters)
    if letters and foreign / len(letters) > FOREIGN_LETTERS:
        return f"{foreign} of {len(letters)} letters are not English ones"
    words = re.findall(r"[^\W\d_]+(?:'[^\W\d_]+)?", text.lower())
    common = sum(word in COMMON_WORDS for word in words)
    if len(words) >= FEWEST_WORDS_TO_JUDGE and common / len(words) < FEWEST_COMMON:
        return f"it does not read as English (common words: {common} of {len(words)})"
    return ""


def _judge(report: Report, numbers: list[int]) -> None:
    examples = report.examples
    if not examples:
        return
    _, held = split(examples)
    report.held_out = len(held)
    share = len(held) / len(examples)
    if len(examples) < FEWEST:
        report.warnings.append(
            f"only {len(examples)} examples; {FEWEST} is the least to learn from"
        )
    elif not HELD_OUT_FROM <= share <= HELD_OUT_TO:
        report.warnings.append(f"{share:.0%} are held out, where it should be 15 %")
    pairs = duplicate_numbers(examples)
    for later, earlier in pairs:
        report.warnings.append(
            f"entry {numbers[later - 1]} says almost the same as entry {numbers[earlier - 1]}"
        )
    again = {later for later, _ in pairs}
    report.distinct = [each for at, each in enumerate(examples, 1) if at not in again]
    _judge_sizes(report, numbers)
    _count_turns(report)
    if not_ascii := sum(not " ".join(_texts(each)).isascii() for each in examples):
        report.figures["not_ascii"] = not_ascii
    if report.trait:
        _judge_lengths(report)
    else:
        _judge_difficulties(report)


def _judge_sizes(report: Report, numbers: list[int]) -> None:
    for number, example in zip(numbers, report.examples, strict=True):
        tokens = len(" ".join(_said(example))) / CHARACTERS_A_TOKEN
        if tokens > LORA.max_length:
            without = "with a greater --max-length only"
            if exchanges(example.before):
                without = "without its earliest turns, or with a greater --max-length"
            report.warnings.append(
                f"entry {number} may have {tokens:.0f} tokens: more than {LORA.max_length} are"
                f" learned {without}"
            )


def _count_turns(report: Report) -> None:
    said_before = [each.before for each in report.examples]
    several = [1 + count for count in map(exchanges, said_before) if count]
    system = sum(map(has_system, said_before))
    if several:
        report.figures["several_turns"] = len(several)
        report.figures["mean_exchanges"] = round(statistics.fmean(several), 1)
    if system:
        report.figures["system"] = system


def _judge_lengths(report: Report) -> None:
    traits = [each for each in report.examples if isinstance(each, TraitExample)]
    lengths = {
        name: [len(text) for each in traits if (text := getattr(each, name))]
        for name in ("low", "neutral", "high")
    }
    means = {name: statistics.fmean(each) for name, each in lengths.items() if each}
    report.figures["mean_characters"] = {name: round(mean) for name, mean in means.items()}
    ratio = means["high"] / means["low"]
    report.figures["high_to_low"] = round(ratio, 2)
    if not LENGTHS_FROM <= ratio <= LENGTHS_TO:
        report.warnings.append(
            f"high is {ratio:.2f} times as long as low on average: length gives the trait away"
        )


def _judge_difficulties(report: Report) -> None:
    known = [each for each in report.examples if isinstance(each, KnowledgeExample)]
    counts = Counter(each.difficulty for each in known)
    report.figures["difficulties"] = {name: counts[name] for name in DIFFICULTIES}
    for name in DIFFICULTIES:
        if counts[name] < LEAST_OF_A_DIFFICULTY * len(known):
            report.warnings.append(f"only {counts[name]} of {len(known)} are {name}")


def _texts(example: Example) -> tuple[str, ...]:
    before = (said for _, said in example.before)
    if isinstance(example, KnowledgeExample):
        return *before, example.question, example.answer
    return *before, example.prompt, example.neutral, example.low, example.high


def _said(example: Example) -> tuple[str, ...]:
    """Return the texts of what is learned as one."""
    return *(said for _, said in example.before), *conversation(example)


def table(reports: list[Report]) -> Any:
    """Return the reports as a table for people."""
    from rich.table import Column, Table
    from rich.text import Text

    found = Column("found", overflow="fold")
    drawn = Table(Column("dimension", overflow="fold"), "entries", "usable", "held out", "", found)
    for each in reports:
        colour, word = ("green", "ok")
        if each.warnings:
            colour, word = "yellow", "warning"
        if each.faults:
            colour, word = "bold red", "fault"
        said = [*_first(each.faults), *_first(each.warnings)] or [_figures(each)]
        drawn.add_row(
            each.dimension,
            str(each.entries),
            str(len(each.examples)),
            str(each.held_out),
            Text(word, colour),
            Text("\n".join(said)),
        )
    return drawn


def _first(said: list[str]) -> list[str]:
    rest = len(said) - SHOWN
    return [*said[:SHOWN], f"... and {rest} more like this"] if rest > 0 else said


def _figures(report: Report) -> str:
    figures = report.figures
    if "mean_characters" in figures:
        means = figures["mean_characters"]
        lengths = " / ".join(map(str, means.values()))
        said = [f"{' / '.join(means)}: {lengths} characters on average"]
    else:
        said = [f"{count} {name}" for name, count in figures["difficulties"].items()]
    if several := figures.get("several_turns"):
        said.append(f"{several} of several turns ({figures['mean_exchanges']} questions)")
    if system := figures.get("system"):
        said.append(f"{system} with a system message")
    return ", ".join(said)
