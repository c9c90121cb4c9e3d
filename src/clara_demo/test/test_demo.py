# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""The demo's command where nothing runs, and its end; the whole conversation is a system test."""

import io
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import cast

from clara_brain.ros_client import RosClient
from clara_demo.demo import Demo
from domain_coordinator import domain_id
from rich.console import Console

from clara_interfaces.action import Chat


def test_without_nodes_the_demo_fails_with_a_sentence() -> None:
    command = [sys.executable, "-m", "clara_demo.demo", "--timeout", "1"]
    with domain_id() as domain:
        done = subprocess.run(
            command,
            env={**os.environ, "ROS_DOMAIN_ID": str(domain)},
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )
    assert done.returncode == 1
    assert "demo: node memory is not there after 1 s" in done.stderr
    assert "Traceback" not in done.stderr


def marked(mark: str) -> list[int]:
    """Return the processes that have this text in their environment."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if mark.encode() in (folder / "environ").read_bytes():
                found.append(int(folder.name))
        except OSError:
            pass  # it has ended, or is another's
    return found


class Talker:
    """Says one long reply in small pieces."""

    def chat(self, goal: Chat.Goal, on_delta: Callable[[str], None]) -> Chat.Result:
        for word in range(40):
            on_delta(f"word[{word}] ")
        return Chat.Result()


def test_a_picture_has_every_word_of_a_long_reply_within_its_width() -> None:
    console = Console(record=True, width=50, file=io.StringIO())
    Demo(cast(RosClient, Talker()), console, lambda: None)._say("Talk!", Chat.Goal.NEVER)
    lines = console.export_text().splitlines()
    assert max(map(len, lines)) <= 50 and "word[39]" in lines[-1]


def test_closing_the_terminal_ends_all_that_the_demo_started() -> None:
    mark = f"CLARA_DEMO_TEST={os.getpid()}-{time.monotonic_ns()}"
    name, value = mark.split("=")
    child, terminal = pty.fork()
    if child == 0:
        os.environ[name] = value
        os.execv(sys.executable, [sys.executable, "-m", "clara_demo.demo", "--launch"])
    try:
        end = time.monotonic() + 60.0
        while len(marked(mark)) < 5:  # the demo, the launch, memory, brain and robot
            assert time.monotonic() < end, "the nodes were not started in 60 s"
            time.sleep(0.1)
        os.close(terminal)
        end = time.monotonic() + 30.0
        os.kill(child, signal.SIGHUP)  # as the shell in a terminal does, too
        while left := marked(mark):
            assert time.monotonic() < end, f"{left} are there 30 s after the terminal was closed"
            time.sleep(0.1)
    finally:
        for pid in marked(mark):
            os.kill(pid, signal.SIGKILL)
        os.waitpid(child, 0)
