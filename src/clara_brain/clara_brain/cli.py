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
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from clara_brain import cli_brain, cli_personality
from clara_brain import doctor as checks
from clara_brain.cli_options import form, markdown_option, nodes, said, turn, where
from clara_brain.errors import BrainError, ClientError
from clara_brain.settings import ServerSettings

INTERRUPTED = 130  # what a shell expects of a program that Ctrl-C ended


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option("0.1.0", prog_name="clara")
def commands() -> None:
    """Talk to Clara and look at her."""


@commands.command()
@click.argument("text", nargs=-1, required=True)
@click.option("--session", default="", help="The conversation; without it, a single turn.")
@click.option("--json", "as_json", is_flag=True, help="Print the whole result as JSON.")
@markdown_option
@form
@turn
@where
def ask(
    text: tuple[str, ...],
    session: str,
    as_json: bool,
    markdown: bool | None,
    namespace: str,
    timeout: float,
    verbose: bool,
    **options: Any,
) -> None:
    """Say TEXT to Clara and print her reply as it comes.

    A last - stands for what comes from standard input: clara ask "Sum this up:" - < notes.txt
    """
    written = said(text)
    if options["schema"] or options["grammar"]:
        markdown = bool(markdown)  # what has a form is not rendered unless that is asked for
    with nodes(namespace, timeout) as client:
        from clara_brain import cli_chat, cli_text

        goal = cli_chat.goal(written, session, **options)
        if as_json:
            result = client.chat(goal, lambda _: None)
            click.echo(json.dumps(cli_text.plain(result), ensure_ascii=False))
        else:
            result = cli_chat.take_turn(client, goal, verbose, markdown)
        fault = cli_chat.fault(result)
    if fault == "CANCELED":
        sys.exit(INTERRUPTED)
    if fault:
        raise ClientError(f"{fault}: {result.error_msg}")


@commands.command()
@click.option("--session", default="", help="The conversation to go on with; default: a new one.")
@markdown_option
@turn
@where
def chat(
    session: str,
    markdown: bool | None,
    namespace: str,
    timeout: float,
    verbose: bool,
    **options: Any,
) -> None:
    """Talk with Clara, line by line; /help says what else can be typed.

    Ctrl-C cancels the turn that runs, Ctrl-D or /quit leaves. Lines may also come from a pipe.
    """
    with nodes(namespace, timeout) as client:
        from clara_brain import cli_chat

        conversation = cli_chat.Conversation(
            client, session or f"cli-{uuid.uuid4().hex[:8]}", verbose, markdown, options
        )
        failed = conversation.run()
    if failed:
        sys.exit(1)


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
    help="File of the memory; default: the running node's, "
    f"or {checks.DEFAULT_MEMORY} where none runs.",
)
@click.option("--server-url", help="Server of the backend openai; default: the running brain's.")
@click.option("--server-model", default="", help="The model's name there; default: its only one.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def doctor(
    namespace: str,
    model_path: Path | None,
    memory_path: Path | None,
    server_url: str | None,
    server_model: str,
    as_json: bool,
) -> None:
    """Check the whole set-up and say what to do about each fault; exit 1 when there is one."""
    server = ServerSettings(server_url, server_model) if server_url else None
    findings = checks.examine(namespace, model_path, memory_path, server)
    if as_json:
        click.echo(json.dumps([finding.as_json() for finding in findings], ensure_ascii=False))
    else:
        Console().print(checks.table(findings))
    if any(finding.level is checks.Level.FAULT for finding in findings):
        sys.exit(1)


for each in (*cli_personality.COMMANDS, *cli_brain.COMMANDS):
    commands.add_command(each)


def main() -> None:
    """Run the command; what goes wrong is one sentence on stderr and exit code 1."""
    try:
        commands.main(prog_name="clara", standalone_mode=False)
    except BrainError as error:
        click.echo(f"clara: {error}", err=True)
        sys.exit(1)
    except UnicodeError as error:
        click.echo(f"clara: what is given must be UTF-8: {error}", err=True)
        sys.exit(1)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        sys.exit(INTERRUPTED)
