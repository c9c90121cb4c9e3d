# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""The web application without a web server: moments that no browser meets on purpose."""

import asyncio

import pytest
from clara_console.app import MOST_TURNS, Application


class BrainIsUp:
    """As much of a link as is asked before a turn begins."""

    name = "/clara/console"

    async def in_ros(self, work):
        return work()

    def is_up(self, name):
        return True


def test_a_turn_whose_page_left_before_the_first_line_makes_room_for_another():
    app = Application(BrainIsUp())
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/api/chat",
        "query_string": b"",
        "headers": [(b"content-type", b"application/json")],
    }
    statuses = []

    async def send(message):
        statuses.append(message["status"])
        raise BrokenPipeError

    async def ask():
        for _ in range(MOST_TURNS + 1):
            body = asyncio.Queue()
            body.put_nowait({"type": "http.request", "body": b'{"text": "hello"}'})
            with pytest.raises(BrokenPipeError):
                await app.asgi(scope, body.get, send)

    asyncio.run(ask())
    assert statuses == [200] * (MOST_TURNS + 1)
