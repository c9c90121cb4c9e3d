# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""LoRA adapters on a loaded model: loaded, listed, scaled and unloaded while it runs.

A scale of s adds s times the adapter's change of the weights (llama.cpp multiplies by the file's
own alpha / rank as well). Setting scales costs microseconds and reloads nothing.
"""

from __future__ import annotations

import ctypes
import os
from dataclasses import dataclass
from pathlib import Path

import llama_cpp

from clara_brain import gguf, model_info
from clara_brain.errors import AdapterError, ModelError
from clara_brain.kv_cache import AdapterScales

ADAPTER_SHA256 = "clara.adapter_sha256"  # as clara-train export writes it


@dataclass(frozen=True)
class LoadedAdapter:
    """An adapter's name, its file, and the model that the file says it was made for.

    The fingerprint tells the file from others that had this name before. `source_sha256` is the
    hash of the trained adapter that the file was made from, as the file says.
    """

    name: str
    path: Path
    base: str
    fingerprint: str
    source_sha256: str = ""


class LoraAdapters:
    """The adapters of one model and context. All methods belong to the engine's thread."""

    def __init__(self, model: object, context: object) -> None:
        self._model = model
        self._context = context
        self._handles: dict[str, object] = {}
        self._loaded: dict[str, LoadedAdapter] = {}
        self._in_force: AdapterScales = ()

    @property
    def loaded(self) -> tuple[LoadedAdapter, ...]:
        """All adapters, by name."""
        return tuple(self._loaded[name] for name in sorted(self._loaded))

    def load(self, name: str, path: Path) -> LoadedAdapter:
        """Load a GGUF adapter. Raises AdapterError with what is wrong with it."""
        if not name:
            raise AdapterError("an adapter needs a name")
        if name in self._handles:
            raise AdapterError(f"there is an adapter named {name!r} already; unload it first")
        try:
            header = gguf.read_header(path)
            fingerprint = model_info.fingerprint(path)
        except ModelError as error:
            raise AdapterError(f"adapter {name!r}: {error}") from error
        kind = header.metadata.get("general.type")
        if kind != "adapter":
            raise AdapterError(
                f"adapter {name!r}: {path} is a GGUF file of type {kind!r}, not an adapter"
            )
        handle = llama_cpp.llama_adapter_lora_init(self._model, os.fsencode(path))
        if not handle:
            raise AdapterError(
                f"adapter {name!r}: llama.cpp could not load {path}: it was made for another model"
                " (other tensors or shapes)"
            )
        base = str(header.metadata.get("general.base_model.0.name", ""))
        source = str(header.metadata.get(ADAPTER_SHA256, ""))
        adapter = LoadedAdapter(name, path, base, fingerprint, source)
        self._handles[name], self._loaded[name] = handle, adapter
        return adapter

    def unload(self, name: str) -> None:
        """Free an adapter. Raises AdapterError when there is none of this name."""
        if name not in self._handles:
            raise AdapterError(f"there is no adapter named {name!r}")
        self.use(tuple(pair for pair in self._in_force if pair[0] != name))
        del self._loaded[name]
        llama_cpp.llama_adapter_lora_free(self._handles.pop(name))

    def use(self, scales: AdapterScales) -> None:
        """Put adapters in force for what is decoded from now on.

        Names that are not loaded raise AdapterError.
        """
        if scales == self._in_force:
            return
        for name, _ in scales:
            if name not in self._handles:
                raise AdapterError(f"there is no adapter named {name!r}")
        handles = (llama_cpp.llama_adapter_lora_p_ctypes * len(scales))(
            *(self._handles[name] for name, _ in scales)
        )
        values = (ctypes.c_float * len(scales))(*(scale for _, scale in scales))
        if llama_cpp.llama_set_adapters_lora(self._context, handles, len(scales), values):
            raise AdapterError(f"llama.cpp refused the scales {dict(scales)}")
        self._in_force = scales

    def close(self) -> None:
        """Free all adapters."""
        for name in list(self._handles):
            self.unload(name)


def canonical(scales: dict[str, float]) -> AdapterScales:
    """Return scales in the one form that keys the cache: by name, none of no effect."""
    return tuple((name, round(value, 4)) for name, value in sorted(scales.items()) if value)
