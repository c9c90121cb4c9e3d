# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Measures that outlive the process: each is written as soon as it is made, and not made twice.

They hold for the files, data and settings that they were made with, and are dropped when one of
these is another.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from clara_training.atomic import atomic_json


class Kept:
    """A file of measures by name. `seconds` are what each of them took."""

    def __init__(self, path: Path, fingerprint: Mapping[str, str]) -> None:
        self._path = path
        self._fingerprint = dict(fingerprint)
        self._measures: dict[str, Any] = {}
        self.seconds: dict[str, float] = {}
        self.tick: Callable[[], object] = lambda: None
        with suppress(OSError, ValueError, KeyError, TypeError):
            found = json.loads(path.read_text(encoding="utf-8"))
            if found["fingerprint"] == self._fingerprint:
                self._measures, self.seconds = dict(found["measures"]), dict(found["seconds"])

    def __call__(self, name: str, measure: Callable[[], Any]) -> Any:
        """Return a measure, made now unless it is kept. It must be JSON."""
        if name not in self._measures:
            start = time.perf_counter()
            self._measures[name] = measure()
            self.seconds[name] = round(time.perf_counter() - start, 1)
            content = {"measures": self._measures, "seconds": self.seconds}
            atomic_json(self._path, {"fingerprint": self._fingerprint, **content})
        self.tick()
        return self._measures[name]

    def remove(self) -> None:
        """Forget all, once the result is written."""
        self._path.unlink(missing_ok=True)
