# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""SIGINT and SIGTERM as a future, so that a node can stop in order.

A thread of its own reads them from a descriptor and wakes the executor.
"""

from __future__ import annotations

import signal
import socket
import threading

from rclpy.guard_condition import GuardCondition
from rclpy.task import Future


def resolve_on_signals(asked: Future, wake: GuardCondition) -> threading.Thread:
    """Complete the future at SIGINT or SIGTERM, also while the main thread waits inside DDS."""
    reader, writer = socket.socketpair()
    writer.setblocking(False)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    # Python's own handlers run in the main thread only, between bytecodes; the wakeup descriptor
    # is written at once.
    signal.set_wakeup_fd(writer.fileno())

    def wait() -> None:
        reader.recv(1)
        asked.set_result((reader, writer))  # both ends stay open for a second signal
        wake.trigger()

    watching = threading.Thread(target=wait, name="signals", daemon=True)
    watching.start()
    return watching
