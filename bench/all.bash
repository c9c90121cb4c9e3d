#!/usr/bin/env bash
# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
# Measures every figure that the documents quote; `make bench` calls it, and it takes hours. The last one
# installs everything anew in a fresh clone. bench/training_lora.py wants TRL beside it, bench/gpu_lora.py and
# bench/gpu_pretrain.py a GPU.
set -euo pipefail
cd "$(dirname "$0")/.."

python bench/chat_overhead.py
python bench/engine_speed.py
python bench/chat_server.py
python bench/prefix_cache.py
python bench/chat_streaming.py
python bench/chat_soak.py
python bench/personality.py
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
python bench/trait_table.py
python bench/training_export.py
python bench/training_fidelity.py
python bench/decode_roof.py
python bench/training_merge.py
python bench/sliders.py
python bench/pretrain_step.py
python bench/losses.py
python bench/optimizers.py
python bench/simone_mvlm.py
python bench/data_loader.py --bits 400
python bench/governance.py --work "$(mktemp -d)"
python bench/idle_nodes.py
python bench/launch_time.py
