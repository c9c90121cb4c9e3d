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

    def until(condition) -> None:
        end = time.monotonic() + 20
        while not condition():
            assert time.monotonic() < end, "the condition did not come true in time"
            executor.spin_once(timeout_sec=0.02)

    yield results, until
    results.close()
    executor.shutdown()
    node.destroy_node()
    context.try_shutdown()


def test_what_nobody_answers_is_timed_out_once(waiting):
    from clara_brain.plan import End

    results, until = waiting
    told: list = []
    for name in ("a", "b"):
        results.wait_for(name, lambda end, detail, name=name: told.append((name, end, detail)))
        until(lambda: told and told[-1][0] == name)  # noqa: B023
    said = "no result came in 0.2 s"
    assert told == [("a", End.TIMED_OUT, said), ("b", End.TIMED_OUT, said)]


def test_what_was_closed_is_told_nothing(waiting):
    results, until = waiting
    told: list = []
    results.wait_for("a", lambda end, detail: told.append("a"))
    results.close()
    results.open()
    results.wait_for("b", lambda end, detail: told.append("b"))
    until(lambda: told)
    assert told == ["b"]
