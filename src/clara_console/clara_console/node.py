# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""The node `console`: serves the operator's web page and asks Clara for it over ROS.

The main thread runs a SingleThreadedExecutor, the web server an asyncio loop in a thread of its
own; each hands work to the other and waits for nothing.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rcl_interfaces.msg import (
    FloatingPointRange,
    IntegerRange,
    ParameterDescriptor,
    ParameterEvent,
)
from rclpy.clock import Clock
from rclpy.clock_type import ClockType
from rclpy.exceptions import ParameterException
from rclpy.executors import SingleThreadedExecutor
from rclpy.guard_condition import GuardCondition
from rclpy.node import Node
from rclpy.qos_overriding_options import QoSOverridingOptions
from rclpy.signals import SignalHandlerOptions
from rclpy.task import Future

from clara_console.access import Access
from clara_console.app import Application
from clara_console.as_json import as_json
from clara_console.clara_link import ClaraLink
from clara_console.errors import SettingsError
from clara_console.health import Health
from clara_console.settings import ConsoleSettings, is_open_to_others, token
from clara_console.web_server import WebServer, listen
from clara_interfaces.msg import Episode

HEALTH_PERIOD_S = 1.0
SLIDER_PREFIXES = ("personality.", "expertise.")
_END_LIMIT_S = 2.5


class ConsoleNode(Node):  # type: ignore[misc]
    """Hears what Clara publishes; `news` passes it on to the pages."""

    # rclpy destroys what is left at its shutdown (from Kilted on), also a node that a wrong
    # parameter stopped half-way.
    _complete = False

    def __init__(self, **options: Any) -> None:
        super().__init__("console", **options)
        self.settings = self._read_parameters()
        self.link = ClaraLink(self, self.settings.service_timeout)
        self.news: Callable[[str, Any, bool], None] = lambda event, data, keep: None
        self._health = Health(self.get_namespace())
        self._brain = f"{self.get_namespace().rstrip('/')}/brain"
        self.create_subscription(
            Episode,
            "memory/episodes",
            lambda episode: self.news("episode", as_json(episode), False),
            100,
            qos_overriding_options=QoSOverridingOptions.with_default_policies(),
        )
        self.create_subscription(
            DiagnosticArray,
            "/diagnostics",
            self._health.hear,
            10,
            qos_overriding_options=QoSOverridingOptions.with_default_policies(),
        )
        self.create_subscription(ParameterEvent, "/parameter_events", self._on_parameters, 100)
        # The page is for people in real time, also while a simulation stands still.
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self.create_timer(HEALTH_PERIOD_S, self._tell_health, clock=steady)
        self._complete = True

    def destroy_node(self) -> None:
        """Take the action client down, then the node."""
        if self._complete:
            self.link.destroy()
        super().destroy_node()

    def _read_parameters(self) -> ConsoleSettings:
        defaults = ConsoleSettings()

        def declare(name: str, description: str, **ranges: Any) -> Any:
            descriptor = ParameterDescriptor(description=description, read_only=True, **ranges)
            return self.declare_parameter(name, getattr(defaults, name), descriptor).value

        ports = IntegerRange(from_value=0, to_value=65535, step=1)
        waits = FloatingPointRange(from_value=0.1, to_value=600.0)
        return ConsoleSettings(
            declare("host", "address to listen on; beyond this machine only with a token"),
            declare("port", "TCP port; 0: any that is free", integer_range=[ports]),
            declare("token_file", "file with the token; empty: CLARA_CONSOLE_TOKEN, if set"),
            declare("service_timeout", "wait for an answer, in s", floating_point_range=[waits]),
            declare(
                "requests_per_second",
                "requests that one address may send in the long run; five times that at once",
                floating_point_range=[FloatingPointRange(from_value=1.0, to_value=10_000.0)],
            ),
        )

    def _on_parameters(self, event: ParameterEvent) -> None:
        changed = [*event.new_parameters, *event.changed_parameters]
        moved = {
            parameter.name.partition(".")[2]: parameter.value.double_value
            for parameter in changed
            if parameter.name.startswith(SLIDER_PREFIXES)
        }
        if moved and event.node == self._brain:
            self.news("personality", moved, False)

    def _tell_health(self) -> None:
        up = {"brain": self.link.is_up("chat"), "memory": self.link.is_up("memory/query")}
        self.news("health", self._health.snapshot(up), True)


def main(args: list[str] | None = None) -> int:
    """Run the node until SIGINT or SIGTERM, then stop in order."""
    rclpy.init(args=args, signal_handler_options=SignalHandlerOptions.NO)
    node = None
    try:
        node = ConsoleNode()
        secret = token(node.settings, os.environ)
        listening = listen(node.settings.host, node.settings.port)
    except (ParameterException, RuntimeError, SettingsError) as error:
        print(f"console: {error}", file=sys.stderr)
        if node is not None:
            node.destroy_node()
        rclpy.try_shutdown()
        return 1
    try:
        return _serve(node, secret, listening)
    finally:
        node.destroy_node()
        rclpy.try_shutdown()


def _serve(node: ConsoleNode, secret: str, listening: socket.socket) -> int:
    settings = node.settings
    port = listening.getsockname()[1]
    failed = threading.Event()

    def end_too() -> None:
        failed.set()
        os.kill(os.getpid(), signal.SIGTERM)

    app = Application(node.link)
    guarded = Access(app.asgi, secret, settings.host, port, settings.requests_per_second)
    server = WebServer(guarded, listening, close=app.close, failed=end_too)
    node.news = lambda event, data, keep: server.soon(app.live.publish, event, data, keep)
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    asked: Future = Future()
    # A guard condition is work, so that `spin_once` returns for it.
    watching = _resolve_on_signals(asked, node.create_guard_condition(lambda: None))
    server.start()
    name = f"[{settings.host}]" if ":" in settings.host else settings.host
    needs = " (needs the token)" if secret else ""
    node.get_logger().info(f"console on http://{name}:{port}/{needs}")
    if settings.token_file and is_open_to_others(Path(settings.token_file).expanduser()):
        node.get_logger().warning(
            f"token_file: other users may read or change {settings.token_file}:"
            f" chmod 600 {settings.token_file}"
        )
    try:
        # `spin_until_future_complete` would hang one more callback on the future for each message.
        while not asked.done():
            executor.spin_once()
        watching.join()  # it wakes the executor, which must still be there then
        for number in (signal.SIGINT, signal.SIGTERM):
            # Python's handlers go before the process does; a second signal must not kill it then.
            signal.signal(number, signal.SIG_IGN)
        server.stop()
        end = time.monotonic() + _END_LIMIT_S
        while server.running and time.monotonic() < end:
            executor.spin_once(timeout_sec=0.05)  # what is streamed may wait for the executor
    finally:
        executor.shutdown()
    if failed.is_set():
        node.get_logger().fatal("the web server ended by itself")
        return 1
    return 0


def _resolve_on_signals(asked: Future, wake: GuardCondition) -> threading.Thread:
    """Complete the future at SIGINT or SIGTERM, also while the main thread waits inside DDS."""
    reader, writer = socket.socketpair()
    writer.setblocking(False)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    # Python runs its handlers between bytecodes only; the wakeup descriptor is written at once.
    signal.set_wakeup_fd(writer.fileno())

    def wait() -> None:
        reader.recv(1)
        asked.set_result((reader, writer))  # both ends stay open for a second signal
        wake.trigger()

    watching = threading.Thread(target=wait, name="signals", daemon=True)
    watching.start()
    return watching


if __name__ == "__main__":
    sys.exit(main())
