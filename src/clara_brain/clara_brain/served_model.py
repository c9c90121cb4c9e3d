# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""What a server of the OpenAI API says of itself and of the model it serves.

Servers differ in what they take beyond that API, and only some say how long a context is;
llama.cpp's own says most. It is asked when the node is configured; the numbers of adapters before
each request, for a server that was started again may have given them anew.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from clara_brain.chat_template import turn_marks
from clara_brain.errors import BackendError, InvalidRequest, ModelError
from clara_brain.lora import LoadedAdapter
from clara_brain.openai_server import OpenAIServer

_MOST_NAMED = 8
_LONGEST_LOOK_S = 5.0
# What a message of the node can say of a length, and of a size.
_LONGEST, _LARGEST = (1 << 31) - 1, (1 << 63) - 1
# Parts of a turn that are tokens to many models.
_PARTS = r"</?(?:think|tool_call|tool_response|tools)>"


class Kind(Enum):
    """Whose server it is."""

    LLAMA_CPP = "llama.cpp"
    VLLM = "vLLM"
    OTHER = "OpenAI API"


@dataclass(frozen=True)
class ServedAdapter:
    """A LoRA adapter that llama.cpp's server has loaded; requests name it by its number."""

    number: int
    adapter: LoadedAdapter


@dataclass(frozen=True)
class ServedModel:
    """A model on a server; 0 and empty texts where the server does not say.

    Sizes in bytes, lengths in tokens.
    """

    name: str
    kind: Kind
    n_ctx: int
    trained_n_ctx: int = 0
    parameters: int = 0
    bytes: int = 0
    quantization: str = ""
    path: str = ""
    marks: tuple[str, ...] = ()
    adapters: tuple[ServedAdapter, ...] = ()

    def control(self) -> re.Pattern[str]:
        """Return what no text from outside may have in it."""
        return re.compile(f"{turn_marks(self.marks).pattern}|{_PARTS}")


async def look_at(server: OpenAIServer, wanted: str, n_ctx: int) -> ServedModel:
    """Ask a server what it serves. `wanted` is a model's name, or empty for the only one.

    `n_ctx` holds where the server does not say. Raises ModelError.
    """
    try:
        return await asyncio.wait_for(_look_at(server, wanted, n_ctx), _LONGEST_LOOK_S)
    except asyncio.TimeoutError:
        raise ModelError(
            f"{server} did not say within {_LONGEST_LOOK_S:g} s what it serves; check server_url,"
            " and whether it is ready"
        ) from None


async def adapters_of(server: OpenAIServer) -> tuple[ServedAdapter, ...]:
    """Ask llama.cpp's server which adapters it has loaded, by name. Raises BrainError."""
    return _adapters(server, await server.get("/lora-adapters"))


async def _look_at(server: OpenAIServer, wanted: str, n_ctx: int) -> ServedModel:
    try:
        listed = _entries(server, await server.get("/v1/models"))
        entry = _chosen(server, listed, wanted)
        owner = str(entry.get("owned_by", ""))
        name = str(entry["id"])
        if owner == "llamacpp":
            return await _of_llama_cpp(server, name, entry, n_ctx)
    except (BackendError, InvalidRequest) as error:
        raise ModelError(str(error)) from error
    if owner == "vllm":
        return ServedModel(name, Kind.VLLM, _whole(entry, "max_model_len") or n_ctx)
    return ServedModel(name, Kind.OTHER, n_ctx)


async def _of_llama_cpp(
    server: OpenAIServer, name: str, entry: Mapping[str, Any], n_ctx: int
) -> ServedModel:
    properties = _mapping(await server.get("/props"))
    meta = _mapping(entry.get("meta"))
    served = _whole(_mapping(properties.get("default_generation_settings")), "n_ctx")
    marks = tuple(str(properties.get(key) or "") for key in ("bos_token", "eos_token"))
    return ServedModel(
        name=name,
        kind=Kind.LLAMA_CPP,
        n_ctx=served or _whole(meta, "n_ctx") or n_ctx,
        trained_n_ctx=_whole(meta, "n_ctx_train"),
        parameters=_whole(meta, "n_params", _LARGEST),
        bytes=_whole(meta, "size", _LARGEST),
        quantization=str(meta.get("ftype") or properties.get("model_ftype") or ""),
        path=str(properties.get("model_path") or ""),
        marks=marks,
        adapters=await adapters_of(server),
    )


def _adapters(server: OpenAIServer, listed: Any) -> tuple[ServedAdapter, ...]:
    found: dict[str, ServedAdapter] = {}
    for entry in listed if isinstance(listed, list) else []:
        path = Path(str(_mapping(entry).get("path", "")))
        if path.stem in found:
            raise ModelError(
                f"{server} has two adapters named {path.stem!r}; rename one of the files"
            )
        number = _whole(_mapping(entry), "id")
        # What the file is cannot be told from here, so its place on the server stands for it.
        found[path.stem] = ServedAdapter(number, LoadedAdapter(path.stem, path, "", str(path)))
    return tuple(found[name] for name in sorted(found))


def _entries(server: OpenAIServer, document: Any) -> list[Mapping[str, Any]]:
    listed = _mapping(document).get("data")
    if not isinstance(listed, list):
        raise ModelError(
            f"{server} does not speak the OpenAI API: its /v1/models has no list 'data'; check"
            " server_url"
        )
    return [entry for entry in listed if isinstance(entry, dict) and entry.get("id")]


def _chosen(
    server: OpenAIServer, listed: list[Mapping[str, Any]], wanted: str
) -> Mapping[str, Any]:
    names = [str(entry["id"]) for entry in listed]
    has = ", ".join(names[:_MOST_NAMED]) + (", …" if len(names) > _MOST_NAMED else "")
    if not listed:
        raise ModelError(f"{server} serves no model; load one there")
    if wanted:
        for entry in listed:
            aliases = entry.get("aliases")
            if wanted == entry["id"] or (isinstance(aliases, list) and wanted in aliases):
                return entry
        raise ModelError(f"{server} has no model named {wanted!r}; it has {has}: set server_model")
    if len(listed) > 1:
        raise ModelError(f"{server} has several models: set server_model to one of {has}")
    return listed[0]


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _whole(mapping: Mapping[str, Any], key: str, limit: int = _LONGEST) -> int:
    value = mapping.get(key)
    if not isinstance(value, int) or isinstance(value, bool):
        return 0
    return min(max(0, value), limit)
