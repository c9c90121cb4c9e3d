# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""A ROS domain for each test module, and node processes that end with their test."""

import os
import re
import signal
import subprocess
import sys

import pytest
from browser import Browser, found_browser
from serving import Web, wait_until


@pytest.fixture(scope="module")
def domain():
    from domain_coordinator import domain_id

    with domain_id() as number, pytest.MonkeyPatch.context() as patch:
        patch.setenv("ROS_DOMAIN_ID", str(number))
        patch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
        yield number


class NodeProcess:
    """A node under its own interpreter, in the namespace /clara."""

    def __init__(self, module, log, environment=None, **parameters):
        command = [sys.executable, "-m", module, "--ros-args", "-r", "__ns:=/clara"]
        for name, value in parameters.items():
            command += ["-p", f"{name}:={value}"]
        self.log = log
        with log.open("w") as written:
            self.process = subprocess.Popen(
                command,
                stdout=written,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(environment or {})},
            )

    @property
    def said(self):
        return self.log.read_text()

    def wait(self, limit=20.0):
        """Return the exit code."""
        return self.process.wait(limit)

    def stop(self):
        """Do what Ctrl-C does; return the exit code."""
        self.process.send_signal(signal.SIGINT)
        return self.wait()

    def close(self):
        # A killed node haunts its domain until DDS notices: ask first.
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(20.0)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Starter:
    """Starts nodes of a test or module, and ends them with it."""

    def __init__(self, folder):
        self.folder = folder
        self.running = []

    def node(self, module, **options):
        name = f"{module}-{len(self.running)}.log"
        self.running.append(NodeProcess(module, self.folder / name, **options))
        return self.running[-1]

    def check(self):
        """Fail when one of them has died."""
        for process in self.running:
            assert process.process.poll() is None, process.said

    def console(self, **options):
        """Start a console on a free port; return its process and a client."""
        process = self.node("clara_console.node", port=0, **options)

        def port():
            assert process.process.poll() is None, process.said
            return re.search(r"console on http://\S+:(\d+)/", process.said)

        return process, Web(int(wait_until(port, "the console to listen")[1]))

    def close(self):
        for process in reversed(self.running):
            process.close()
        for process in self.running:
            assert "Traceback" not in process.said, process.said


@pytest.fixture(scope="module")
def shared(domain, tmp_path_factory):
    made = Starter(tmp_path_factory.mktemp("nodes"))
    yield made
    made.close()


@pytest.fixture
def start(domain, tmp_path):
    made = Starter(tmp_path)
    yield made
    made.close()


@pytest.fixture(scope="session")
def chromium(tmp_path_factory):
    """A headless Chromium; CLARA_NEEDS_BROWSER makes its absence a failure, as in CI."""
    if found_browser() is None:
        missing = "no Chromium with its driver: sudo apt install chromium chromium-driver"
        if os.environ.get("CLARA_NEEDS_BROWSER"):
            pytest.fail(missing)
        pytest.skip(missing)
    made = Browser(tmp_path_factory.mktemp("chromium"))
    yield made
    made.close()
