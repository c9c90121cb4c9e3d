# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Requests that are not valid, sent to one running node."""

import pytest
from builtin_interfaces.msg import Time

from clara_interfaces.msg import Episode, RoleFiller
from clara_interfaces.srv import GetMemoryStats, QueryMemory, StoreEpisode


@pytest.fixture(scope="module")
def shared(domain, tmp_path_factory):
    from running import NodeProcess, Peer

    folder = tmp_path_factory.mktemp("shared")
    node = NodeProcess(folder / "log", autostart=True, memory_path=folder / "m.sqlite3")
    peer = Peer()
    peer.until(lambda: peer.state() == "active", "the node to be active")
    yield peer
    peer.close()
    node.close()
    assert "Traceback" not in node.said


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"action": ""}, "action"),
        ({"action": "A", "object": "x" * 1_000_000}, "object"),
        ({"action": "A", "outcome": 99}, "outcome"),
        ({"action": "A", "context": [RoleFiller(role="", filler="x")]}, "context[0].role"),
        ({"action": "A", "context": [RoleFiller(role="p", filler="x")] * 2}, "context[1].role"),
        ({"action": "A", "context": [RoleFiller(role="p", filler="x")] * 99}, "context"),
        ({"action": "A", "start": Time(sec=-5)}, "start"),
    ],
)
def test_a_malformed_request_is_refused_by_field(shared, fields, word):
    request = StoreEpisode.Request(episode=Episode(**fields))
    answer = shared.call(StoreEpisode, "memory/store", request)
    assert answer.error_code == StoreEpisode.Response.INVALID_REQUEST
    assert answer.error_msg.startswith(word) and len(answer.error_msg) < 300
    assert not answer.episode_id and shared.call(GetMemoryStats, "memory/stats").episodes == 0


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"text": "x" * 1_000_000}, "text"),
        ({"top_k": 4_000_000_000}, "top_k"),
        ({"outcomes": [77]}, "outcomes"),
        ({"robots": ["\x01"]}, "robots[0]"),
        ({"cue": [RoleFiller(role="object", filler="A")] * 2}, "cue[1].role"),
    ],
)
def test_a_malformed_query_is_refused_by_field(shared, fields, word):
    answer = shared.call(QueryMemory, "memory/query", QueryMemory.Request(**fields))
    assert answer.error_code == QueryMemory.Response.INVALID_REQUEST
    assert answer.error_msg.startswith(word) and len(answer.error_msg) < 300
