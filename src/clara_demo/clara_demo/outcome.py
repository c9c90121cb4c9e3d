# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""How an action ends; the numbers agree with clara_interfaces/msg/ActionResult."""

from enum import IntEnum


class Outcome(IntEnum):
    """How an action ended."""

    SUCCEEDED = 1
    FAILED = 2
    CANCELED = 3
