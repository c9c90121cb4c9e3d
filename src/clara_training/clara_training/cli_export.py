# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""`clara-train export`: the merged model and the adapters of a run, as GGUF."""

from __future__ import annotations

from pathlib import Path

import click

from clara_training.cli_data import find_spec, of_a_run
from clara_training.quantize import KINDS

QUANTIZATION = click.Choice(["auto", *KINDS])


@click.command()
@of_a_run
@click.option("--base", default="", help="Base model, when it was another than the spec's.")
@click.option(
    "--quantization",
    type=QUANTIZATION,
    default="auto",
    show_default=True,
    help="Of clara.gguf and base.gguf; auto: Q4_K_M, or Q8_0 for rows that Q4_K does not fit.",
)
@click.option("--no-imatrix", is_flag=True, help="Quantise without an importance matrix.")
@click.option("--collapsed", is_flag=True, help="Also all adapters in one, collapsed.gguf.")
@click.option("--threads", type=click.IntRange(1), help="Default: idle cores.")
@click.option(
    "--model",
    type=click.Path(path_type=Path, file_okay=False),
    help="Only write this transformers folder as GGUF, f16, to --output.",
)
@click.option(
    "--adapter",
    type=click.Path(path_type=Path, file_okay=False),
    help="Only write this LoRA adapter (of a run, peft, TRL or unsloth) as GGUF, f16, to --output,"
    " for the model that it was trained on, or --base.",
)
@click.option(
    "--output", type=click.Path(path_type=Path, dir_okay=False), help="With --model or --adapter."
)
def command(
    spec_path: Path | None,
    run_folder: Path,
    only: tuple[str, ...],
    base: str,
    quantization: str,
    no_imatrix: bool,
    collapsed: bool,
    threads: int | None,
    model: Path | None,
    adapter: Path | None,
    output: Path | None,
) -> None:
    """Write the merged model and the adapters as GGUF, with a Modelfile and a manifest."""
    if (model is None and adapter is None) != (output is None) or (model and adapter):
        raise click.UsageError("--output goes together with one of --model and --adapter")
    if model is not None and output is not None:
        _write_model(model, output)
        return
    if adapter is not None and output is not None:
        _write_adapter(adapter, output, base)
        return
    from clara_training.export import ExportSettings, export_run

    products = export_run(
        run_folder,
        find_spec(spec_path),
        ExportSettings(quantization, not no_imatrix, collapsed, threads or 0),
        base=base,
        dimensions=only,
        tell=click.echo,
    )
    click.echo(f"serve it: ros2 launch clara_brain clara.launch.py model:={products['model']}")


def _write_model(model: Path, output: Path) -> None:
    from clara_training.export_families import window_sentence
    from clara_training.export_gguf import read_config, write_model

    parameters = write_model(model, output)
    if sentence := window_sentence(str(model), read_config(model)):
        click.echo(sentence)
    click.echo(f"{output}: {parameters:,} parameters, {output.stat().st_size / 1e6:.1f} MB")


def _write_adapter(adapter: Path, output: Path, base: str) -> None:
    from clara_training.export_adapter import export_adapter

    rank = export_adapter(adapter, output, base=base)
    click.echo(f"{output}: rank {rank}, {output.stat().st_size / 1e6:.1f} MB")
    click.echo(
        f"load it into a brain that runs: clara adapters load {output.stem} {output.resolve()}"
    )
