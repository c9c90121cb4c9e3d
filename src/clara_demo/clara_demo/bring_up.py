# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Starts Clara for the demo, in a free DDS domain, with state of her own that is thrown away."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from domain_coordinator import domain_id

from clara_demo.errors import DemoError

_END_LIMIT_S = 15.0
_LINES_SHOWN = 15
_POLL_S = 0.05


def launch_command(namespace: str) -> list[str]:
    """Return the command that launches Clara and the robot, all but where her state goes."""
    words = ["ros2", "launch", "clara_brain", "clara.launch.py", "demo:=true"]
    return [*words, f"namespace:={namespace}"]


@contextmanager
def launched(command: Sequence[str]) -> Iterator[Callable[[], None]]:
    """Run a launch in a DDS domain that this process joins too, and end it with all its nodes.

    Arguments that put her state into a folder of its own are added to the command. Gives a
    function that raises DemoError once the launch has ended. Raises DemoError when the command is
    missing; to one from the body it adds the end of the launch's output and the name of the file
    that has all of it.
    """
    with domain_id() as domain, tempfile.TemporaryDirectory(prefix="clara_demo_") as folder:
        os.environ["ROS_DOMAIN_ID"] = str(domain)
        number, name = tempfile.mkstemp(prefix="clara_demo_", suffix=".log")
        log = Path(name)
        params = Path(folder, "state.yaml")
        params.write_text(f"/**/brain:\n  ros__parameters:\n    state_path: {folder}/brain\n")
        with os.fdopen(number, "wb") as output:
            try:
                launch = subprocess.Popen(
                    [*command, f"memory_path:={folder}/memory.sqlite3", f"params_file:={params}"],
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            except FileNotFoundError as error:
                log.unlink()
                raise DemoError(f"no command {command[0]}: source setup.bash first") from error

        def check() -> None:
            if launch.poll() is not None:
                raise DemoError(f"the launch ended early, with code {launch.returncode}")

        try:
            yield check
        except DemoError as error:
            lines = log.read_text(errors="replace").splitlines()[-_LINES_SHOWN:]
            told = [str(error), f"The launch said ({log} has all of it):", *lines]
            raise DemoError("\n".join(told)) from error
        except BaseException:
            log.unlink()
            raise
        else:
            log.unlink()
        finally:
            _end(launch)


def _end(launch: subprocess.Popen[bytes]) -> None:
    """End the launch and all of its process group, gently first."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(launch.pid, number)
        except ProcessLookupError:
            return
        end = time.monotonic() + _END_LIMIT_S
        while time.monotonic() < end and _has_processes(launch):
            time.sleep(_POLL_S)


def _has_processes(launch: subprocess.Popen[bytes]) -> bool:
    launch.poll()  # once it has ended it must be reaped, or its group stays
    try:
        os.killpg(launch.pid, 0)
    except ProcessLookupError:
        return False
    return True
