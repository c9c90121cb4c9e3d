# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Parameter values and files of a node in a launch file."""

from __future__ import annotations

from typing import Any

import yaml
from launch.launch_context import LaunchContext
from launch.substitution import SomeSubstitutionsType, Substitution, perform


class ParameterValue:
    """A value of a given type; without a type it is read as YAML."""

    def __init__(self, value: Any, *, value_type: Any = None) -> None:
        self.value = value
        self.value_type = value_type

    def evaluate(self, context: LaunchContext) -> Any:
        """Return the value."""
        value = evaluate(context, self.value)
        return self.value_type(value) if self.value_type in (bool, int, float, str) else value


class ParameterFile:
    """A YAML file of parameters."""

    def __init__(self, param_file: SomeSubstitutionsType, *, allow_substs: bool = False) -> None:
        if allow_substs:
            raise NotImplementedError("substitutions in parameter files: use the real launch_ros")
        self.param_file = param_file

    def evaluate(self, context: LaunchContext) -> str:
        """Return the path."""
        return perform(context, self.param_file)


def evaluate(context: LaunchContext, value: Any) -> Any:
    """Return a parameter's value: substitutions are read as YAML, as the real one does."""
    if isinstance(value, ParameterValue):
        return value.evaluate(context)
    if isinstance(value, Substitution):
        return yaml.safe_load(value.perform(context))
    if isinstance(value, (list, tuple)):
        if any(isinstance(part, Substitution) for part in value):
            return yaml.safe_load(perform(context, list(value)))
        return list(value)
    return value


def flat(context: LaunchContext, values: dict[Any, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested parameters with dotted names."""
    found: dict[str, Any] = {}
    for key, value in values.items():
        name = prefix + perform(context, key)
        if isinstance(value, dict):
            found.update(flat(context, value, f"{name}."))
        else:
            found[name] = evaluate(context, value)
    return found
