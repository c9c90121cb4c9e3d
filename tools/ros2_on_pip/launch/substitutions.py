# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""The substitutions of a launch file."""

from __future__ import annotations

import os
import shutil
from typing import Any

from .launch_context import LaunchContext
from .substitution import SomeSubstitutionsType, Substitution, describe, perform

__all__ = [
    "EnvironmentVariable",
    "FindExecutable",
    "LaunchConfiguration",
    "PathJoinSubstitution",
    "TextSubstitution",
    "ThisLaunchFile",
    "ThisLaunchFileDir",
]


class SubstitutionFailure(RuntimeError):
    """A substitution has no value."""


class TextSubstitution(Substitution):
    """Plain text."""

    def __init__(self, *, text: str) -> None:
        self.text = text

    def perform(self, context: LaunchContext) -> str:
        """Return the text."""
        return self.text

    def describe(self) -> str:
        """Return the text in quotes."""
        return f"'{self.text}'"


class LaunchConfiguration(Substitution):
    """The value of a launch argument or configuration."""

    def __init__(self, variable_name: SomeSubstitutionsType, *, default: Any = None) -> None:
        self.variable_name = variable_name
        self.default = default

    def perform(self, context: LaunchContext) -> str:
        """Return the value; without one, the default.

        Raises:
            SubstitutionFailure: there is neither.
        """
        name = perform(context, self.variable_name)
        if name in context.launch_configurations:
            return context.launch_configurations[name]
        if self.default is None:
            raise SubstitutionFailure(f"launch configuration '{name}' does not exist")
        return perform(context, self.default)

    def describe(self) -> str:
        """Return the name as the real one shows it."""
        return f"LaunchConfig({describe(self.variable_name)})"


class EnvironmentVariable(Substitution):
    """The value of an environment variable."""

    def __init__(self, name: SomeSubstitutionsType, *, default_value: Any = None) -> None:
        self.name = name
        self.default_value = default_value

    def perform(self, context: LaunchContext) -> str:
        """Return the value; without one, the default.

        Raises:
            SubstitutionFailure: there is neither.
        """
        name = perform(context, self.name)
        if name in context.environment:
            return context.environment[name]
        if self.default_value is None:
            raise SubstitutionFailure(f"environment variable '{name}' does not exist")
        return perform(context, self.default_value)

    def describe(self) -> str:
        """Return the name as the real one shows it."""
        return f"EnvVar({describe(self.name)})"


class PathJoinSubstitution(Substitution):
    """Parts of a path, joined."""

    def __init__(self, substitutions: list[Any]) -> None:
        self.substitutions = substitutions

    def perform(self, context: LaunchContext) -> str:
        """Return the path."""
        return os.path.join(*(perform(context, part) for part in self.substitutions))

    def describe(self) -> str:
        """Return the parts as the real one shows them."""
        return f"PathJoin({describe(self.substitutions)})"


class FindExecutable(Substitution):
    """The path of a program on PATH."""

    def __init__(self, *, name: SomeSubstitutionsType) -> None:
        self.name = name

    def perform(self, context: LaunchContext) -> str:
        """Return the path.

        Raises:
            SubstitutionFailure: there is no such program.
        """
        name = perform(context, self.name)
        found = shutil.which(name, path=context.environment.get("PATH"))
        if found is None:
            raise SubstitutionFailure(f"executable '{name}' not found on the PATH")
        return found


class ThisLaunchFile(Substitution):
    """The path of the launch file that is being read."""

    def perform(self, context: LaunchContext) -> str:
        """Return the path.

        Raises:
            SubstitutionFailure: no launch file is being read.
        """
        if context.launch_file is None:
            raise SubstitutionFailure("ThisLaunchFile used outside of a launch file (in a script)")
        return context.launch_file


class ThisLaunchFileDir(ThisLaunchFile):
    """The folder of the launch file that is being read."""

    def perform(self, context: LaunchContext) -> str:
        """Return the folder."""
        return os.path.dirname(super().perform(context))
