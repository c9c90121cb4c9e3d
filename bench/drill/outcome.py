# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""What a drill says when it is over."""

from __future__ import annotations

from dataclasses import dataclass, field


class Skipped(Exception):
    """The drill cannot be held on this machine; the text says why."""


@dataclass
class Outcome:
    """What was done, what was lost, and how long it took until Clara answered again.

    `lost` counts what had been acknowledged and was not there afterwards: episodes, and turns of
    conversations. `faults` are sentences on whatever else should not have been.
    """

    done: str
    lost: int = 0
    recovered_s: list[float] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        """Whether nothing was lost and nothing else was wrong."""
        return not self.lost and not self.faults
