# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""The real model and an engine for the library's tests, on one thread."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from clara_brain.engine import Engine
from clara_brain.model_info import default_model
from clara_brain.settings import EngineSettings


@pytest.fixture(scope="session")
def model() -> Path:
    return default_model()


@pytest.fixture(scope="module")
def engine(model: Path) -> Iterator[Engine]:
    engine = Engine(model, EngineSettings(n_ctx=1024, slots=3, n_threads=1, queue_size=2))
    yield engine
    engine.close()
