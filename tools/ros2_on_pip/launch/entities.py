# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Launch descriptions and actions: what a launch file returns."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from .launch_context import LaunchContext

if TYPE_CHECKING:
    from .actions import DeclareLaunchArgument
    from .conditions import IfCondition


class LaunchDescriptionEntity:
    """Anything that can be visited by the launch service."""

    def visit(self, context: LaunchContext) -> Sequence[LaunchDescriptionEntity] | None:
        """Do it, and return what is to be visited next."""
        raise NotImplementedError(type(self).__name__)

    def describe(self) -> str:
        """Return how `ros2 launch --print` shows it."""
        return f"Action('{self}')"

    def children(self) -> Sequence[LaunchDescriptionEntity]:
        """Return what it holds, as far as it is known without running it."""
        return []


class Action(LaunchDescriptionEntity):
    """One thing to do, perhaps on a condition."""

    def __init__(self, *, condition: IfCondition | None = None) -> None:
        self.condition = condition

    def visit(self, context: LaunchContext) -> Sequence[LaunchDescriptionEntity] | None:
        """Execute it when the condition holds."""
        if self.condition is None or self.condition.evaluate(context):
            return self.execute(context)
        return None

    def execute(self, context: LaunchContext) -> Sequence[LaunchDescriptionEntity] | None:
        """Do it, and return what is to be visited next."""
        return None


class LaunchDescription(LaunchDescriptionEntity):
    """A list of entities, in order."""

    def __init__(self, initial_entities: Iterable[LaunchDescriptionEntity] | None = None) -> None:
        self.entities: list[LaunchDescriptionEntity] = list(initial_entities or [])

    def add_action(self, action: LaunchDescriptionEntity) -> None:
        """Append an action."""
        self.entities.append(action)

    def add_entity(self, entity: LaunchDescriptionEntity) -> None:
        """Append an entity."""
        self.entities.append(entity)

    def visit(self, context: LaunchContext) -> Sequence[LaunchDescriptionEntity]:
        """Return the entities."""
        return self.entities

    def children(self) -> Sequence[LaunchDescriptionEntity]:
        """Return the entities."""
        return self.entities

    def get_launch_arguments(self) -> list[DeclareLaunchArgument]:
        """Return the declared arguments, those in groups too, each name once."""
        from .actions import DeclareLaunchArgument

        found: dict[str, DeclareLaunchArgument] = {}

        def walk(entity: LaunchDescriptionEntity) -> None:
            if isinstance(entity, DeclareLaunchArgument):
                found.setdefault(entity.name, entity)
            for child in entity.children():
                walk(child)

        walk(self)
        return list(found.values())
