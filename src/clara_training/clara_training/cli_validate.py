# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""`clara-train validate`: measure what was exported, and write the report."""

from __future__ import annotations

from pathlib import Path

import click

from clara_training.cli_data import find_spec, of_a_run
from clara_training.errors import GateFailed


@click.command()
@of_a_run
@click.option("--base", default="", help="Base model, when it was another than the spec's.")
@click.option("--quick", is_flag=True, help="A few examples only: coarse figures in a minute.")
@click.option("--examples", type=click.IntRange(1), help="Held out, of each dimension, at most.")
@click.option("--threads", type=click.IntRange(1), help="Default: idle cores.")
@click.option("--report-only", is_flag=True, help="Write report.html again; measure nothing.")
def command(
    spec_path: Path | None,
    run_folder: Path,
    only: tuple[str, ...],
    base: str,
    quick: bool,
    examples: int | None,
    threads: int | None,
    report_only: bool,
) -> None:
    """Measure what was exported; write validation.json and report.html.

    Exit code 1 when a gate is not passed.
    """
    from dataclasses import replace

    from clara_training.monitor import ClaraMonitor
    from clara_training.report import write_report
    from clara_training.validate import ValidateSettings, validate_run

    if report_only:
        click.echo(write_report(run_folder))
        return
    settings = ValidateSettings.quick() if quick else ValidateSettings()
    settings = replace(
        settings, threads=threads or 0, **({"examples": examples} if examples else {})
    )
    result = validate_run(
        run_folder,
        find_spec(spec_path),
        settings,
        base=base,
        dimensions=only,
        tell=click.echo,
    )
    with ClaraMonitor(run_folder=run_folder) as monitor:
        monitor.track_validation(
            **{name: result[name] for name in ("fidelity", "traits", "domains", "general")}
        )
    click.echo(write_report(run_folder))
    failed = [gate["name"] for gate in result["gates"] if not gate["passed"]]
    if failed:
        raise GateFailed(
            f"{len(failed)} of {len(result['gates'])} gates failed ({', '.join(failed)}): see"
            f" {run_folder / 'report.html'}"
        )
