# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Every default of the brain, in one place."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from clara_brain.persona import IDENTITY, STYLE

# Types of the KV cache by name, with ggml's numbers.
KV_TYPES = {"f32": 0, "f16": 1, "q8_0": 8, "q4_0": 2}
FLASH_ATTENTION = ("auto", "on", "off")
BACKENDS = ("llama_cpp", "openai")


@dataclass(frozen=True)
class EngineSettings:
    """How the model is run. `n_ctx` is what one conversation may have, in tokens.

    `lookup` tokens at most are guessed from the conversation itself and checked in one batch; 0
    switches that off. `cache_path` is the folder where the KV cache is kept between runs, None for
    nowhere; `cache_bytes` is what it may hold.
    """

    n_ctx: int = 2048
    slots: int = 4
    n_batch: int = 256
    n_threads: int = 0
    n_gpu_layers: int = 0
    queue_size: int = 8
    n_prefill_shared: int = 64
    lookup: int = 0
    use_mmap: bool = True
    flash_attn: str = "auto"
    kv_type: str = "f16"
    cache_path: Path | None = None
    cache_bytes: int = 256 << 20

    def threads(self) -> int:
        """Threads to compute with: `n_threads`, or the physical cores when it is 0."""
        return self.n_threads or physical_cores()


@dataclass(frozen=True)
class SamplingSettings:
    """Sampling where a request does not say.

    Chosen so that a model of 135M parameters stays on the subject.
    """

    temperature: float = 0.3
    top_p: float = 0.9
    top_k: int = 40
    min_p: float = 0.05
    repeat_penalty: float = 1.1
    seed: int = -1


@dataclass(frozen=True)
class ServerSettings:
    """The server of the backend `openai`, and how long it may be silent, in seconds.

    Its API key is in the file `server_key_file` or in the environment, never a setting itself. An
    empty `server_model` means the only one that the server has.
    """

    server_url: str = "http://127.0.0.1:8080"
    server_model: str = ""
    server_key_file: str = ""
    server_timeout_s: float = 60.0


@dataclass(frozen=True)
class BrainSettings:
    """Everything else. Times in seconds; empty paths mean what ships with the packages."""

    backend: str = "llama_cpp"
    model: str = ""
    spec: str = ""
    skills: str = ""
    state_topics: tuple[str, ...] = ()
    state_stale_s: float = 60.0
    presets: str = ""
    adapters_path: str = ""
    governance_path: str = ""
    governance_unproven: bool = False
    state_path: str = "~/.clara/brain"
    keep_sliders: bool = True
    identity: str = IDENTITY
    style: str = STYLE
    personality_by: str = "adapters"
    preempt: bool = False
    max_tokens: int = 256
    memory_policy: str = "auto"
    skill_policy: str = "always"
    attempts_policy: str = "failed"
    confirm_timeout_s: float = 30.0
    memory_timeout_s: float = 0.5
    memory_episodes: int = 3
    quote_memory: bool = True
    max_sessions: int = 32
    max_turns: int = 64
    autostart: bool = False
    engine: EngineSettings = field(default_factory=EngineSettings)
    server: ServerSettings = field(default_factory=ServerSettings)
    sampling: SamplingSettings = field(default_factory=SamplingSettings)


def physical_cores() -> int:
    """Physical cores that this process may use.

    Two hardware threads of one core gain nothing here.
    """
    allowed = os.sched_getaffinity(0)
    cores = set()
    for cpu in allowed:
        topology = Path(f"/sys/devices/system/cpu/cpu{cpu}/topology")
        try:
            package = (topology / "physical_package_id").read_text()
            cores.add((package, (topology / "core_id").read_text()))
        except OSError:
            return len(allowed)
    return len(cores)
