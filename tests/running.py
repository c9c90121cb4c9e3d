# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""What the system tests stand on: processes of the real commands, and a peer to their nodes.

A `Process` collects what a command prints, line by line, and always ends it. A `Peer` is the
robot's and the user's side of the wire: one rclpy node, spun only while a test waits.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import rclpy
from lifecycle_msgs.msg import State
from lifecycle_msgs.srv import GetState
from rclpy.action import ActionClient
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import QoSProfile

from clara_interfaces.action import Chat
from clara_interfaces.msg import ActionEvent, ActionResult


def wait_until(condition: Callable[[], Any], limit: float, what: str) -> Any:
    """Return the first true value of `condition`; fail after `limit` seconds naming `what`."""
    end = time.monotonic() + limit
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < end, f"{what}: not within {limit:.0f} s"
        time.sleep(0.02)


@dataclass(frozen=True)
class Footprint:
    """What a process takes of the machine: resident memory in MB, threads, open descriptors."""

    rss_mb: float
    threads: int
    descriptors: int

    @classmethod
    def of(cls, pid: int) -> Footprint:
        """Look at a process."""
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        fields = dict(line.split(":", 1) for line in lines)
        return cls(
            rss_mb=int(fields["VmRSS"].split()[0]) / 1024,
            threads=int(fields["Threads"]),
            descriptors=len(list(Path(f"/proc/{pid}/fd").iterdir())),
        )


def wait_for_node(start: Callable[..., Process], name: str, *listing: str) -> None:
    """Wait until the `ros2` command has discovered a node: its daemon takes a moment.

    `listing` is what must have it, as "lifecycle", "nodes": a name comes before its services. It
    is to be there twice: the first answer may not be the daemon's, whom that call has started.
    """
    listing = listing or ("node", "list")

    def listed() -> bool:
        shown = start("ros2", *listing)
        return shown.wait() == 0 and name in shown.output.split()

    for _ in range(2):
        wait_until(listed, 60.0, f"{name} in ros2 {' '.join(listing)}")


class Process:
    """A running command, in its own process group as from a terminal, with its output."""

    def __init__(
        self, *command: str | Path, env: dict[str, str] | None = None, cwd: Path | None = None
    ) -> None:
        self.command = [str(word) for word in command]
        self.lines: list[str] = []
        self._process = subprocess.Popen(
            self.command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **(env or {})},
            cwd=cwd,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.lines.append(line.rstrip("\n"))

    @property
    def pid(self) -> int:
        """The process id of the command."""
        return self._process.pid

    @property
    def output(self) -> str:
        """Everything printed so far."""
        return "\n".join(self.lines)

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def wait_for(self, text: str, limit: float = 60.0) -> str:
        """Return the first line with `text` in it."""

        def found() -> str | None:
            line = next((line for line in list(self.lines) if text in line), None)
            assert line or self.running or self._reader.is_alive(), (
                f"ended without {text!r}:\n{self.output}"
            )
            return line

        try:
            return str(wait_until(found, limit, f"{text!r}"))
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.output}") from None

    def interrupt(self) -> None:
        """Send what Ctrl-C in a terminal sends: SIGINT to the whole group."""
        os.killpg(self._process.pid, signal.SIGINT)

    def wait(self, limit: float = 60.0) -> int:
        """Return the exit code."""
        try:
            code = self._process.wait(limit)
        except subprocess.TimeoutExpired:
            raise AssertionError(
                f"{self.command} did not end within {limit:.0f} s:\n{self.output}"
            ) from None
        self._reader.join(5.0)
        return code

    def close(self) -> None:
        """End the process group, gently first."""
        for number in (signal.SIGINT, signal.SIGKILL):
            if self.running:
                os.killpg(self._process.pid, number)
                try:
                    self._process.wait(10.0)
                except subprocess.TimeoutExpired:
                    continue
        with contextlib.suppress(ProcessLookupError):  # what a leader that died left behind
            os.killpg(self._process.pid, signal.SIGKILL)
        self._reader.join(5.0)


class Peer:
    """The robot and the user: publishes, calls, and sends goals, each with a time limit."""

    def __init__(self, domain_id: int, namespace: str = "clara") -> None:
        self.context = Context()
        rclpy.init(context=self.context, domain_id=domain_id)
        self.node = Node("peer", namespace=namespace, context=self.context)
        self.executor = SingleThreadedExecutor(context=self.context)
        self.executor.add_node(self.node)
        self.events = self.node.create_publisher(ActionEvent, "action_event", 100)
        self.results = self.node.create_publisher(ActionResult, "action_result", 100)
        self._clients: dict[str, Any] = {}

    def close(self) -> None:
        self.executor.shutdown()
        self.node.destroy_node()
        self.context.try_shutdown()

    def spin_for(self, condition: Callable[[], Any], patience: float) -> Any:
        """Return the first true value of `condition`, else its last; callbacks are served."""
        end = time.monotonic() + patience
        while not (value := condition()) and time.monotonic() < end:
            self.executor.spin_once(timeout_sec=0.05)
        return value

    def spin_until(self, condition: Callable[[], Any], limit: float, what: str) -> Any:
        """Return the first true value of `condition`, serving callbacks meanwhile."""
        value = self.spin_for(condition, limit)
        assert value, f"{what}: not within {limit:.0f} s"
        return value

    def finish(self, future: Any, limit: float, what: str) -> Any:
        """Return a future's result."""
        self.spin_until(future.done, limit, what)
        return future.result()

    def client(self, kind: Any, name: str) -> Any:
        """Return the client of a service, made once."""
        if name not in self._clients:
            self._clients[name] = self.node.create_client(kind, name)
        return self._clients[name]

    def call(self, kind: Any, name: str, request: Any = None, limit: float = 20.0) -> Any:
        """Return the response of a service."""
        client = self.client(kind, name)
        self.spin_until(client.service_is_ready, limit, f"service {name}")
        return self.finish(
            client.call_async(request or kind.Request()), limit, f"answer of {name}"
        )

    def try_call(self, kind: Any, name: str, patience: float = 2.0) -> Any:
        """Return the response of a service, or None: it is not there, or was when it died."""
        client = self.client(kind, name)
        if not client.service_is_ready():
            self.executor.spin_once(timeout_sec=0.05)
            return None
        future = client.call_async(kind.Request())
        return future.result() if self.spin_for(future.done, patience) else None

    def state_of(self, name: str, limit: float = 20.0) -> State:
        """Return the state of a lifecycle node.

        It is asked again where no answer comes: a node that has just started may answer before it
        has discovered who asks, and DDS drops that.
        """
        answer = wait_until(
            lambda: self.try_call(GetState, f"{name}/get_state"), limit, f"the state of {name}"
        )
        state: State = answer.current_state
        return state

    def chat(self, text: str, limit: float = 60.0, **fields: Any) -> tuple[Any, list[Any]]:
        """Return the result of one turn and the feedback that came before it."""
        goal = Chat.Goal(text=text, **fields)
        if "chat" not in self._clients:
            self._clients["chat"] = ActionClient(self.node, Chat, "chat")
        client = self._clients["chat"]
        self.spin_until(client.server_is_ready, limit, "action chat")
        feedback: list[Any] = []
        sent = client.send_goal_async(
            goal, feedback_callback=lambda m: feedback.append(m.feedback)
        )
        handle = self.finish(sent, limit, "acceptance of the goal")
        assert handle.accepted
        answer = self.finish(handle.get_result_async(), limit, "result of chat")
        return answer.result, feedback

    def listen(self, kind: Any, topic: str, qos: QoSProfile | int = 100) -> list[Any]:
        """Return a list that grows with the messages on `topic`."""
        heard: list[Any] = []
        self.node.create_subscription(kind, topic, heard.append, qos)
        return heard

    def subscribers(self, topic: str) -> int:
        return int(self.node.count_subscribers(f"{self.node.get_namespace().rstrip('/')}/{topic}"))
