# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""The actions of a launch file, but for processes (`execute_process.py`)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from . import events
from .entities import Action, LaunchDescription, LaunchDescriptionEntity
from .event_handlers import BaseEventHandler
from .execute_process import ExecuteLocal, ExecuteProcess
from .launch_context import LaunchContext
from .launch_description_sources import LaunchDescriptionSource
from .substitution import SomeSubstitutionsType, describe, perform

__all__ = [
    "DeclareLaunchArgument",
    "EmitEvent",
    "ExecuteLocal",
    "ExecuteProcess",
    "GroupAction",
    "IncludeLaunchDescription",
    "LogInfo",
    "OpaqueFunction",
    "RegisterEventHandler",
    "SetEnvironmentVariable",
    "SetLaunchConfiguration",
    "Shutdown",
    "TimerAction",
]


class DeclareLaunchArgument(Action):
    """An argument of the launch file, as `name:=value` on the command line."""

    def __init__(
        self,
        name: str,
        *,
        default_value: SomeSubstitutionsType | None = None,
        description: str | None = None,
        choices: Iterable[str] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.name = name
        self.default_value = default_value
        self.choices = list(choices) if choices is not None else None
        text = description if description is not None else "no description given"
        if self.choices is not None:
            text += f". Valid choices are: {self.choices}"
        self.description = text

    def execute(self, context: LaunchContext) -> None:
        """Set the configuration to the default when it is not given.

        Raises:
            RuntimeError: it is required and not given, or is none of the choices.
        """
        given = context.launch_configurations
        if self.name not in given:
            if self.default_value is None:
                raise RuntimeError(
                    f'Required launch argument "{self.name}" (description: "{self.description}") '
                    "was not provided"
                )
            given[self.name] = perform(context, self.default_value)
        if self.choices is not None and given[self.name] not in self.choices:
            raise RuntimeError(
                f'Argument "{self.name}" provided value "{given[self.name]}" is not valid. '
                f"Valid options are: {self.choices}"
            )

    def shown(self) -> str:
        """Return the default as `--show-args` shows it."""
        return describe(self.default_value)


class OpaqueFunction(Action):
    """A Python function of the context."""

    def __init__(
        self,
        *,
        function: Callable[..., Sequence[LaunchDescriptionEntity] | None],
        args: Iterable[Any] = (),
        kwargs: dict[str, Any] | None = None,
        **others: Any,
    ) -> None:
        super().__init__(**others)
        self.function = function
        self.args = tuple(args)
        self.kwargs = dict(kwargs or {})

    def execute(self, context: LaunchContext) -> Sequence[LaunchDescriptionEntity] | None:
        """Return what the function returns."""
        return self.function(context, *self.args, **self.kwargs)


class GroupAction(Action):
    """Actions together; what they configure ends with the group."""

    def __init__(
        self,
        actions: Iterable[LaunchDescriptionEntity],
        *,
        scoped: bool = True,
        forwarding: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.actions = list(actions)
        self.scoped = scoped
        self.forwarding = forwarding

    def execute(self, context: LaunchContext) -> Sequence[LaunchDescriptionEntity]:
        """Return the actions, in a scope of their own."""
        if not self.scoped:
            return self.actions
        context.push()
        if not self.forwarding:
            context.forget()

        def leave(context: LaunchContext) -> None:
            context.pop()

        return [*self.actions, OpaqueFunction(function=leave)]

    def children(self) -> Sequence[LaunchDescriptionEntity]:
        """Return the actions."""
        return self.actions


class IncludeLaunchDescription(Action):
    """Another launch file, with arguments."""

    def __init__(
        self,
        launch_description_source: LaunchDescriptionSource | SomeSubstitutionsType,
        *,
        launch_arguments: Iterable[tuple[SomeSubstitutionsType, SomeSubstitutionsType]]
        | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        source = launch_description_source
        if not isinstance(source, LaunchDescriptionSource):
            source = LaunchDescriptionSource(source)
        self.source = source
        self.launch_arguments = list(launch_arguments or [])

    def execute(self, context: LaunchContext) -> Sequence[LaunchDescriptionEntity]:
        """Read the file and return its description."""
        description = self.source.get_launch_description(context)
        for name, value in self.launch_arguments:
            context.launch_configurations[perform(context, name)] = perform(context, value)
        outer, context.launch_file = context.launch_file, self.source.location

        def leave(context: LaunchContext) -> None:
            context.launch_file = outer

        return [description, OpaqueFunction(function=leave)]


class SetLaunchConfiguration(Action):
    """Set a configuration."""

    def __init__(
        self, name: SomeSubstitutionsType, value: SomeSubstitutionsType, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.name = name
        self.value = value

    def execute(self, context: LaunchContext) -> None:
        """Set it."""
        context.launch_configurations[perform(context, self.name)] = perform(context, self.value)


class SetEnvironmentVariable(SetLaunchConfiguration):
    """Set an environment variable for the processes that follow."""

    def execute(self, context: LaunchContext) -> None:
        """Set it."""
        context.environment[perform(context, self.name)] = perform(context, self.value)


class LogInfo(Action):
    """A line in the log."""

    def __init__(self, *, msg: SomeSubstitutionsType, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.msg = msg

    def execute(self, context: LaunchContext) -> None:
        """Log it."""
        assert context.service is not None
        context.service.log.say("INFO", "launch.user", perform(context, self.msg))


class EmitEvent(Action):
    """Let something happen."""

    def __init__(self, *, event: events.Event, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.event = event

    def execute(self, context: LaunchContext) -> None:
        """Hand the event to the launch service."""
        assert context.service is not None
        context.service.emit(self.event)


class Shutdown(EmitEvent):
    """End the launch."""

    def __init__(self, *, reason: str = "reason not given", **kwargs: Any) -> None:
        super().__init__(event=events.Shutdown(reason=reason), **kwargs)


class RegisterEventHandler(Action):
    """React to events from now on."""

    def __init__(self, event_handler: BaseEventHandler, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.event_handler = event_handler

    def execute(self, context: LaunchContext) -> None:
        """Register the handler."""
        context.event_handlers.append(self.event_handler)


class TimerAction(Action):
    """Actions after a time."""

    def __init__(
        self,
        *,
        period: float | SomeSubstitutionsType,
        actions: Iterable[LaunchDescriptionEntity],
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.period = period
        self.actions = list(actions)

    def execute(self, context: LaunchContext) -> None:
        """Start the clock."""
        assert context.service is not None
        period = (
            self.period if isinstance(self.period, (int, float)) else perform(context, self.period)
        )
        context.service.start(self._later(float(period), context))

    async def _later(self, period: float, context: LaunchContext) -> None:
        assert context.service is not None
        ended = context.service.shutdown_started.wait()
        try:
            await asyncio.wait_for(ended, period)
        except asyncio.TimeoutError:
            for action in self.actions:
                context.service.visit(action)

    def children(self) -> Sequence[LaunchDescriptionEntity]:
        """Return the actions."""
        return [LaunchDescription(self.actions)]
