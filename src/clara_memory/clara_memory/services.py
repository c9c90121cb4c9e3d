# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""The services of the memory node: store, query, stats, forget, correct, pin, merge.

Queries are answered at once, from what is committed. Whatever writes is done on other threads and
answered after commit, so that nobody waits for somebody else's disk.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from rclpy.lifecycle import LifecycleNode
from rclpy.task import Future

from clara_interfaces.srv import (
    CorrectEpisode,
    ForgetEpisodes,
    GetMemoryStats,
    MergeMemory,
    PinEpisodes,
    QueryMemory,
    StoreEpisode,
)
from clara_memory import conversions
from clara_memory.background import Background, resolve
from clara_memory.episode import Episode
from clara_memory.errors import InvalidRequest, MemoryFault, StorageFailed
from clara_memory.memory import EpisodicMemory
from clara_memory.recorder import Recorder
from clara_memory.tally_in_words import sentences_of

LOG_THROTTLE_S = 1.0


@dataclass(slots=True)
class Shared:
    """What the callbacks of the node share; all of them run on the executor's thread."""

    memory: EpisodicMemory | None = None
    recorder: Recorder | None = None  # only while the node is active
    state: str = "unconfigured"
    fault: str = ""  # why it could not be configured
    last_error: str = ""
    rejected: int = 0


class Services:
    """Answers the services of one node."""

    def __init__(
        self, node: LifecycleNode, shared: Shared, corrected: Callable[[Episode], None]
    ) -> None:
        """Offer the services; `corrected` is called with each episode that was."""
        self._node = node
        self._shared = shared
        self._corrected = corrected
        self._stores_under_way = 0
        self._background = Background(node)
        node.create_service(StoreEpisode, "memory/store", self._store)
        node.create_service(QueryMemory, "memory/query", self._query)
        node.create_service(GetMemoryStats, "memory/stats", self._stats)
        node.create_service(ForgetEpisodes, "memory/forget", self._forget)
        node.create_service(CorrectEpisode, "memory/correct", self._correct)
        node.create_service(PinEpisodes, "memory/pin", self._pin)
        node.create_service(MergeMemory, "memory/merge", self._merge)

    @property
    def idle(self) -> bool:
        """Whether nobody waits for an answer."""
        return self._stores_under_way == 0 and self._background.under_way == 0

    def stop(self) -> None:
        """Finish what was begun."""
        self._background.stop()

    def _now_ns(self) -> int:
        return int(self._node.get_clock().now().nanoseconds)

    async def _store(
        self, request: StoreEpisode.Request, response: StoreEpisode.Response
    ) -> StoreEpisode.Response:
        if self._shared.recorder is None or self._shared.memory is None:
            return self._not_active(response)
        promise: Future = Future(executor=self._node.executor)
        try:
            # Where it has an episode from is for the memory to say.
            asked = replace(conversions.episode(request.episode), source="")
            whole = self._shared.memory.complete(asked, "service", self._now_ns())
            self._shared.recorder.store(whole, lambda stored: resolve(self._node, promise, stored))
            self._stores_under_way += 1
            try:
                stored = await promise
            finally:
                self._stores_under_way -= 1
            if isinstance(stored, MemoryFault):
                raise stored
            response.episode_id = stored.episode_id
        except Exception as error:
            self._refuse(response, error)
        return response

    def _query(
        self, request: QueryMemory.Request, response: QueryMemory.Response
    ) -> QueryMemory.Response:
        if self._shared.recorder is None or self._shared.memory is None:
            return self._not_active(response)
        try:
            query, moment = conversions.query(request), self._now_ns()
            answer = self._shared.memory.ask(query, now_ns=moment)
            if query.is_text:
                tallied = self._shared.memory.tally_asked(query.text, query, now_ns=moment)
                response.counted = sentences_of(tallied) if tallied else []
            return conversions.answer_response(answer, response)
        except Exception as error:
            self._refuse(response, error)
        return response

    def _stats(
        self, request: GetMemoryStats.Request, response: GetMemoryStats.Response
    ) -> GetMemoryStats.Response:
        if self._shared.recorder is None or self._shared.memory is None:
            return self._not_active(response)
        try:
            conversions.stats_response(self._shared.memory.stats(), response)
            response.rejected = self._shared.rejected
            response.dropped = self._shared.recorder.dropped
        except Exception as error:
            self._refuse(response, error)
        return response

    async def _forget(
        self, request: ForgetEpisodes.Request, response: ForgetEpisodes.Response
    ) -> ForgetEpisodes.Response:
        memory = self._shared.memory
        if self._shared.recorder is None or memory is None:
            return self._not_active(response)
        try:
            asked = conversions.forget_request(request)
            response.forgotten = await self._background.run(
                lambda: memory.forget(**asked, now_ns=self._now_ns())
            )
        except Exception as error:
            self._refuse(response, error)
        return response

    async def _correct(
        self, request: CorrectEpisode.Request, response: CorrectEpisode.Response
    ) -> CorrectEpisode.Response:
        memory = self._shared.memory
        if self._shared.recorder is None or memory is None:
            return self._not_active(response)
        try:
            changes = conversions.changes(request)
            corrected = await self._background.run(
                lambda: memory.correct(request.episode_id, now_ns=self._now_ns(), **changes)
            )
            response.episode = conversions.episode_message(corrected)
            self._corrected(corrected)
        except Exception as error:
            self._refuse(response, error)
        return response

    async def _pin(
        self, request: PinEpisodes.Request, response: PinEpisodes.Response
    ) -> PinEpisodes.Response:
        memory = self._shared.memory
        if self._shared.recorder is None or memory is None:
            return self._not_active(response)
        try:
            ids = list(request.episode_ids)
            response.changed = await self._background.run(lambda: memory.pin(ids, request.pinned))
        except Exception as error:
            self._refuse(response, error)
        return response

    async def _merge(
        self, request: MergeMemory.Request, response: MergeMemory.Response
    ) -> MergeMemory.Response:
        memory = self._shared.memory
        if self._shared.recorder is None or memory is None:
            return self._not_active(response)
        try:
            merged = await self._background.run(lambda: memory.merge(request.path, request.name))
            response.added, response.already_known = merged.added, merged.already_known
        except Exception as error:
            self._refuse(response, error)
        return response

    def _not_active(self, response: Any) -> Any:
        response.error_code = type(response).NOT_ACTIVE
        response.error_msg = (
            f"the memory node is {self._shared.state}: configure and activate it first"
        )
        if self._shared.fault:
            response.error_msg += f" (it could not be configured: {self._shared.fault})"
        return response

    def _refuse(self, response: Any, error: Exception) -> None:
        kind = type(response)
        response.error_msg = str(error)
        if isinstance(error, InvalidRequest):
            response.error_code = kind.INVALID_REQUEST
            return
        response.error_code = kind.UNKNOWN
        if isinstance(error, StorageFailed):
            response.error_code = kind.STORAGE_FAILED
        elif not isinstance(error, MemoryFault):
            response.error_msg = f"{type(error).__name__}: {error}"
        self._shared.last_error = response.error_msg
        self._node.get_logger().error(response.error_msg, throttle_duration_sec=LOG_THROTTLE_S)
