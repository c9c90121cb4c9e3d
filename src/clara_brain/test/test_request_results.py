# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""What was asked for on action_request ends once: by its result, or in time by none."""

from __future__ import annotations

import time

import pytest


@pytest.fixture
def waiting(domain: int, monkeypatch):
    import rclpy
    from rclpy.clock import Clock
    from rclpy.clock_type import ClockType

    from clara_brain import request_results

    monkeypatch.setattr(request_results, "LONGEST_S", 0.2)
    context = rclpy.Context()
    rclpy.init(context=context)
    node = rclpy.create_node("waits", context=context)
    executor = rclpy.executors.SingleThreadedExecutor(context=context)
    executor.add_node(node)
    results = request_results.RequestResults(
        node, node.default_callback_group, Clock(clock_type=ClockType.STEADY_TIME)
    )
    results.open()

    def spin(seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            executor.spin_once(timeout_sec=0.02)

    yield results, spin
    results.close()
    executor.shutdown()
    node.destroy_node()
    context.try_shutdown()


def test_what_nobody_answers_is_timed_out_once(waiting):
    from clara_brain.plan import End

    results, spin = waiting
    told: list = []
    results.wait_for("a", lambda end, detail: told.append((end, detail)))
    spin(0.8)
    assert told == [(End.TIMED_OUT, "no result came in 0.2 s")]


def test_what_was_closed_is_told_nothing(waiting):
    results, spin = waiting
    told: list = []
    results.wait_for("a", lambda end, detail: told.append(end))
    results.close()
    results.open()
    spin(0.5)
    assert not told and not results._waiting
