# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""How strong adapters may be together, as `clara-train merge` measured it: `together.json`.

Each of several adapters may be harmless and their sum not. What they cost ordinary English, in
nats a token, is about wᵀ C w, with their strengths w. Above the limit all are made weaker by one
factor, so that they keep their proportions.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clara_brain.errors import AdapterError

FILE = "together.json"
_MOST_NAMES = 256


@dataclass(frozen=True)
class Together:
    """What adapters may cost, in nats a token, and the matrix C of their costs, (names, names).

    `sha256` is that of each trained adapter, to know it by.
    """

    limit: float
    names: tuple[str, ...]
    costs: NDArray[np.float64]
    sha256: Mapping[str, str]

    def share(self, strengths: Mapping[str, float]) -> float:
        """Return the factor, 1 at most, that keeps these strengths to the limit."""
        weights = np.array([strengths.get(name, 0.0) for name in self.names])
        cost = float(weights @ self.costs @ weights)
        return 1.0 if cost <= self.limit else math.sqrt(self.limit / cost)


def read_together(folder: Path) -> Together | None:
    """Read the file of a folder of adapters; None where there is none. Raises AdapterError."""
    path = folder / FILE
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        raise AdapterError(f"{path} cannot be read: {error}") from error
    try:
        return _together(document)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise AdapterError(
            f"{path} is damaged ({type(error).__name__}: {error}); clara-train merge writes it"
            " anew, and without it nothing bounds the adapters together"
        ) from error


def _together(document: Any) -> Together:
    if document["format"] != 1:
        raise ValueError(f"format {document['format']!r} is not 1")
    limit = float(document["limit"])
    names = tuple(map(str, document["names"]))
    if len(names) > _MOST_NAMES or len(set(names)) != len(names):
        raise ValueError("too many names, or one of them twice")
    costs = np.array(document["costs"], dtype=np.float64)
    if costs.shape != (len(names), len(names)):
        raise ValueError(f"costs is not {len(names)} by {len(names)}")
    if not (math.isfinite(limit) and limit > 0 and bool(np.isfinite(costs).all())):
        raise ValueError("the limit or a cost is no finite number, or the limit not positive")
    sha256 = {name: str(document["inputs"][f"adapter {name}"]) for name in names}
    return Together(limit, names, costs, sha256)
