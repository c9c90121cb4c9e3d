# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Everything that clara_demo raises on purpose; each message is one sentence for people."""


class DemoError(Exception):
    """A step of the demo did not come through."""
