# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""The few classes of ROS 2's `launch_ros` that ordinary launch files use.

Part of ros2_on_pip.
"""

from . import actions, parameter_descriptions, substitutions

__all__ = ["actions", "parameter_descriptions", "substitutions"]
