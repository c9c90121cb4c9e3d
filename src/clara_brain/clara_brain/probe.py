# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Load a model that nobody has loaded before in a process of its own first.

llama.cpp ends its process on some files whose header is well-formed but makes no sense. A child
that loads the file and decodes a few tokens tells so; what it survived is noted, by the file's
fingerprint, and not tried again. `python -m clara_brain.probe FILE` is that child.
"""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
from pathlib import Path

from clara_brain.errors import BrainError, ModelError
from clara_brain.gguf import read_header
from clara_brain.model_info import fingerprint
from clara_brain.settings import EngineSettings

_LIMIT_S = 600.0
_NOTED = 100
_REFUSED = 3


def probe(path: Path, noted: Path | None = None) -> None:
    """Raise ModelError where a file is not sound; `noted` is a file that lists those that were."""
    known = _read(noted)
    identity = fingerprint(path)
    if identity in known:
        return
    read_header(path)
    try:
        child = subprocess.run(
            [sys.executable, "-m", "clara_brain.probe", str(path)],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_LIMIT_S,
        )
    except subprocess.TimeoutExpired:
        raise ModelError(f"{path} was not loaded within {_LIMIT_S:.0f} s: it is damaged") from None
    if child.returncode == _REFUSED:
        raise ModelError(child.stdout.strip().splitlines()[-1])
    if child.returncode < 0:
        name = signal.Signals(-child.returncode).name
        raise ModelError(
            f"{path} is damaged: llama.cpp ends its process on it ({name});"
            " copy or download it again, from a source that you trust"
        )
    # Anything else is no verdict on the file, as where the memory is too small for two of it.
    if child.returncode == 0 and noted:
        with contextlib.suppress(OSError):  # a full disk costs another try next time
            noted.write_text("\n".join([*known, identity][-_NOTED:]) + "\n")


def _read(noted: Path | None) -> list[str]:
    try:
        return noted.read_text().split() if noted else []
    except OSError:
        return []


def main(path: str) -> int:
    """Load a model, decode, and end."""
    from clara_brain.llama_runtime import LlamaRuntime, Piece

    settings = EngineSettings(n_ctx=128, slots=1, n_batch=32, n_threads=1)
    try:
        runtime = LlamaRuntime(Path(path), settings)
        slot, _ = runtime.cache.acquire([0, 1, 2], ())
        runtime.decode([Piece(slot, [0, 1, 2])])
        runtime.control_texts()
    except ModelError as error:
        print(error)
        return _REFUSED
    except BrainError:
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
