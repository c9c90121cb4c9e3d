# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""`clara persona` and `clara adapters`: what Clara is like, while she runs."""

from __future__ import annotations

from pathlib import Path

import click

from clara_brain.cli_options import hand_down, json_option, nodes, parse_setting, show, where


@click.command()
@click.argument("settings", nargs=-1, metavar="[NAME=VALUE]...")
@click.option("--preset", default="", help="A preset to begin with, as --presets lists them.")
@click.option("--presets", "list_presets", is_flag=True, help="List the presets.")
@click.option("--fade", type=click.FloatRange(0, 3600), default=0.0, help="Glide, in seconds.")
@click.option("--prompt", is_flag=True, help="Show what the system prompt says of it.")
@json_option
@where
def persona(
    settings: tuple[str, ...],
    preset: str,
    list_presets: bool,
    fade: float,
    prompt: bool,
    as_json: bool,
    namespace: str,
    timeout: float,
) -> None:
    """Show the sliders of the personality, or move some: clara persona warmth=0.2.

    In force from the next turn on; the model is not reloaded.
    """
    wanted = dict(map(parse_setting, settings))
    with nodes(namespace, timeout) as client:
        from clara_brain import cli_text
        from clara_interfaces.srv import GetPersonality, SetPersonality

        if wanted or preset:
            request = SetPersonality.Request(
                preset=preset, names=list(wanted), values=list(wanted.values()), fade=fade
            )
            answer = client.call(SetPersonality, "personality/set", request)
            if fade:
                click.echo(f"gliding there takes {fade:g} s; this is where it begins", err=True)
        if list_presets or prompt or not (wanted or preset):
            answer = client.call(GetPersonality, "personality/get")
    if list_presets and not as_json:
        click.echo("\n".join(map(cli_text.printable, answer.presets)))
    elif prompt and not as_json:
        click.echo(cli_text.printable(answer.system_prompt))
    else:
        show(answer, as_json, lambda: cli_text.sliders(answer.traits))


@click.group(invoke_without_command=True)
@json_option
@where
@click.pass_context
def adapters(context: click.Context, as_json: bool, namespace: str, timeout: float) -> None:
    """List the LoRA adapters on the model, or load, scale and unload them."""
    if context.invoked_subcommand:
        hand_down(context, namespace, timeout)
        return
    with nodes(namespace, timeout) as client:
        from clara_brain import cli_text
        from clara_interfaces.srv import ListAdapters

        answer = client.call(ListAdapters, "adapter/list")
    show(answer, as_json, lambda: cli_text.adapters(answer.adapters, answer.share))


@adapters.command()
@click.argument("name")
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--scale", type=click.FloatRange(-4, 4), default=1.0, show_default=True)
@json_option
@where
def load(
    name: str, path: Path, scale: float, as_json: bool, namespace: str, timeout: float
) -> None:
    """Load the GGUF adapter at PATH as NAME; named after a slider, it follows that slider.

    PATH is a file on the robot that runs the brain.
    """
    with nodes(namespace, timeout) as client:
        from clara_brain import cli_text
        from clara_interfaces.srv import LoadAdapter

        where_it_is = str(path.resolve() if path.exists() else path)
        request = LoadAdapter.Request(name=name, path=where_it_is, scale=scale)
        answer = client.call(LoadAdapter, "adapter/load", request)
    show(answer, as_json, lambda: cli_text.adapters([answer.adapter]))


@adapters.command()
@click.argument("settings", nargs=-1, required=True, metavar="NAME=SCALE...")
@json_option
@where
def scale(settings: tuple[str, ...], as_json: bool, namespace: str, timeout: float) -> None:
    """Set how strong adapters are: clara adapters scale dialect=0.5."""
    wanted = dict(map(parse_setting, settings))
    with nodes(namespace, timeout) as client:
        from clara_brain import cli_text
        from clara_interfaces.srv import ScaleAdapters

        request = ScaleAdapters.Request(names=list(wanted), scales=list(wanted.values()))
        answer = client.call(ScaleAdapters, "adapter/scale", request)
    show(answer, as_json, lambda: cli_text.adapters(answer.adapters))


@adapters.command()
@click.argument("name")
@where
def unload(name: str, namespace: str, timeout: float) -> None:
    """Take the adapter NAME off the model."""
    with nodes(namespace, timeout) as client:
        from clara_interfaces.srv import UnloadAdapter

        client.call(UnloadAdapter, "adapter/unload", UnloadAdapter.Request(name=name))
    click.echo(f"{name} unloaded")


COMMANDS = (persona, adapters)
