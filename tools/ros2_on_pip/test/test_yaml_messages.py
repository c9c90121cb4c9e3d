# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Messages from what a user types: each value fits its field, or is refused with a sentence."""

from __future__ import annotations

from typing import Any

import pytest
from action_msgs.srv import CancelGoal
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.serialization import serialize_message
from ros2_on_pip.yaml_messages import fill, parse, to_yaml
from std_msgs.msg import (
    Bool,
    Float32,
    Float64,
    Int32,
    Int32MultiArray,
    String,
    UInt8,
    UInt8MultiArray,
)
from unique_identifier_msgs.msg import UUID

from clara_interfaces.action import Chat
from clara_interfaces.srv import QueryMemory


def filled(kind: Any, text: str) -> Any:
    message = kind()
    fill(message, parse(text))
    serialize_message(message)  # it must be what the C code takes, or the process ends here
    return message


@pytest.mark.parametrize(
    ("kind", "text", "wanted"),
    [
        (Bool, "{data: 1}", True),
        (Bool, "{data: 0}", False),
        (Int32, "{data: '5'}", 5),
        (Int32, "{data: 2.7}", 2),
        (Int32, "{data: true}", 1),
        (Float64, "{data: 1}", 1.0),
        (Float64, "{data: '1e3'}", 1000.0),
        (Float32, "{data: .inf}", float("inf")),
        (String, "{data: 5}", "5"),
        (String, "{data: [1, 2]}", "[1, 2]"),
        (String, "{data: ä}", "ä"),
        (String, "{data: auto}", "auto"),
        (UInt8, "{data: 255}", 255),
    ],
)
def test_a_value_becomes_the_type_of_its_field(kind: Any, text: str, wanted: object) -> None:
    data = filled(kind, text).data
    assert data == wanted and type(data) is type(wanted)


def test_lists_bytes_and_nested_messages_are_filled() -> None:
    assert list(filled(UInt8MultiArray, "{data: [1, 2]}").data) == [1, 2]
    query = "{cue: [{role: object, filler: 3}], ask: [result], weights: [1], since: {sec: '7'}}"
    request = filled(QueryMemory.Request, query)
    assert [(one.role, one.filler) for one in request.cue] == [("object", "3")]
    assert (request.ask, list(request.weights), request.since.sec) == (["result"], [1.0], 7)
    for level in ("2", '"\\x02"', "!!binary Ag=="):
        assert filled(DiagnosticStatus, f"{{level: {level}}}").level == b"\x02"
    uuid = filled(CancelGoal.Request, f"{{goal_info: {{goal_id: {{uuid: {[7] * 16}}}}}}}")
    assert bytes(uuid.goal_info.goal_id.uuid) == bytes([7] * 16)


@pytest.mark.parametrize(
    ("kind", "text", "sentence"),
    [
        (Int32, "{data: abc}", "invalid literal for int() with base 10: 'abc'"),
        (Int32, "{data: [1]}", "int() argument must be"),
        (Int32, "{data: }", "int() argument must be"),
        (Int32, "{data: .inf}", "cannot convert float infinity to integer"),
        (Int32, "{data: 2147483648}", "'data' field must be an integer in"),
        (UInt8, "{data: 256}", "'data' field must be an unsigned integer in [0, 255]"),
        (UInt8, "{data: -1}", "'data' field must be an unsigned integer in [0, 255]"),
        (Float64, "{data: abc}", "could not convert string to float: 'abc'"),
        (Float32, "{data: 1.0e39}", "'data' field must be a float in"),
        (String, r'{data: "\ud800"}', "surrogates not allowed"),
        (UInt8MultiArray, "{data: [256]}", "greater than maximum"),
        (UInt8MultiArray, "{data: [a]}", "cannot be interpreted as an integer"),
        (UInt8MultiArray, "{data: 5}", "'int' object is not iterable"),
        (UInt8MultiArray, "{layout: 3}", "a MultiArrayLayout needs a dictionary, got 3"),
        (QueryMemory.Request, "{cue: {role: object}}", "a list is needed, got {'role': 'object'}"),
        (QueryMemory.Request, "{cue: object}", "a list is needed, got 'object'"),
        (QueryMemory.Request, "{cue: [object]}", "a RoleFiller needs a dictionary, got 'object'"),
        (QueryMemory.Request, "{cue: [{rôle: x}]}", "'RoleFiller' object has no attribute 'rôle'"),
        (QueryMemory.Request, "{ask: result}", "a list is needed, got 'result'"),
        (QueryMemory.Request, "{ask: [1]}", "'ask' field must be"),
        (QueryMemory.Request, "{weights: [heavy]}", "must be real number, not str"),
        (DiagnosticStatus, "{level: 256}", "bytes must be in range(0, 256)"),
        (DiagnosticStatus, "{level: high}", "a byte is needed, got 'high'"),
        (CancelGoal.Request, "{goal_info: {goal_id: {uuid: [1]}}}", "a list of 16 is needed"),
        (Chat.Goal, "{SLOT_TYPES: 1}", "'Chat_Goal' object has no attribute 'SLOT_TYPES'"),
        (Chat.Goal, "{1: 2}", "'Chat_Goal' object has no attribute '1'"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_with_a_sentence(
    kind: Any, text: str, sentence: str
) -> None:
    with pytest.raises(ValueError, match=r"^Failed to populate field: ") as raised:
        filled(kind, text)
    assert sentence in str(raised.value)


def test_header_auto_is_stamped_only_where_stamps_are_wanted() -> None:
    message = DiagnosticArray()
    stamps: list[Any] = []
    fill(message, {"header": "auto", "status": [{"name": "a"}]}, stamps)
    for sec in (3, 4):
        for stamp in stamps:
            stamp(type(message.header.stamp)(sec=sec))
        assert message.header.stamp.sec == sec
    with pytest.raises(ValueError, match="a Header needs a dictionary, got 'auto'"):
        fill(message, {"header": "auto"})


def test_strings_and_lists_are_cut_where_they_are_too_long() -> None:
    assert to_yaml(String(data="abcd"), longest=3) == "data: abc...\n"
    assert to_yaml(String(data="abc"), longest=3) == "data: abc\n"
    numbers = Int32MultiArray(data=[1, 2, 3])
    assert to_yaml(numbers, longest=2).endswith("data:\n- 1\n- 2\n- '...'\n")
    assert to_yaml(numbers, longest=3).endswith("data:\n- 1\n- 2\n- 3\n")
    assert to_yaml(UUID(), longest=1) == "uuid:\n- 0\n- '...'\n"
    two = QueryMemory.Request(ask=["abcd", "efgh"])
    assert "ask:\n- a...\n- '...'\n" in to_yaml(two, longest=1)


def test_in_flow_style_a_list_is_in_a_line_and_a_message_is_not() -> None:
    numbers = Int32MultiArray(data=[1, 2])
    assert to_yaml(numbers, flow=True) == "layout:\n  dim: []\n  data_offset: 0\ndata: [1, 2]\n"


def test_a_byte_is_printed_as_a_text_of_one_character() -> None:
    assert to_yaml(DiagnosticStatus(level=b"\0")).startswith('level: "\\0"\n')
    assert to_yaml(DiagnosticStatus(level=b"\2")).startswith('level: "\\x02"\n')


def test_without_arrays_their_types_and_lengths_are_printed() -> None:
    numbers = Int32MultiArray(data=range(200))
    assert to_yaml(numbers, arrays=False).endswith(
        "  dim: '<sequence type: std_msgs/msg/MultiArrayDimension, length: 0>'\n"
        "  data_offset: 0\n"
        "data: '<sequence type: int32, length: 200>'\n"
    )
    assert to_yaml(UUID(), arrays=False) == "uuid: '<array type: uint8[16]>'\n"
    asked = to_yaml(QueryMemory.Request(ask=["a"]), arrays=False)
    assert "ask: '<sequence type: string, length: 1>'\n" in asked
