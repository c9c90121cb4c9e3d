# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Keep the sliders where they were left, whoever moved them, also when the brain starts again.

What a launch file or a parameter file says of a slider wins over what was left.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path

from rclpy.callback_groups import CallbackGroup
from rclpy.clock import Clock
from rclpy.clock_type import ClockType
from rclpy.node import Node
from rclpy.parameter import Parameter

from clara_brain import parameters
from clara_brain.slider_file import SliderFile

_log = logging.getLogger(__name__)

# A fade moves them five times a second, and a hand as often; they are written when they rest.
_RESTS_S = 1.0


class KeptSliders:
    """Between `open` and `close` it writes the sliders when they were moved.

    `spec` is the path of the personality file that they are of now, empty for the shipped one.
    """

    def __init__(self, node: Node, group: CallbackGroup, spec: str) -> None:
        self._node = node
        self._spec = spec
        self._seen = parameters.sliders(node)
        self._file: SliderFile | None = None
        self._defaults: Mapping[str, float] = {}
        self._left: dict[str, float] = {}
        self._written: dict[str, float] = {}
        self._timer = node.create_timer(
            _RESTS_S,
            self._write,
            callback_group=group,
            clock=Clock(clock_type=ClockType.STEADY_TIME),
            autostart=False,
        )
        node.add_post_set_parameters_callback(self._moved)

    def open(self, path: Path, spec: str, defaults: Mapping[str, float]) -> dict[str, float]:
        """Move the sliders to where they were left; return those that were moved.

        One that was given at the start, or moved meanwhile, stays where it is.
        """
        now, given = parameters.sliders(self._node), parameters.given_sliders(self._node)
        if spec != self._spec:
            self._spec, self._seen = spec, now  # it was the file that moved them
        self._file, self._defaults = SliderFile(path, spec), defaults
        self._left = self._file.load(defaults)
        self._written = dict(self._left)
        found = {
            name: value
            for name, value in self._left.items()
            if name not in given and now[name] == self._seen.get(name) == defaults[name]
        }
        if found:
            parameters.set_sliders(self._node, found)
        self._seen = {**self._seen, **found}
        self._write()
        return found

    def close(self) -> None:
        """Write what is not written yet, and keep no more."""
        self._write()
        self._file = None

    def _moved(self, changed: list[Parameter]) -> None:
        if self._file and parameters.any_slider(changed):
            self._timer.reset()

    def _write(self) -> None:
        self._timer.cancel()
        if self._file is None:
            return
        now = parameters.sliders(self._node)
        for name, value in now.items():
            if value == self._seen.get(name):
                continue  # what was left stays, also where another value was given at the start
            if value == self._defaults[name]:
                self._left.pop(name, None)
            else:
                self._left[name] = value
        self._seen = now
        if self._left == self._written:
            return
        try:
            self._file.save(self._left, self._defaults)
        except OSError as error:
            _log.warning("where the sliders stand is not kept: %s: %s", self._file.path, error)
        else:
            self._written = dict(self._left)
