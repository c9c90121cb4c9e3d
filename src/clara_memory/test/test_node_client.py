# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""What the command says of a node that is there but does not answer."""

import contextlib
import threading
from pathlib import Path

import pytest
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.task import Future

from clara_interfaces.srv import MergeMemory, QueryMemory
from clara_memory import MemoryFault, Query, node_client


def test_a_node_that_does_not_answer_in_time_is_not_said_to_be_missing(peer, monkeypatch):
    monkeypatch.setattr(node_client, "MERGE_S", 2.5)
    for kind, name in ((QueryMemory, "memory/query"), (MergeMemory, "memory/merge")):
        peer.node.create_service(kind, name, lambda request, response: response)
    with contextlib.closing(node_client.NodeClient("clara", 2.0)) as client:
        peer.until(lambda: "clara_memory_cli" in peer.node.get_node_names(), "the client")
        # Nobody spins the peer from here on.
        with pytest.raises(MemoryFault, match=r"/clara has not answered memory/query within 2 s"):
            client.ask(Query())
        with pytest.raises(MemoryFault, match=r"has not answered memory/merge within 2\.5 s"):
            client.merge(Path("/nowhere/x"))


def test_what_changes_nothing_is_asked_again_where_its_answer_was_lost(peer, monkeypatch):
    monkeypatch.setattr(node_client, "_PATIENCE_S", 0.2)
    asked = []

    async def answer(request, response):
        asked.append(request.text)
        if len(asked) == 1:
            await Future(executor=peer.executor)  # an answer that never comes
        response.counted = ["once"]
        return response

    group = ReentrantCallbackGroup()
    peer.node.create_service(QueryMemory, "memory/query", answer, callback_group=group)
    with contextlib.closing(node_client.NodeClient("clara", 20.0)) as client:
        told: list[str] = []
        thread = threading.Thread(target=lambda: told.extend(client.counted("how often?")))
        thread.start()
        peer.until(lambda: told == ["once"], "the client's answer")
        thread.join()
    assert len(asked) >= 2 and set(asked) == {"how often?"}
