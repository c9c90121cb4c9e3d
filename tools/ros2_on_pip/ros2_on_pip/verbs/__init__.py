# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""One module a verb; each has `HELP` and `add_arguments(parser)`."""
