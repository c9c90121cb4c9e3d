# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Targets of skills: the type is imported, its fields are checked, its message is filled."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
from clara_brain.errors import SkillFileError
from clara_brain.skill_file import load_skills
from clara_brain.skill_messages import MessageTemplate, outcome_of

DOCS = Path(__file__).parents[3] / "docs" / "skills.md"
PARAMETERS = """
    parameters:
      number: {type: number, minimum: -5, maximum: 300}
      whole: {type: integer, minimum: 0, maximum: 300}
      text: {type: text, max_length: 40}
      flag: {type: boolean}
      choice: {type: choice, choices: [a, b]}
"""
USED = {
    "number": ("std_msgs/msg/Float64", "data"),
    "whole": ("std_msgs/msg/Int32", "data"),
    "text": ("std_msgs/msg/String", "data"),
    "flag": ("std_msgs/msg/Bool", "data"),
    "choice": ("std_msgs/msg/String", "data"),
}


def skill(tmp_path, target: str, *parameters: str):
    """Return a skill with these of PARAMETERS and a target."""
    kept = [
        line
        for line in PARAMETERS.splitlines()
        if not re.match(r"      (\w+):", line) or line.split(":")[0].strip() in parameters
    ]
    head = "\n".join(kept) if parameters else ""
    if "flag" in parameters:
        examples = "[{say: run on, use: {flag: true}}, {say: run off, use: {flag: false}}]"
        head = f"{head.rstrip()}\n    examples: {examples}"
    path = tmp_path / "skills.yaml"
    path.write_text(f"skills:\n  - name: go\n    description: Go.{head}\n    target: {target}\n")
    (loaded,) = load_skills(path)
    return loaded


def build(tmp_path, target: str, **values):
    return MessageTemplate(skill(tmp_path, target, *values)).build(values)


def test_every_kind_of_parameter_fills_its_kind_of_field(tmp_path):
    values = {"number": -2.5, "whole": 300, "text": "hello", "flag": True, "choice": "b"}
    for name, value in values.items():
        kind, field = USED[name]
        target = f"{{topic: t, type: {kind}, fields: {{{field}: {name}}}}}"
        assert build(tmp_path, target, **{name: value}).data == value


def test_nested_fields_units_constants_and_places_of_arrays_are_filled(tmp_path):
    target = (
        "{topic: t, type: geometry_msgs/msg/PoseWithCovarianceStamped, fields:"
        " {pose.pose.position.x: {parameter: number, times: 0.01}, header.stamp.sec: whole},"
        " constants: {header.frame_id: map, 'pose.covariance[35]': 0.5},"
        " by_choice: {choice: {a: {pose.pose.orientation.w: 1}, b: {pose.pose.orientation.w: 0}}}}"
    )
    message = build(tmp_path, target, number=150.0, whole=7, choice="a")
    assert message.pose.pose.position.x == 1.5 and message.header.stamp.sec == 7
    assert message.header.frame_id == "map" and message.pose.covariance[35] == 0.5
    assert message.pose.pose.orientation.w == 1.0


def test_lists_may_be_constants(tmp_path):
    target = "{topic: t, type: std_msgs/msg/Float64MultiArray, constants: {data: [1, 2.5]}}"
    assert list(build(tmp_path, target).data) == [1.0, 2.5]


@pytest.mark.parametrize(
    ("target", "parameters", "sentence"),
    [
        (
            "{action: /a, type: nowhere_msgs/action/Go}",
            (),
            "skill go: its type nowhere_msgs/action/Go cannot be imported (No module named"
            " 'nowhere_msgs'): install the ROS 2 package nowhere_msgs, or source the workspace",
        ),
        (
            "{topic: t, type: std_msgs/msg/Sting}",
            (),
            "skill go: the package std_msgs has no message Sting; did you mean String?",
        ),
        (
            "{topic: t, type: std_msgs/msg/Float64, fields: {dta: number}}",
            ("number",),
            "skill go: std_msgs/msg/Float64: Float64 has no field 'dta'; did you mean data?",
        ),
        (
            "{topic: t, type: geometry_msgs/msg/PoseStamped, fields: {pose.position.w: number}}",
            ("number",),
            "Point has no field 'w'; there are x, y, z",
        ),
        (
            "{topic: t, type: geometry_msgs/msg/PoseStamped, fields: {pose.position: number}}",
            ("number",),
            "pose.position, set by the parameter number: it is a Point; name the field of it",
        ),
        (
            "{topic: t, type: std_msgs/msg/Float64, fields: {data.x: number}}",
            ("number",),
            "data has no fields, so there is no data.x",
        ),
        (
            "{topic: t, type: std_msgs/msg/Int32, fields: {data: number}}",
            ("number",),
            "data, set by the parameter number: it is a whole number (int32), not -5.0; take type",
        ),
        (
            "{topic: t, type: std_msgs/msg/UInt8, fields: {data: whole}}",
            ("whole",),
            "data, set by the parameter whole: 300 is not from 0 to 255",
        ),
        (
            "{topic: t, type: std_msgs/msg/Float64, fields: {data: text}}",
            ("text",),
            "data, set by the parameter text: it holds numbers (double), not 'xxxx",
        ),
        (
            "{topic: t, type: std_msgs/msg/String, fields: {data: number}}",
            ("number",),
            "data, set by the parameter number: it holds texts, not -5.0",
        ),
        (
            "{topic: t, type: std_msgs/msg/Bool, fields: {data: whole}}",
            ("whole",),
            "data, set by the parameter whole: it is true or false, not 0",
        ),
        (
            "{topic: t, type: std_msgs/msg/Float64, constants: {data: .nan}}",
            (),
            "data, set by constants: it must be finite, not nan",
        ),
        (
            "{topic: t, type: std_msgs/msg/Float32, constants: {data: 1.0e+39}}",
            (),
            "1e+39 is too large for it",
        ),
        (
            "{topic: t, type: std_msgs/msg/Float64MultiArray, constants: {'data[0]': 1}}",
            (),
            "there is no data[0]: only arrays of a fixed size have places",
        ),
        (
            "{topic: t, type: std_msgs/msg/Float64, fields: {data: number}, constants: {data: 1}}",
            ("number",),
            "data is set by the parameter number and by constants",
        ),
        ("{topic: t, type: std_msgs/msg/Byte, constants: {data: 1}}", (), "octet cannot be set"),
    ],
)
def test_a_target_that_does_not_fit_is_one_sentence(tmp_path, target, parameters, sentence):
    with pytest.raises(SkillFileError) as caught:
        MessageTemplate(skill(tmp_path, target, *parameters))
    assert sentence in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("fields", "good", "detail"),
    [
        ({}, True, ""),
        ({"success": True, "message": "done"}, True, "done"),
        ({"success": False, "message": "no\n such plug"}, False, "no such plug"),
        ({"error_code": 0, "error_msg": ""}, True, ""),
        ({"error_code": 203, "error_msg": "no path"}, False, "no path"),
        ({"error_code": 203, "error_msg": ""}, False, "error code 203"),
        ({"message": "x" * 2000}, True, "x" * 1024),
    ],
)
def test_what_a_server_answers_is_read_by_the_usual_fields(fields, good, detail):
    assert outcome_of(SimpleNamespace(**fields)) == (good, detail)


def test_the_example_of_the_document_fits_navigate_to_pose(tmp_path, monkeypatch):
    """nav2_msgs is on no machine of the tests: its goal's fields, as nav2 has them, stand in."""
    from geometry_msgs.msg import PoseStamped
    from rosidl_parser.definition import NamespacedType, UnboundedString

    class Goal:
        SLOT_TYPES = (NamespacedType(["geometry_msgs", "msg"], "PoseStamped"), UnboundedString())

        def __init__(self):
            self.pose, self.behavior_tree = PoseStamped(), ""

        @classmethod
        def get_fields_and_field_types(cls):
            return {"pose": "geometry_msgs/PoseStamped", "behavior_tree": "string"}

    module = ModuleType("nav2_msgs.action")
    module.NavigateToPose = SimpleNamespace(Goal=Goal)
    monkeypatch.setitem(sys.modules, "nav2_msgs", ModuleType("nav2_msgs"))
    monkeypatch.setitem(sys.modules, "nav2_msgs.action", module)
    (example,) = [
        block
        for block in re.findall(r"```yaml\n(.*?)```", DOCS.read_text(), re.DOTALL)
        if "NavigateToPose" in block and block.startswith("# skills.yaml")
    ]
    path = tmp_path / "skills.yaml"
    path.write_text(example)
    go = next(each for each in load_skills(path) if each.name == "go_to")
    goal = MessageTemplate(go).build({"place": "kitchen"})
    assert goal.pose.header.frame_id == "map"
    assert (goal.pose.pose.position.x, goal.pose.pose.position.y) == (4.2, 1.0)
    assert goal.pose.pose.orientation.w == 1.0
