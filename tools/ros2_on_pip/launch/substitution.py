# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""What a substitution is, and how a list of them becomes text."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .launch_context import LaunchContext


class Substitution:
    """Text that is known only when the launch runs."""

    def perform(self, context: LaunchContext) -> str:
        """Return the text."""
        raise NotImplementedError(type(self).__name__)

    def describe(self) -> str:
        """Return how `ros2 launch --show-args` shows it."""
        return f"{type(self).__name__}()"


SomeSubstitutionsType = str | Path | Substitution | Iterable[Any]


def perform(context: LaunchContext, value: Any) -> str:
    """Return the text of a string, a path, a substitution, or a list of them joined."""
    if isinstance(value, Substitution):
        return value.perform(context)
    if isinstance(value, (str, Path)):
        return str(value)
    if isinstance(value, (list, tuple)):
        return "".join(perform(context, part) for part in value)
    raise TypeError(f"expected text or a substitution, got {type(value).__name__} {value!r}")


def describe(value: Any) -> str:
    """Return how a default is shown."""
    if isinstance(value, (list, tuple)):
        return " + ".join(describe(part) for part in value)
    return value.describe() if isinstance(value, Substitution) else f"'{value}'"
