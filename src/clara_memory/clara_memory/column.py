# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""A numpy array that grows."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

_UINT16_MAX = 65_535


class Column:
    """A numpy array that grows: appending is amortised O(1); ids widen when they must."""

    def __init__(self, dtype: str) -> None:
        self._data: NDArray[Any] = np.zeros(64, dtype=dtype)
        self.size = 0

    def extend(self, values: Sequence[float]) -> None:
        """Add values at the end."""
        begin, self.size = self.size, self.size + len(values)
        if self.size > len(self._data):
            grown = np.zeros(max(self.size, 2 * begin), dtype=self._data.dtype)
            grown[:begin] = self._data[:begin]
            self._data = grown
        if self._data.dtype == np.uint16 and max(values, default=0) > _UINT16_MAX:
            self._data = self._data.astype(np.uint32)
        self._data[begin : self.size] = values

    def load(self, values: Sequence[int] | NDArray[Any]) -> None:
        """Replace all values."""
        loaded = np.asarray(values, dtype=np.int64)
        dtype = self._data.dtype
        if dtype == np.uint16 and loaded.max(initial=0) > _UINT16_MAX:
            dtype = np.dtype(np.uint32)
        self._data = loaded.astype(dtype)
        self.size = len(loaded)

    def set(self, position: int, value: int) -> None:
        """Change the value at a position."""
        if value > _UINT16_MAX and self._data.dtype == np.uint16:
            self._data = self._data.astype(np.uint32)
        self._data[position] = value

    @property
    def values(self) -> NDArray[Any]:
        """Return the values, shape (size,); a view that the next `extend` may leave behind."""
        return self._data[: self.size]
