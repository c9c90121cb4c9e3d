# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""`clara-train data`: make, check and mend the training data of a run."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from clara_training.cli_types import FiniteRange
from clara_training.data_cost import DEFAULT_CAP, DEFAULT_MODEL, PRICED_ON, PRICES, PRICES_SOURCE
from clara_training.environment import ANTHROPIC_KEY, secret
from clara_training.examples import DIFFICULTIES
from clara_training.spec import Spec, load_spec

if TYPE_CHECKING:
    from clara_training.data_check import Report
    from clara_training.data_missing import Filled
    from clara_training.data_plan import Estimate, Settings

NO = 3  # exit code of a "no" to the question whether to spend
WITHOUT = "; --no-claude goes on with the examples that are there"


def of_a_run(body: Callable[..., None]) -> Callable[..., None]:
    """Add the options that say which run, and which of its dimensions."""
    only = click.option(
        "--only",
        multiple=True,
        metavar="NAME",
        help="Only this trait or domain; may be repeated.",
    )
    return of_a_folder(only(body))


def of_a_folder(body: Callable[..., None]) -> Callable[..., None]:
    """Add the options that say which run."""
    for option in (
        click.option(
            "--run",
            "run_folder",
            type=click.Path(path_type=Path, file_okay=False),
            default=Path("runs/clara"),
            show_default=True,
            help="Folder of the run.",
        ),
        click.option(
            "--spec",
            "spec_path",
            type=click.Path(path_type=Path),
            help="Personality file; default: clara_spec.json here, the run's, the standard one.",
        ),
    ):
        body = option(body)
    return body


def of_claude(body: Callable[..., None]) -> Callable[..., None]:
    """Add the options of making data with Claude."""
    for option in (
        click.option(
            "--concurrency",
            type=click.IntRange(1, 50),
            default=4,
            show_default=True,
            help="Requests under way at a time, when sent one by one.",
        ),
        click.option(
            "--per-request",
            type=click.IntRange(1, 50),
            default=10,
            show_default=True,
            help="Examples asked for at a time.",
        ),
        click.option(
            "--max-cost",
            type=FiniteRange(0),
            default=DEFAULT_CAP,
            show_default=True,
            help="US dollars that the run may cost in all, what it has cost already included.",
        ),
        click.option(
            "--mode",
            type=click.Choice(["auto", "direct", "batch"]),
            default="auto",
            show_default=True,
            help="One by one, or as batches (half the price, up to a day); auto: by the number.",
        ),
        click.option(
            "--model",
            type=click.Choice(sorted(PRICES)),
            default=DEFAULT_MODEL,
            show_default=True,
            help="The Claude that writes.",
        ),
        click.option(
            "--count",
            type=click.IntRange(1),
            help="Examples of each dimension; default: as the spec says.",
        ),
    ):
        body = option(body)
    return body


@click.group()
def command() -> None:
    """Make, check and mend the training data of a run."""


@command.command()
@of_a_run
def starter(spec_path: Path | None, run_folder: Path, only: tuple[str, ...]) -> None:
    """Copy the data that ship with Clara into the run; what is there and good stays."""
    from clara_training.data_missing import fill_from_starter

    spec = find_spec(spec_path)
    _show_filled(fill_from_starter(spec, run_folder, _chosen(spec, only), _say))


@command.command()
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
@of_a_run
@click.option("--strict", is_flag=True, help="Exit 1 for warnings as well.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def check(
    files: tuple[Path, ...],
    spec_path: Path | None,
    run_folder: Path,
    only: tuple[str, ...],
    strict: bool,
    as_json: bool,
) -> None:
    """Check the run's data, or FILES; exit 1 when something cannot be learned from."""
    from clara_training import data_check
    from clara_training.data_files import data_folder

    if files:
        reports = [data_check.check_path(path) for path in files]
    else:
        spec = find_spec(spec_path)
        reports = data_check.check_run(spec, data_folder(run_folder), _chosen(spec, only))
    if as_json:
        click.echo(json.dumps([each.as_json() for each in reports], ensure_ascii=False))
    else:
        _print(data_check.table(reports))
    if _bad(reports, strict):
        sys.exit(1)


@command.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@click.argument("dimension")
@of_a_folder
@click.option(
    "--leave-out",
    "omit",
    multiple=True,
    metavar="NAME",
    help="What is not to come in: system (messages), later-turns, unanswered (a last question), or"
    " a field of the entries; may be repeated. How many had it is said.",
)
@click.option(
    "--system-in-question", is_flag=True, help="Put a system message before the first question."
)
@click.option("--skip-bad", is_flag=True, help="Leave out entries that are no examples.")
@click.option(
    "--difficulty",
    type=click.Choice(DIFFICULTIES),
    default="medium",
    show_default=True,
    help="Of a domain's examples, where an entry does not say.",
)
def import_(
    file: Path, dimension: str, spec_path: Path | None, run_folder: Path, **options: Any
) -> None:
    """Make the file of a DIMENSION, a domain or a trait, of what other tools train on.

    FILE is a JSON list, has JSON on each line, or is CSV with a header. For a domain: instruction,
    input, output; prompt, completion; question, answer; or messages (OpenAI's, ShareGPT's, a bare
    list). For a trait: prompt, chosen (with much of it), rejected (with little), or Clara's own.
    """
    from clara_training.data_import import ImportSettings, import_examples

    settings = ImportSettings(**options)
    made = import_examples(find_spec(spec_path), run_folder, file, dimension, settings)
    kinds = {"of several turns": made.several, "with a system message": made.system}
    counted = "".join(f", {count} {kind}" for kind, count in kinds.items() if count)
    click.echo(
        f"{made.path}: {made.examples} examples{counted}; clara-train data check looks at them"
    )
    for name, count in made.left_out.items():
        click.echo(f"left out: {name} ({count} of {made.entries} entries)")


@command.command()
@of_a_run
@of_claude
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def estimate(
    spec_path: Path | None,
    run_folder: Path,
    only: tuple[str, ...],
    count: int | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Say what making the missing data with Claude would cost; nothing is sent."""
    from clara_training.data_generate import estimate as estimated

    spec = find_spec(spec_path, count)
    settings = settings_of(options)
    estimates, spent = estimated(spec, run_folder, _chosen(spec, only), settings)
    if as_json:
        click.echo(
            json.dumps(
                {
                    "spent": spent,
                    "cap": settings.max_cost,
                    "prices_of": PRICED_ON,
                    "dimensions": [vars(each) for each in estimates],
                }
            )
        )
    else:
        _show_estimates(estimates, spent, settings)


@command.command()
@of_a_run
@of_claude
@click.option("--yes", is_flag=True, help="Do not ask before spending.")
def generate(
    spec_path: Path | None,
    run_folder: Path,
    only: tuple[str, ...],
    count: int | None,
    yes: bool,
    **options: Any,
) -> None:
    """Make what the spec asks for and the run lacks, with Claude; goes on where it stopped."""
    spec = find_spec(spec_path, count)
    _generate(spec, run_folder, _chosen(spec, only), settings_of(options), yes)


@command.command()
@of_a_run
@of_claude
@click.option("--yes", is_flag=True, help="Do not ask before spending.")
@click.option("--no-claude", is_flag=True, help="Starter data only, even where there is a key.")
def missing(
    spec_path: Path | None,
    run_folder: Path,
    only: tuple[str, ...],
    count: int | None,
    yes: bool,
    no_claude: bool,
    **options: Any,
) -> None:
    """Make just what is absent or broken: from the starter data, then with Claude."""
    spec = find_spec(spec_path, count)
    names = _chosen(spec, only)
    fill(spec, run_folder, names, settings_of(options), yes=yes, no_claude=no_claude)


def fill(
    spec: Spec,
    run_folder: Path,
    names: list[str],
    settings: Settings,
    *,
    yes: bool,
    no_claude: bool,
) -> None:
    """Make what is absent or broken: from the starter data, then with Claude where there is a key.

    Nothing is spent unless `yes`, or a person at the terminal, agrees. Raises BudgetError when
    nobody does, or the cap is too low, and whatever making data raises.
    """
    from clara_training.data_missing import fill_from_starter

    key = bool(secret(ANTHROPIC_KEY)) and not no_claude
    filled = fill_from_starter(spec, run_folder, names, _say, may_be_empty=key)
    _show_filled(filled)
    lacking = [each.dimension for each in filled if each.after < each.wanted]
    if lacking and key:
        _generate(spec, run_folder, lacking, settings, yes, WITHOUT)
    elif lacking:
        click.echo(
            f"fewer than the spec asks for: {', '.join(lacking)}; "
            f"with {ANTHROPIC_KEY} set, this command makes the rest"
        )


def find_spec(path: Path | None, count: int | None = None) -> Spec:
    """Return the spec of --spec, of this folder, of the run, or the standard one.

    Raises SpecError.
    """
    from clara_training.spec import default_spec

    context = click.get_current_context(silent=True)
    run_folder = context.params.get("run_folder") if context else None
    places = [Path("clara_spec.json"), *([run_folder / "spec.json"] if run_folder else [])]
    found = path or next((each for each in places if each.exists()), None)
    spec = load_spec(found) if found else default_spec()
    return replace(spec, examples_per_dimension=count) if count else spec


def _chosen(spec: Spec, only: tuple[str, ...]) -> list[str]:
    for name in only:
        spec.require(name)
    return [name for name in spec.dimensions if not only or name in only]


def settings_of(options: dict[str, Any]) -> Settings:
    """Return what the options of `of_claude` say, among whatever others."""
    from clara_training.data_plan import Settings

    names = {each.name for each in fields(Settings)}
    return Settings(**{name: value for name, value in options.items() if name in names})


def _generate(
    spec: Spec,
    run_folder: Path,
    names: list[str],
    settings: Settings,
    yes: bool,
    way_out: str = "",
) -> None:
    from tqdm import tqdm

    from clara_training.data_claude import Claude
    from clara_training.data_generate import estimate as estimated
    from clara_training.data_generate import generate as generated
    from clara_training.errors import BudgetError
    from clara_training.monitor import ClaraMonitor

    claude = Claude(settings.model, say=_say)
    estimates, spent = estimated(spec, run_folder, names, settings)
    _show_estimates(estimates, spent, settings)
    expected = sum(each.expected for each in estimates)
    if spent + expected > settings.max_cost:
        raise BudgetError(
            f"this would cost about ${expected:.2f} beyond the ${spent:.2f} spent, more than the "
            f"cap of ${settings.max_cost:.2f}; nothing was sent: raise it with --max-cost, or ask "
            f"for fewer with --count, or take a cheaper --model{way_out}"
        )
    if any(each.requests for each in estimates) and not yes:
        if not sys.stdin.isatty():
            raise BudgetError(f"nobody is there to agree to the cost; --yes agrees{way_out}")
        if not click.confirm(f"Spend about ${expected:.2f}?"):
            click.echo(f"nothing was spent{way_out}")
            sys.exit(NO)
    with ClaraMonitor(run_folder=run_folder) as monitor, tqdm(unit=" examples") as bar:

        def progress(done: int, wanted: int) -> None:
            bar.total = wanted
            bar.n = min(done, wanted)
            bar.refresh()
            monitor.track_data_generation(examples=done, wanted=wanted)

        def say(text: str) -> None:
            bar.clear()
            _say(text)

        outcome = generated(spec, run_folder, names, settings, claude, say=say, progress=progress)
        monitor.track_data_generation(
            counts=outcome.counts,
            duplicates=outcome.duplicates,
            refused=outcome.refused,
            requests=outcome.requests,
            spent_usd=outcome.spent,
        )
    for name in names:
        click.echo(
            f"{name}: {outcome.counts[name]} examples "
            f"({outcome.duplicates[name]} near-duplicates and {outcome.refused[name]} bad ones "
            "left out)"
        )
    click.echo(f"the run has cost ${outcome.spent:.4f} so far")


def _show_estimates(estimates: list[Estimate], spent: float, settings: Settings) -> None:
    from rich.table import Table

    drawn = Table("dimension", "there are", "wanted", "requests", "about", "at most")
    for each in estimates:
        drawn.add_row(
            each.dimension,
            str(each.have),
            str(each.wanted),
            str(each.requests),
            f"${each.expected:.3f}",
            f"${each.most:.3f}",
        )
    _print(drawn)
    expected, most = (
        sum(getattr(each, name) for each in estimates) for name in ("expected", "most")
    )
    click.echo(
        f"{settings.model}: about ${expected:.2f}, at most ${most:.2f} (prices of {PRICED_ON},"
        f" {PRICES_SOURCE}); spent so far ${spent:.2f}; cap ${settings.max_cost:.2f}"
    )


def _show_filled(filled: list[Filled]) -> None:
    for each in filled:
        if each.changed:
            click.echo(f"{each.dimension}: {each.after} examples, {each.before} were there")
        else:
            click.echo(f"{each.dimension}: {each.after} examples, as it was")


def _bad(reports: list[Report], strict: bool) -> bool:
    return any(each.faults or (strict and each.warnings) for each in reports)


def _say(text: str) -> None:
    click.echo(f"clara-train: {text}", err=True)


def _print(drawn: Any) -> None:
    from rich.console import Console

    Console().print(drawn)
