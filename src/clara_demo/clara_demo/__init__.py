# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""A simulated robot for Clara, and the conversation that shows it."""
