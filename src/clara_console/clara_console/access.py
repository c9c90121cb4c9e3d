# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Who may ask the web server anything, and how often: an ASGI middleware in front of all of it.

Without a token the address asked for must be one of this machine, or a foreign page could reach
us under a name of its own (DNS rebinding). Another page's requests are known by their Origin. The
cookie is a keyed hash of the token, so that a stolen one does not tell it. A token is never part
of an address that is asked for: those end up in logs and histories.
"""

from __future__ import annotations

import hashlib
import hmac
import html
import logging
import math
from collections.abc import Mapping
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from clara_console.errors import ConsoleError
from clara_console.rate import RateLimit
from clara_console.request_body import read_body
from clara_console.settings import is_loopback

SIGN_IN = "/sign-in"
OPEN_TO_ALL = "/assets/"
LARGEST_FORM = 4096
BURST_S = 5.0  # an address may save up as many requests as come in this time
WRONG_TOKENS = 5
WRONG_TOKENS_PER_S = 1 / 12
_COOKIE_AGE_S = 30 * 24 * 3600
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self';"
        " connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    # Not no-referrer: a browser would send the sign-in form with "Origin: null" then.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


_log = logging.getLogger(__name__)


class Access:
    """Lets a request through, refuses it with a sentence, or asks for the token."""

    def __init__(
        self, app: ASGIApp, token: str, host: str, port: int, requests_per_second: float
    ) -> None:
        """Guard `app`; `token` empty: none is asked for."""
        self._app = app
        self._requests = RateLimit(requests_per_second, requests_per_second * BURST_S)
        self._wrong_tokens = RateLimit(WRONG_TOKENS_PER_S, WRONG_TOKENS)
        self._token = token
        self._host = host
        # Cookies know no ports: two consoles on one robot must not share theirs.
        self._cookie = f"clara_console_{port}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or hand on."""
        if scope["type"] != "http":
            return  # nothing else is served
        request = Request(scope, receive)

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers[name] = value
                if not scope["path"].startswith(OPEN_TO_ALL):
                    headers["Cache-Control"] = "no-store"
            await send(message)

        answer = self._too_often(request, self._requests.take(_address(request)))
        answer = answer or self._foreign(request) or await self._without_token(request)
        await (answer or self._app)(scope, receive, send_guarded)

    def _too_often(self, request: Request, wait: float) -> Response | None:
        if not wait:
            return None
        refusal = _refusal(request, 429, f"too many requests; wait {math.ceil(wait)} s")
        refusal.headers["Retry-After"] = str(math.ceil(wait))
        return refusal

    def _foreign(self, request: Request) -> Response | None:
        host = request.headers.get("host", "")
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            name = host
        if not self._token and not is_loopback(name) and name != self._host:
            return _refusal(request, 403, f"this console is not served under the name {name!r}")
        origin = request.headers.get("origin")
        if origin is not None and origin not in (f"http://{host}", f"https://{host}"):
            return _refusal(request, 403, f"a page of {origin} may not ask this console")
        site = request.headers.get("sec-fetch-site", "none")
        if request.scope["path"].startswith("/api/") and site not in ("same-origin", "none"):
            return _refusal(request, 403, "another page may not ask this console")
        return None

    async def _without_token(self, request: Request) -> Response | None:
        path = request.scope["path"]
        if path == SIGN_IN and request.method in ("GET", "HEAD"):
            return RedirectResponse("/", status_code=303)  # after a wrong try it is the address
        if not self._token or path.startswith(OPEN_TO_ALL):
            return None
        if path == SIGN_IN and request.method == "POST":
            return await self._sign_in(request)
        if _same(request.cookies.get(self._cookie, ""), self._proof()):
            return None
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            if refusal := self._too_often(request, self._wrong_tokens.wait(_address(request))):
                return refusal
            if self._is_token(request, given.strip()):
                return None
        elif path == "/":
            return _ask_for_token(wrong=False)
        return _refusal(request, 401, "sign in first: this console needs a token")

    async def _sign_in(self, request: Request) -> Response:
        try:
            form = parse_qs((await read_body(request, LARGEST_FORM)).decode("ascii", "replace"))
        except ConsoleError as error:
            return _refusal(request, 413, str(error))
        if refusal := self._too_often(request, self._wrong_tokens.wait(_address(request))):
            return refusal
        if not self._is_token(request, form.get("token", [""])[0]):
            return _ask_for_token(wrong=True)
        response = RedirectResponse("/", status_code=303)
        response.set_cookie(
            self._cookie,
            self._proof(),
            max_age=_COOKIE_AGE_S,
            httponly=True,
            samesite="strict",
            secure=request.scope["scheme"] == "https",
        )
        return response

    def _is_token(self, request: Request, given: str) -> bool:
        if _same(given, self._token):
            return True
        self._wrong_tokens.take(_address(request))
        _log.warning("console: a wrong token came from %s", _address(request))
        return False

    def _proof(self) -> str:
        return hmac.new(self._token.encode(), self._cookie.encode(), hashlib.sha256).hexdigest()


def _address(request: Request) -> str:
    return request.client.host if request.client else ""


def _same(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "replace"), expected.encode())


def _refusal(request: Request, status: int, sentence: str) -> Response:
    if request.scope["path"].startswith("/api/"):
        headers: Mapping[str, str] | None = (
            {"WWW-Authenticate": "Bearer"} if status == 401 else None
        )
        return JSONResponse({"error": sentence}, status, headers=headers)
    page = _page("Refused", f"<p>{html.escape(sentence)}</p>")
    page.status_code = status
    return page


def _ask_for_token(wrong: bool) -> Response:
    said = '<p class="fault" role="alert">That is not the token.</p>' if wrong else ""
    page = _page(
        "Sign in",
        f'<form method="post" action="{SIGN_IN}">{said}<label for="token">Token of this console'
        '</label><input id="token" name="token" type="password" autocomplete="current-password"'
        ' required autofocus><button class="primary">Sign in</button></form>'
        '<script src="/assets/door.js"></script>',
    )
    page.status_code = 401
    return page


def _page(title: str, body: str) -> HTMLResponse:
    return HTMLResponse(
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title} - Clara'
        '</title><meta name="viewport" content="width=device-width, initial-scale=1">'
        '<link rel="icon" href="/assets/clara.svg"><link rel="stylesheet"'
        ' href="/assets/console.css"></head><body class="door"><main class="panel">'
        f"<h1>{title}</h1>{body}</main></body></html>"
    )
