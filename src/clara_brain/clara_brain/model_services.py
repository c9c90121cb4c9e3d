# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""The node's services on the loaded model: lineage, adapters, embeddings, tokens.

The engine does the work on its own thread, between two steps of what it generates; these callbacks
await it, so the executor is never held up.
"""

from __future__ import annotations

import logging
import os
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Protocol, TypeVar

from rclpy.callback_groups import CallbackGroup
from rclpy.node import Node

from clara_brain import conversions, parameters
from clara_brain.adapters import Adapters, check_name, check_scale
from clara_brain.backend import Backend
from clara_brain.errors import AdapterError, BrainError, InvalidRequest, ModelError, Unforeseen
from clara_brain.model_info import ModelInfo
from clara_brain.promise import RosPromise
from clara_interfaces.msg import Adapter
from clara_interfaces.srv import (
    Embed,
    GetModelInfo,
    ListAdapters,
    LoadAdapter,
    ScaleAdapters,
    Tokenize,
    UnloadAdapter,
)

_log = logging.getLogger(__name__)

MOST_TEXTS = 64
LONGEST_TEXT = 65_536
T = TypeVar("T")


class State(Protocol):
    """What these services need of the node."""

    engine: Backend | None
    adapters: Adapters | None
    no_model: str

    async def model_info(self) -> ModelInfo:
        """Lineage of the loaded model. Raises ModelError."""


class ModelServices:
    """Serves model/info, adapter/load, adapter/unload, adapter/scale, adapter/list, embed."""

    def __init__(self, node: Node, state: State, group: CallbackGroup) -> None:
        self._node = node
        self._state = state
        for kind, name, callback in (
            (GetModelInfo, "model/info", self._model_info),
            (LoadAdapter, "adapter/load", self._load),
            (UnloadAdapter, "adapter/unload", self._unload),
            (ScaleAdapters, "adapter/scale", self._scale),
            (ListAdapters, "adapter/list", self._list),
            (Embed, "embed", self._embed),
            (Tokenize, "tokenize", self._tokenize),
        ):
            node.create_service(kind, name, _answering(callback), callback_group=group)

    async def _model_info(
        self, request: GetModelInfo.Request, response: GetModelInfo.Response
    ) -> None:
        conversions.fill_model_info(response, await self._state.model_info())
        response.adapters = self._listing()

    async def _load(self, request: LoadAdapter.Request, response: LoadAdapter.Response) -> None:
        engine, adapters = self._loaded()
        check_name(request.name)
        check_scale(request.name, request.scale)
        path = Path(os.path.expanduser(request.path))
        adapter = await self._done(engine.load_adapter(request.name, path))
        if self._state.adapters is not adapters:  # the node was cleaned up meanwhile
            raise ModelError(self._state.no_model)
        adapters.added(adapter, request.scale)
        self._node.get_logger().info(f"adapter {request.name!r} loaded from {path}")
        response.adapter = next(each for each in self._listing() if each.name == request.name)

    async def _unload(
        self, request: UnloadAdapter.Request, response: UnloadAdapter.Response
    ) -> None:
        engine, adapters = self._loaded()
        await self._done(engine.unload_adapter(request.name))
        adapters.removed(request.name)

    async def _scale(
        self, request: ScaleAdapters.Request, response: ScaleAdapters.Response
    ) -> None:
        _, adapters = self._loaded()
        if len(request.names) != len(request.scales):
            raise InvalidRequest(
                f"there are {len(request.names)} names but {len(request.scales)} scales;"
                " give one for each"
            )
        wanted: dict[str, float] = {}
        for name, scale in zip(request.names, request.scales, strict=True):
            if name in wanted:
                raise InvalidRequest(f"adapter {name!r} is given twice")
            # A float32 as 0.3 has digits that nobody wrote; seven digits are what it holds.
            wanted[name] = round(float(scale), 7)
        adapters.scale(wanted, parameters.personality_by(self._node))
        response.adapters = self._listing()

    async def _list(self, request: ListAdapters.Request, response: ListAdapters.Response) -> None:
        _, adapters = self._loaded()
        response.adapters = self._listing()
        sliders, by = parameters.sliders(self._node), parameters.personality_by(self._node)
        response.share = adapters.share(sliders, by)

    async def _embed(self, request: Embed.Request, response: Embed.Response) -> None:
        engine, _ = self._loaded()
        if not 1 <= len(request.texts) <= MOST_TEXTS:
            raise InvalidRequest(f"texts has {len(request.texts)} entries; 1 to {MOST_TEXTS}")
        for place, text in enumerate(request.texts):
            if not text.strip() or len(text) > LONGEST_TEXT:
                raise InvalidRequest(
                    f"texts[{place}] must have 1 to {LONGEST_TEXT} characters that are not blank"
                )
        for text in request.texts:
            vector = await self._done(engine.embed(text))
            response.dimensions = len(vector)
            response.values.extend(vector)

    async def _tokenize(self, request: Tokenize.Request, response: Tokenize.Response) -> None:
        engine, _ = self._loaded()
        if len(request.text) > LONGEST_TEXT:
            raise InvalidRequest(
                f"text has {len(request.text)} characters; at most {LONGEST_TEXT} are allowed"
            )
        response.tokens = await self._done(engine.tokenize(request.text))

    def _loaded(self) -> tuple[Backend, Adapters]:
        if self._state.engine is None or self._state.adapters is None:
            raise ModelError(self._state.no_model)
        return self._state.engine, self._state.adapters

    def _listing(self) -> list[Adapter]:
        if self._state.adapters is None:
            return []
        by = parameters.personality_by(self._node)
        listed = self._state.adapters.listing(parameters.sliders(self._node), by)
        return [
            Adapter(
                name=each.adapter.name,
                path=str(each.adapter.path),
                scale=each.scale,
                follows_slider=each.follows_slider,
            )
            for each in listed
        ]

    async def _done(self, future: Future[T]) -> T:
        promise = RosPromise(self._node)
        future.add_done_callback(promise.resolve)
        await promise
        return future.result()


def _answering(work: Any) -> Any:
    """Turn what a callback raises into the error code of its response."""

    async def answer(request: Any, response: Any) -> Any:
        try:
            await work(request, response)
        except Exception as error:
            if not isinstance(error, BrainError):
                _log.exception("a service failed in a way nobody foresaw")
                error = Unforeseen(error)
            fresh = type(response)()
            fresh.error_code, fresh.error_msg = _code(fresh, error), str(error)
            return fresh
        return response

    return answer


def _code(response: Any, error: BrainError) -> int:
    name = {
        ModelError: "NO_MODEL",
        InvalidRequest: "INVALID_REQUEST",
        AdapterError: "ADAPTER_FAILED",
        Unforeseen: "UNKNOWN",
    }.get(type(error), "BACKEND_FAILED")
    return int(getattr(response, name, response.UNKNOWN))
