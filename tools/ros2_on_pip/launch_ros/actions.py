# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Start nodes: a process with its name, namespace, parameters and remappings as ROS arguments."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable
from typing import Any

import yaml
from ament_index_python.packages import get_package_prefix
from launch.entities import Action
from launch.execute_process import ExecuteProcess
from launch.launch_context import LaunchContext
from launch.substitution import SomeSubstitutionsType, Substitution, perform

from .parameter_descriptions import ParameterFile, flat

__all__ = ["LifecycleNode", "Node", "PushRosNamespace", "SetParameter", "SetRemap"]


def executable_path(package: str, executable: str) -> str:
    """Return the path of a package's executable.

    Raises:
        RuntimeError: the package has no such executable.
    """
    folder = os.path.join(get_package_prefix(package), "lib", package)
    path = os.path.join(folder, executable)
    if not os.access(path, os.X_OK) or os.path.isdir(path):
        raise RuntimeError(
            f"executable '{executable}' not found on the libexec directory '{folder}'"
        )
    return path


def joined(base: str, namespace: str) -> str:
    """Return a namespace inside another; an absolute one stays as it is."""
    if namespace.startswith("/"):
        return namespace.rstrip("/") or "/"
    parts = [part.strip("/") for part in (base, namespace) if part.strip("/")]
    return "/" + "/".join(parts)


class Node(ExecuteProcess):
    """A ROS node in a process of its own."""

    def __init__(
        self,
        *,
        executable: SomeSubstitutionsType,
        package: SomeSubstitutionsType | None = None,
        name: SomeSubstitutionsType | None = None,
        namespace: SomeSubstitutionsType | None = None,
        exec_name: SomeSubstitutionsType | None = None,
        parameters: Iterable[Any] | None = None,
        remappings: Iterable[tuple[Any, Any]] | None = None,
        ros_arguments: Iterable[SomeSubstitutionsType] | None = None,
        arguments: Iterable[SomeSubstitutionsType] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(cmd=[executable, *(arguments or [])], name=exec_name, **kwargs)
        self.package = package
        self.node_name = name
        self.node_namespace = namespace
        self.parameters = list(parameters or [])
        self.remappings = list(remappings or [])
        self.ros_arguments = list(ros_arguments or [])

    def command(self, context: LaunchContext) -> list[str]:
        """Return the command with its ROS arguments."""
        words = [perform(context, word) for word in self.cmd]
        if self.package is not None:
            words[0] = executable_path(perform(context, self.package), words[0])
        words += ["--ros-args", *(perform(context, word) for word in self.ros_arguments)]
        if self.node_name is not None:
            words += ["-r", f"__node:={perform(context, self.node_name)}"]
        given = perform(context, self.node_namespace) if self.node_namespace is not None else ""
        if given or context.ros_namespace:
            words += ["-r", f"__ns:={joined(context.ros_namespace, given)}"]
        for parameters in [*context.ros_parameters, *self.parameters]:
            words += ["--params-file", self._file(context, parameters)]
        for source, target in [*context.ros_remaps, *self.remappings]:
            words += ["-r", f"{perform(context, source)}:={perform(context, target)}"]
        self.cmd, kept = words, self.cmd
        try:
            return super().command(context)
        finally:
            self.cmd = kept

    @staticmethod
    def _file(context: LaunchContext, parameters: Any) -> str:
        if isinstance(parameters, ParameterFile):
            return parameters.evaluate(context)
        if not isinstance(parameters, dict):
            return perform(context, parameters)
        content = {"/**": {"ros__parameters": flat(context, parameters)}}
        with tempfile.NamedTemporaryFile("w", prefix="launch_params_", delete=False) as file:
            yaml.safe_dump(content, file, default_flow_style=False)
        return file.name


class LifecycleNode(Node):
    """A lifecycle node; its transitions are asked for by services, not by launch events."""


class PushRosNamespace(Action):
    """Put the nodes that follow into a namespace."""

    def __init__(self, namespace: SomeSubstitutionsType, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.namespace = namespace

    def execute(self, context: LaunchContext) -> None:
        """Push it."""
        context.ros_namespace = joined(context.ros_namespace, perform(context, self.namespace))
        context.launch_configurations["ros_namespace"] = context.ros_namespace


class SetParameter(Action):
    """Set a parameter of all nodes that follow."""

    def __init__(self, name: SomeSubstitutionsType, value: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.parameter = {name if isinstance(name, (str, Substitution)) else tuple(name): value}

    def execute(self, context: LaunchContext) -> None:
        """Set it."""
        context.ros_parameters.append(self.parameter)


class SetRemap(Action):
    """Remap a name for all nodes that follow."""

    def __init__(
        self, src: SomeSubstitutionsType, dst: SomeSubstitutionsType, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.remap = (src, dst)

    def execute(self, context: LaunchContext) -> None:
        """Set it."""
        context.ros_remaps.append(self.remap)
