# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""A bag as `ros2 bag record` writes it, for machines without rosbag2, which has no wheels."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from ament_index_python.packages import get_package_share_directory
from rclpy.node import Node


class Recorder:
    """Takes what is said on topics as it comes, serialized; spun by whoever owns the node."""

    def __init__(self, node: Node, topics: dict[str, type]) -> None:
        self.messages: list[tuple[int, str, bytes]] = []
        self._topics = topics
        for topic, kind in topics.items():
            node.create_subscription(kind, topic, self._keeper(topic), 1000, raw=True)

    def _keeper(self, topic: str) -> Any:
        return lambda data: self.messages.append((time.time_ns(), topic, bytes(data)))

    def write(self, path: Path) -> None:
        """Write an MCAP file with everything heard so far."""
        from mcap.writer import Writer

        with path.open("wb") as file:
            writer = Writer(file)
            writer.start(profile="ros2", library="clara system tests")
            channels = {}
            for topic, kind in self._topics.items():
                package, name = kind.__module__.split(".")[0], kind.__name__
                text = definition(f"{package}/{name}").encode()
                schema = writer.register_schema(f"{package}/msg/{name}", "ros2msg", text)
                channels[topic] = writer.register_channel(topic, "cdr", schema)
            for moment, topic, data in self.messages:
                writer.add_message(channels[topic], moment, data, moment)
            writer.finish()


def definition(name: str) -> str:
    """Return a message's definition with those it uses, as a bag holds it."""
    texts: list[str] = []
    waiting, seen = [name], set()
    while waiting:
        package, message = waiting.pop(0).split("/")
        if (package, message) in seen:
            continue
        seen.add((package, message))
        text = Path(get_package_share_directory(package), "msg", f"{message}.msg").read_text()
        texts.append(f"MSG: {package}/{message}\n{text}" if texts else text)
        for line in text.splitlines():
            for used in line.split("#")[0].split("=")[0].split()[:1]:
                used = used.split("[")[0]
                if "/" in used:
                    waiting.append(used)
                elif used[:1].isupper():
                    waiting.append(f"{package}/{used}")
    return f"\n{'=' * 80}\n".join(texts)
