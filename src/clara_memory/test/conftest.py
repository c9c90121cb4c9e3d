# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""A ROS domain for each test module, and nodes that end with their test."""

import pytest


@pytest.fixture(scope="module")
def domain():
    from domain_coordinator import domain_id

    with domain_id() as number, pytest.MonkeyPatch.context() as patch:
        patch.setenv("ROS_DOMAIN_ID", str(number))
        patch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
        yield number


@pytest.fixture
def peer(domain):
    from running import Peer

    made = Peer()
    yield made
    made.close()


@pytest.fixture
def start(domain, tmp_path):
    from running import NodeProcess

    started = []

    def begin(**options):
        options.setdefault("memory_path", tmp_path / "memory.sqlite3")
        started.append(NodeProcess(tmp_path / f"node{len(started)}.log", **options))
        return started[-1]

    yield begin
    for node in started:
        node.close()
        assert "Traceback" not in node.said, node.said


@pytest.fixture
def node(start, peer):
    made = start(autostart=True)
    peer.until(lambda: peer.state() == "active", "the node to be active")
    return made
