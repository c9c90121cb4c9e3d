# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""`clara-train validate`: measure what was exported, and write the report."""

from __future__ import annotations

from pathlib import Path

import click

from clara_training.cli_data import find_spec, of_a_run
from clara_training.errors import GateFailed, ValidationError


@click.command()
@click.argument("folders", nargs=-1, type=click.Path(path_type=Path))
@of_a_run
@click.option("--base", default="", help="Base model, when it was another than the spec's.")
@click.option("--quick", is_flag=True, help="A few examples only: coarse figures in a minute.")
@click.option("--examples", type=click.IntRange(1), help="Held out, of each dimension, at most.")
@click.option("--threads", type=click.IntRange(1), help="Default: idle cores.")
@click.option(
    "--device",
    type=click.Choice(["cpu", "cuda"]),
    help="Of a model from scratch, where PyTorch reads.  [default: cuda where it is]",
)
@click.option(
    "--data_dir",
    "--data-dir",
    "corpus",
    type=click.Path(path_type=Path),
    help="Corpus of a model from scratch.  [default: where it was trained from]",
)
@click.option("--report-only", is_flag=True, help="Write report.html again; measure nothing.")
def command(
    folders: tuple[Path, ...],
    spec_path: Path | None,
    run_folder: Path,
    only: tuple[str, ...],
    base: str,
    quick: bool,
    examples: int | None,
    threads: int | None,
    device: str | None,
    corpus: Path | None,
    report_only: bool,
) -> None:
    """Measure what was exported; write validation.json and report.html.

    FOLDERS: a run (as --run), a model from scratch, or several of these, which the report then
    shows side by side. Exit code 1 when a gate is not passed.
    """
    from dataclasses import replace

    from clara_training.monitor import ClaraMonitor
    from clara_training.report import write_report
    from clara_training.validate import ValidateSettings, validate_run

    if folders or _from_scratch(run_folder):
        chosen = folders or (run_folder,)
        if all(map(_from_scratch, chosen)):
            _validate_scratch(chosen, corpus, quick, device, threads, report_only)
            return
        if len(chosen) > 1:
            other = next(each for each in chosen if not _from_scratch(each))
            raise ValidationError(
                f"{other} holds no finished model from scratch (best_model), and only these are"
                " shown side by side: train it with clara-train mvlm or simone"
            )
        run_folder = chosen[0]
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


def _from_scratch(folder: Path) -> bool:
    return (folder / "best_model").is_dir() and not (folder / "merged").exists()


def _validate_scratch(
    folders: tuple[Path, ...],
    corpus: Path | None,
    quick: bool,
    device: str | None,
    threads: int | None,
    report_only: bool,
) -> None:
    from clara_training.base import default_device
    from clara_training.report_scratch import write_scratch_report
    from clara_training.validate_scratch import ScratchSettings, validate_scratch

    failed = []
    for folder in () if report_only else folders:
        settings = ScratchSettings.quick() if quick else ScratchSettings()
        found = validate_scratch(
            folder,
            settings,
            corpus=corpus,
            device=device or default_device(),
            threads=threads or 0,
            tell=click.echo,
        )
        click.echo(write_scratch_report([folder]))
        failed += [f"{folder}: {gate['name']}" for gate in found["gates"] if not gate["passed"]]
    if report_only or len(folders) > 1:
        click.echo(write_scratch_report(folders))
    if failed:
        raise GateFailed(f"not good enough is {'; '.join(failed)}: see the report")
