# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""The node's parameters: declared with description and range, read into MemorySettings.

All of them act when the node is configured.
"""

from dataclasses import fields
from typing import Any

from rcl_interfaces.msg import (
    FloatingPointRange,
    IntegerRange,
    ParameterDescriptor,
    SetParametersResult,
)
from rclpy.node import Node
from rclpy.parameter import Parameter

from clara_memory.episode import MAX_FILLER, check_text, fold
from clara_memory.errors import InvalidRequest
from clara_memory.pairing import PairingSettings
from clara_memory.settings import MemorySettings, RecorderSettings

# Name: description, lowest, highest (None where a range makes no sense).
_TABLE: dict[str, tuple[str, float | None, float | None]] = {
    "memory_path": ("File of the memory; it and its folder are made", None, None),
    "robot": ("Name of this robot, for episodes that do not say", None, None),
    "autostart": ("Configure and activate as soon as the node spins", None, None),
    "result_timeout_s": ("Seconds until an event without a result is UNKNOWN", 0.1, 1e6),
    "event_timeout_s": ("Seconds until a result without an event is an orphan", 0.1, 1e6),
    "repeat_window_s": ("Seconds in which the same unstamped message is a duplicate", 0.0, 1e6),
    "max_pending": ("Events, and results, that may wait for their other half", 1, 1_000_000),
    "queue_size": ("Messages that may wait for the disk", 1, 1_000_000),
    "commit_interval_s": ("Seconds that messages are gathered into one commit", 0.0, 10.0),
    "commit_batch": ("Messages of one commit at most", 1, 10_000),
}
_GROUPS = (MemorySettings, PairingSettings, RecorderSettings)


def declare(node: Node) -> None:
    """Declare all parameters with the defaults of the settings."""
    for group in _GROUPS:
        defaults = group()
        for item in fields(group):
            if item.name in _TABLE:
                value = getattr(defaults, item.name)
                node.declare_parameter(item.name, value, _descriptor(item.name, value))
    node.add_on_set_parameters_callback(_check)


def read(node: Node) -> MemorySettings:
    """Return the settings as they stand; raises InvalidRequest naming a parameter."""
    values = {name: node.get_parameter(name).value for name in _TABLE}
    for name in ("memory_path", "robot"):
        reason = _fault(name, values[name])
        if reason:
            raise InvalidRequest(name, reason)
    return MemorySettings(
        memory_path=values["memory_path"],
        robot=values["robot"],
        autostart=values["autostart"],
        pairing=PairingSettings(**_of(PairingSettings, values)),
        recorder=RecorderSettings(**_of(RecorderSettings, values)),
    )


def _of(group: type, values: dict[str, Any]) -> dict[str, Any]:
    return {item.name: values[item.name] for item in fields(group)}


def _check(parameters: list[Parameter]) -> SetParametersResult:
    for parameter in parameters:
        reason = _fault(parameter.name, parameter.value)
        if reason:
            return SetParametersResult(successful=False, reason=f"{parameter.name} {reason}")
    return SetParametersResult(successful=True)


def _fault(name: str, value: Any) -> str:
    """Return what a range cannot express, or an empty text."""
    if name in ("memory_path", "robot") and isinstance(value, str):
        if not fold(value):
            return "is empty"
        try:
            check_text(name, value, MAX_FILLER if name == "robot" else 4096)
        except InvalidRequest as error:
            return str(error).removeprefix(f"{name} ")
    if name in _TABLE and isinstance(value, float) and value != value:
        return "is not a number"
    return ""


def _descriptor(name: str, default: Any) -> ParameterDescriptor:
    text, low, high = _TABLE[name]
    descriptor = ParameterDescriptor(description=f"{text}. Acts when the node is configured.")
    if low is None or high is None:
        return descriptor
    if isinstance(default, int):
        descriptor.integer_range = [IntegerRange(from_value=int(low), to_value=int(high), step=1)]
    else:
        descriptor.floating_point_range = [
            FloatingPointRange(from_value=low, to_value=high, step=0.0)
        ]
    return descriptor
