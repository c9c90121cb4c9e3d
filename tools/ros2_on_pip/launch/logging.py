# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Where a launch says what it does: the screen, launch.log, and a file for each process.

Lines are '[LEVEL] [name]: message' on the screen, and have the time in front in the file.
"""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path


class Log:
    """The log of one launch."""

    def __init__(self, debug: bool = False) -> None:
        home = Path(os.environ.get("ROS_HOME") or Path.home() / ".ros")
        top = Path(os.environ.get("ROS_LOG_DIR") or home / "log")
        stamp = time.strftime("%Y-%m-%d-%H-%M-%S") + f"-{time.time_ns() // 1000 % 1_000_000:06d}"
        self.folder = top.expanduser() / f"{stamp}-{socket.gethostname()}-{os.getpid()}"
        self.folder.mkdir(parents=True)
        self.debug = debug
        self._files: dict[str, int] = {}

    def write(self, file: str, line: str) -> None:
        """Append a line to a file of the log folder; a full disk must not end the robot."""
        try:
            if file not in self._files:
                flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
                self._files[file] = os.open(self.folder / file, flags, 0o644)
            os.write(self._files[file], (line + "\n").encode(errors="replace"))
        except OSError as error:
            self.screen(f"[ERROR] [launch]: cannot write {self.folder / file}: {error.strerror}")

    @staticmethod
    def screen(line: str) -> None:
        """Print a line at once."""
        print(line, flush=True)

    def say(self, level: str, name: str, message: str) -> None:
        """Log a message of the launch itself."""
        if level == "DEBUG" and not self.debug:
            return
        self.screen(f"[{level}] [{name}]: {message}")
        self.write("launch.log", f"{time.time():.7f} [{level}] [{name}]: {message}")

    def output(self, name: str, line: str, *, to_screen: bool, stream: str) -> None:
        """Pass on a line that a process has printed."""
        if to_screen:
            self.screen(f"[{name}] {line}")
        self.write("launch.log", f"{time.time():.7f} [{name}] {line}")
        self.write(f"{name}-{stream}.log", line)

    def close(self) -> None:
        """Close the files."""
        for descriptor in self._files.values():
            os.close(descriptor)
        self._files.clear()
