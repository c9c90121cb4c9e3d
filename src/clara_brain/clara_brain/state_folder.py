# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""The folder where a brain keeps what outlives it: conversations, sliders and the KV cache.

Each node has one of its own, by its full name; a lock says that a process has it.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from clara_brain.errors import StateError


class StateFolder:
    """A locked folder. Raises StateError when it cannot be made or another process has it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            path.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._lock = os.open(path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StateError(f"the folder {path} cannot be used: {error.strerror}") from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._lock)
            raise StateError(f"another brain of this name uses the folder {path}") from error

    @property
    def cache(self) -> Path:
        """Folder of the KV cache."""
        return self.path / "kv"

    @property
    def sessions(self) -> Path:
        """File of the conversations."""
        return self.path / "sessions.sqlite3"

    @property
    def sliders(self) -> Path:
        """File of where the sliders were left."""
        return self.path / "sliders.json"

    @property
    def sound_models(self) -> Path:
        """File with the fingerprints of models that were loaded before."""
        return self.path / "sound_models"

    def close(self) -> None:
        """Give the folder back."""
        os.close(self._lock)
