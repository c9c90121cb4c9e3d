# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""A running memory node, seen through its services as the library's own types."""

import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import rclpy
from rclpy.exceptions import InvalidNamespaceException
from rclpy.executors import SingleThreadedExecutor
from rclpy.validate_namespace import validate_namespace

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
from clara_memory.episode import Episode, RoleFiller
from clara_memory.errors import InvalidRequest, MemoryFault
from clara_memory.memory import Stats
from clara_memory.merging import Merged
from clara_memory.retrieval import Answer, Query

MERGE_S = 600.0  # a large memory takes minutes
# What changes nothing is asked again where it is silent for so long: DDS drops the answer to a
# client that the node has not discovered yet.
_READS = (GetMemoryStats, QueryMemory)
_PATIENCE_S = 3.0
_STEP_S = 0.05


class NodeClient:
    """Calls the memory node of one namespace; each call takes at most `timeout_s`.

    To merge may take MERGE_S.
    """

    def __init__(self, namespace: str, timeout_s: float) -> None:
        namespace = f"/{namespace.strip('/')}"
        try:
            validate_namespace(namespace)
        except InvalidNamespaceException as error:
            raise InvalidRequest("--namespace", f"is {namespace!r}, no ROS namespace") from error
        self._timeout_s = timeout_s
        self._context = rclpy.Context()
        rclpy.init(context=self._context, args=[])
        self._node = rclpy.create_node(
            "clara_memory_cli", namespace=namespace, context=self._context
        )
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self._node)

    def store(self, episode: Episode) -> str:
        """Store an episode; returns its id. Raises MemoryFault, as all calls do."""
        request = StoreEpisode.Request(episode=conversions.episode_message(episode))
        return str(self._call(StoreEpisode, "memory/store", request).episode_id)

    def ask(self, query: Query) -> Answer:
        """Answer a query."""
        request = conversions.query_request(query)
        return conversions.answer(self._call(QueryMemory, "memory/query", request))

    def counted(self, text: str) -> list[str]:
        """Return in sentences what a question wants counted; nothing where it wants nothing so."""
        request = conversions.query_request(Query(text=text, ask=("result",), max_episodes=1))
        return list(self._call(QueryMemory, "memory/query", request).counted)

    def stats(self) -> Stats:
        """Return the figures of the memory."""
        request = GetMemoryStats.Request()
        return conversions.stats(self._call(GetMemoryStats, "memory/stats", request))

    def forget(
        self,
        *,
        episode_ids: Sequence[str] = (),
        where: Sequence[RoleFiller] = (),
        since_ns: int = 0,
        until_ns: int = 0,
        dry_run: bool = False,
        reason: str = "",
    ) -> int:
        """Forget episodes; returns how many."""
        request = ForgetEpisodes.Request(
            episode_ids=list(episode_ids),
            where=conversions.filler_messages(where),
            since=conversions.to_time(since_ns),
            until=conversions.to_time(until_ns),
            dry_run=dry_run,
            reason=reason,
        )
        return int(self._call(ForgetEpisodes, "memory/forget", request).forgotten)

    def correct(self, episode_id: str, **changes: str) -> Episode:
        """Correct fields of an episode; returns it as it is then."""
        fillers = [RoleFiller(field, text) for field, text in changes.items()]
        request = CorrectEpisode.Request(
            episode_id=episode_id, changes=conversions.filler_messages(fillers)
        )
        response = self._call(CorrectEpisode, "memory/correct", request)
        return conversions.episode(response.episode)

    def pin(self, episode_ids: Sequence[str], pinned: bool = True) -> int:
        """Pin or unpin episodes; returns how many changed."""
        request = PinEpisodes.Request(episode_ids=list(episode_ids), pinned=pinned)
        return int(self._call(PinEpisodes, "memory/pin", request).changed)

    def merge(self, path: Path, name: str = "") -> Merged:
        """Have the node take in another memory; `path` is on the node's machine."""
        request = MergeMemory.Request(path=str(path), name=name)
        response = self._call(MergeMemory, "memory/merge", request, MERGE_S)
        return Merged(response.added, response.already_known)

    def close(self) -> None:
        """Leave ROS."""
        self._executor.shutdown()
        self._node.destroy_node()
        rclpy.try_shutdown(context=self._context)

    def _call(self, kind: Any, name: str, request: Any, answer_s: float = 0.0) -> Any:
        begun = time.monotonic()
        where = self._node.get_namespace()
        client = self._node.create_client(kind, name)
        if not client.wait_for_service(timeout_sec=self._timeout_s):
            raise MemoryFault(
                f"no memory node answers in namespace {where} within {self._timeout_s:g} s: start "
                "one (ros2 launch clara_brain clara.launch.py), or use the file itself with "
                "--file PATH"
            )
        limit_s = max(self._timeout_s, answer_s)
        response = self._answer(client, request, max(begun + limit_s, time.monotonic() + 0.1))
        if response is None:
            raise MemoryFault(
                f"the memory node in namespace {where} has not answered {name} within "
                f"{limit_s:g} s: it may be busy, and may still do what was asked; look with "
                "clara-memory stats, or wait longer with --timeout"
            )
        if response.error_code:
            raise MemoryFault(response.error_msg)
        return response

    def _answer(self, client: Any, request: Any, end: float) -> Any:
        """Return the response, or None when none has come by `end`."""
        patience_s = _PATIENCE_S if client.srv_type in _READS else math.inf
        begun = now = time.monotonic()
        asked: list[Any] = []
        while now < end:
            if not asked or now - begun > patience_s * len(asked):
                asked.append(client.call_async(request))
            self._executor.spin_once(timeout_sec=min(_STEP_S, end - now))
            for each in asked:
                if each.done():
                    return each.result()
            now = time.monotonic()
        return None
