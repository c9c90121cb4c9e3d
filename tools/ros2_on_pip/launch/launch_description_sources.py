# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Where launch descriptions come from: Python files with `generate_launch_description`."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import os
from pathlib import Path

from .entities import LaunchDescription
from .launch_context import LaunchContext
from .substitution import SomeSubstitutionsType, perform


class InvalidLaunchFileError(RuntimeError):
    """A launch file cannot be read."""


class LaunchDescriptionSource:
    """A Python launch file."""

    def __init__(self, launch_file_path: SomeSubstitutionsType) -> None:
        self.launch_file_path = launch_file_path
        self.location: str | None = None

    def get_launch_description(self, context: LaunchContext) -> LaunchDescription:
        """Read the file.

        Raises:
            FileNotFoundError: there is no such file.
            InvalidLaunchFileError: it has no `generate_launch_description`, or is not Python.
        """
        path = os.path.abspath(perform(context, self.launch_file_path))
        if not Path(path).is_file():
            raise FileNotFoundError(f"[Errno 2] No such file or directory: '{path}'")
        if not path.endswith(".py"):
            raise InvalidLaunchFileError(f"'{path}': only Python launch files can be read")
        self.location = path
        loader = importlib.machinery.SourceFileLoader("python_launch_file", path)
        spec = importlib.util.spec_from_loader(loader.name, loader)
        assert spec is not None
        module = importlib.util.module_from_spec(spec)
        try:
            loader.exec_module(module)
            make = module.generate_launch_description
        except SyntaxError as error:
            raise InvalidLaunchFileError(f"'{path}', line {error.lineno}: {error.msg}") from error
        except AttributeError as error:
            raise InvalidLaunchFileError(
                f"launch file at '{path}' does not contain the required function "
                "'generate_launch_description()'"
            ) from error
        description: LaunchDescription = make()
        return description


class PythonLaunchDescriptionSource(LaunchDescriptionSource):
    """A Python launch file (the name that launch files use)."""


class AnyLaunchDescriptionSource(LaunchDescriptionSource):
    """A launch file of any kind that can be read: Python."""
