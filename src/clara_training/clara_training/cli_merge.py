# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""`clara-train merge`: merge the adapters of a run into its base."""

from __future__ import annotations

import math
from pathlib import Path

import click

from clara_training.cli_data import find_spec, of_a_run
from clara_training.cli_types import FiniteRange
from clara_training.merge import DTYPES, ENGINES, JSON, YAML, members_of, merge_adapters
from clara_training.merge_bound import LIMIT
from clara_training.merge_config import (
    METHODS,
    SPARSE,
    MergeSettings,
    check_settings,
    explain,
    method_of,
)


@click.command()
@of_a_run
@click.option("--base", default="", help="Base model; default: the spec's.")
@click.option("--method", type=click.Choice([*METHODS, "dare"]), help="Default: the spec's.")
@click.option(
    "--density",
    type=FiniteRange(0, 1, min_open=True),
    default=MergeSettings.density,
    show_default=True,
    help=f"Share of each adapter's change that is kept; for {', '.join(SPARSE)}.",
)
@click.option(
    "--scale",
    type=FiniteRange(0, min_open=True),
    default=MergeSettings.scale,
    show_default=True,
    help="Of all that the adapters change.",
)
@click.option("--normalize", is_flag=True, help="Weights as shares of their sum.")
@click.option(
    "--with",
    "others",
    multiple=True,
    metavar="FOLDER=WEIGHT",
    help="One more adapter, or model of the base's shape; may be repeated.",
)
@click.option(
    "--engine",
    type=click.Choice(ENGINES),
    default="auto",
    show_default=True,
    help="Auto: direct where it knows the method.",
)
@click.option("--dtype", type=click.Choice(DTYPES), default="float32", show_default=True)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of dare.")
@click.option(
    "--perplexity-limit",
    type=FiniteRange(0),
    default=LIMIT,
    show_default=True,
    help="How many times its perplexity general text may have; adapters act together at less than"
    " the spec's strengths to keep to it. 0: no limit.",
)
@click.option(
    "--device",
    type=click.Choice(["cpu", "cuda"]),
    help="That the limit is measured on; default: cuda where it is.",
)
@click.option("--threads", type=click.IntRange(1), help="Of the CPU; default: idle cores.")
@click.option(
    "--explain", "only_explain", is_flag=True, help="Say what the weights come to; stop."
)
def command(
    spec_path: Path | None,
    run_folder: Path,
    only: tuple[str, ...],
    base: str,
    method: str | None,
    density: float,
    scale: float,
    normalize: bool,
    others: tuple[str, ...],
    engine: str,
    dtype: str,
    seed: int,
    perplexity_limit: float,
    device: str | None,
    threads: int | None,
    only_explain: bool,
) -> None:
    """Merge the adapters into the base model, by the spec's weights."""
    spec = find_spec(spec_path)
    settings = MergeSettings(
        method=method_of(method or spec.merge_method),
        density=density,
        scale=scale,
        normalize=normalize,
        dtype=dtype,
        seed=seed,
        engine=engine,
        perplexity_limit=perplexity_limit or None,
        threads=threads or 0,
        device=device,
    )
    more = dict(_other(text) for text in others)
    members = members_of(run_folder, spec, only, more)
    check_settings(settings, members)
    for line in explain(settings, members):
        click.echo(line)
    if only_explain:
        return
    from tqdm import tqdm

    from clara_training.monitor import ClaraMonitor

    with ClaraMonitor(run_folder=run_folder) as monitor, tqdm(unit="tensor", disable=None) as bar:

        def progress(done: int, of: int) -> None:
            bar.total = of
            bar.update(done - bar.n)

        merged = merge_adapters(
            run_folder,
            spec,
            settings,
            dimensions=only,
            base=base,
            others=more,
            progress=progress,
            tell=tqdm.write,
        )
        if not merged.was_there:
            monitor.track_merge(method=settings.method, **merged.metrics)
    if merged.was_there:
        click.echo(f"{merged.folder} was there")
        return
    change = merged.metrics.get("relative_change")
    size = f", the weights changed by {change:.2%}" if change is not None else ""
    click.echo(
        f"{merged.folder}: {merged.metrics['seconds']:.1f} s{size}; "
        f"{run_folder / 'configs' / YAML} and {JSON} say how"
    )


def _other(text: str) -> tuple[str, float]:
    folder, equals, weight = text.rpartition("=")
    try:
        number = float(weight)
        if not (equals and folder and math.isfinite(number)):
            raise ValueError
        return folder, number
    except ValueError:
        raise click.BadParameter(f"{text!r} is not FOLDER=WEIGHT", param_hint="--with") from None
