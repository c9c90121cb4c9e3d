# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Which files of a folder hold a model's weights, as transformers finds them, and an adapter's.

A folder may hold the same weights once more, in another form that transformers does not read
(Mistral's consolidated.safetensors): they are no part of the model.
"""

from __future__ import annotations

import json
from pathlib import Path

ONE = "model.safetensors"
INDEX = "model.safetensors.index.json"
ADAPTER = "adapter_model.safetensors"
ADAPTER_CONFIG = "adapter_config.json"
ADAPTER_PREFIX = "base_model.model."  # of its tensors' names, before those of the model


def weight_files(folder: Path) -> list[Path]:
    """Return the safetensors files of a model or an adapter, in order; none where there are none.

    That is model.safetensors, or else what its index names, or else all there are.
    """
    if (folder / ONE).is_file():
        return [folder / ONE]
    try:
        index = json.loads((folder / INDEX).read_text(encoding="utf-8"))
        return [folder / name for name in sorted(set(index["weight_map"].values()))]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return sorted(folder.glob("*.safetensors"))
