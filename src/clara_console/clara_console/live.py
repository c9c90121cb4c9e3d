# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""News for the open pages, as server-sent events.

Each page has a bounded queue. One that does not keep up is let go: its browser connects again
and reads the state anew.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

QUEUE_SIZE = 256
_END = ""


class Live:
    """Fans news out to the pages; everything here runs in one asyncio loop."""

    def __init__(self) -> None:
        self._pages: set[asyncio.Queue[str]] = set()
        self._last: dict[str, str] = {}
        self._closed = False

    def publish(self, event: str, data: Any, keep: bool = False) -> None:
        """Send news to every page, and, with `keep`, at once to each that comes later."""
        text = f"event: {event}\ndata: {json.dumps(data, separators=(',', ':'))}\n\n"
        if keep:
            self._last[event] = text
        for page in list(self._pages):
            if page.full():
                self._pages.discard(page)
                page.get_nowait()
                page.put_nowait(_END)
            else:
                page.put_nowait(text)

    async def stream(self) -> AsyncIterator[str]:
        """Give the news as they come, until the page or the console ends."""
        page: asyncio.Queue[str] = asyncio.Queue(QUEUE_SIZE)
        if self._closed:
            return
        self._pages.add(page)
        try:
            # A browser that lost us asks again after this many milliseconds.
            yield "retry: 1000\n\n"
            for text in list(self._last.values()):
                yield text
            while (text := await page.get()) != _END:
                yield text
        finally:
            self._pages.discard(page)

    def close(self) -> None:
        """End every stream."""
        self._closed = True
        for page in self._pages:
            if page.full():
                page.get_nowait()
            page.put_nowait(_END)
        self._pages.clear()
