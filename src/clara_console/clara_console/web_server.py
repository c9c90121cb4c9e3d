# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Runs the web application on a socket, in a thread and an asyncio loop of its own."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable
from typing import Any

import uvicorn
from starlette.types import ASGIApp

from clara_console.errors import SettingsError

MOST_CONNECTIONS = 100
_LAST_ANSWERS_S = 1


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens. Raises SettingsError when the address cannot be had."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        family, kind, protocol, _, address = found[0]
        one = socket.socket(family, kind, protocol)
        try:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            one.bind(address)
            one.listen()
        except OSError:
            one.close()
            raise
    except OSError as error:
        raise SettingsError(
            f"cannot listen on {host} port {port}: {error.strerror or error}; another one is set"
            " with the launch argument console_port, or the parameter port"
        ) from error
    return one


class WebServer:
    """Serves until `stop`; `close` of what it serves runs in its loop first.

    Should it end by itself, `failed` is called in its thread.
    """

    def __init__(
        self,
        app: ASGIApp,
        listening: socket.socket,
        close: Callable[[], None],
        failed: Callable[[], None],
    ) -> None:
        self._listening = listening
        self._close = close
        self._failed = failed
        self._stopping = False
        self._server = uvicorn.Server(
            uvicorn.Config(
                app,
                http="h11",
                ws="none",
                loop="asyncio",
                lifespan="off",
                interface="asgi3",
                log_config=None,
                access_log=False,  # its lines would have the token of /?token=
                server_header=False,
                proxy_headers=False,
                limit_concurrency=MOST_CONNECTIONS,
                timeout_graceful_shutdown=_LAST_ANSWERS_S,
            )
        )
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="web", daemon=True)

    def start(self) -> None:
        """Begin to serve."""
        self._thread.start()
        self._ready.wait()

    @property
    def running(self) -> bool:
        """Whether the thread is still at work."""
        return self._thread.is_alive()

    def soon(self, work: Callable[..., None], *values: Any) -> None:
        """Let the loop's thread do something."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(work, *values)

    def stop(self) -> None:
        """Begin to end; `running` says when that is done."""
        self._stopping = True

        def end() -> None:
            self._close()
            self._server.should_exit = True

        self.soon(end)

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        finally:
            if not self._stopping:
                self._failed()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._ready.set()
        await self._server.serve(sockets=[self._listening])
