# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""What the commands of `clara` share: options, and how they reach the nodes and show an answer."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console

from clara_brain.errors import ClientError

if TYPE_CHECKING:
    from clara_brain.ros_client import RosClient

MEMORY = ("never", "auto", "always")
SKILLS = ("never", "always", "dry-run")

# What tells the thing itself from the name of its file.
_JSON, _GBNF = re.compile(r"^\s*\{"), re.compile("::=")
_LONGEST_INPUT = 1 << 18  # more than a brain takes, which then says so

markdown_option = click.option(
    "--markdown/--plain",
    default=None,
    help="Render the reply's Markdown; default: on a terminal.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


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


def hand_down(context: click.Context, namespace: str, timeout: float) -> None:
    """Let the subcommand of a group have what was given to the group."""
    context.default_map = {
        str(context.invoked_subcommand): {"namespace": namespace, "timeout": timeout}
    }


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


def form(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say what form a reply has."""
    for option in (
        click.option(
            "--schema",
            metavar="FILE|JSON",
            callback=lambda *given: _written("schema", given[-1], _JSON),
            help="JSON schema that the reply follows.",
        ),
        click.option(
            "--grammar",
            metavar="FILE|GBNF",
            callback=lambda *given: _written("grammar", given[-1], _GBNF),
            help="Grammar that the reply follows.",
        ),
        click.option(
            "--seed",
            type=click.IntRange(0, 2**32 - 1),
            help="The same seed, prompt and model give the same text.",
        ),
        click.option(
            "--stop", multiple=True, help="Text that the reply ends before; may be given again."
        ),
    ):
        command = option(command)
    return command


def nodes(namespace: str, timeout: float) -> RosClient:
    """Join ROS. Raises ClientError."""
    try:
        from clara_brain.ros_client import RosClient
    except ImportError as error:
        raise ClientError(
            f"ROS 2 is not set up here ({error}): source it, or see what clara doctor says"
        ) from error
    return RosClient(namespace, timeout)


def show(answer: Any, as_json: bool, draw: Callable[[], Any]) -> None:
    """Print an answer as JSON, or what `draw` makes of it."""
    if as_json:
        from clara_brain import cli_text

        click.echo(json.dumps(cli_text.plain(answer), ensure_ascii=False))
    else:
        Console().print(draw())


def said(words: tuple[str, ...]) -> str:
    """Return the words of a command line as one text; a last - stands for standard input."""
    *first, last = words
    if last != "-":
        return " ".join(words)
    piped = sys.stdin.buffer.read(_LONGEST_INPUT).decode(errors="replace")
    return "\n".join([*([" ".join(first)] if first else []), piped])


def _written(what: str, given: str | None, itself: re.Pattern[str]) -> str:
    """Return what was given, or what stands in the file that it names. Raises ClientError."""
    if given is None or itself.search(given):
        return given or ""
    try:
        with open(given, encoding="utf-8") as file:
            text = file.read(_LONGEST_INPUT)
    except UnicodeDecodeError as error:
        raise ClientError(f"the {what} in {given} is no UTF-8: {error}") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ClientError(f"the {what} cannot be read from {given}: {reason}") from error
    if not text.strip():
        raise ClientError(f"the {what} in {given} is empty")
    return text


def parse_setting(written: str) -> tuple[str, float]:
    """Read NAME=VALUE. Raises ClientError."""
    name, _, value = written.partition("=")
    try:
        return name.strip(), float(value)
    except ValueError:
        raise ClientError(f"{written!r} is no setting: write it as warmth=0.2") from None
