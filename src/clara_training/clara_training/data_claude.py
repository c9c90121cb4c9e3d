# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Anthropic's API through its own SDK: one streamed answer, or a batch of them.

- The SDK's own retries are off: each attempt may be paid for, so each is decided and counted here,
  with the server's retry-after.
- Of an answer that is cut off in the middle, what came is given back, with the usage estimated.
- Whatever is raised has a sentence without a key in it.
"""

from __future__ import annotations

import math
import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, NoReturn, TypeVar

from clara_training.data_cost import CHARACTERS_A_TOKEN
from clara_training.environment import ANTHROPIC_KEY, secret, without_secrets
from clara_training.errors import ApiError, UnansweredError, UnknownToApiError
from clara_training.packages import load

ATTEMPTS = 8
LONGEST_WAIT_S = 600.0
CUT = "cut"
Result = TypeVar("Result")


@dataclass(frozen=True)
class Request:
    """What is asked: the parts of `messages.create`, for one message or as part of a batch."""

    id: str
    system: str
    text: str
    schema: Mapping[str, Any]
    max_tokens: int


@dataclass(frozen=True)
class Answer:
    """What came back, and what it used; `stop_reason` is the API's, or `cut`."""

    id: str
    text: str
    stop_reason: str
    usage: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Failure:
    """A request of a batch that has no answer; it costs nothing."""

    id: str
    why: str


class _Cut(Exception):
    """The connection ended before the answer did."""

    def __init__(self, usage: dict[str, Any], text: str) -> None:
        super().__init__("the answer was cut off")
        self.usage = usage
        self.text = text


class Claude:
    """A client for one model. Threads may share it."""

    def __init__(
        self,
        model: str,
        *,
        base_url: str | None = None,
        attempts: int = ATTEMPTS,
        first_wait_s: float = 1.0,
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Make the client. Raises MissingPackage, and ApiError without a key that can be one."""
        self._sdk = load("anthropic", "making data with Claude")
        key = secret(ANTHROPIC_KEY)
        if not key:
            raise ApiError(
                f"{ANTHROPIC_KEY} is not set: set it, or write it into .env (clara-train data "
                "starter needs no key)"
            )
        if not key.isascii() or not key.isprintable() or " " in key:
            raise ApiError(
                f"the key in {ANTHROPIC_KEY} has white space or signs in it that no key has: copy"
                " it again, in one piece and without quotes"
            )
        try:
            self._client = self._sdk.Anthropic(api_key=key, base_url=base_url, max_retries=0)
        except Exception as error:
            raise ApiError(f"Anthropic's SDK does not start: {_safe(error)}") from None
        self.model = model
        self._attempts = attempts
        self._first_wait_s = first_wait_s
        self._say = say
        self._not_before = 0.0  # one rate limit holds for all threads
        self._lock = threading.Lock()

    def answer(self, request: Request, lost: Callable[[dict[str, Any]], None]) -> Answer:
        """Ask for one answer, trying again where that can help.

        `lost` is called for each attempt that gave nothing and may have been paid for, with what
        is known of its usage; what it raises ends the attempts. Raises ApiError.
        """

        def attempt() -> Answer:
            try:
                return self._stream(request)
            except _Cut as cut:
                if cut.text:
                    return Answer(request.id, cut.text, CUT, cut.usage)
                lost(cut.usage)
                raise
            except Exception as error:
                if self._may_be_done(error):
                    lost({})
                raise

        return self._patiently(attempt)

    def send_batch(self, requests: list[Request], find_sent: Callable[[], str | None]) -> str:
        """Send a batch and return its id, trying again where that can help.

        Before one that may have arrived is sent again, `find_sent` is asked for its id. Raises
        ApiError when no batch was made, and UnansweredError when nobody knows.
        """
        body = [
            {"custom_id": each.id, "params": self._parameters(each, ttl="1h")} for each in requests
        ]
        unsure = False

        def attempt() -> str:
            nonlocal unsure
            if unsure and (found := find_sent()):
                return found
            try:
                return str(self._client.messages.batches.create(requests=body).id)
            except Exception as error:
                unsure = unsure or self._may_be_done(error)
                raise

        try:
            return self._patiently(attempt)
        except ApiError as error:
            if unsure:
                raise UnansweredError(str(error)) from None
            raise

    def batch_ended(self, batch_id: str) -> bool:
        """Tell whether all requests of a batch are answered, failed or expired."""
        found = self._patiently(lambda: self._client.messages.batches.retrieve(batch_id))
        return bool(found.processing_status == "ended")

    def recent_batches(self) -> list[tuple[str, str, int]]:
        """Return id, time of creation and number of requests of the latest 20 batches."""
        page = self._patiently(lambda: self._client.messages.batches.list(limit=20))
        found = []
        for each in page.data:
            counts = each.request_counts
            total = (
                counts.processing
                + counts.succeeded
                + counts.errored
                + counts.canceled
                + counts.expired
            )
            found.append((str(each.id), each.created_at.isoformat(), int(total)))
        return found

    def batch_results(self, batch_id: str, known: set[str]) -> Iterator[Answer | Failure]:
        """Give the results of a batch that has ended, in whatever order, those `known` left out.

        Reading them is free, so that a broken connection is answered by reading them again.
        """
        for number in range(1, self._attempts + 1):
            try:
                for result in self._client.messages.batches.results(batch_id):
                    if result.custom_id not in known:
                        known.add(result.custom_id)
                        yield _batch_result(result)
                return
            except (self._sdk.AnthropicError, OSError, ValueError) as error:
                self._try_again(number, error)
            except self._transport_errors as error:
                self._try_again(number, error)

    def _stream(self, request: Request) -> Answer:
        text: list[str] = []
        usage: dict[str, Any] = {}
        try:
            with self._client.messages.stream(**self._parameters(request, ttl="5m")) as stream:
                for event in stream:
                    if event.type == "message_start":
                        usage = event.message.usage.to_dict()
                    elif event.type == "text":
                        text.append(event.text)
                if not usage:
                    raise ValueError("the answer was empty")
                message = stream.get_final_message()
            if message.stop_reason is None:
                raise ValueError("the answer has no end")
        except Exception as error:
            if not usage:
                raise
            # How much was written and is lost is not known; what came is the least.
            written = math.ceil(len("".join(text)) / CHARACTERS_A_TOKEN)
            usage["output_tokens"] = max(int(usage.get("output_tokens") or 0), written)
            raise _Cut({**usage, "estimated": True}, "".join(text)) from error
        return Answer(request.id, "".join(text), message.stop_reason, message.usage.to_dict())

    def _parameters(self, request: Request, ttl: str) -> dict[str, Any]:
        cached = {"type": "ephemeral", "ttl": ttl}
        return {
            "model": self.model,
            "max_tokens": request.max_tokens,
            "system": [{"type": "text", "text": request.system, "cache_control": cached}],
            "messages": [{"role": "user", "content": request.text}],
            "output_config": {"format": {"type": "json_schema", "schema": dict(request.schema)}},
            # On by default in today's models, and paid for as output.
            "thinking": {"type": "disabled"},
        }

    @property
    def _transport_errors(self) -> tuple[type[BaseException], ...]:
        # While a body is read, the SDK lets its HTTP library's errors through.
        httpx = load("httpx2", "making data with Claude")
        return (httpx.HTTPError, httpx.StreamError)

    def _may_be_done(self, error: BaseException) -> bool:
        """Tell whether a request that failed like this may have been taken, and paid for."""
        status = getattr(error, "status_code", None)
        if status is not None:
            return not (_refuses(status) or status in (409, 429, 529))
        httpx = load("httpx2", "making data with Claude")
        never_sent = (httpx.ConnectError, httpx.ConnectTimeout, httpx.UnsupportedProtocol)
        return not isinstance(error.__cause__, never_sent)

    def _patiently(self, attempt: Callable[[], Result]) -> Result:
        """Make attempts until one succeeds, fails for good, or there were enough."""
        for number in range(1, self._attempts + 1):
            with self._lock:
                pause = self._not_before - time.monotonic()
            if pause > 0:
                time.sleep(pause)
            try:
                return attempt()
            except _Cut as error:
                self._try_again(number, error)
            except (self._sdk.AnthropicError, OSError, ValueError) as error:
                self._try_again(number, error)
            except self._transport_errors as error:
                self._try_again(number, error)
        raise AssertionError("the last attempt either returns or raises")

    def _try_again(self, number: int, error: BaseException) -> None:
        """Wait before the next attempt, or raise ApiError when there is to be none."""
        status = getattr(error, "status_code", None)
        if _refuses(status) or number >= self._attempts:
            self._give_up(error)
        self._wait(number, error)

    def _give_up(self, error: BaseException) -> NoReturn:
        kind = UnknownToApiError if _is_unknown(error) else ApiError
        raise kind(self._sentence(error)) from None

    def _wait(self, number: int, error: BaseException) -> None:
        wait = _retry_after(error)
        if wait is None:
            wait = self._first_wait_s * 2 ** (number - 1) * random.uniform(0.75, 1.0)
        wait = min(wait, LONGEST_WAIT_S)
        status = getattr(error, "status_code", None)
        if status in (429, 529):
            with self._lock:
                self._not_before = max(self._not_before, time.monotonic() + wait)
        if wait >= 1:
            self._say(f"{self._reason(error)}; trying again in {wait:.0f} s")
        time.sleep(wait)

    def _reason(self, error: BaseException) -> str:
        status = getattr(error, "status_code", None)
        if status == 429:
            return "the rate limit is reached (429)"
        if status == 529:
            return "Anthropic's API is overloaded (529)"
        if status is not None and status >= 500:
            return f"Anthropic's API has a fault ({status})"
        if isinstance(error, _Cut):
            return "the answer was cut off"
        return "the connection to Anthropic's API broke"

    def _sentence(self, error: BaseException) -> str:
        status = getattr(error, "status_code", None)
        said = without_secrets(str(getattr(error, "api_message", None) or "")).strip()
        quoted = f": {said[:300]}" if said else ""
        if status == 401:
            return (
                f"Anthropic's API does not accept the key in {ANTHROPIC_KEY} (401): take a valid "
                "one from the Anthropic console"
            )
        if status in (402, 403):
            return f"the key in {ANTHROPIC_KEY} may not do this ({status}){quoted}"
        if status == 404:
            return f"Anthropic's API does not know {self.model!r} or the batch (404){quoted}"
        if _refuses(status):
            return f"Anthropic's API refused the request ({status}){quoted}"
        return (
            f"{self._reason(error)} {self._attempts} times{quoted}; run the same command again "
            "later, nothing that was paid for is lost"
        )


def _refuses(status: int | None) -> bool:
    """Tell whether trying again is of no use. An error within a stream has the status 200."""
    return status is not None and 400 <= status < 500 and status not in (408, 409, 429)


def _is_unknown(error: BaseException) -> bool:
    try:
        return bool(error.body["error"]["type"] == "not_found_error")  # type: ignore[attr-defined]
    except (AttributeError, KeyError, TypeError):
        return False


def _batch_result(result: Any) -> Answer | Failure:
    kind = result.result.type
    if kind == "succeeded":
        message = result.result.message
        said = "".join(block.text for block in message.content if block.type == "text")
        return Answer(
            result.custom_id, said, str(message.stop_reason or CUT), message.usage.to_dict()
        )
    why = str(kind)
    if kind == "errored":
        with suppress(AttributeError):
            why = without_secrets(str(result.result.error.error.message))
    return Failure(result.custom_id, why)


def _retry_after(error: BaseException) -> float | None:
    response = getattr(error, "response", None)
    if response is None:
        return None
    try:
        seconds = float(response.headers.get("retry-after"))
    except (TypeError, ValueError):
        return None
    return seconds if 0 <= seconds < math.inf else None


def _safe(error: BaseException) -> str:
    return without_secrets(f"{type(error).__name__}: {error}")[:300]
