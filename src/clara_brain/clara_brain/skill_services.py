# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""The node's service `skill/list`: what Clara may do with the robot."""

from __future__ import annotations

from typing import Protocol

from rclpy.callback_groups import CallbackGroup
from rclpy.node import Node

from clara_brain.skill_targets import SkillTargets
from clara_brain.skills import Confirm, Parameter, TargetKind
from clara_brain.skills import Skill as FileSkill
from clara_interfaces.msg import Skill, SkillParameter
from clara_interfaces.srv import ListSkills

_CONFIRM = {
    Confirm.NEVER: Skill.NEVER,
    Confirm.FIRST_TIME: Skill.FIRST_TIME,
    Confirm.ALWAYS: Skill.ALWAYS,
}
_KINDS = {
    TargetKind.ACTION: Skill.ACTION,
    TargetKind.SERVICE: Skill.SERVICE,
    TargetKind.TOPIC: Skill.TOPIC,
}
_TYPES = {
    "choice": SkillParameter.CHOICE,
    "number": SkillParameter.NUMBER,
    "integer": SkillParameter.INTEGER,
    "text": SkillParameter.TEXT,
    "boolean": SkillParameter.BOOLEAN,
}


class State(Protocol):
    """What the service shows of the node; `skills` is None until it is configured."""

    skills: tuple[FileSkill, ...] | None
    skills_path: str
    targets: SkillTargets
    no_model: str


class SkillServices:
    """Serves skill/list."""

    def __init__(self, node: Node, state: State, group: CallbackGroup) -> None:
        self._state = state
        node.create_service(ListSkills, "skill/list", self._list, callback_group=group)

    def _list(
        self, request: ListSkills.Request, response: ListSkills.Response
    ) -> ListSkills.Response:
        if self._state.skills is None:
            response.error_code = ListSkills.Response.NOT_CONFIGURED
            response.error_msg = self._state.no_model
            return response
        response.path = self._state.skills_path
        response.skills = [self._skill(skill) for skill in self._state.skills]
        return response

    def _skill(self, skill: FileSkill) -> Skill:
        targets, target = self._state.targets, skill.target
        return Skill(
            name=skill.name,
            description=skill.description,
            action=skill.action,
            parameters=[_parameter(each) for each in skill.parameters],
            examples=[example.say for example in skill.examples],
            confirm=_CONFIRM[skill.confirm],
            at_most=skill.at_most.uses if skill.at_most else 0,
            period=skill.at_most.period if skill.at_most else 0.0,
            target_kind=_KINDS[target.kind] if target else Skill.REQUEST,
            target=targets.full_name(skill),
            target_type=target.type if target else "",
            timeout=skill.timeout,
            reachable=targets.reachable(skill),
        )


def _parameter(parameter: Parameter) -> SkillParameter:
    numeric = parameter.numeric
    default = parameter.default
    written = str(default).lower() if isinstance(default, bool) else str(default)
    return SkillParameter(
        name=parameter.name,
        type=_TYPES[parameter.type],
        required=default is None,
        default_value="" if default is None else written,
        must_be_said=parameter.said,
        choices=list(parameter.choices),
        minimum=parameter.minimum if numeric else 0.0,
        maximum=parameter.maximum if numeric else 0.0,
        unit=parameter.unit,
        max_length=parameter.max_length if parameter.type == "text" else 0,
    )
