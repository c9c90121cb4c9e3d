# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Run launch descriptions: visit what they hold, wait for the processes, end on a signal."""

from __future__ import annotations

import asyncio
import signal
import traceback
from collections.abc import Coroutine, Sequence
from typing import Any

from .entities import LaunchDescription, LaunchDescriptionEntity
from .events import Event, Shutdown
from .launch_context import LaunchContext
from .logging import Log


class LaunchService:
    """One run of one or more launch descriptions, in the main thread."""

    def __init__(
        self,
        *,
        argv: Sequence[str] | None = None,
        noninteractive: bool = False,
        debug: bool = False,
    ) -> None:
        self.context = LaunchContext(argv=argv, noninteractive=noninteractive)
        self.context.service = self
        self.log = Log(debug)
        self.return_code = 0
        self.due_to_sigint = False
        self._descriptions: list[LaunchDescription] = []
        self._tasks: set[asyncio.Task[None]] = set()

    def include_launch_description(self, launch_description: LaunchDescription) -> None:
        """Add a description to what `run` visits."""
        self._descriptions.append(launch_description)

    def run(self) -> int:
        """Return 0 when all went well; 1 when the launch itself failed.

        Signals that end a launch are ignored from then on: what is left is to end the process.
        """
        try:
            return asyncio.run(self.run_async())
        finally:
            self.log.close()

    async def run_async(self) -> int:
        """Do what `run` does, in a loop that runs already."""
        self.shutdown_started = asyncio.Event()
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGINT, self._interrupted)
        for number in (signal.SIGTERM, signal.SIGQUIT):
            loop.add_signal_handler(number, self._terminated, number)
        try:
            return await self._run()
        finally:
            # The loop closes what its signal handlers write to, and only then takes them away.
            ending = (signal.SIGINT, signal.SIGTERM, signal.SIGQUIT)
            signal.pthread_sigmask(signal.SIG_BLOCK, ending)
            for number in ending:
                loop.remove_signal_handler(number)
                signal.signal(number, signal.SIG_IGN)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, ending)

    async def _run(self) -> int:
        self.log.say("INFO", "launch", f"All log files can be found below {self.log.folder}")
        level = "DEBUG" if self.log.debug else "INFO"
        self.log.say("INFO", "launch", f"Default logging verbosity is set to {level}")
        for description in self._descriptions:
            self.visit(description)
        while self._tasks:
            done, _ = await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
            self._tasks -= done
            for task in done:
                error = task.exception()
                if error is not None:
                    self._failed(error)
            if not self._tasks and not self.context.is_shutdown:
                self.emit(Shutdown(reason="idle"))
        return self.return_code

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Run a coroutine; the launch does not end before it."""
        self._tasks.add(asyncio.get_running_loop().create_task(work))

    def visit(self, entity: LaunchDescriptionEntity) -> None:
        """Visit an entity and all that comes of it; a failure ends the launch."""
        try:
            self._visit(entity)
        except Exception as error:
            self._failed(error)

    def _visit(self, entity: LaunchDescriptionEntity) -> None:
        for following in entity.visit(self.context) or []:
            self._visit(following)

    def emit(self, event: Event) -> None:
        """Let the handlers of an event react."""
        if isinstance(event, Shutdown):
            if self.context.is_shutdown:
                return
            self.due_to_sigint = event.due_to_sigint
            self.context.is_shutdown = True
            self.shutdown_started.set()
        for handler in list(self.context.event_handlers):
            if handler.matches(event):
                for entity in handler.handle(event, self.context):
                    self.visit(entity)

    def shutdown(self) -> None:
        """End the launch."""
        self.emit(Shutdown(reason="LaunchService.shutdown() called"))

    def _failed(self, error: BaseException) -> None:
        trace = "".join(traceback.format_exception(type(error), error, error.__traceback__))
        self.log.say("DEBUG", "launch", trace)
        message = f"Caught exception in launch (see debug for traceback): {error}"
        self.log.say("ERROR", "launch", message)
        self.return_code = 1
        self.emit(Shutdown(reason=message))

    def _interrupted(self) -> None:
        again = " again, ignoring..." if self.context.is_shutdown else ""
        self.log.say("WARNING", "launch", f"user interrupted with ctrl-c (SIGINT){again}")
        self.emit(Shutdown(reason="ctrl-c (SIGINT)", due_to_sigint=True))

    def _terminated(self, number: signal.Signals) -> None:
        name = signal.Signals(number).name
        self.log.say("WARNING", "launch", f"received {name}, ending all processes")
        self.emit(Shutdown(reason=name))
