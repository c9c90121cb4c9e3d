# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""The other end of the web server: a small HTTP client, and a server in this process."""

import http.client
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from clara_console.access import Access
from clara_console.web_server import WebServer, listen

LIMIT_S = 20.0


def wait_until(condition: Callable[[], Any], what: str, limit: float = LIMIT_S) -> Any:
    """Return the first true value of `condition`."""
    end = time.monotonic() + limit
    while not (value := condition()):
        assert time.monotonic() < end, f"waited {limit:g} s for {what}"
        time.sleep(0.02)
    return value


class Answer:
    """Status, headers and body of a response."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status = response.status
        self.headers = response.headers
        self.text = response.read().decode()

    @property
    def json(self) -> Any:
        return json.loads(self.text)


class Web:
    """Asks a server; `headers` go with every request."""

    def __init__(self, port: int, headers: dict[str, str] | None = None) -> None:
        self.port = port
        self.headers = headers or {}

    @contextmanager
    def open(
        self, method: str, path: str, body: Any = None, **headers: str
    ) -> Iterator[http.client.HTTPResponse]:
        """Give a response whose body is not read yet; the connection ends with the block."""
        sent = {**self.headers, **{name.replace("_", "-"): headers[name] for name in headers}}
        if isinstance(body, dict):
            body = json.dumps(body)
            sent.setdefault("Content-Type", "application/json")
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=LIMIT_S)
        try:
            connection.request(method, path, body, sent)
            yield connection.getresponse()
        finally:
            connection.close()

    def get(self, path: str, **headers: str) -> Answer:
        with self.open("GET", path, **headers) as response:
            return Answer(response)

    def post(self, path: str, body: Any = None, **headers: str) -> Answer:
        with self.open("POST", path, {} if body is None else body, **headers) as response:
            return Answer(response)

    @contextmanager
    def chat(self, text: str, session: str = "") -> Iterator[Iterator[dict[str, Any]]]:
        """Give the lines of a turn as they come."""
        with self.open("POST", "/api/chat", {"text": text, "session": session}) as response:
            assert response.status == 200, response.read()
            yield (json.loads(line) for line in response)

    def reply(self, text: str, session: str = "") -> list[dict[str, Any]]:
        """Return all lines of a turn."""
        with self.chat(text, session) as lines:
            return list(lines)

    @contextmanager
    def news(self) -> Iterator[Iterator[tuple[str, Any]]]:
        """Give the live news as pairs of name and data."""

        def pairs(response: http.client.HTTPResponse) -> Iterator[tuple[str, Any]]:
            name = ""
            for line in response:
                field, _, value = line.decode().rstrip("\n").partition(": ")
                if field == "event":
                    name = value
                elif field == "data":
                    yield name, json.loads(value)

        with self.open("GET", "/api/live") as response:
            assert response.status == 200
            assert response.headers["Content-Type"].startswith("text/event-stream")
            yield pairs(response)


@contextmanager
def serving(app: Any, token: str = "", rate: float = 1e4) -> Iterator[int]:
    """Serve an app behind Access on loopback; give the port."""
    listening = listen("127.0.0.1", 0)
    port = listening.getsockname()[1]
    failures: list[str] = []
    server = WebServer(
        Access(app, token, "127.0.0.1", port, rate),
        listening,
        close=getattr(app, "close", lambda: None),
        failed=lambda: failures.append("the server ended by itself"),
    )
    server.start()
    try:
        yield port
    finally:
        server.stop()
        wait_until(lambda: not server.running, "the server to end")
        assert not failures
