# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Starts Clara for the demo, in a free DDS domain and with a memory that is thrown away."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from domain_coordinator import domain_id

from clara_demo.errors import DemoError

_END_LIMIT_S = 15.0
_LINES_SHOWN = 15


@contextmanager
def launched(namespace: str) -> Iterator[subprocess.Popen[bytes]]:
    """Give a running launch of Clara and the robot, in a domain that this process joins too.

    Raises DemoError when `ros2` is missing; when the body raises one, the log's end is added.
    """
    with domain_id() as domain, tempfile.TemporaryDirectory(prefix="clara_demo_") as folder:
        os.environ["ROS_DOMAIN_ID"] = str(domain)
        log = Path(folder, "launch.log")
        command = ["ros2", "launch", "clara_brain", "clara.launch.py", "demo:=true"]
        settings = [f"namespace:={namespace}", f"memory_path:={folder}/memory.sqlite3"]
        with log.open("wb") as output:
            try:
                launch = subprocess.Popen(
                    [*command, *settings],
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            except FileNotFoundError as error:
                raise DemoError("there is no command ros2: source setup.bash first") from error
            try:
                yield launch
            except DemoError as error:
                lines = log.read_text(errors="replace").splitlines()[-_LINES_SHOWN:]
                raise DemoError("\n".join([str(error), "The launch said:", *lines])) from error
            finally:
                _end(launch)


def _end(launch: subprocess.Popen[bytes]) -> None:
    """End the launch and its nodes, gently first."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        if launch.poll() is not None:
            return
        os.killpg(launch.pid, number)
        try:
            launch.wait(_END_LIMIT_S)
        except subprocess.TimeoutExpired:
            continue
