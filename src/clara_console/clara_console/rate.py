# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Token buckets, one for each address: how many requests, or wrong tokens, it may send."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable

MOST_ADDRESSES = 4096


class RateLimit:
    """`burst` at once, and `per_second` in the long run; times are monotonic seconds."""

    def __init__(
        self, per_second: float, burst: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._per_second = per_second
        self._burst = burst
        self._clock = clock
        # Address: what is left in its bucket, and when that was so; the longest unused first.
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait(self, address: str) -> float:
        """Return the seconds until the address may go on; 0: it may now. Takes nothing."""
        return max(0.0, (1.0 - self._left(address)) / self._per_second)

    def take(self, address: str) -> float:
        """Take one from the bucket and return 0, or return the seconds until there is one."""
        wait = self.wait(address)
        if not wait:
            left = self._left(address) - 1.0
            self._buckets[address] = (left, self._clock())
            self._buckets.move_to_end(address)
            if len(self._buckets) > MOST_ADDRESSES:
                self._buckets.popitem(last=False)
        return wait

    def _left(self, address: str) -> float:
        left, at = self._buckets.get(address, (self._burst, 0.0))
        return min(self._burst, left + (self._clock() - at) * self._per_second)
