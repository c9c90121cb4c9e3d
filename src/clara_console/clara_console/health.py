# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""What the nodes of one namespace last said on /diagnostics, and who can be reached."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from clara_console.as_json import as_json

MOST_STATUSES = 32


class Health:
    """Keeps the latest status of each name; times are monotonic seconds."""

    def __init__(self, namespace: str, clock: Callable[[], float] = time.monotonic) -> None:
        """Keep the statuses whose names begin with the namespace."""
        self._namespace = "/" + namespace.strip("/")
        self._prefix = self._namespace.removeprefix("/") + "/"
        self._clock = clock
        self._heard: dict[str, tuple[float, Any]] = {}

    def hear(self, array: Any) -> None:
        """Take in a DiagnosticArray."""
        for status in array.status:
            name = status.name.lstrip("/")
            if name.startswith(self._prefix) or self._prefix == "/":
                if name not in self._heard and len(self._heard) >= MOST_STATUSES:
                    oldest = min(self._heard, key=lambda each: self._heard[each][0])
                    del self._heard[oldest]
                self._heard[name] = (self._clock(), as_json(status))

    def snapshot(self, up: dict[str, bool]) -> dict[str, Any]:
        """Return whose these are, who is `up`, each status with its `age` in seconds, as JSON."""
        now = self._clock()
        statuses = [
            {**status, "name": name, "age": round(now - at, 1)}
            for name, (at, status) in sorted(self._heard.items())
        ]
        return {"namespace": self._namespace, "up": up, "statuses": statuses}
