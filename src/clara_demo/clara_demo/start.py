# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Starts the simulated robot, so that Ctrl-C in its first moments is no traceback."""

from clara_brain.start import start


def main() -> int:
    """Run the node `robot`."""
    return start("robot_node", "clara_demo.robot_node")
