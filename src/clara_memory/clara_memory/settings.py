# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""What the node's parameters are until somebody sets them; the only place where defaults stand."""

from dataclasses import dataclass, field

from clara_memory.forgetting import Bounds
from clara_memory.pairing import PairingSettings


@dataclass(frozen=True, slots=True)
class RecorderSettings:
    """How messages are gathered into commits."""

    queue_size: int = 10_000  # messages that may wait for the disk
    commit_interval_s: float = 0.05
    commit_batch: int = 256


@dataclass(frozen=True, slots=True)
class MemorySettings:
    """Settings of the memory node."""

    memory_path: str = "~/.clara/memory.sqlite3"
    robot: str = "CLARA"
    autostart: bool = False
    meaning: str = "auto"  # use wordllama: auto (where installed), on (or fail), off
    match_patterns: tuple[str, ...] = ()
    watched_actions: tuple[str, ...] = ()
    bounds: Bounds = field(default_factory=Bounds)
    pairing: PairingSettings = field(default_factory=PairingSettings)
    recorder: RecorderSettings = field(default_factory=RecorderSettings)
