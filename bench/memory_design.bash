#!/usr/bin/env bash
# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
# The whole table behind memory's design: accuracy, a million episodes, and the narrated kitchen actions, whose files
# are given as arguments as bench/memory_kitchen.py says; without them that last part is left out, and said so.
set -euo pipefail
cd "$(dirname "$0")/.."

python bench/memory_design.py
python bench/memory_scale.py
if [ $# -gt 0 ]; then
    python bench/memory_kitchen.py "$@"
else
    echo "memory_design: without the kitchen actions; see python bench/memory_kitchen.py --help" >&2
fi
