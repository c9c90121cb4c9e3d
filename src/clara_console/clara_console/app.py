# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""The web application: the page, and what it asks for, as JSON.

A chat turn answers with one JSON object a line: `{"turn": id}`, then `{"delta": text}` while the
reply grows, at last `{"result": ...}` or `{"error": sentence}`.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Receive, Scope, Send

from clara_console.as_json import as_json
from clara_console.chat_turn import Turn
from clara_console.clara_link import ClaraLink, error_name
from clara_console.errors import BadRequest, ConsoleError, NotUp, Refused, TooLarge
from clara_console.live import Live
from clara_console.request_body import (
    LONGEST_NAME,
    number_field,
    numbers_field,
    read_json,
    text_field,
    texts_field,
)
from clara_interfaces.action import Chat
from clara_interfaces.msg import RoleFiller

ASSETS = Path(__file__).parent / "assets"
LONGEST_TEXT = 16_384
LONGEST_QUERY = 1_024
LONGEST_DETAIL = 1_024
LONGEST_SESSION = 128
LONGEST_FADE_S = 3600.0
STRONGEST = 4.0  # scale of an adapter, either way
MOST_EPISODES = 25
MOST_TURNS = 32
ENDED = "the console was ended"
_STATUS: dict[type[Exception], int] = {BadRequest: 400, TooLarge: 413, Refused: 502, NotUp: 503}


class Application:
    """Answers the page; it runs in one asyncio loop."""

    def __init__(self, link: ClaraLink) -> None:
        """Ask Clara over `link`."""
        self._link = link
        self.live = Live()
        self._turns: dict[str, Turn] = {}
        self.asgi = Starlette(
            routes=[
                Route("/", self._index),
                Mount("/assets", StaticFiles(directory=ASSETS)),
                Route("/api/live", self._live),
                Route("/api/personality", self._personality),
                Route("/api/personality", self._set_personality, methods=["POST"]),
                Route("/api/model", self._model),
                Route("/api/adapters", self._adapters),
                Route("/api/adapters", self._scale_adapters, methods=["POST"]),
                Route("/api/memory", self._memory),
                Route("/api/memory/query", self._query, methods=["POST"]),
                Route("/api/memory/correct", self._correct, methods=["POST"]),
                Route("/api/sessions", self._sessions),
                Route("/api/sessions/get", self._session, methods=["POST"]),
                Route("/api/sessions/reset", self._reset_session, methods=["POST"]),
                Route("/api/chat", self._chat, methods=["POST"]),
                Route("/api/chat/{turn}/cancel", self._cancel, methods=["POST"]),
            ],
            exception_handlers={ConsoleError: _say},
        )

    def close(self) -> None:
        """End what is streamed: the live news, and the turns under way."""
        self.live.close()
        for turn in self._turns.values():
            turn.abandon(ENDED)
        self._link.give_up(ENDED)

    async def _index(self, request: Request) -> Response:
        return FileResponse(ASSETS / "index.html")

    async def _live(self, request: Request) -> Response:
        return StreamingResponse(self.live.stream(), media_type="text/event-stream")

    async def _personality(self, request: Request) -> Response:
        return JSONResponse(as_json(await self._link.call("personality/get")))

    async def _set_personality(self, request: Request) -> Response:
        body = await read_json(request)
        values = numbers_field(body, "values", 0.0, 1.0)
        preset = text_field(body, "preset", LONGEST_NAME, default="")
        if not values and not preset:
            raise BadRequest("give values, a preset, or both")
        response = await self._link.call(
            "personality/set",
            preset=preset,
            names=list(values),
            values=list(values.values()),
            fade=number_field(body, "fade", 0.0, LONGEST_FADE_S, default=0.0),
        )
        return JSONResponse(as_json(response))

    async def _model(self, request: Request) -> Response:
        return JSONResponse(as_json(await self._link.call("model/info")))

    async def _adapters(self, request: Request) -> Response:
        return JSONResponse(as_json(await self._link.call("adapter/list")))

    async def _scale_adapters(self, request: Request) -> Response:
        scales = numbers_field(await read_json(request), "scales", -STRONGEST, STRONGEST)
        if not scales:
            raise BadRequest("scales must have a number for at least one adapter")
        response = await self._link.call(
            "adapter/scale", names=list(scales), scales=list(scales.values())
        )
        return JSONResponse(as_json(response))

    async def _memory(self, request: Request) -> Response:
        return JSONResponse(as_json(await self._link.call("memory/stats")))

    async def _query(self, request: Request) -> Response:
        text = text_field(await read_json(request), "text", LONGEST_QUERY)
        response = await self._link.call("memory/query", text=text, max_episodes=MOST_EPISODES)
        return JSONResponse(as_json(response))

    async def _correct(self, request: Request) -> Response:
        body = await read_json(request)
        changes = texts_field(body, "changes", LONGEST_DETAIL)
        response = await self._link.call(
            "memory/correct",
            episode_id=text_field(body, "episode_id", LONGEST_NAME),
            changes=[RoleFiller(role=name, filler=text) for name, text in changes.items()],
        )
        return JSONResponse(as_json(response))

    async def _sessions(self, request: Request) -> Response:
        return JSONResponse(as_json(await self._link.call("session/list")))

    async def _session(self, request: Request) -> Response:
        session = text_field(await read_json(request), "session", LONGEST_SESSION)
        return JSONResponse(as_json(await self._link.call("session/get", session_id=session)))

    async def _reset_session(self, request: Request) -> Response:
        session = text_field(await read_json(request), "session", LONGEST_SESSION)
        return JSONResponse(as_json(await self._link.call("session/reset", session_id=session)))

    async def _chat(self, request: Request) -> Response:
        body = await read_json(request)
        text = text_field(body, "text", LONGEST_TEXT)
        if not text.strip():
            raise BadRequest("text is empty")
        session = text_field(body, "session", LONGEST_SESSION, default="")
        if not await self._link.in_ros(lambda: self._link.is_up("chat")):
            raise NotUp(self._link.silence("chat"))
        # Counted and entered at once: an await between them would let more in than there is room.
        if len(self._turns) >= MOST_TURNS:
            raise NotUp(f"{MOST_TURNS} turns are under way from this console; try again later")
        turn = Turn(self._link, Chat.Goal(text=text, session_id=session, client=self._link.name))
        name = uuid.uuid4().hex
        self._turns[name] = turn
        return _Stream(self._lines(name, turn), ended=lambda: self._turns.pop(name, None))

    async def _lines(self, name: str, turn: Turn) -> AsyncIterator[str]:
        pieces = turn.pieces()
        try:
            yield _line(turn=name)
            async for piece in pieces:
                if isinstance(piece, str):
                    yield _line(delta=piece)
                else:
                    code = error_name(Chat.Result, piece.error_code)
                    yield _line(result={**as_json(piece), "error_name": code})
        except NotUp as error:
            yield _line(error=str(error))
        finally:
            # The browser may have gone away at any of the lines above.
            self._turns.pop(name, None)
            await pieces.aclose()  # type: ignore[attr-defined]

    async def _cancel(self, request: Request) -> Response:
        turn = self._turns.get(request.path_params["turn"])
        if turn is not None:
            turn.cancel()
        return JSONResponse({"canceled": turn is not None})


class _Stream(StreamingResponse):
    """Lines of JSON; calls `ended` at the end, also where the browser left before the first."""

    def __init__(self, lines: AsyncIterator[str], ended: Callable[[], object]) -> None:
        super().__init__(lines, media_type="application/x-ndjson")
        self._ended = ended

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._ended()


async def _say(request: Request, error: Exception) -> Response:
    content: dict[str, Any] = {"error": str(error)}
    if isinstance(error, Refused):
        content["name"] = error.name
    return JSONResponse(content, _STATUS.get(type(error), 500))


def _line(**content: Any) -> str:
    return json.dumps(content, separators=(",", ":")) + "\n"
