# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""A robot's local mind: a language model with a personality, memory and skills."""

import os

# llama.cpp's threads wait for one another several hundred times a token. By default GNU OpenMP
# lets each spin 300,000 times, on cores that the one it waits for may need: beside one busy
# program a reply took a minute in place of a second. OpenMP reads this when it is loaded.
if "OMP_WAIT_POLICY" not in os.environ:
    os.environ.setdefault("GOMP_SPINCOUNT", "300")
