# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Work that takes its time, done on a thread of its own while the executor serves the others."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from rclpy.node import Node
from rclpy.task import Future

T = TypeVar("T")


class Background:
    """Runs one piece of work after the other; a service callback awaits what it returns."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="background")
        self.under_way = 0

    async def run(self, work: Callable[[], T]) -> T:
        """Return what the work returns, or raise what it raises."""
        promise: Future = Future(executor=self._node.executor)
        self.under_way += 1
        try:
            self._pool.submit(self._do, work, promise)
            value, error = await promise
        finally:
            self.under_way -= 1
        if error is not None:
            raise error
        result: T = value
        return result

    def _do(self, work: Callable[[], T], promise: Future) -> None:
        try:
            resolve(self._node, promise, (work(), None))
        except Exception as error:
            resolve(self._node, promise, (None, error))

    def stop(self) -> None:
        """Finish what was begun and end the thread."""
        self._pool.shutdown(wait=True)


def resolve(node: Node, promise: Future, value: object) -> None:
    """Complete a promise from another thread than the executor's."""
    executor = node.executor
    promise.set_result(value)
    if executor is not None:
        # rclpy before 7.1.9 sleeps on although the future is done.
        executor.wake()
