# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Turns and conversations in a terminal: streaming, line editing, the commands of `clara chat`.

Lines are edited by prompt_toolkit with a history in the user's state folder; where stdin is no
terminal they are simply read.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from clara_brain import cli_text
from clara_brain.errors import ClientError
from clara_brain.ros_client import RosClient, error_name
from clara_interfaces.action import Chat
from clara_interfaces.msg import Sampling
from clara_interfaces.srv import GetPersonality, ResetSession

HELP = """/reset    forget what was said in this conversation
/persona  show the sliders of the personality
/quit     leave, as Ctrl-D does
/help     show this"""

_POLICIES = {
    None: Chat.Goal.DEFAULT,
    "never": Chat.Goal.NEVER,
    "auto": Chat.Goal.AUTO,
    "always": Chat.Goal.ALWAYS,
    "dry-run": Chat.Goal.DRY_RUN,
}


def goal(
    text: str,
    session: str,
    memory: str | None = None,
    skills: str | None = None,
    max_tokens: int | None = None,
    temperature: float | None = None,
) -> Any:
    """Return the goal of a turn; what is None is left to the brain."""
    sampling = Sampling() if temperature is None else Sampling(temperature=temperature)
    return Chat.Goal(
        text=text,
        session_id=session,
        memory_policy=_POLICIES[memory],
        skill_policy=_POLICIES[skills],
        max_tokens=max_tokens or 0,
        sampling=sampling,
    )


def take_turn(client: RosClient, asked: Any, verbose: bool) -> Any:
    """Take a turn, print the reply as it comes and the footer after it; returns the result."""
    last = ""

    def show(delta: str) -> None:
        nonlocal last
        last = delta
        click.echo(cli_text.printable(delta), nl=False)

    try:
        result = client.chat(asked, show)
    finally:
        if last and not last.endswith("\n"):
            click.echo()
    if verbose or sys.stderr.isatty():
        click.secho(cli_text.footer(result), dim=True, err=True)
    return result


def fault(result: Any) -> str:
    """Return the name of the result's error code; empty when it has none."""
    return error_name(Chat.Result, result.error_code) if result.error_code else ""


class Conversation:
    """One session with the brain, line by line."""

    def __init__(
        self, client: RosClient, session: str, verbose: bool, options: dict[str, Any]
    ) -> None:
        self._client = client
        self._session = session
        self._verbose = verbose
        self._options = options

    def run(self) -> bool:
        """Talk until the end of input or /quit; returns whether the last turn failed."""
        failed = False
        for line in self._lines():
            said = line.strip()
            if said == "/quit":
                break
            if not said:
                continue
            try:
                failed = not self._answer(said)
            except ClientError as error:
                failed = True
                click.echo(f"clara: {error}", err=True)
            except KeyboardInterrupt:
                failed = True
                click.echo("clara: the turn was left", err=True)
        return failed

    def _answer(self, said: str) -> bool:
        commands: dict[str, Callable[[], None]] = {
            "/reset": self._reset,
            "/persona": self._persona,
            "/help": lambda: click.echo(HELP),
        }
        if said.startswith("/"):
            if said not in commands:
                raise ClientError(f"there is no command {said}: /help lists them")
            commands[said]()
            return True
        result = take_turn(self._client, goal(said, self._session, **self._options), self._verbose)
        name = fault(result)
        if name == "CANCELED":
            click.echo("clara: canceled", err=True)
        elif name:
            raise ClientError(f"{name}: {result.error_msg}")
        return True

    def _reset(self) -> None:
        try:
            request = ResetSession.Request(session_id=self._session)
            turns = self._client.call(ResetSession, "session/reset", request).turns
        except ClientError as error:
            # A conversation in which nothing was said yet is not known to the brain.
            if "SESSION_NOT_FOUND" not in str(error):
                raise
            turns = 0
        click.echo(f"{turns} turns forgotten")

    def _persona(self) -> None:
        traits = self._client.call(GetPersonality, "personality/get").traits
        Console().print(cli_text.sliders(traits))

    def _lines(self) -> Iterator[str]:
        if not (sys.stdin.isatty() and sys.stdout.isatty()):
            yield from sys.stdin
            return
        from prompt_toolkit import PromptSession
        from prompt_toolkit.history import FileHistory

        prompt: PromptSession[str] = PromptSession(history=FileHistory(str(_history_file())))
        click.echo("Talk to Clara. /help lists the commands, Ctrl-D leaves.")
        while True:
            try:
                yield prompt.prompt("> ")
            except KeyboardInterrupt:
                continue  # drops the line, as a shell does
            except EOFError:
                return


def _history_file() -> Path:
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    folder = Path(state) / "clara"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ClientError(f"{folder} cannot be made for the history: {error.strerror}") from error
    return folder / "chat_history"
