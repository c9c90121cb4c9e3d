# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""A hidden node to look at the ROS graph with. There is no daemon: it waits for what it needs."""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, TypeVar

T = TypeVar("T")
WAIT_S = 5.0
# Without a daemon a listing is taken when the graph has been quiet for a while, and not before
# participants that answer late have had their chance; where nobody is seen it waits longer.
QUIET_S = 0.6
LEAST_S = 2.0
ALONE_S = 5.0
# Fast DDS announces a participant five times in half a second, then every 3 s: two of those.
FIND_S = 7.0


def add_discovery_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that the real commands have for discovery."""
    parser.add_argument(
        "--spin-time", type=float, help="Spin time in seconds to wait for discovery"
    )
    parser.add_argument(
        "-s", "--use-sim-time", action="store_true", help="Enable ROS simulation time"
    )
    parser.add_argument(
        "--no-daemon", action="store_true", help="Accepted; there is no daemon here"
    )


class Direct:
    """A node of one's own for the length of a command."""

    def __init__(self, spin_time: float | None = None, name: str | None = None) -> None:
        import rclpy
        from rclpy.executors import SingleThreadedExecutor

        self.spin_time = spin_time
        self.context = rclpy.Context()
        rclpy.init(context=self.context)
        self.node = rclpy.create_node(
            name or f"_ros2cli_{os.getpid()}",
            context=self.context,
            enable_rosout=False,
            start_parameter_services=False,
        )
        self.executor = SingleThreadedExecutor(context=self.context)
        self.executor.add_node(self.node)

    def __enter__(self) -> Direct:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.executor.shutdown()
        self.node.destroy_node()
        self.context.try_shutdown()

    def spin(self, seconds: float = 0.05) -> None:
        """Serve callbacks for a moment."""
        self.executor.spin_once(timeout_sec=seconds)

    def wait(self, condition: Callable[[], T], limit: float | None = WAIT_S) -> T | None:
        """Return the first true value of `condition`, or None after `limit` seconds."""
        end = None if limit is None else time.monotonic() + limit
        while True:
            value = condition()
            if value:
                return value
            if end is not None and time.monotonic() >= end:
                return None
            self.spin()

    def settle(self) -> None:
        """Wait until the graph has stopped growing: `spin_time`, or a short quiet time."""
        if self.spin_time is not None:
            self.wait(lambda: False, self.spin_time)
            return
        seen: Any = None
        began = quiet = time.monotonic()
        while time.monotonic() < began + WAIT_S:
            now = (self.nodes(), self.node.get_topic_names_and_types())
            if now != seen:
                seen, quiet = now, time.monotonic()
            least = began + (LEAST_S if now[0] else ALONE_S)
            if time.monotonic() > max(least, quiet + QUIET_S):
                return
            self.spin()

    def nodes(self, *, hidden: bool = False) -> list[str]:
        """Return full names of nodes, sorted; this one is left out."""
        names = []
        for name, namespace in self.node.get_node_names_and_namespaces():
            if name != self.node.get_name() and (hidden or not name.startswith("_")):
                names.append(f"{namespace.rstrip('/')}/{name}")
        return sorted(names)

    def find_node(self, name: str) -> str | None:
        """Return the full name of a node that is there, waiting a little for it."""
        full = name if name.startswith("/") else f"/{name}"
        return full if self.wait(lambda: full in self.nodes(hidden=True), FIND_S) else None

    def call(self, kind: Any, name: str, request: Any, limit: float = WAIT_S) -> Any:
        """Return the response of a service, or None when there is none in time."""
        client = self.node.create_client(kind, name)
        try:
            if not self.wait(client.service_is_ready, limit):
                return None
            future = client.call_async(request)
            return future.result() if self.wait(future.done, limit) else None
        finally:
            self.node.destroy_client(client)


def split_name(full: str) -> tuple[str, str]:
    """Return name and namespace of a full node name."""
    namespace, _, name = full.rpartition("/")
    return name, namespace or "/"


def shown(name: str, *, hidden: bool) -> bool:
    """Tell whether a topic or service is listed: a part that starts with _ hides it."""
    return hidden or not any(part.startswith("_") for part in name.split("/"))
