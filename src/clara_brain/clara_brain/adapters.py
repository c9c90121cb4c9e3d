# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""How strong each adapter of the loaded model is: set by hand, or following a slider.

An adapter named after a slider of the personality has that slider's value as its scale, unless
the node expresses the personality by its prompt alone. Where the sliders together ask for more
than the model bears, all of them are weaker by one factor (see `together`). Of a merged model,
which says how much of each adapter is in it already, only the rest is added (or taken away).
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from clara_brain.backend import Backend
from clara_brain.errors import AdapterError, InvalidRequest
from clara_brain.kv_cache import AdapterScales
from clara_brain.lora import LoadedAdapter, canonical
from clara_brain.persona import SLIDERS
from clara_brain.together import FILE, Together

STRONGEST = 4.0
LONGEST_NAME = 64
_LOADING_S = 120.0


class PersonalityBy(Enum):
    """What expresses a slider that has an adapter; one that has none is always in the prompt."""

    ADAPTERS = "adapters"
    PROMPT = "prompt"
    BOTH = "both"


@dataclass(frozen=True)
class ScaledAdapter:
    """An adapter and how strong it is now."""

    adapter: LoadedAdapter
    scale: float
    follows_slider: bool


class Adapters:
    """The adapters of one engine. All methods belong to the executor's thread.

    `merged` is the strength at which each adapter is in the model's weights already.
    """

    def __init__(
        self,
        engine: Backend,
        merged: Mapping[str, float] | None = None,
        sliders: Collection[str] = SLIDERS,
    ) -> None:
        self._engine = engine
        self._sliders = frozenset(sliders)
        self._merged = dict(merged or {})
        self._loaded: dict[str, LoadedAdapter] = {}
        self._scales: dict[str, float] = {}
        self._together: Together | None = None

    def load_folder(self, folder: Path) -> list[str]:
        """Load every GGUF of a folder under its stem; return the names. Raises AdapterError."""
        for path in sorted(folder.glob("*.gguf")):
            adapter = self._engine.load_adapter(path.stem, path).result(_LOADING_S)
            # Where the prompt speaks for a slider, its adapter is silent until scaled by hand.
            silent = path.stem in self._sliders or path.stem in self._merged
            self.added(adapter, 0.0 if silent else 1.0)
        return sorted(self._loaded)

    def bound_together(self, together: Together) -> None:
        """Keep adapters within a bound. Raises AdapterError where it was measured of others."""
        for name, sha256 in together.sha256.items():
            if name in self._loaded and self._loaded[name].source_sha256 != sha256:
                raise AdapterError(
                    f"adapter {name!r} ({self._loaded[name].path}) is not the one that {FILE} was"
                    " measured with; run clara-train merge and clara-train export again, and"
                    " until then nothing bounds the adapters together"
                )
        self._together = together

    def load_served(self) -> list[str]:
        """Take those that the backend has loaded already; return the names."""
        for adapter in self._engine.adapters().result(_LOADING_S):
            self.added(adapter, 0.0 if adapter.name in self._sliders else 1.0)
        return sorted(self._loaded)

    def added(self, adapter: LoadedAdapter, scale: float) -> None:
        """Note that the engine has loaded an adapter."""
        self._loaded[adapter.name] = adapter
        self._scales[adapter.name] = scale

    def removed(self, name: str) -> None:
        """Note that the engine has unloaded an adapter."""
        self._loaded.pop(name, None)
        self._scales.pop(name, None)

    def scale(self, wanted: Mapping[str, float], by: PersonalityBy) -> None:
        """Set scales, all of them or none. Raises InvalidRequest."""
        for name, value in wanted.items():
            if name not in self._loaded:
                raise InvalidRequest(f"there is no adapter named {name!r}")
            if name in self._sliders and by is not PersonalityBy.PROMPT:
                raise InvalidRequest(
                    f"adapter {name!r} follows the slider of that name: set the slider"
                )
            check_scale(name, value)
        self._scales.update(wanted)

    def listing(
        self, sliders: Mapping[str, float], by: PersonalityBy
    ) -> tuple[ScaledAdapter, ...]:
        """All adapters by name, as strong as they are with these sliders."""
        listed = []
        share = self.share(sliders, by)
        for name in sorted(self._loaded):
            follows = self._follows(name, by)
            merged = self._merged.get(name, 0.0)
            rest = round(share * sliders[name] - merged, 7) if follows else 0.0
            scale = rest if follows else self._scales[name]
            listed.append(ScaledAdapter(self._loaded[name], scale, follows))
        return tuple(listed)

    def share(self, sliders: Mapping[str, float], by: PersonalityBy) -> float:
        """Return what adapters have of their sliders' values: 1, or less where it is too much."""
        if self._together is None:
            return 1.0
        asked = {name: sliders[name] for name in self._loaded if self._follows(name, by)}
        return self._together.share(asked)

    def _follows(self, name: str, by: PersonalityBy) -> bool:
        return name in self._sliders and by is not PersonalityBy.PROMPT

    def in_force(self, sliders: Mapping[str, float], by: PersonalityBy) -> AdapterScales:
        """Scales of the next turn."""
        return canonical({each.adapter.name: each.scale for each in self.listing(sliders, by)})

    def silent(self, by: PersonalityBy) -> frozenset[str]:
        """Sliders that the prompt need not speak for."""
        if by is not PersonalityBy.ADAPTERS:
            return frozenset()
        return frozenset(self._loaded) & self._sliders


def check_name(name: str) -> None:
    """Raise InvalidRequest unless an adapter may be called so."""
    if not 0 < len(name) <= LONGEST_NAME or not name.isprintable():
        raise InvalidRequest(
            f"name must have 1 to {LONGEST_NAME} printable characters, not {name[:80]!r}"
        )


def check_scale(name: str, value: float) -> None:
    """Raise InvalidRequest unless a scale is in range."""
    if not math.isfinite(value) or abs(value) > STRONGEST:
        raise InvalidRequest(
            f"the scale of {name!r} must be from -{STRONGEST:g} to {STRONGEST:g}, not {value}"
        )


def beside(model: Path) -> Path | None:
    """Find the folder `adapters` beside a model; None where there is none."""
    folder = model.parent / "adapters"
    return folder if folder.is_dir() else None
