# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""What can happen while a launch runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .execute_process import ExecuteProcess


class Event:
    """Anything that happens."""


@dataclass
class Shutdown(Event):
    """The launch is to end."""

    reason: str = "reason not given"
    due_to_sigint: bool = False


@dataclass
class ProcessStarted(Event):
    """A process runs."""

    action: ExecuteProcess
    process_name: str
    cmd: list[str]
    pid: int


@dataclass
class ProcessExited(ProcessStarted):
    """A process has ended."""

    returncode: int = 0
