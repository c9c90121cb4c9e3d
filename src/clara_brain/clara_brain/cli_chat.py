# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Turns and conversations in a terminal: streaming, line editing, the commands of `clara chat`.

Lines are edited by prompt_toolkit with a history in the user's state folder; where stdin is no
terminal they are simply read.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from clara_brain import cli_text
from clara_brain.cli_options import parse_setting
from clara_brain.cli_reply import Plain, Rendered
from clara_brain.errors import ClientError
from clara_brain.ros_client import RosClient, error_name
from clara_interfaces.action import Chat
from clara_interfaces.msg import Sampling
from clara_interfaces.srv import (
    GetPersonality,
    GetSession,
    ListSkills,
    ResetSession,
    SetPersonality,
)

COMMANDS = {
    "/reset": "forget what was said in this conversation",
    "/history": "show what was said in this conversation",
    "/persona": "show the sliders of the personality, or move some: /persona warmth=0.2",
    "/skills": "list what Clara may do with the robot",
    "/quit": "leave, as Ctrl-D does",
    "/help": "show this",
}

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
    schema: str = "",
    grammar: str = "",
    seed: int | None = None,
    stop: tuple[str, ...] = (),
) -> Any:
    """Return the goal of a turn; what is None or empty is left to the brain."""
    sampling = Sampling(
        json_schema=_utf8(schema), grammar=_utf8(grammar), stop=list(map(_utf8, stop))
    )
    if temperature is not None:
        sampling.temperature = temperature
    if seed is not None:
        sampling.seed = seed
    return Chat.Goal(
        text=_utf8(text),
        session_id=_utf8(session),
        memory_policy=_POLICIES[memory],
        skill_policy=_POLICIES[skills],
        max_tokens=max_tokens or 0,
        sampling=sampling,
    )


def _utf8(text: str) -> str:
    """Return a text of the command line with U+FFFD for each byte that is no UTF-8."""
    return text.encode(errors="surrogateescape").decode(errors="replace")


def take_turn(client: RosClient, asked: Any, verbose: bool, markdown: bool | None = None) -> Any:
    """Take a turn, print the reply as it comes and the footer after it; returns the result.

    Its Markdown is rendered when `markdown` says so or, when that is None, on a terminal.
    """
    rendered = sys.stdout.isatty() if markdown is None else markdown
    shown = Rendered() if rendered else Plain()
    try:
        result = client.chat(asked, shown.add)
    finally:
        shown.end()
    if verbose or sys.stderr.isatty():
        for line in (
            *cli_text.governance(result.text, result.governance),
            cli_text.footer(result),
        ):
            click.secho(line, dim=True, err=True)
    return result


def fault(result: Any) -> str:
    """Return the name of the result's error code; empty when it has none."""
    return error_name(Chat.Result, result.error_code) if result.error_code else ""


class Conversation:
    """One session with the brain, line by line."""

    def __init__(
        self,
        client: RosClient,
        session: str,
        verbose: bool,
        markdown: bool | None,
        options: dict[str, Any],
    ) -> None:
        self._client = client
        self._session = session
        self._verbose = verbose
        self._markdown = markdown
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
        if said.startswith("/"):
            self._command(*said.split())
            return True
        asked = goal(said, self._session, **self._options)
        result = take_turn(self._client, asked, self._verbose, self._markdown)
        name = fault(result)
        if name == "CANCELED":
            click.echo("clara: canceled", err=True)
        elif name:
            raise ClientError(f"{name}: {result.error_msg}")
        return True

    def _command(self, name: str, *words: str) -> None:
        commands: dict[str, Callable[[], None]] = {
            "/reset": self._reset,
            "/history": self._history,
            "/persona": lambda: self._persona(*words),
            "/skills": self._skills,
            "/help": self._help,
        }
        if name not in commands:
            raise ClientError(f"there is no command {name}: /help lists them")
        commands[name]()

    @staticmethod
    def _help() -> None:
        for name, meaning in COMMANDS.items():
            click.echo(f"{name:<9} {meaning}")

    def _history(self) -> None:
        request = GetSession.Request(session_id=self._session)
        answer = self._client.call(GetSession, "session/get", request)
        Console().print(cli_text.exchanges(answer.exchanges))

    def _skills(self) -> None:
        answer = self._client.call(ListSkills, "skill/list")
        Console().print(cli_text.skills(answer.skills))

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

    def _persona(self, *settings: str) -> None:
        wanted = dict(map(parse_setting, settings))
        if wanted:
            request = SetPersonality.Request(names=list(wanted), values=list(wanted.values()))
            traits = self._client.call(SetPersonality, "personality/set", request).traits
        else:
            traits = self._client.call(GetPersonality, "personality/get").traits
        Console().print(cli_text.sliders(traits))

    def _lines(self) -> Iterator[str]:
        if not (sys.stdin.isatty() and sys.stdout.isatty()):
            # A line in another encoding must not end the conversation.
            if isinstance(sys.stdin, io.TextIOWrapper):
                sys.stdin.reconfigure(errors="replace")
            yield from sys.stdin
            return
        from prompt_toolkit import PromptSession
        from prompt_toolkit.completion import WordCompleter
        from prompt_toolkit.history import FileHistory

        class History(FileHistory):
            """Keeps what was typed where that can be; a full disk must not end the talk."""

            def store_string(self, string: str) -> None:
                with suppress(OSError):
                    super().store_string(string)

        prompt: PromptSession[str] = PromptSession(
            history=History(str(_history_file())),
            completer=WordCompleter(list(COMMANDS), meta_dict=dict(COMMANDS), sentence=True),
            complete_while_typing=False,
        )
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
