# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""A robot's local mind: a language model with a personality, memory and skills."""
