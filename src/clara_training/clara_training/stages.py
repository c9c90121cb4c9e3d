# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""What people are told of a long work: which stage begins, and how long each took."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

Tell = Callable[[str], None]  # is given a sentence for people


class Stages:
    """The stages of a work, in their order; `seconds` has how long each that has ended took."""

    def __init__(self, names: Sequence[str], tell: Tell) -> None:
        self.seconds: dict[str, float] = {}
        self._names, self._tell = names, tell
        self._current, self._began = "", 0.0

    def begin(self, name: str) -> None:
        """End the stage before, if there is one, and begin this one."""
        self.end()
        self._current, self._began = name, time.monotonic()
        self._tell(f"[{self._names.index(name) + 1}/{len(self._names)}] {name}")

    def end(self) -> None:
        """End the stage that is under way."""
        if self._current:
            self.seconds[self._current] = time.monotonic() - self._began
        self._current = ""
