# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""`clara-train mvlm`, `clara-train simone` and `clara-train sample`: models from scratch."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from clara_training.cli_governance import checking, govern_if_possible
from clara_training.cli_types import FiniteRange
from clara_training.packages import load

_F = TypeVar("_F", bound=Callable[..., Any])


def _option(name: str, **how: Any) -> Callable[[_F], _F]:
    """Return an option that is written with underscores or hyphens."""
    names = [f"--{name}"] + ([f"--{name.replace('_', '-')}"] if "_" in name else [])
    return click.option(*names, **how)


_OPTIONS = (
    _option(
        "data_dir",
        type=click.Path(path_type=Path),
        help="A corpus, or a folder of text.  [default: the installed sword-text-* packages]",
    ),
    _option("output_dir", type=click.Path(path_type=Path), help="Of everything that is made."),
    _option("size", help="tiny, small, base or large.  [default: tiny; GPU: base]"),
    _option("vocab_size", type=click.IntRange(1), help="Of the tokenizer, where text is given."),
    _option("context", type=click.IntRange(8), help="Tokens of a row.  [default: 512; GPU: 1024]"),
    _option("batch_size", type=click.IntRange(1), help="Rows at once.  [default: 16]"),
    _option("gradient_accumulation_steps", type=click.IntRange(1), help="[default: 1]"),
    _option("num_epochs", type=click.IntRange(1), help="At most.  [default: 3]"),
    _option("max_steps", type=click.IntRange(1), help="Of the optimiser, at most."),
    _option("learning_rate", type=FiniteRange(0, min_open=True), help="At its highest."),
    _option("schedule", type=click.Choice(["cosine", "wsd"]), help="[default: cosine]"),
    _option("weight_decay", type=FiniteRange(0), help="Of matrices.  [default: 0.1]"),
    _option("patience", type=click.IntRange(0), help="Evaluations without a new best; 0: all."),
    _option("optimizer", type=click.Choice(["adamw", "muon"]), help="[default: adamw]"),
    _option("content_alignment", is_flag=True, help="Also tell what follows a passage."),
    _option("coherence", is_flag=True, help="Also tell the order of the next two segments."),
    _option("accuracy", is_flag=True, help="Names and numbers count for more."),
    _option(
        "loss_weights",
        type=click.Choice(["uncertainty", "dwa"]),
        help="How such losses are weighed.  [default: uncertainty]",
    ),
    _option("seed", type=click.IntRange(0), help="Of order and first weights.  [default: 0]"),
    _option("resume_from", default="", help="best_model, a checkpoint or a model to go on from."),
    _option("device", type=click.Choice(["cpu", "cuda"]), help="Default: cuda where it is."),
    _option("threads", type=click.IntRange(1), help="Of the CPU; default: idle cores."),
    _option(
        "precision",
        type=click.Choice(["auto", "fp32", "bf16", "fp16"]),
        help="Of products.  [default: auto: bf16 on CUDA, else fp32]",
    ),
    _option(
        "parallel",
        type=click.Choice(["ddp", "fsdp2"]),
        help="Under torchrun: whole models, or one spread over all.  [default: ddp]",
    ),
    _option("recompute", is_flag=True, help="Gradient checkpointing: less memory, more time."),
    _option("compile", is_flag=True, help="torch.compile: some seconds first, then quicker."),
    _option("checkpoint_seconds", type=FiniteRange(0), help="Between two.  [default: 120]"),
)


def of_a_training(function: _F) -> _F:
    """Add the options of a training from scratch."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


def of_heads(function: _F) -> _F:
    """Add the options of the heads that are made after a training."""
    for option in (
        _option("labels", type=click.Path(path_type=Path), help="For them, as of governance."),
        click.option("--governance/--no-governance", default=True, help="Heads of SIM-ONE."),
    ):
        function = option(function)
    return function


@click.command()
@of_a_training
def mvlm(**options: Any) -> None:
    """Train MVLM, a GPT-2, on a corpus; goes on where it stopped."""
    _train("mvlm", options)


@click.command()
@of_a_training
@_option("untied", is_flag=True, help="An output embedding of its own.")
@of_heads
def simone(governance: bool, labels: Path | None, **options: Any) -> None:
    """Train SIM-ONE on a corpus; goes on where it stopped."""
    best = _train("simone", options, checking(labels, wanted=governance))
    if governance and os.environ.get("RANK", "0") == "0":
        govern_if_possible(best.parent, labels, options["device"])


def _train(
    kind: str, options: dict[str, Any], check: Callable[[Path], None] = lambda corpus: None
) -> Path:
    load("torch", "training")
    from clara_training.base import default_device
    from clara_training.machine import use_threads
    from clara_training.monitor import ClaraMonitor
    from clara_training.pretrain import pretrain
    from clara_training.pretrain_export import export
    from clara_training.pretrain_loop import Execution, PretrainSettings

    given = {name: value for name, value in options.items() if value is not None}
    use_threads(given.pop("threads", None))
    how: dict[str, Any] = {"device": given.pop("device", None) or default_device()}
    execution = ("compile", "precision", "parallel", "recompute", "checkpoint_seconds")
    how |= {name: given.pop(name) for name in execution if name in given}
    output = given.pop("output_dir", Path("runs") / kind)
    shape = ("size", "context", "vocab_size")
    model: dict[str, Any] = {name: given.pop(name) for name in shape if name in given}
    model["tied"] = not given.pop("untied", False)
    data, resume_from = given.pop("data_dir", None), given.pop("resume_from")
    with ClaraMonitor(run_folder=output) as monitor, Bar(kind, monitor) as bar:
        best = pretrain(
            kind,
            data,
            output,
            PretrainSettings(**given),
            Execution(**how),
            **model,
            resume_from=resume_from,
            check=check,
            tell=bar.tell,
            report=bar,
        )
    if os.environ.get("RANK", "0") == "0":
        export(best, device=how["device"], tell=click.echo)
    return best


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.option("--prompt", default="", help="What the text begins with.")
@_option("tokens", type=click.IntRange(1), default=200, show_default=True, help="At most.")
@_option("temperature", type=FiniteRange(0), default=0.8, show_default=True)
@_option("top_p", type=FiniteRange(0, 1, min_open=True), default=0.95, show_default=True)
@_option(
    "repetition_penalty",
    type=FiniteRange(0, min_open=True),
    default=1.1,
    show_default=True,
    help="1: none.",
)
@_option("seed", type=click.IntRange(0), default=0, show_default=True)
@_option("device", type=click.Choice(["cpu", "cuda"]), help="Default: cuda where it is.")
@_option("threads", type=click.IntRange(1), help="Of the CPU; default: idle cores.")
def sample(
    model: Path, prompt: str, tokens: int, device: str | None, threads: int | None, **how: Any
) -> None:
    """Let a model write. MODEL is its folder, as runs/simone/best_model."""
    load("torch", "sampling")
    from clara_training.base import default_device
    from clara_training.machine import use_threads
    from clara_training.pretrain_device import check_device
    from clara_training.sample import BOUNDARY, Sampling, generate
    from clara_training.scratch import load_model
    from clara_training.tokenizer import load_tokenizer

    use_threads(threads)
    check_device(device := device or default_device())
    loaded, tokenizer = load_model(model).to(device), load_tokenizer(model)
    ids = [BOUNDARY, *tokenizer.encode(prompt).ids]
    click.echo(prompt, nl=False)
    written, shown = [], ""
    for token in generate(loaded, ids, tokens, Sampling(**how)):
        written.append(token)
        text = tokenizer.decode(written)
        if not text.endswith("\ufffd"):  # else half a character
            click.echo(text[len(shown) :], nl=False)
            sys.stdout.flush()
            shown = text
    click.echo()


class Bar:
    """A progress bar on stderr, and every record to the monitor."""

    def __init__(self, kind: str, monitor: Any) -> None:
        self._kind, self._monitor = kind, monitor
        self._bar: Any = None
        self._held_out = ""

    def __enter__(self) -> Bar:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Leave the bar as it stands."""
        if self._bar is not None:
            self._bar.close()

    def tell(self, sentence: str) -> None:
        """Say a sentence, above the bar."""
        if self._bar is not None:
            self._bar.clear()
        click.echo(sentence)

    def __call__(self, record: dict[str, Any]) -> None:
        """Take the figures of a step or an evaluation."""
        from tqdm import tqdm

        step = record["step"]
        figures = {name: value for name, value in record.items() if name != "step"}
        self._monitor.track_training(step, **figures)
        if "loss" not in record:
            self._held_out = f"{record['held_out_bits_per_byte']:.3f}"
            return
        if self._bar is None:
            self._bar = tqdm(total=record["of"], initial=step - 1, desc=self._kind, unit="step")
        shown = {"loss": f"{record['loss']:.3f}", "held out bits/byte": self._held_out}
        shown["tokens/s"] = f"{record['tokens_per_second']:.0f}"
        for name, label in (("memory_gb", "GB"), ("mfu", "MFU"), ("gpu_utilization", "GPU")):
            if name in record:
                value = record[name]
                shown[label] = f"{value:.1f}" if label == "GB" else f"{value:.0%}"
        self._bar.set_postfix(shown, refresh=False)
        self._bar.update()
