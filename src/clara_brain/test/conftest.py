# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""The real model and an engine for the library's tests, on one thread."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import gguf
import numpy as np
import pytest
from clara_brain.engine import Engine
from clara_brain.model_info import default_model
from clara_brain.settings import EngineSettings
from domain_coordinator import domain_id
from tiny_model import write_model
from world import end_what_is_left


@pytest.fixture(scope="module")
def domain() -> Iterator[int]:
    """A ROS domain of the module's own, which is given back when nothing runs in it any more."""
    with domain_id() as number, pytest.MonkeyPatch.context() as patch:
        patch.setenv("ROS_DOMAIN_ID", str(number))
        patch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
        yield number
        left = end_what_is_left()
        assert not left, "a brain was left running: " + "".join(left)


@pytest.fixture(scope="session")
def model() -> Path:
    return default_model()


@pytest.fixture(scope="module")
def engine(model: Path) -> Iterator[Engine]:
    engine = Engine(model, EngineSettings(n_ctx=1024, slots=3, n_threads=1, queue_size=2))
    yield engine
    engine.close()


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of two small layers with random weights, which says which model it is."""
    return write_model(tmp_path_factory.mktemp("tiny") / "simone.gguf")


@pytest.fixture(scope="session")
def adapter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A LoRA adapter of the real model with random weights: strong enough to change the words."""
    path = tmp_path_factory.mktemp("adapters") / "warmth.gguf"
    write_adapter(path, seed=1)
    return path


def write_adapter(path: Path, seed: int, width: int = 576, architecture: str = "llama") -> None:
    """Write a LoRA adapter of rank 4 for the query projections of a model of this width."""
    random = np.random.default_rng(seed)
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_type("adapter")
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", 4.0)
    for layer in range(30):
        name = f"blk.{layer}.attn_q.weight"
        for part, shape in (("a", (4, width)), ("b", (width, 4))):
            weights = random.normal(0.0, 0.12, shape).astype(np.float32)
            writer.add_tensor(f"{name}.lora_{part}", weights)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
