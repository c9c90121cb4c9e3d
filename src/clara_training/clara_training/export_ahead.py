# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""See before hours of training that the base model can be exported.

What export would refuse of it, it refuses now: the architecture and its settings, tensors without
a place, rules of the tokenizer that are not known, and text that llama.cpp reads otherwise.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from clara_training.base import Base
from clara_training.errors import StorageError
from clara_training.export_check import check_tokens
from clara_training.export_gguf import write_description


def check_exportable(base: Base, tokenizer: Any) -> None:
    """Raise ExportError unless export will take the base model, with this tokenizer."""
    try:
        with tempfile.TemporaryDirectory(prefix="clara-") as folder:
            path = Path(folder) / f"{base.folder.name}.gguf"
            write_description(base.folder, path)
            check_tokens(path, tokenizer)
    except OSError as error:
        raise StorageError(
            f"the vocabulary of {base.name} cannot be written to {tempfile.gettempdir()} to try"
            f" it ({error.strerror}): make room there, or set TMPDIR"
        ) from error
