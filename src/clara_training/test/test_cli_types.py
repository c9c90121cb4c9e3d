# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Numbers that options take are numbers."""

from __future__ import annotations

import click
import pytest
from clara_training.cli_types import FiniteRange
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
