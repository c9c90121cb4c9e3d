# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Glide the sliders to new values over some seconds, in steps of a fifth of a second."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from rclpy.callback_groups import CallbackGroup
from rclpy.clock import Clock
from rclpy.clock_type import ClockType
from rclpy.node import Node

STEP_S = 0.2
LONGEST_S = 3600.0


class Fade:
    """At most one glide at a time; `move` sets sliders."""

    def __init__(
        self, node: Node, group: CallbackGroup, move: Callable[[dict[str, float]], object]
    ) -> None:
        self._move = move
        self._from: dict[str, float] = {}
        self._to: dict[str, float] = {}
        self._began = self._lasts = 0.0
        # A personality fades in the listener's time, also while a simulation stands still.
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._timer = node.create_timer(
            STEP_S, self._step, callback_group=group, clock=steady, autostart=False
        )

    def begin(self, now: Mapping[str, float], to: Mapping[str, float], seconds: float) -> None:
        """Glide from where the sliders are; ends a glide that is under way."""
        self._from, self._to = {name: now[name] for name in to}, dict(to)
        self._began, self._lasts = time.monotonic(), seconds
        self._timer.reset()

    def end(self) -> None:
        """Leave the sliders where they are."""
        self._timer.cancel()

    def _step(self) -> None:
        share = min(1.0, (time.monotonic() - self._began) / self._lasts)
        self._move(
            {
                name: round(start + share * (self._to[name] - start), 4)
                for name, start in self._from.items()
            }
        )
        if share >= 1.0:
            self.end()
