# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Numbers that options take are numbers, and what help says of options is so."""

from __future__ import annotations

import re
from dataclasses import fields
from typing import Any, Literal, get_args, get_origin, get_type_hints

import click
import pytest
from clara_training.cli_types import FiniteRange
from clara_training.corpus import CorpusSettings
from clara_training.lora import LoraExecution, LoraSettings
from clara_training.pretrain import SHAPES
from clara_training.pretrain_device import PRECISIONS
from clara_training.pretrain_loop import Execution, PretrainSettings
from clara_training.tokenizer import VOCAB_SIZE
from click.testing import CliRunner

from clara_training import cli

RUNNER = CliRunner()
OPTIONS = (
    *("data generate --max-cost", "lora --learning-rate", "lora --dropout", "lora --contrast"),
    *("merge --scale", "merge --density", "merge --perplexity-limit", "run --anchor"),
    *("run --perplexity-limit", "corpus --near", "simone --learning_rate"),
    *("mvlm --weight-decay", "sample somewhere --temperature", "sample somewhere --top_p"),
)


@pytest.mark.parametrize("option", OPTIONS)
def test_an_option_takes_no_number_that_is_none(option: str) -> None:
    done = RUNNER.invoke(cli.commands, [*option.split(), "nan"])
    assert done.exit_code == 2 and "nan is not a finite number" in done.output


def test_a_finite_range_is_a_range() -> None:
    @click.command()
    @click.option("--share", type=FiniteRange(0, min_open=True))
    def command(share: float) -> None:
        click.echo(share)

    assert RUNNER.invoke(command, ["--share", "0.5"]).output == "0.5\n"
    for text, sentence in (
        ("0", "not in the range x>0"),
        ("inf", "inf is not a finite number"),
        ("1e999", "inf is not a finite number"),
        ("much", "not a valid float range"),
    ):
        assert sentence in RUNNER.invoke(command, ["--share", text]).output


SCRATCH = (PretrainSettings, Execution)


@pytest.mark.parametrize(
    ("command", "settings", "others", "least"),
    [
        ("mvlm", SCRATCH, {}, 10),
        ("simone", SCRATCH, {}, 10),
        ("pretrain-all", SCRATCH, {}, 10),
        ("lora", (LoraSettings, LoraExecution), {}, 7),
        ("corpus", (CorpusSettings,), {"vocab_size": VOCAB_SIZE}, 2),
    ],
)
def test_defaults_and_choices_in_the_help_are_those_of_the_settings(
    command: str, settings: tuple[Any, ...], others: dict[str, Any], least: int
) -> None:
    defaults = {each.name: each.default for kind in settings for each in fields(kind)} | others
    hints = {name: hint for kind in settings for name, hint in get_type_hints(kind).items()}
    known = {name: get_args(hint) for name, hint in hints.items() if get_origin(hint) is Literal}
    known["precision"] = PRECISIONS
    options = cli.commands.get_command(click.Context(cli.commands), command).params
    told = 0
    for option in options:
        said = re.search(r"\[default: ([^];: ]+)", getattr(option, "help", None) or "")
        if said and option.name in defaults:
            default = defaults[option.name]
            assert type(default)(said[1]) == default, option.name
            told += 1
        if isinstance(option.type, click.Choice) and option.name in known:
            assert tuple(option.type.choices) == known[option.name]
        if option.name in ("size", "context"):
            one, other = (usual[option.name == "context"] for usual in SHAPES.values())
            assert f"[default: {one}; GPU: {other}]" in str(option.help)
    assert told >= least


def test_targets_that_name_no_layer_are_not_taken_for_all() -> None:
    said = RUNNER.invoke(cli.commands, ["lora", "--targets", " ,"])
    assert said.exit_code == 2 and "--targets: it names no layer" in said.output
