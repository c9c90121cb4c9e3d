# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Where the sliders were left, on disk: one small JSON file.

A slider stands there beside the value that its personality file gave it then. Where the file gives
another now, or is another file, that is newer than what was left. A damaged file is set aside.
"""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Mapping
from pathlib import Path

_log = logging.getLogger(__name__)


class SliderFile:
    """The file of one node. `spec` is the path of the personality file, empty for the shipped."""

    def __init__(self, path: Path, spec: str) -> None:
        self.path = path
        self._spec = spec

    def load(self, defaults: Mapping[str, float]) -> dict[str, float]:
        """Return what was left of the sliders whose defaults are still the same."""
        try:
            text = self.path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return {}
        except (OSError, UnicodeError) as error:
            return self._damaged(str(error))
        try:
            kept = json.loads(text)
            spec, sliders = str(kept["spec"]), dict(kept["sliders"])
            left = {name: (float(value), float(was)) for name, (value, was) in sliders.items()}
        except (ValueError, TypeError, KeyError, RecursionError):
            return self._damaged("it is no JSON file of sliders")
        for name, (value, _) in left.items():
            if not 0.0 <= value <= 1.0:
                return self._damaged(f"{name} is {value}, and not from 0 to 1")
        if spec != self._spec:
            return {}
        return {name: value for name, (value, was) in left.items() if defaults.get(name) == was}

    def save(self, left: Mapping[str, float], defaults: Mapping[str, float]) -> None:
        """Write the sliders that were left elsewhere than at their defaults. Raises OSError."""
        sliders = {name: (value, defaults[name]) for name, value in left.items()}
        text = json.dumps({"spec": self._spec, "sliders": sliders})
        beside = self.path.with_name(f"{self.path.name}.new")
        with open(beside, "w", encoding="utf-8") as file:
            file.write(text + "\n")
            file.flush()
            os.fsync(file.fileno())
        beside.replace(self.path)

    def _damaged(self, why: str) -> dict[str, float]:
        """Set the file aside, with a sentence; there is nothing to begin with then."""
        aside = self.path.with_name(f"{self.path.name}.corrupt-{time.strftime('%Y%m%d-%H%M%S')}")
        try:
            self.path.replace(aside)
        except OSError as error:
            _log.warning("%s cannot be read (%s), nor set aside (%s)", self.path, why, error)
        else:
            _log.warning("%s cannot be read (%s); it was set aside as %s", self.path, why, aside)
        return {}
