#!/usr/bin/env bash
# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
# Measures what the documents quote, with the options that the committed results have; `make bench` calls it, and it
# takes hours. Left out are bench/training_lora.py, which wants TRL beside it, bench/gpu_lora.py and
# bench/gpu_pretrain.py, which want a GPU, and, unless its arguments are given, bench/memory_kitchen.py. A peer that is
# not installed leaves its figures out of the result. The last one installs everything anew in a fresh clone.
set -euo pipefail
cd "$(dirname "$0")/.."
DIR="$(mktemp -d)"

python bench/chat_overhead.py
python bench/engine_speed.py
python bench/busy_cores.py
python bench/chat_server.py
python bench/prefix_cache.py
python bench/chat_streaming.py
python bench/sentences.py
python bench/chat_soak.py
python bench/skills.py
python bench/skills_robots.py
python bench/plans.py
python bench/promises.py
python bench/memory_query.py
python bench/memory_under_load.py
python bench/memory_accuracy.py
python bench/memory_design.py
python bench/memory_exact.py
python bench/memory_ranges.py
python bench/memory_scale.py
python bench/memory_own_values.py
python bench/hdc_encode.py
python bench/gist_capacity.py
python bench/chance_resemblance.py
python bench/durability.py
python bench/memory_peers.py
python bench/memory_curves.py
if [ $# -gt 0 ]; then
    python bench/memory_kitchen.py "$@"
fi
python bench/trait_table.py
python bench/personality.py --adapters runs/clara/adapters
python bench/training_export.py
python bench/training_fidelity.py
python bench/decode_roof.py
python bench/training_merge.py --adapters 8
python bench/training_turns.py
python bench/sliders.py
python bench/pretrain_step.py --compile --steps 70
python bench/losses.py
python bench/optimizers.py
python bench/simone_mvlm.py
python bench/data_loader.py --bits 400
python bench/governance.py --work "$DIR" --steps 800
python bench/idle_nodes.py
python bench/launch_time.py
