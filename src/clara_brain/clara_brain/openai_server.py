# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""A server that speaks the OpenAI HTTP API: llama.cpp's own, vLLM, Ollama and the like.

Notable: what may be tried again is, with a growing wait, but only before the first byte of an
answer; everything that can go wrong has a sentence; the API key is sent and never logged. The
conversation goes straight to the server, past any proxy that the environment names. API:
https://platform.openai.com/docs/api-reference/chat,
https://github.com/ggml-org/llama.cpp/blob/master/tools/server/README.md
"""

from __future__ import annotations

import asyncio
import errno
import json
import logging
import os
import random
import socket
import ssl
import time
from collections.abc import AsyncGenerator, Iterator
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clara_brain.errors import (
    BackendError,
    BrainError,
    ContextOverflow,
    InvalidRequest,
    ModelError,
)
from clara_brain.settings import ServerSettings

if TYPE_CHECKING:
    import httpx2

KEY_VARIABLE = "CLARA_SERVER_KEY"
_LONGEST_CONNECT_S = 5.0
_TRIES = 4
_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.25, 30.0
_TRY_AGAIN = (429, 502, 503, 504)
_UNREACHABLE = (errno.ECONNREFUSED, errno.ECONNRESET, errno.EHOSTUNREACH, errno.ENETUNREACH)
_LONGEST_MESSAGE = 300
_LONGEST_KEY_FILE = 16_384
_LONGEST_REFUSAL, _LONGEST_DOCUMENT = 65_536, 16 << 20

# They log each request at the level of information.
for _name in ("httpx2", "httpcore2"):
    logging.getLogger(_name).setLevel(logging.WARNING)


class OpenAIServer:
    """One server. All methods but the constructor belong to one event loop.

    Raises ModelError when URL or key are not well-formed.
    """

    def __init__(self, settings: ServerSettings) -> None:
        try:
            import httpx2
        except ImportError as error:
            raise ModelError(
                "backend openai needs the package httpx2, which needs Python 3.11:"
                " run 'pip install httpx2'"
            ) from error
        self._httpx = httpx2
        self.url = _base_url(httpx2, settings.server_url)
        self._timeout_s = settings.server_timeout_s
        headers = {"Accept-Encoding": "identity", "User-Agent": "clara"}
        self._key = _key(settings.server_key_file)
        if self._key:
            headers["Authorization"] = f"Bearer {self._key}"
        self._client = httpx2.AsyncClient(
            base_url=self.url,
            headers=headers,
            timeout=httpx2.Timeout(
                self._timeout_s, connect=min(self._timeout_s, _LONGEST_CONNECT_S), pool=None
            ),
            limits=httpx2.Limits(max_connections=None, max_keepalive_connections=4),
            trust_env=False,
            # The system's certificates, or those of SSL_CERT_FILE.
            verify=ssl.create_default_context(),
        )

    async def get(self, path: str) -> Any:
        """Ask for a JSON document. Raises BrainError."""
        return await self._document(await self._send("GET", path, None))

    async def post(self, path: str, body: dict[str, Any]) -> Any:
        """Send one JSON document and return the other. Raises BrainError."""
        return await self._document(await self._send("POST", path, body))

    async def stream(
        self, path: str, body: dict[str, Any]
    ) -> AsyncGenerator[dict[str, Any], None]:
        """Send a JSON document and give the events of the answer until it ends.

        Leaving the iteration closes the connection, which is what ends the work of the server.
        Raises BrainError.
        """
        response = await self._send("POST", path, body)
        try:
            async for event in self._httpx.EventSource(response):
                if event.data == "[DONE]":
                    return
                yield self._event(event.data)
        except self._httpx.ReadTimeout as error:
            raise BackendError(
                f"{self} fell silent in the middle of the reply, for {self._timeout_s:g} s"
            ) from error
        except self._httpx.SSEError as error:
            raise BackendError(
                f"{self} does not stream as the OpenAI API does: {error}"
            ) from error
        except self._httpx.TransportError as error:
            raise BackendError(
                f"{self} broke off in the middle of the reply: {_reason(error)}"
            ) from error
        finally:
            await response.aclose()

    async def close(self) -> None:
        """Close all connections."""
        await self._client.aclose()

    def __str__(self) -> str:
        return f"the server at {self.url}"

    async def _send(self, method: str, path: str, body: dict[str, Any] | None) -> httpx2.Response:
        """Return an answer of status 200, of which nothing is read yet."""
        wait = _FIRST_WAIT_S
        for left in reversed(range(_TRIES)):
            request = self._client.build_request(method, path, json=body)
            try:
                response = await self._client.send(request, stream=True)
            except self._httpx.TransportError as error:
                if not left or not self._may_pass(error):
                    raise self._failure(error) from error
            else:
                if response.status_code == 200:
                    return response
                asked = _retry_after(response)
                refusal = await self._refusal(response, path)
                if not left or response.status_code not in _TRY_AGAIN or asked > _LONGEST_WAIT_S:
                    raise refusal
                wait = max(wait, asked)
            # Not all who were refused shall come back at the same moment.
            await asyncio.sleep(wait * random.uniform(1.0, 1.2))
            wait = min(2 * wait, _LONGEST_WAIT_S)
        raise AssertionError("the last try returns or raises")

    def _may_pass(self, error: httpx2.TransportError) -> bool:
        """Whether another try may succeed: nobody listens yet, or a kept connection was stale."""
        if isinstance(error, self._httpx.ConnectError):
            return any(each.errno in _UNREACHABLE for each in _causes(error))
        return isinstance(error, (self._httpx.ReadError, self._httpx.RemoteProtocolError))

    def _failure(self, error: httpx2.TransportError) -> BackendError:
        if isinstance(error, self._httpx.ReadTimeout):
            return BackendError(
                f"{self} did not answer within {self._timeout_s:g} s; raise server_timeout_s if it"
                " needs longer for a prompt"
            )
        if isinstance(error, (self._httpx.ConnectError, self._httpx.ConnectTimeout)):
            return BackendError(f"{self} cannot be reached: {_unreachable(error)}")
        return BackendError(f"{self} broke off before it answered: {_reason(error)}")

    async def _refusal(self, response: httpx2.Response, path: str) -> BrainError:
        """Say in a sentence what a status other than 200 means."""
        try:
            text = (await self._read(response, _LONGEST_REFUSAL)).decode("utf-8", "replace")
        except self._httpx.TransportError:
            text = ""
        status, said = response.status_code, self._message(text)
        if status in (401, 403):
            return BackendError(
                f"{self} does not accept the API key ({status}: {said}); set {KEY_VARIABLE} or"
                " server_key_file"
            )
        if status == 404:
            return BackendError(
                f"{self} does not know {path}, or not the model ({said}); check server_url and"
                " server_model"
            )
        if status in (400, 413, 422):
            kind = ContextOverflow if _overflows(text) else InvalidRequest
            return kind(f"{self} refused the request ({status}: {said})")
        if response.is_redirect:
            to = response.headers.get("location", "")
            return BackendError(f"{self} has moved to {to[:_LONGEST_MESSAGE]}; set server_url")
        if status in _TRY_AGAIN:
            return BackendError(f"{self} is too busy or not ready ({status}: {said})")
        return BackendError(f"{self} failed ({status}: {said})")

    async def _document(self, response: httpx2.Response) -> Any:
        try:
            return json.loads(await self._read(response, _LONGEST_DOCUMENT))
        except ValueError as error:
            raise BackendError(
                f"{self} answered {response.url.path} with something that is not JSON; check"
                " server_url"
            ) from error
        except self._httpx.TransportError as error:
            raise self._failure(error) from error

    async def _read(self, response: httpx2.Response, limit: int) -> bytes:
        """Return the body up to a limit, and give the connection back."""
        body = bytearray()
        try:
            async for chunk in response.aiter_raw():
                body += chunk
                if len(body) > limit:
                    break
        finally:
            await response.aclose()
        return bytes(body)

    def _message(self, text: str) -> str:
        """Return what a body says of an error, as a short line; never the key, if it has that."""
        said = _message(text)
        return said.replace(self._key, "***") if self._key else said

    def _event(self, data: str) -> dict[str, Any]:
        try:
            event = json.loads(data)
        except ValueError:
            event = None
        if not isinstance(event, dict):
            raise BackendError(
                f"{self} sent something that is no event of the OpenAI API: {_clean(data)!r}"
            )
        if event.get("error"):
            raise BackendError(f"{self} failed in the middle of the reply: {self._message(data)}")
        return event


def _base_url(httpx: Any, given: str) -> str:
    """Return the URL without the API's own path. Raises ModelError."""
    try:
        url = httpx.URL(given.strip())
    except httpx.InvalidURL as error:
        raise ModelError(f"server_url {given!r} is not a URL: {error}") from error
    if url.userinfo:
        raise ModelError(
            f"server_url must have no password in it, for anyone can read a parameter; put the API"
            f" key into {KEY_VARIABLE} or server_key_file"
        )
    if url.scheme not in ("http", "https") or not url.host:
        raise ModelError(f"server_url must be like http://host:8080, not {given!r}")
    text = str(url.copy_with(query=None, fragment=None)).rstrip("/")
    return text.removesuffix("/v1")


def _key(file: str) -> str:
    """Return the API key, empty for none. Raises ModelError, which never has the key in it."""
    source, key = KEY_VARIABLE, os.environ.get(KEY_VARIABLE, "")
    if file:
        path = Path(file).expanduser()
        source = f"server_key_file {path}"
        try:
            with path.open(encoding="utf-8") as opened:
                key = opened.read(_LONGEST_KEY_FILE)
        except OSError as error:
            raise ModelError(f"{source} cannot be read: {error.strerror}") from error
        except UnicodeDecodeError:
            key = "?\n?"
    key = key.strip()
    if file and not key:
        raise ModelError(f"{source} is empty")
    if key and not (key.isascii() and key.isprintable() and " " not in key):
        raise ModelError(f"{source} must have the API key alone, in one line of ASCII")
    return key


def _causes(error: BaseException) -> Iterator[OSError]:
    """Return what the operating system said, however deep it is."""
    seen: set[int] = set()
    todo: list[BaseException | None] = [error]
    while todo:
        each = todo.pop()
        if each is None or id(each) in seen:
            continue
        seen.add(id(each))
        if isinstance(each, OSError):
            yield each
        todo += [each.__cause__, each.__context__, *getattr(each, "exceptions", ())]


def _unreachable(error: httpx2.TransportError) -> str:
    """Say why no connection came about, and what to do."""
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return (
                f"its certificate is not valid ({cause.verify_message}); add one of your own to"
                " the system's, or name its file in SSL_CERT_FILE"
            )
        if isinstance(cause, ssl.SSLError):
            return f"it does not speak TLS ({cause.reason}); server_url may have to be http://"
        if isinstance(cause, socket.gaierror):
            return "there is no host of this name; check server_url"
    return f"{_reason(error)}; start it, or set server_url"


def _reason(error: httpx2.TransportError) -> str:
    for cause in _causes(error):
        if cause.errno and cause.errno > 0:
            return os.strerror(cause.errno)
    if type(error).__name__ == "ConnectTimeout":
        return "it does not answer"
    return _clean(str(error)) or "the connection was closed"


def _retry_after(response: httpx2.Response) -> float:
    """Seconds that the server asks to wait, as a number or a date; 0 where it does not say."""
    asked = response.headers.get("retry-after", "0")
    try:
        return max(0.0, float(asked))
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(asked).timestamp() - time.time())
    except ValueError:
        return 0.0


def _message(text: str) -> str:
    """Return what a body says of an error, as a short line."""
    try:
        document = json.loads(text)
    except ValueError:
        return _clean(text) or "no reason given"
    if isinstance(document, dict):
        document = document.get("error", document.get("detail", document))
    if isinstance(document, dict):
        document = document.get("message", document)
    return _clean(document if isinstance(document, str) else json.dumps(document))


def _overflows(text: str) -> bool:
    """Whether a refusal is about the length of the context, in the words of several servers."""
    lowered = text.lower()
    return any(
        words in lowered
        for words in ("exceed_context_size", "context_length_exceeded", "context length")
    )


def _clean(text: str) -> str:
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= _LONGEST_MESSAGE else line[:_LONGEST_MESSAGE] + "…"
