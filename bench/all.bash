#!/usr/bin/env bash
# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
# Measures every figure that the README quotes; `make bench` calls it. The last one installs
# everything anew in a fresh clone and takes as long as that takes.
set -euo pipefail
cd "$(dirname "$0")/.."

python bench/chat_overhead.py
python bench/skills.py
python bench/memory_query.py
python bench/memory_under_load.py
python bench/memory_accuracy.py
python bench/memory_design.py
python bench/memory_exact.py
python bench/memory_scale.py
python bench/hdc_encode.py
python bench/gist_capacity.py
python bench/chance_resemblance.py
python bench/durability.py
python bench/memory_peers.py
python bench/memory_curves.py
python bench/idle_nodes.py
python bench/launch_time.py
