# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Which figures of each benchmark count, against whom, and their targets.

`bench/table.py` makes the table of docs/benchmarks.md from this and from `bench/results/`. Targets
were set before anything was measured; a figure that misses one stays in the table, as missed.
Those of the brain, of memory and of training have a file each, `targets_brain` and so on.
"""

from __future__ import annotations

from figures import Figure, at, mb, percent, seconds
from targets_brain import BRAIN
from targets_memory import MEMORY
from targets_training import TRAINING

# Section: benchmark: its figures.
BENCHES: dict[str, dict[str, tuple[Figure, ...]]] = {
    "Brain": BRAIN,
    "Memory": MEMORY,
    "Training": TRAINING,
    "The whole": {
        "idle_nodes": (
            Figure("memory node, idle", at("memory", "Pss"), mb),
            Figure("memory node, idle, of a core", at("memory", "cpu_share_of_a_core"), percent),
            Figure("brain node, idle, model loaded", at("brain", "Pss"), mb),
            Figure("brain node, idle, of a core", at("brain", "cpu_share_of_a_core"), percent),
        ),
        "launch_time": (
            Figure("first `make launch`, bare clone", at("first"), seconds),
            Figure("later `make launch`", lambda result: sorted(result["later"])[2], seconds),
        ),
    },
}

# What the README quotes: of each benchmark the figures by what they are of.
HEADLINES: dict[str, tuple[str, ...]] = {
    "chat_overhead": ("`chat` over ROS, tokens/s", "time to first token that ROS adds"),
    "engine_speed": ("one stream, Q4_1", "four at once, Q4_1"),
    "busy_cores": ("writing, one core busy",),
    "memory_scale": ("role query, 1,000,000 episodes", "RAM, 1,000,000 episodes"),
    "memory_accuracy": ("one edit in two roles", "things never seen taken for known ones"),
    "memory_under_load": ("a query while 100 actions a second come, p99",),
    "durability": ("acknowledged episodes lost, 200 × `kill -9`",),
    "skills": ("wrong actions, 317 utterances for three robots", "orders obeyed"),
    "gpu_lora": ("LoRA on an H100, packed",),
    "gpu_pretrain": ("MFU, training 341 M on an H100",),
    "idle_nodes": ("memory node, idle", "brain node, idle, model loaded"),
    "launch_time": ("first `make launch`, bare clone", "later `make launch`"),
}
