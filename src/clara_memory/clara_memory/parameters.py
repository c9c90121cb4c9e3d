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
from rclpy.exceptions import (
    InvalidParameterTypeException,
    ParameterException,
    ParameterUninitializedException,
)
from rclpy.node import Node
from rclpy.parameter import Parameter

from clara_memory.action_watcher import parse_watched
from clara_memory.episode import MAX_FILLER, check_text, fold
from clara_memory.errors import InvalidRequest
from clara_memory.forgetting import Bounds, check_bounds
from clara_memory.pairing import PairingSettings
from clara_memory.patterns import parse
from clara_memory.settings import MemorySettings, RecorderSettings

# Name: description, lowest, highest (None where a range makes no sense).
_TABLE: dict[str, tuple[str, float | None, float | None]] = {
    "memory_path": ("File of the memory; it and its folder are made", None, None),
    "robot": ("Name of this robot, for episodes that do not say", None, None),
    "autostart": ("Configure and activate as soon as the node spins", None, None),
    "meaning": ("Find synonyms: 'auto' (where wordllama is installed), 'on', 'off'", None, None),
    "match_patterns": (
        "Publish on memory/match the episodes that fit, as 'action=PICK_UP outcome=FAILED'",
        None,
        None,
    ),
    "watched_actions": (
        "Action servers to remember, as '/dock' or '/dock:my_msgs/action/Dock'",
        None,
        None,
    ),
    "max_episodes": ("Episodes to keep; 0: no cap", 0, 1e9),
    "max_bytes": ("Bytes of the database file; 0: no cap, else at least 1,000,000", 0, 1e15),
    "forgetting_policy": ("What goes at a cap: oldest, least_used or consolidate", None, None),
    "use_half_life_s": ("Seconds in which having been asked for counts half", 1.0, 1e9),
    "result_timeout_s": ("Seconds until an event without a result is UNKNOWN", 0.1, 1e6),
    "event_timeout_s": ("Seconds until a result without an event is an orphan", 0.1, 1e6),
    "repeat_window_s": ("Seconds in which the same unstamped message is a duplicate", 0.0, 1e6),
    "max_pending": ("Events, and results, that may wait for their other half", 1, 1_000_000),
    "queue_size": ("Messages that may wait for the disk", 1, 1_000_000),
    "commit_interval_s": ("Seconds that messages are gathered into one commit", 0.0, 10.0),
    "commit_batch": ("Messages of one commit at most", 1, 10_000),
}
MEANINGS = ("auto", "on", "off")
_GROUPS = (MemorySettings, Bounds, PairingSettings, RecorderSettings)


def declare(node: Node) -> None:
    """Declare all parameters with the defaults of the settings."""
    for group in _GROUPS:
        defaults = group()
        for item in fields(group):
            if item.name in _TABLE:
                value = getattr(defaults, item.name)
                descriptor = _descriptor(item.name, value)
                if isinstance(value, tuple):
                    _declare_texts(node, item.name, descriptor)
                else:
                    _declare(node, item.name, value, descriptor)
    node.add_on_set_parameters_callback(_check)


def _declare(node: Node, name: str, value: object, descriptor: ParameterDescriptor) -> None:
    try:
        node.declare_parameter(name, value, descriptor)
    except InvalidParameterTypeException as error:
        if not isinstance(value, float) or "'INTEGER'" not in str(error):
            raise
        # YAML reads 1 as an integer, which ROS takes for no other number.
        said = "give a number with a point, as 1.0 in place of 1, to the parameter"
        raise ParameterException(said, name) from error


def _declare_texts(node: Node, name: str, descriptor: ParameterDescriptor) -> None:
    # While one parameter has no value rclpy answers for none (`ros2 param dump` shows nothing);
    # and as a default it takes [] for bytes.
    node.declare_parameter(name, Parameter.Type.STRING_ARRAY, descriptor)
    try:
        node.get_parameter(name)
    except ParameterUninitializedException:
        node.set_parameters([Parameter(name, Parameter.Type.STRING_ARRAY, [])])


def read(node: Node) -> MemorySettings:
    """Return the settings as they stand; raises InvalidRequest naming a parameter."""
    values = {name: node.get_parameter(name).value for name in _TABLE}
    for name, value in values.items():
        reason = _fault(name, value)
        if reason:
            raise InvalidRequest(name, reason)
    return MemorySettings(
        memory_path=values["memory_path"],
        robot=values["robot"],
        autostart=values["autostart"],
        meaning=values["meaning"],
        match_patterns=tuple(values["match_patterns"]),
        watched_actions=tuple(values["watched_actions"]),
        bounds=Bounds(**_of(Bounds, values)),
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
    try:
        if name == "match_patterns":
            for pattern in value or ():
                parse(name, pattern)
        elif name == "watched_actions":
            for watched in value or ():
                parse_watched(name, watched)
        elif name in ("max_bytes", "forgetting_policy"):
            check_bounds(Bounds(**{name: value}))
    except InvalidRequest as error:
        return str(error).removeprefix(f"{name} ")
    if name == "meaning" and value not in MEANINGS:
        return f"is {value!r}, none of {', '.join(MEANINGS)}"
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
