# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""From a personality on paper to a GGUF on the robot: data, LoRA, merging, export, validation."""

__version__ = "0.1.0"
