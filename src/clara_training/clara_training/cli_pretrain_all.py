# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""`clara-train pretrain-all`: from a text to a bundle of both models; goes on where it stopped."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from clara_training.cli_governance import checking, govern_if_possible
from clara_training.cli_pretrain import of_a_training, of_heads
from clara_training.errors import GateFailed, PretrainError
from clara_training.packages import load

if TYPE_CHECKING:
    from clara_training.pretrain_all import Finished


@click.command()
@of_a_training
@of_heads
@click.option("--quick", is_flag=True, help="Coarse figures: to see it work.")
def command(governance: bool, labels: Path | None, quick: bool, **options: Any) -> None:
    """Train MVLM and SIM-ONE, export, judge and report them, and pack it all for download.

    Both learn from the same text with the same settings. --max_steps bounds the time: see the
    tokens a second on the bar.
    """
    load("torch", "training")
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise PretrainError(
            "pretrain-all is one process: train with torchrun and clara-train mvlm and simone,"
            " then run this, which finds them done"
        )
    from clara_training.base import default_device
    from clara_training.cli_pretrain import Bar
    from clara_training.machine import use_threads
    from clara_training.monitor import ClaraMonitor
    from clara_training.pretrain_all import AllSettings, bundle_files, pretrain_all
    from clara_training.pretrain_loop import Execution, PretrainSettings
    from clara_training.validate_scratch import ScratchSettings

    given = {name: value for name, value in options.items() if value is not None}
    threads = given.pop("threads", None)
    use_threads(threads)
    output = given.pop("output_dir", Path("runs") / "scratch")
    data = given.pop("data_dir", None)
    given.setdefault("device", default_device())
    check = checking(labels, wanted=governance)
    shape = {name: given[name] for name in ("size", "context", "vocab_size") if name in given}
    settings = AllSettings(
        training=PretrainSettings(**_of(PretrainSettings, given)),
        execution=Execution(**_of(Execution, given)),
        validation=ScratchSettings.quick() if quick else ScratchSettings(),
        threads=threads or 0,
        **shape,
    )
    with ExitStack() as opened:
        shown: list[Any] = []  # of what is under way
        packed: list[Any] = []

        def tell(sentence: str) -> None:
            for bar in packed:
                bar.clear()
            if shown:
                shown[-1].tell(sentence)
            else:
                click.echo(sentence)

        @contextmanager
        def watch(kind: str) -> Iterator[Bar]:
            with ClaraMonitor(run_folder=output / kind) as monitor, Bar(kind, monitor) as bar:
                shown.append(bar)
                yield bar
            shown.clear()

        def govern(run: Path) -> None:
            govern_if_possible(run, labels, given["device"])

        def advance(size: int) -> None:
            if not packed:
                packed.append(opened.enter_context(_new_bar(bundle_files(output))))
            packed[0].update(size)

        finished = pretrain_all(
            data,
            output,
            settings,
            govern=govern if governance else None,
            check=check,
            tell=tell,
            watch=watch,
            advance=advance,
        )
    _summary(finished)


# A pair of models has no one state to go on from: each goes on from its own.
command.params = [each for each in command.params if each.name != "resume_from"]


def _of(kind: Any, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options that are fields of a dataclass."""
    names = {each.name for each in fields(kind)}
    return {name: value for name, value in given.items() if name in names}


@contextmanager
def packing_bar(files: Mapping[str, Path]) -> Iterator[Callable[[int], object]]:
    """Give what is to be told of bytes while these files are packed."""
    with _new_bar(files) as bar:
        yield bar.update


def _new_bar(files: Mapping[str, Path]) -> Any:
    from tqdm import tqdm

    # Each byte is read to be hashed, to be packed, and once more to see that it is right.
    size = 3 * sum(file.stat().st_size for file in files.values())
    return tqdm(total=size, desc="bundle", unit="B", unit_scale=True)


def _summary(finished: Finished) -> None:
    for kind, found in finished.validations.items():
        held_out = found["held_out"]
        click.echo(
            f"{kind}: {held_out['bits_per_byte']:.4f} held-out bits per byte, perplexity"
            f" {held_out['perplexity']:.1f}"
        )
    took = ", ".join(f"{name} {seconds:.0f} s" for name, seconds in finished.seconds.items())
    click.echo(f"took {sum(finished.seconds.values()) / 60:.1f} min: {took}")
    click.echo(f"report: {finished.products['report']}")
    click.echo(f"bundle: {finished.products['bundle']}")
    click.echo(
        f"talk to it: ros2 launch clara_brain clara.launch.py model:={finished.products['simone']}"
    )
    failed = [
        f"{kind}: {gate['name']}"
        for kind, found in finished.validations.items()
        for gate in found["gates"]
        if not gate["passed"]
    ]
    if failed:
        raise GateFailed(
            f"not good enough is {'; '.join(failed)}: see {finished.products['report']}"
        )
