# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""The few verbs of the `ros2` command that Clara's documents use, for a ROS 2 from PyPI."""
