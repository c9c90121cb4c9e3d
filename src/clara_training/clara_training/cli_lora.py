# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""`clara-train lora`: train the adapters of a run."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from clara_training.cli_data import find_spec, of_a_run
from clara_training.cli_types import FiniteRange

if TYPE_CHECKING:
    from clara_training.lora import Adapter
    from clara_training.monitor import ClaraMonitor


@click.command()
@of_a_run
@click.option("--base", default="", help="Base model: smollm2, a folder, a GGUF, or a hub name.")
@click.option("--rank", type=click.IntRange(1), help="Of the adapters.  [default: 16]")
@click.option("--alpha", type=click.IntRange(1), help="Scale is alpha / rank.  [default: 32]")
@click.option(
    "--targets",
    metavar="A,B",
    help="Layers that get an adapter, such as q_proj,v_proj; default: all linear ones.",
)
@click.option("--dropout", type=FiniteRange(0, 0.9), help="On adapters.  [default: 0]")
@click.option("--epochs", type=click.IntRange(1), help="At most.  [default: 3]")
@click.option("--batch-size", type=click.IntRange(1), help="Examples at once.  [default: 4]")
@click.option("--accumulation", type=click.IntRange(1), help="Batches a step.  [default: 4]")
@click.option(
    "--learning-rate",
    type=FiniteRange(0, min_open=True),
    help="At its highest; default: by the base's width.",
)
@click.option("--contrast", type=FiniteRange(0), help="Weight of ORPO's term, for traits.")
@click.option("--anchor", type=FiniteRange(0), help="Weight of what is to stay as it was.")
@click.option("--patience", type=click.IntRange(0), help="Evaluations without a new best; 0: all.")
@click.option("--examples", type=click.IntRange(2), help="To learn from, at most.")
@click.option("--max-steps", type=click.IntRange(1), help="Of the optimiser, at most.")
@click.option(
    "--max-length",
    type=click.IntRange(8),
    help="Tokens of an example; a longer conversation goes without its earliest turns.",
)
@click.option("--system", help="System message of all examples that have none of their own.")
@click.option(
    "--loss-on",
    type=click.Choice(["all", "last"]),
    help="Replies of a domain's conversations that are learned; of a trait's, it is the last."
    "  [default: all]",
)
@click.option("--seed", type=click.IntRange(0), help="Of order and first weights.  [default: 0]")
@click.option("--four-bit", is_flag=True, help="Base model in 4 bits (NF4, bitsandbytes).")
@click.option("--device", type=click.Choice(["cpu", "cuda"]), help="Default: cuda where it is.")
@click.option("--threads", type=click.IntRange(1), help="Of the CPU; default: idle cores.")
@click.option("--row-tokens", type=click.IntRange(8), help="Of a packed micro-batch.")
@click.option("--no-packing", is_flag=True, help="Pad examples instead of packing them.")
@click.option("--recompute", is_flag=True, help="Gradient checkpointing: less memory, more time.")
def command(
    spec_path: Path | None, run_folder: Path, only: tuple[str, ...], base: str, **options: Any
) -> None:
    """Train one LoRA adapter for each trait and domain; goes on where it stopped.

    Several GPUs: torchrun --nproc-per-node N -- $(which clara-train) lora ...
    """
    from clara_training.lora import LoraExecution, LoraSettings, train_adapters
    from clara_training.monitor import ClaraMonitor

    given = {name: value for name, value in options.items() if value is not None}
    if "targets" in given:
        names = {name.strip() for name in given["targets"].split(",")} - {""}
        if not names:
            raise click.BadParameter("it names no layer", param_hint="--targets")
        given["targets"] = tuple(sorted(names))
    how: dict[str, Any] = {"packing": not given.pop("no_packing")}
    for name in ("device", "threads", "row_tokens", "recompute"):
        if name in given:
            how[name] = given.pop(name)
    settings = LoraSettings(how=LoraExecution(**how), **given)
    with ClaraMonitor(run_folder=run_folder) as monitor, Progress(monitor) as progress:
        adapters = train_adapters(
            run_folder,
            find_spec(spec_path),
            settings,
            dimensions=only,
            base=base,
            report=progress,
        )
    if os.environ.get("RANK", "0") != "0":
        return
    for adapter in adapters:
        click.echo(summary(adapter))


def summary(adapter: Adapter) -> str:
    """Return a line about an adapter."""
    figures = adapter.metrics
    text = f"{adapter.dimension}: {figures['steps']} steps"
    if figures["held_out_loss"] is not None:
        text += (
            f", held-out loss {figures['held_out_loss_before']:.3f} -> "
            f"{figures['held_out_loss']:.3f} (step {figures['best_step']})"
        )
    if figures["seconds"]:
        text += f", {figures['tokens'] / figures['seconds']:.0f} tokens/s"
    return f"{text}, {adapter.folder}" + (" (was there)" if adapter.was_there else "")


class Progress:
    """A bar for each dimension on stderr, and every record to the monitor."""

    def __init__(self, monitor: ClaraMonitor) -> None:
        self._monitor = monitor
        self._dimension = ""
        self._bar: Any = None

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def __call__(self, dimension: str, record: dict[str, Any]) -> None:
        """Show one record of a training, and hand it to the monitor."""
        from tqdm import tqdm

        if "note" in record:
            if self._bar is not None:
                self._bar.clear()
            click.echo(f"clara-train: {dimension}: {record['note']}", err=True)
            return
        figures = {name: value for name, value in record.items() if name != "step"}
        self._monitor.track_training(record.get("step"), dimension=dimension, **figures)
        if "loss" in record:
            if dimension != self._dimension or self._bar is None:
                self._close()
                self._dimension = dimension
                self._bar = tqdm(
                    total=record["of"], initial=record["step"] - 1, desc=dimension, unit="step"
                )
            self._bar.set_postfix(loss=f"{record['loss']:.3f}", refresh=False)
            self._bar.update()

    def tell(self, sentence: str) -> None:
        """Say what stage comes after the training, or went before it; its bar ends there."""
        self._close()
        click.echo(sentence)

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None
