# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""`clara model`, `sessions`, `skills`, `tokenize`, `completion`: what the brain has and keeps."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from clara_brain.cli_options import hand_down, json_option, nodes, show, where


@click.command()
@click.option("--metadata", is_flag=True, help="Show the GGUF's own metadata as well.")
@json_option
@where
def model(metadata: bool, as_json: bool, namespace: str, timeout: float) -> None:
    """Show what model is loaded and where it came from."""
    with nodes(namespace, timeout) as client:
        from clara_brain import cli_text
        from clara_interfaces.srv import GetModelInfo

        answer = client.call(GetModelInfo, "model/info")
    show(answer, as_json, lambda: cli_text.model(answer, metadata))


@click.group(invoke_without_command=True)
@json_option
@where
@click.pass_context
def sessions(context: click.Context, as_json: bool, namespace: str, timeout: float) -> None:
    """List the conversations that the brain keeps, or show and reset them."""
    if context.invoked_subcommand:
        hand_down(context, namespace, timeout)
        return
    with nodes(namespace, timeout) as client:
        from clara_brain import cli_text
        from clara_interfaces.srv import ListSessions

        answer = client.call(ListSessions, "session/list")
    show(answer, as_json, lambda: cli_text.sessions(answer.sessions))


@sessions.command("show")
@click.argument("session")
@json_option
@where
def show_session(session: str, as_json: bool, namespace: str, timeout: float) -> None:
    """Print what was said in SESSION; with --json, to keep it elsewhere."""
    with nodes(namespace, timeout) as client:
        from clara_brain import cli_text
        from clara_interfaces.srv import GetSession

        answer = client.call(GetSession, "session/get", GetSession.Request(session_id=session))
    show(answer, as_json, lambda: cli_text.exchanges(answer.exchanges))


@sessions.command()
@click.argument("session")
@where
def reset(session: str, namespace: str, timeout: float) -> None:
    """Forget what was said in SESSION."""
    with nodes(namespace, timeout) as client:
        from clara_interfaces.srv import ResetSession

        request = ResetSession.Request(session_id=session)
        turns = client.call(ResetSession, "session/reset", request).turns
    click.echo(f"{turns} turns forgotten")


@click.command()
@json_option
@where
def skills(as_json: bool, namespace: str, timeout: float) -> None:
    """List what Clara may do with the robot, as the skills file says."""
    with nodes(namespace, timeout) as client:
        from clara_brain import cli_text
        from clara_interfaces.srv import ListSkills

        answer = client.call(ListSkills, "skill/list")
    if not answer.skills and not as_json:
        click.echo("no skills: start Clara with skills:=FILE, as docs/skills.md tells")
        return
    show(answer, as_json, lambda: cli_text.skills(answer.skills))


@click.command()
@click.argument("text", nargs=-1, required=True)
@json_option
@where
def tokenize(text: tuple[str, ...], as_json: bool, namespace: str, timeout: float) -> None:
    """Print the tokens of TEXT as the loaded model sees it."""
    with nodes(namespace, timeout) as client:
        from clara_interfaces.srv import Tokenize

        answer = client.call(Tokenize, "tokenize", Tokenize.Request(text=" ".join(text)))
    show(answer, as_json, lambda: " ".join(map(str, answer.tokens)))


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print what makes a SHELL complete this command: eval "$(clara completion bash)"."""
    kind = get_completion_class(shell)
    assert kind is not None
    click.echo(kind(context.find_root().command, {}, "clara", "_CLARA_COMPLETE").source())


COMMANDS = (model, sessions, skills, tokenize, completion)
