# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""The command `clara`: talk to Clara and look at her, from a terminal.

What goes wrong is one sentence on stderr and exit code 1. ROS is imported only where a command
needs it, so that `clara doctor` can say that it is missing.
"""

from __future__ import annotations

import json
import sys
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console

from clara_brain import doctor as checks
from clara_brain.errors import BrainError, ClientError

if TYPE_CHECKING:
    from clara_brain.ros_client import RosClient

INTERRUPTED = 130  # what a shell expects of a program that Ctrl-C ended
MEMORY = ("never", "auto", "always")
SKILLS = ("never", "always", "dry-run")


def where(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say which nodes are meant."""
    for option in (
        click.option(
            "--namespace",
            default="clara",
            show_default=True,
            envvar="CLARA_NAMESPACE",
            show_envvar=True,
            help="Of the nodes.",
        ),
        click.option(
            "--timeout",
            type=click.FloatRange(0.1, 600),
            default=10.0,
            show_default=True,
            help="Seconds to wait for a node to answer (a turn, once taken, may last longer).",
        ),
    ):
        command = option(command)
    return command


def turn(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of a turn; those left out are the brain's own parameters."""
    for option in (
        click.option("--memory", type=click.Choice(MEMORY), help="Whether memory is asked."),
        click.option("--skills", type=click.Choice(SKILLS), help="Whether the robot may act."),
        click.option("--max-tokens", type=click.IntRange(1), default=None, help="At most."),
        click.option("--temperature", type=click.FloatRange(0, 2), help="0 is greedy."),
        click.option("--verbose", is_flag=True, help="Print the figures of each turn on stderr."),
    ):
        command = option(command)
    return command


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option("0.1.0", prog_name="clara")
def commands() -> None:
    """Talk to Clara and look at her."""


@commands.command()
@click.argument("text", nargs=-1, required=True)
@click.option("--session", default="", help="The conversation; without it, a single turn.")
@click.option("--json", "as_json", is_flag=True, help="Print the whole result as JSON.")
@turn
@where
def ask(
    text: tuple[str, ...],
    session: str,
    as_json: bool,
    namespace: str,
    timeout: float,
    verbose: bool,
    **options: Any,
) -> None:
    """Say TEXT to Clara and print her reply as it comes."""
    with _nodes(namespace, timeout) as client:
        from clara_brain import cli_chat, cli_text

        goal = cli_chat.goal(" ".join(text), session, **options)
        if as_json:
            result = client.chat(goal, lambda _: None)
            click.echo(json.dumps(cli_text.plain(result), ensure_ascii=False))
        else:
            result = cli_chat.take_turn(client, goal, verbose)
        fault = cli_chat.fault(result)
    if fault == "CANCELED":
        sys.exit(INTERRUPTED)
    if fault:
        raise ClientError(f"{fault}: {result.error_msg}")


@commands.command()
@click.option("--session", default="", help="The conversation to go on with; default: a new one.")
@turn
@where
def chat(session: str, namespace: str, timeout: float, verbose: bool, **options: Any) -> None:
    """Talk with Clara, line by line; /help says what else can be typed.

    Ctrl-C cancels the turn that runs, Ctrl-D or /quit leaves. Lines may also come from a pipe.
    """
    with _nodes(namespace, timeout) as client:
        from clara_brain import cli_chat

        conversation = cli_chat.Conversation(
            client, session or f"cli-{uuid.uuid4().hex[:8]}", verbose, options
        )
        failed = conversation.run()
    if failed:
        sys.exit(1)


@commands.command()
@click.argument("settings", nargs=-1, metavar="[NAME=VALUE]...")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@where
def persona(settings: tuple[str, ...], as_json: bool, namespace: str, timeout: float) -> None:
    """Show the sliders of the personality, or move some: clara persona warmth=0.2."""
    wanted = dict(map(_parse_setting, settings))
    with _nodes(namespace, timeout) as client:
        from clara_brain import cli_text
        from clara_interfaces.srv import GetPersonality, SetPersonality

        if wanted:
            request = SetPersonality.Request(names=list(wanted), values=list(wanted.values()))
            answer = client.call(SetPersonality, "personality/set", request)
        else:
            answer = client.call(GetPersonality, "personality/get")
    _show(answer, as_json, lambda: cli_text.sliders(answer.traits))


@commands.command()
@click.option("--metadata", is_flag=True, help="Show the GGUF's own metadata as well.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@where
def model(metadata: bool, as_json: bool, namespace: str, timeout: float) -> None:
    """Show what model is loaded and where it came from."""
    with _nodes(namespace, timeout) as client:
        from clara_brain import cli_text
        from clara_interfaces.srv import GetModelInfo

        answer = client.call(GetModelInfo, "model/info")
    _show(answer, as_json, lambda: cli_text.model(answer, metadata))


@commands.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@where
def sessions(as_json: bool, namespace: str, timeout: float) -> None:
    """List the conversations that the brain keeps."""
    with _nodes(namespace, timeout) as client:
        from clara_brain import cli_text
        from clara_interfaces.srv import ListSessions

        answer = client.call(ListSessions, "session/list")
    _show(answer, as_json, lambda: cli_text.sessions(answer.sessions))


@commands.command()
@click.option(
    "--namespace",
    default="clara",
    show_default=True,
    envvar="CLARA_NAMESPACE",
    show_envvar=True,
    help="Of the nodes.",
)
@click.option(
    "--model",
    "model_path",
    type=click.Path(path_type=Path),
    help="GGUF file to look at; default: the one that ships.",
)
@click.option(
    "--memory-path",
    type=click.Path(path_type=Path),
    default=checks.DEFAULT_MEMORY,
    show_default=True,
    help="File of the memory.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def doctor(namespace: str, model_path: Path | None, memory_path: Path, as_json: bool) -> None:
    """Check the whole set-up and say what to do about each fault; exit 1 when there is one."""
    findings = checks.examine(namespace, model_path, memory_path)
    if as_json:
        click.echo(json.dumps([finding.as_json() for finding in findings], ensure_ascii=False))
    else:
        Console().print(checks.table(findings))
    if any(finding.level is checks.Level.FAULT for finding in findings):
        sys.exit(1)


def _nodes(namespace: str, timeout: float) -> RosClient:
    try:
        from clara_brain.ros_client import RosClient
    except ImportError as error:
        raise ClientError(
            f"ROS 2 is not set up here ({error}): source it, or see what clara doctor says"
        ) from error
    return RosClient(namespace, timeout)


def _show(answer: Any, as_json: bool, draw: Callable[[], Any]) -> None:
    if as_json:
        from clara_brain import cli_text

        click.echo(json.dumps(cli_text.plain(answer), ensure_ascii=False))
    else:
        Console().print(draw())


def _parse_setting(written: str) -> tuple[str, float]:
    name, _, value = written.partition("=")
    try:
        return name.strip(), float(value)
    except ValueError:
        raise ClientError(f"{written!r} is no setting: write it as warmth=0.2") from None


def main() -> None:
    """Run the command; what goes wrong is one sentence on stderr and exit code 1."""
    try:
        commands.main(prog_name="clara", standalone_mode=False)
    except BrainError as error:
        click.echo(f"clara: {error}", err=True)
        sys.exit(1)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        sys.exit(INTERRUPTED)
