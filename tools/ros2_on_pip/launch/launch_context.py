# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""What a running launch knows: configurations, environment, event handlers."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .substitution import Substitution, perform

if TYPE_CHECKING:
    from .event_handlers import BaseEventHandler
    from .launch_service import LaunchService


class LaunchContext:
    """State that actions and substitutions read and change."""

    def __init__(self, *, argv: Sequence[str] | None = None, noninteractive: bool = False) -> None:
        self.argv = list(argv or [])
        self.noninteractive = noninteractive
        self.launch_configurations: dict[str, str] = {}
        self.environment: dict[str, str] = dict(os.environ)
        self.event_handlers: list[BaseEventHandler] = []
        self.launch_file: str | None = None
        self.is_shutdown = False
        self.service: LaunchService | None = None
        self.tasks: set[asyncio.Task[Any]] = set()
        self.ros_namespace = ""
        self.ros_parameters: list[Any] = []
        self.ros_remaps: list[tuple[Any, Any]] = []
        self._saved: list[tuple[Any, ...]] = []

    def perform_substitution(self, substitution: Substitution) -> str:
        """Return the text of a substitution."""
        return perform(self, substitution)

    def push(self) -> None:
        """Remember what a scoped group may change."""
        self._saved.append(
            (
                dict(self.launch_configurations),
                dict(self.environment),
                self.ros_namespace,
                list(self.ros_parameters),
                list(self.ros_remaps),
            )
        )

    def forget(self) -> None:
        """Be as at the beginning of the launch, without its arguments."""
        self.launch_configurations = {}
        self.environment = dict(os.environ)
        self.ros_namespace = ""
        self.ros_parameters = []
        self.ros_remaps = []

    def pop(self) -> None:
        """Restore what `push` remembered."""
        (
            self.launch_configurations,
            self.environment,
            self.ros_namespace,
            self.ros_parameters,
            self.ros_remaps,
        ) = self._saved.pop()
