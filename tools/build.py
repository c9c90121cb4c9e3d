#!/usr/bin/env python3
# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Build the workspace with colcon when its sources have changed; `make build` runs it.

colcon itself has no cheap way to see that nothing changed, and `make launch` should start in
seconds.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
STAMP = ROOT / "install" / ".clara_built"
BUILT_ON = ("ros.json", "ros", "build")
LEFT_OUT = {"__pycache__", ".pytest_cache", ".hypothesis", ".mypy_cache", ".ruff_cache"}


def state() -> str:
    """Return a hash of every source file's path, size and time, and of what they are built on."""
    digest = hashlib.sha256()
    for top in (ROOT / "src", ROOT / "tests"):
        for folder, folders, files in os.walk(top):
            folders[:] = sorted(
                name for name in folders if name not in LEFT_OUT and not name.endswith(".egg-info")
            )
            for name in sorted(files):
                path = Path(folder, name)
                facts = path.lstat()
                digest.update(f"{path}\0{facts.st_size}\0{facts.st_mtime_ns}\0".encode())
    for file in (ROOT / "colcon.meta", *(ROOT / ".venv" / "clara" / name for name in BUILT_ON)):
        digest.update(file.read_bytes() if file.is_file() else b"")
    return digest.hexdigest()


def main() -> int:
    """Build where needed and return the exit code."""
    now = state()
    if STAMP.is_file() and STAMP.read_text() == now:
        return 0
    STAMP.unlink(missing_ok=True)
    command = [sys.executable, "-m", "colcon", "build", "--executor", "sequential"]
    result = subprocess.run(command, cwd=ROOT, check=False)
    if result.returncode == 0:
        STAMP.write_text(now)
    return result.returncode


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
