# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""`clara-train doctor`: check the set-up and say what to do about each fault."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from clara_training import doctor


@click.command()
@click.option(
    "--run",
    "run_folder",
    type=click.Path(path_type=Path),
    default=Path("runs/clara"),
    show_default=True,
    help="Folder of the run, for the check of the disk.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(run_folder: Path, as_json: bool) -> None:
    """Check the whole set-up and say what to do about each fault; exit 1 when there is one."""
    findings = doctor.examine(run_folder)
    if as_json:
        click.echo(json.dumps([each.as_json() for each in findings], ensure_ascii=False))
    else:
        from rich.console import Console

        Console().print(doctor.table(findings))
    if any(each.level is doctor.Level.FAULT for each in findings):
        sys.exit(1)
