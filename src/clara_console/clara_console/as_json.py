# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""ROS messages as JSON values, by their own field names.

Times and durations become seconds, NaN and infinities null (JSON has neither).
"""

from __future__ import annotations

import math
from typing import Any


def as_json(value: Any) -> Any:
    """Return what json.dumps takes for a message, a field of one, or a list of them."""
    if hasattr(value, "get_fields_and_field_types"):
        fields = value.get_fields_and_field_types()
        if set(fields) == {"sec", "nanosec"}:
            return value.sec + value.nanosec / 1e9
        return {name: as_json(getattr(value, name)) for name in fields}
    if isinstance(value, bool | str | int) or value is None:
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, bytes):
        return value[0] if len(value) == 1 else list(value)
    return [as_json(each) for each in value]  # list, tuple, array.array or numpy array
