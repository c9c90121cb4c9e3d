# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""The few classes of ROS 2's `launch` that ordinary launch files use, for a ROS 2 from PyPI.

Names and arguments are those of the real package; see the README beside this package.
Part of ros2_on_pip.
"""

from . import (
    actions,
    conditions,
    event_handlers,
    events,
    launch_description_sources,
    logging,
    substitutions,
)
from .entities import Action, LaunchDescription, LaunchDescriptionEntity
from .launch_context import LaunchContext
from .launch_service import LaunchService
from .substitution import SomeSubstitutionsType, Substitution

__all__ = [
    "Action",
    "LaunchContext",
    "LaunchDescription",
    "LaunchDescriptionEntity",
    "LaunchService",
    "SomeSubstitutionsType",
    "Substitution",
    "actions",
    "conditions",
    "event_handlers",
    "events",
    "launch_description_sources",
    "logging",
    "substitutions",
]
