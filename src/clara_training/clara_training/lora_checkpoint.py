# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Where an adapter's training stands, on disk, so that a killed run goes on from there.

Together with the seed it says everything: the order of the examples is a function of seed and
epoch, and whatever is drawn in a step is a function of seed and step. A checkpoint that was made
from other data or settings is not taken up.
"""

from __future__ import annotations

import io
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from clara_training.atomic import atomic_file

FORMAT = 1


@dataclass
class Standing:
    """How far training has come, apart from the adapter and the optimiser themselves."""

    step: int = 0
    tokens: int = 0  # seen, padding not counted
    seconds: float = 0.0
    first_held_out: float | None = None
    best_held_out: float | None = None
    best_step: int = 0
    best: dict[str, torch.Tensor] = field(default_factory=dict)
    waited: int = 0  # evaluations since the best
    last_loss: float = 0.0
    stopped_early: bool = False


@dataclass
class CheckpointFile:
    """The file of one adapter's checkpoint."""

    path: Path
    fingerprint: str  # of data, base and settings
    every: float  # seconds
    _written: float = field(default_factory=time.monotonic)

    def due(self) -> bool:
        """Tell whether it is time for the next one."""
        return time.monotonic() - self._written >= self.every

    def write(
        self, standing: Standing, adapter: dict[str, torch.Tensor], optimizer: dict[str, Any]
    ) -> None:
        """Write a checkpoint in the place of the last. Raises StorageError."""
        content = {
            "format": FORMAT,
            "fingerprint": self.fingerprint,
            "standing": vars(standing),
            "adapter": adapter,
            "optimizer": optimizer,
        }
        # Through memory, for torch's own writer turns a full disk into an obscure RuntimeError.
        buffer = io.BytesIO()
        torch.save(content, buffer)
        with atomic_file(self.path) as partial:
            partial.write_bytes(buffer.getbuffer())
        self._written = time.monotonic()

    def read(self) -> tuple[Standing, dict[str, torch.Tensor], dict[str, Any]] | None:
        """Read the checkpoint; None where there is none that fits, or it is damaged."""
        try:
            content = torch.load(self.path, map_location="cpu", weights_only=True)
            if content["format"] != FORMAT or content["fingerprint"] != self.fingerprint:
                return None
            return Standing(**content["standing"]), content["adapter"], content["optimizer"]
        except FileNotFoundError:
            return None
        except Exception:  # damaged files make unpicklers raise anything; training starts anew
            return None

    def remove(self) -> None:
        """Remove the file, once the adapter is there."""
        self.path.unlink(missing_ok=True)
