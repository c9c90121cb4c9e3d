# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Run a process: its output, its end, and how it is ended with the launch."""

from __future__ import annotations

import asyncio
import itertools
import os
import shlex
import signal
from collections.abc import Iterable
from typing import Any

from .entities import Action
from .event_handlers import OnProcessExit
from .events import ProcessExited, ProcessStarted
from .launch_context import LaunchContext
from .substitution import SomeSubstitutionsType, perform

_numbers = itertools.count(1)
LINE_LIMIT = 1 << 20


class ExecuteLocal(Action):
    """A process of this machine.

    When the launch ends it gets SIGINT (a terminal's Ctrl-C has sent that already), after
    `sigterm_timeout` seconds SIGTERM, after `sigkill_timeout` more SIGKILL.
    """

    def __init__(
        self,
        *,
        cmd: Iterable[SomeSubstitutionsType],
        name: SomeSubstitutionsType | None = None,
        cwd: SomeSubstitutionsType | None = None,
        env: dict[Any, Any] | None = None,
        additional_env: dict[Any, Any] | None = None,
        prefix: SomeSubstitutionsType | None = None,
        output: str = "log",
        emulate_tty: bool = False,
        respawn: bool = False,
        respawn_delay: float | None = None,
        on_exit: Any = None,
        sigterm_timeout: SomeSubstitutionsType = "5",
        sigkill_timeout: SomeSubstitutionsType = "5",
        shell: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.cmd = list(cmd)
        self.given_name = name
        self.cwd = cwd
        self.env = env
        self.additional_env = additional_env
        self.prefix = prefix
        self.output = output
        self.emulate_tty = emulate_tty
        self.respawn = respawn
        self.respawn_delay = respawn_delay
        self.on_exit = on_exit
        self.timeouts = (sigterm_timeout, sigkill_timeout)
        self.shell = shell
        self._process: asyncio.subprocess.Process | None = None

    def command(self, context: LaunchContext) -> list[str]:
        """Return the words of the command."""
        prefix = shlex.split(perform(context, self.prefix)) if self.prefix else []
        return prefix + [perform(context, word) for word in self.cmd]

    def execute(self, context: LaunchContext) -> None:
        """Start the process and watch it until the launch ends."""
        assert context.service is not None
        if context.is_shutdown:
            return
        command = self.command(context)
        name = (
            perform(context, self.given_name) if self.given_name else os.path.basename(command[0])
        )
        name = f"{name}-{next(_numbers)}"
        base = self.env if self.env is not None else context.environment
        environment = {
            perform(context, key): perform(context, value)
            for key, value in {**base, **(self.additional_env or {})}.items()
        }
        cwd = perform(context, self.cwd) if self.cwd else None
        timeouts = [float(perform(context, value)) for value in self.timeouts]
        if self.on_exit is not None:
            context.event_handlers.append(OnProcessExit(target_action=self, on_exit=self.on_exit))
        context.service.start(self._live(context, name, command, environment, cwd, timeouts))

    async def _live(
        self,
        context: LaunchContext,
        name: str,
        command: list[str],
        environment: dict[str, str],
        cwd: str | None,
        timeouts: list[float],
    ) -> None:
        service = context.service
        assert service is not None
        while True:
            try:
                process = await self._start(command, environment, cwd)
            except OSError as error:
                service.log.say("ERROR", name, f"cannot execute '{command[0]}': {error.strerror}")
                service.return_code = 1
                return
            self._process = process
            service.log.say("INFO", name, f"process started with pid [{process.pid}]")
            service.emit(ProcessStarted(self, name, command, process.pid))
            ender = asyncio.ensure_future(self._end_with_launch(context, name, process, timeouts))
            await asyncio.gather(
                self._pass_on(context, name, process.stdout, "stdout"),
                self._pass_on(context, name, process.stderr, "stderr"),
            )
            code = await process.wait()
            ender.cancel()
            if code == 0:
                service.log.say("INFO", name, f"process has finished cleanly [pid {process.pid}]")
            else:
                words = " ".join(command)
                service.log.say(
                    "ERROR",
                    name,
                    f"process has died [pid {process.pid}, exit code {code}, cmd '{words}'].",
                )
            service.emit(ProcessExited(self, name, command, process.pid, code))
            if not self.respawn or context.is_shutdown:
                return
            try:
                await asyncio.wait_for(service.shutdown_started.wait(), self.respawn_delay or 0.0)
                return
            except asyncio.TimeoutError:
                continue

    async def _start(
        self, command: list[str], environment: dict[str, str], cwd: str | None
    ) -> asyncio.subprocess.Process:
        pipes = {
            "stdin": asyncio.subprocess.DEVNULL,
            "stdout": asyncio.subprocess.PIPE,
            "stderr": asyncio.subprocess.PIPE,
        }
        if self.shell:
            return await asyncio.create_subprocess_shell(
                " ".join(command), env=environment, cwd=cwd, limit=LINE_LIMIT, **pipes
            )
        return await asyncio.create_subprocess_exec(
            *command, env=environment, cwd=cwd, limit=LINE_LIMIT, **pipes
        )

    async def _pass_on(
        self, context: LaunchContext, name: str, stream: asyncio.StreamReader | None, kind: str
    ) -> None:
        """Pass on what the process prints, line by line; a line past the limit in pieces."""
        assert stream is not None and context.service is not None
        output = os.environ.get("OVERRIDE_LAUNCH_PROCESS_OUTPUT", self.output)
        to_screen = output in ("screen", "both") or (output == "log" and kind == "stderr")
        while True:
            try:
                line = await stream.readuntil(b"\n")
            except asyncio.IncompleteReadError as end:
                line = end.partial
            except asyncio.LimitOverrunError as overrun:
                line = await stream.readexactly(overrun.consumed)
            if not line:
                return
            text = line.decode(errors="replace").rstrip("\n")
            context.service.log.output(name, text, to_screen=to_screen, stream=kind)

    async def _end_with_launch(
        self,
        context: LaunchContext,
        name: str,
        process: asyncio.subprocess.Process,
        timeouts: list[float],
    ) -> None:
        service = context.service
        assert service is not None
        await service.shutdown_started.wait()
        if not service.due_to_sigint or context.noninteractive:
            self._send(service, name, process, signal.SIGINT)
        before = signal.SIGINT
        for seconds, after in zip(timeouts, (signal.SIGTERM, signal.SIGKILL), strict=True):
            await asyncio.sleep(seconds)
            service.log.say(
                "ERROR",
                name,
                f"process[{name}] failed to terminate '{seconds:g}' seconds after receiving "
                f"'{before.name}', escalating to '{after.name}'",
            )
            self._send(service, name, process, after)
            before = after

    @staticmethod
    def _send(
        service: Any, name: str, process: asyncio.subprocess.Process, number: signal.Signals
    ) -> None:
        service.log.say("INFO", name, f"sending signal '{number.name}' to process[{name}]")
        try:
            process.send_signal(number)
        except ProcessLookupError:
            service.log.say("DEBUG", name, "the process has ended already")


class ExecuteProcess(ExecuteLocal):
    """A process of this machine (the name that launch files use)."""
