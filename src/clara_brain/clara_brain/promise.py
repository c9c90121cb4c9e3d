# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""An awaitable value that another thread may set.

rclpy's Future.set_result does not wake an executor that waits (before 7.1.9), so the executor is
woken here.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from rclpy.node import Node
from rclpy.task import Future


class RosPromise:
    """Awaited in a callback of the node's executor, resolved once from any thread."""

    def __init__(self, node: Node) -> None:
        self._executor = node.executor
        self.future: Future = Future(executor=self._executor)

    def resolve(self, value: object) -> None:
        """Give the value; a second one is ignored."""
        if self.future.done():
            return
        self.future.set_result(value)
        if self._executor is not None:
            self._executor.wake()

    def __await__(self) -> Generator[None, None, Any]:
        return (yield from self.future.__await__())
