# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""What the command says of a node that is there but does not answer."""

import contextlib
from pathlib import Path

import pytest

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
