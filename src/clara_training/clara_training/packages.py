# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Import what only some stages need, and say so in a sentence where it is missing."""

from __future__ import annotations

import importlib
from typing import Any

from clara_training.errors import MissingPackage

# Where the name to install is not the name to import.
_DISTRIBUTIONS = {
    "llama_cpp": "llama-cpp-python",
    "dotenv": "python-dotenv",
    "google.protobuf": "protobuf",
}


def load(module: str, purpose: str) -> Any:
    """Return a module, imported now; `purpose` is what needs it, as "training".

    Raises MissingPackage when it, or something that it needs, is not installed.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        missing = error.name or module
        if missing.startswith("clara_training"):
            raise  # a fault of this package's own
        top = missing.partition(".")[0]
        raise MissingPackage(
            _DISTRIBUTIONS.get(missing, _DISTRIBUTIONS.get(top, top)), purpose
        ) from error
