#!/usr/bin/env python3
# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Check that every source file opens with the copyright and licence lines, in SPDX form."""

from __future__ import annotations

import subprocess
import sys

HEADER = ("Copyright 2026 The Clara Authors", "SPDX-License-Identifier: Apache-2.0")
ENDINGS = (".py", ".bash", ".sh", ".cpp", ".hpp", ".cmake", "CMakeLists.txt")


def main() -> int:
    """Print each file without the header and return the exit code."""
    names = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    bad = []
    for name in names:
        if not name.endswith(ENDINGS):
            continue
        with open(name, encoding="utf-8") as file:
            lines = [file.readline().strip().lstrip("#/ ") for _ in range(3)]
        if lines[0].startswith("!"):
            lines.pop(0)
        if tuple(lines[:2]) != HEADER:
            bad.append(name)
    for name in bad:
        print(f"{name}: does not open with '# {HEADER[0]}' and '# {HEADER[1]}'")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
