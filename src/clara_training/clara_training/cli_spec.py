# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""`clara-train spec`: check a personality file and show it, or write one to begin from."""

from __future__ import annotations

import json
from pathlib import Path

import click

from clara_training.atomic import atomic_json
from clara_training.errors import SpecError
from clara_training.spec import Spec, default_spec, load_spec

DEFAULT_SPEC = "clara_spec.json"
_BAR = 10


@click.command()
@click.argument("path", type=click.Path(path_type=Path), default=DEFAULT_SPEC)
@click.option("--write", is_flag=True, help="Write the standard spec there, to begin from.")
@click.option("--json", "as_json", is_flag=True, help="Print the checked spec as JSON.")
def command(path: Path, write: bool, as_json: bool) -> None:
    """Check the personality file PATH and show what it asks for."""
    if write:
        if path.exists():
            raise SpecError(f"{path} is there already; it is left as it is")
        atomic_json(path, default_spec().as_document())
    spec = load_spec(path)
    if as_json:
        click.echo(json.dumps(spec.as_document(), ensure_ascii=False))
        return
    show(spec)


def show(spec: Spec) -> None:
    """Print a spec as a table."""
    from rich.console import Console
    from rich.table import Table

    table = Table("dimension", "kind", "strength", "", "what it means", title=str(spec.path))
    for name, strength in spec.weights.items():
        kind = "trait" if spec.is_trait(name) else "domain"
        try:
            meaning = spec.description(name)
        except SpecError:
            meaning = f"[yellow]not said: add config.descriptions.{name}[/yellow]"
        bar = "█" * round(strength * _BAR) + "·" * (_BAR - round(strength * _BAR))
        table.add_row(name, kind, f"{strength:.2f}", bar, meaning)
    console = Console()
    console.print(table)
    console.print(f"base model   {spec.base_model}", highlight=False)
    console.print(f"examples     {spec.examples_per_dimension} a dimension", highlight=False)
    console.print(f"merge        {spec.merge_method}", highlight=False)
