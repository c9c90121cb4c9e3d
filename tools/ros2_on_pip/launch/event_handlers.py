# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Reactions to events: a list of actions, or a function of the event that returns one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .entities import LaunchDescriptionEntity
from .events import Event, ProcessExited, ProcessStarted, Shutdown
from .launch_context import LaunchContext

__all__ = ["OnProcessExit", "OnProcessStart", "OnShutdown"]


class BaseEventHandler:
    """What to do when an event matches."""

    def __init__(
        self, *, matcher: Callable[[Event], bool], reaction: Any, handle_once: bool = False
    ) -> None:
        self.matches = matcher
        self.reaction = reaction
        self.handle_once = handle_once

    def handle(self, event: Event, context: LaunchContext) -> Sequence[LaunchDescriptionEntity]:
        """Return what is to be visited."""
        if self.handle_once:
            context.event_handlers.remove(self)
        found = self.reaction(event, context) if callable(self.reaction) else self.reaction
        if found is None:
            return []
        return list(found) if isinstance(found, (list, tuple)) else [found]


def _for(target: Any, kind: type) -> Callable[[Event], bool]:
    def matches(event: Event) -> bool:
        return type(event) is kind and (target is None or event.action is target)  # type: ignore[attr-defined]

    return matches


class OnProcessExit(BaseEventHandler):
    """When a process has ended."""

    def __init__(
        self, *, target_action: Any = None, on_exit: Any, handle_once: bool = False
    ) -> None:
        super().__init__(
            matcher=_for(target_action, ProcessExited), reaction=on_exit, handle_once=handle_once
        )


class OnProcessStart(BaseEventHandler):
    """When a process has started."""

    def __init__(
        self, *, target_action: Any = None, on_start: Any, handle_once: bool = False
    ) -> None:
        super().__init__(
            matcher=_for(target_action, ProcessStarted), reaction=on_start, handle_once=handle_once
        )


class OnShutdown(BaseEventHandler):
    """When the launch is to end."""

    def __init__(self, *, on_shutdown: Any, handle_once: bool = False) -> None:
        super().__init__(
            matcher=lambda event: isinstance(event, Shutdown),
            reaction=on_shutdown,
            handle_once=handle_once,
        )
