# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Tell whether this package may be installed: not where a real `launch_ros` or `ros2` is.

Run as a script, before anything is installed: exit code 0 means it may, 1 (and a sentence) that a
real one is there, which is never shadowed.
"""

from __future__ import annotations

import importlib.util
import shutil
import sys
from pathlib import Path

MARK = "Part of ros2_on_pip"


def foreign(module: str) -> str | None:
    """Return where a module is imported from, when that is not this package."""
    try:
        spec = importlib.util.find_spec(module)
    except (ImportError, ValueError):
        return None
    if spec is None or spec.origin is None or MARK in Path(spec.origin).read_text("utf-8"):
        return None
    return spec.origin


def main() -> int:
    """Return 0 when this package may be installed, else 1 after a sentence."""
    for module in ("launch_ros", "launch", "ros2cli"):
        found = foreign(module)
        if found:
            print(f"A real {module} is at {found}; ros2_on_pip is not installed beside it.")
            return 1
    command = shutil.which("ros2")
    if command is not None and Path(command).parent != Path(sys.executable).parent:
        print(f"A real ros2 is at {command}; ros2_on_pip is not installed beside it.")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
