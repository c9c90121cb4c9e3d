# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""`clara-train run`: from a spec to the robot's model, all stages; goes on where it stopped."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from clara_training import cli_data
from clara_training.cli_export import QUANTIZATION
from clara_training.cli_types import FiniteRange
from clara_training.errors import GateFailed
from clara_training.examples import HELD_OUT_SHARE

if TYPE_CHECKING:
    from clara_training.pipeline import Finished, PipelineSettings
    from clara_training.spec import Spec


@click.command()
@cli_data.of_a_run
@click.option("--traits", default="", metavar="A,B", help="Only these traits, and no domains.")
@click.option("--domains", default="", metavar="A,B", help="Only these domains, and no traits.")
@click.option("--base", default="", help="Base model; smollm2 is the one that comes with Clara.")
@click.option("--quick", is_flag=True, help="A few steps and coarse figures: to see it work.")
@click.option("--examples", type=click.IntRange(2), help="To learn from, of each, at most.")
@click.option("--max-steps", type=click.IntRange(1), help="Of each adapter's training, at most.")
@click.option("--max-length", type=click.IntRange(8), help="Tokens of an example.")
@click.option("--learning-rate", type=FiniteRange(0, min_open=True), help="At its highest.")
@click.option("--contrast", type=FiniteRange(0), help="Weight of ORPO's term, for traits.")
@click.option("--anchor", type=FiniteRange(0), help="Weight of what is to stay as it was.")
@click.option("--device", type=click.Choice(["cpu", "cuda"]), help="Default: cuda where it is.")
@click.option("--threads", type=click.IntRange(1), help="Of the CPU; default: idle cores.")
@click.option(
    "--quantization",
    type=QUANTIZATION,
    default="auto",
    show_default=True,
    help="Of clara.gguf.",
)
@click.option(
    "--perplexity-limit",
    type=FiniteRange(0),
    help="How many times its perplexity general text may have, as of clara-train merge.",
)
@cli_data.of_claude
@click.option("--no-claude", is_flag=True, help="Starter data only, even where there is a key.")
@click.option("--yes", is_flag=True, help="Do not ask before spending on data.")
def command(
    spec_path: Path | None,
    run_folder: Path,
    only: tuple[str, ...],
    traits: str,
    domains: str,
    base: str,
    quick: bool,
    count: int | None,
    no_claude: bool,
    yes: bool,
    **options: Any,
) -> None:
    """Do everything: data, adapters, merge, export, validation.

    With ANTHROPIC_API_KEY set, data that the spec asks for and the starter set lacks are made with
    Claude, after a question, and no more of them than will be learned from; without it, the
    starter set is what there is.
    """
    from clara_training.cli_lora import Progress
    from clara_training.monitor import ClaraMonitor
    from clara_training.pipeline import chosen_spec, run_pipeline, settings_for

    names = [*only, *_names(traits), *_names(domains)]
    found = cli_data.find_spec(spec_path)
    if spec_path is None and found.path == run_folder / "spec.json":
        click.echo(_left_by_the_last_run(found), err=True)
    spec = chosen_spec(found, names, base)
    settings = _settings(settings_for(options["device"], quick=quick), options)

    def fill_data(chosen: Spec) -> None:
        wanted = count or _learned_from(chosen, settings.lora.examples)
        cli_data.fill(
            replace(chosen, examples_per_dimension=wanted),
            run_folder,
            list(chosen.dimensions),
            cli_data.settings_of(options),
            yes=yes,
            no_claude=no_claude,
        )

    with ClaraMonitor(run_folder=run_folder) as monitor:
        with Progress(monitor) as progress:
            finished = run_pipeline(
                run_folder,
                spec,
                settings,
                fill_data=fill_data,
                tell=progress.tell,
                record=progress,
            )
        monitor.track_validation(
            **{
                name: finished.validation[name]
                for name in ("fidelity", "traits", "domains", "general")
            }
        )
    _summary(finished)


def _settings(settings: PipelineSettings, options: dict[str, Any]) -> PipelineSettings:
    given = {
        name: options[name]
        for name in ("examples", "max_steps", "max_length", "learning_rate", "contrast", "anchor")
        if options[name] is not None
    }
    threads = options["threads"]
    how = replace(settings.lora.how, device=options["device"], threads=threads)
    limit = options["perplexity_limit"]
    if limit is not None:
        settings = replace(settings, perplexity_limit=limit or None)
    return replace(
        settings,
        lora=replace(settings.lora, how=how, **given),
        export=replace(
            settings.export, quantization=options["quantization"], threads=threads or 0
        ),
        validate=replace(settings.validate, threads=threads or 0),
    )


def _learned_from(spec: Spec, examples: int | None) -> int:
    """Return how many examples of a dimension are of use, those that are held out included."""
    if not examples:
        return spec.examples_per_dimension
    return min(spec.examples_per_dimension, math.ceil(examples / (1 - HELD_OUT_SHARE)))


def _left_by_the_last_run(spec: Spec) -> str:
    return (
        f"clara-train: the spec is {spec.path}, which the last run left: "
        f"{', '.join(spec.dimensions)}, for {spec.base_model}; --spec takes another, and a "
        "clara_spec.json here comes first (clara-train spec --write clara_spec.json makes the "
        "standard one)"
    )


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _summary(finished: Finished) -> None:
    found = finished.validation
    for name, trait in found["traits"].items():
        base, merged = trait["base"]["mean"], trait["merged"]["mean"]
        click.echo(f"{name}: margin {base:+.3f} -> {merged:+.3f} nats a token")
    for name, domain in found["domains"].items():
        base, merged = domain["base"]["perplexity"], domain["merged"]["perplexity"]
        click.echo(f"{name}: perplexity of answers {base:.1f} -> {merged:.1f}")
    took = ", ".join(f"{name} {seconds:.0f} s" for name, seconds in finished.seconds.items())
    click.echo(f"took {sum(finished.seconds.values()) / 60:.1f} min: {took}")
    click.echo(f"report: {finished.products['report']}")
    click.echo(
        f"talk to her: ros2 launch clara_brain clara.launch.py model:={finished.products['model']}"
    )
    failed = [gate["name"] for gate in found["gates"] if not gate["passed"]]
    if failed:
        raise GateFailed(
            f"{len(failed)} of {len(found['gates'])} gates failed ({', '.join(failed)}): see"
            f" {finished.products['report']}"
        )
