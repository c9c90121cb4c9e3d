# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""An HTTP server that does what real ones should not: it refuses, stalls, and hangs up.

It lists its models, and gives its documents by their paths; each further request is answered by
the next scene, the last one for good.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Scene = Callable[["Handler"], None]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        if self.server.mute:
            silence(self)
        elif self.path in self.server.documents:
            status(200, self.server.documents[self.path])(self)
        elif self.server.refused_key:
            status(401, {"error": {"message": f"wrong: {self.headers['Authorization']}"}})(self)
        else:
            status(200, {"object": "list", "data": self.server.models})(self)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with self.server.lock:
            self.server.seen.append((self.path, json.loads(body)))
            scenes = self.server.scenes
            scene = scenes.pop(0) if len(scenes) > 1 else scenes[0]
        scene(self)

    def log_message(self, *words: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    """`seen` are the paths and bodies of the requests that were not for the list of models."""

    daemon_threads = True

    def __init__(self, *scenes: Scene, models: Sequence[Any] = ({"id": "m"},), port: int = 0):
        self.scenes = list(scenes)
        self.models = list(models)
        self.seen: list[tuple[str, dict[str, Any]]] = []
        self.lock = threading.Lock()
        self.over = threading.Event()
        self.refused_key = self.mute = False
        self.documents: dict[str, Any] = {}
        super().__init__(("127.0.0.1", port), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self._thread = threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self) -> Server:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.over.set()
        self.shutdown()
        self.server_close()


def status(code: int, body: object, **headers: str) -> Scene:
    """Answer with a status and a document, or a text of HTML."""

    def play(handler: Handler) -> None:
        text = body if isinstance(body, str) else json.dumps(body)
        handler.send_response(code)
        handler.send_header("Content-Type", "text/html" if text is body else "application/json")
        handler.send_header("Content-Length", str(len(text.encode())))
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(text.encode())

    return play


def events(*lines: object, then: str = "end") -> Scene:
    """Stream events, then `end` the stream, `cut` the connection or `stall`."""

    def play(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", "text/event-stream")
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        for line in lines:
            data = line if isinstance(line, str) else f"data: {json.dumps(line)}\n\n"
            handler.wfile.write(f"{len(data.encode()):x}\r\n{data}\r\n".encode())
        handler.wfile.flush()
        if then == "end":
            handler.wfile.write(b"0\r\n\r\n")
        elif then == "stall":
            handler.server.over.wait(20)
        handler.close_connection = True

    return play


def silence(handler: Handler) -> None:
    """Say nothing at all."""
    handler.server.over.wait(20)
    handler.close_connection = True


def hang_up(handler: Handler) -> None:
    """Close the connection without an answer."""
    handler.close_connection = True


def said(text: str, why: str | None = None) -> dict[str, Any]:
    """Return a piece of a reply."""
    return {"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": why}]}


USAGE = {"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 2}}
DONE = "data: [DONE]\n\n"
GOOD = events(": a comment\n\n", said("Hel"), said("lo"), said("", "stop"), USAGE, DONE)
