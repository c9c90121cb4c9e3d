# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""`clara-train governance`: heads that read a SIM-ONE's states, and how good each of them is."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import click

from clara_training.errors import CorpusError, GovernanceError
from clara_training.packages import load


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--data_dir",
    "--data-dir",
    "corpus",
    type=click.Path(path_type=Path),
    help="The corpus it was trained on.  [default: as the run says]",
)
@click.option(
    "--labels",
    type=click.Path(path_type=Path),
    help='JSON with the class of books or documents, {"law": ["Leviticus"]}.  [default: the'
    " corpus' sub-folders, or what is known of the Bible's books]",
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option("--device", type=click.Choice(["cpu", "cuda"]), help="Default: cuda where it is.")
@click.option("--threads", type=click.IntRange(1), help="Of the CPU; default: idle cores.")
def command(
    run: Path,
    corpus: Path | None,
    labels: Path | None,
    seed: int,
    device: str | None,
    threads: int | None,
) -> None:
    """Make the governance heads of a model. RUN is the folder it was trained in."""
    load("torch", "training")
    from clara_training.machine import use_threads

    use_threads(threads)
    govern(run, corpus, labels, device, seed)


def govern(
    run: Path, corpus: Path | None, labels: Path | None, device: str | None, seed: int = 0
) -> None:
    """Make the heads, with a progress bar, and print what they are worth."""
    from rich.console import Console
    from tqdm import tqdm

    from clara_training.allocator import release_memory
    from clara_training.base import default_device
    from clara_training.governance import make_heads, verdicts
    from clara_training.governance_fit import FitSettings
    from clara_training.governance_states import StatesSettings
    from clara_training.manifest import read_manifest

    with tqdm(desc="states", unit="span", leave=False, disable=None) as bar:

        def progress(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        path = make_heads(
            run,
            corpus,
            labels=labels,
            states=StatesSettings(seed=seed),
            settings=FitSettings(seed=seed),
            device=device or default_device(),
            tell=lambda sentence: tqdm.write(sentence),
            progress=progress,
        )
    release_memory()
    Console().print(table(verdicts(read_manifest(path)["metrics"])))


def checking(labels: Path | None, *, wanted: bool) -> Callable[[Path], None]:
    """Return what complains of labels once there is a corpus; a file that is none is told now."""
    from clara_training.governance_labels import check_labels, read_labels

    if labels is None or not wanted:
        return lambda corpus: None
    read_labels(labels)
    return partial(check_labels, labels=labels)


def govern_if_possible(run: Path, labels: Path | None, device: str | None) -> None:
    """Make the heads after a training; say so where its text is none for them."""
    try:
        govern(run, None, labels, device)
    except (CorpusError, GovernanceError) as error:
        if labels is not None:
            raise
        click.echo(f"no governance heads: {error}")


def table(rows: list[tuple[str, str, str, str, str]]) -> Any:
    """Return the verdicts as a table."""
    from rich.table import Table

    found = Table(title="Governance heads on text they were not fitted to, 95 % intervals")
    for heading in ("head", "metric", "value", "baseline", "verdict"):
        found.add_column(heading)
    for row in rows:
        style = "yellow" if "not better than" in row[-1] else None
        found.add_row(*row, style=style)
    return found
