# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""The backend on a server: several requests at once, streamed over HTTP, on a thread of its own.

An event loop runs on that thread, so a cancel, a deadline or a shutdown ends a request whatever
it waits for, and closes its connection. The server counts the tokens; from its counts Clara learns
how long a text is, and drops the oldest turns of a conversation before it is sent.
"""

from __future__ import annotations

import asyncio
import logging
import math
import threading
import time
from collections.abc import Coroutine
from concurrent.futures import Future
from contextlib import aclosing, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from clara_brain.backend import Figures, OnDone, OnToken, Request, Ticket
from clara_brain.chat_request import Chunk, body_of, chunk_of, cleaned, path_of, turns_of
from clara_brain.decoding import Completion, Stop
from clara_brain.errors import (
    AdapterError,
    BackendError,
    BrainError,
    ContextOverflow,
    InvalidRequest,
    QueueFull,
    ShuttingDown,
)
from clara_brain.lora import LoadedAdapter
from clara_brain.model_info import ModelInfo
from clara_brain.openai_server import OpenAIServer
from clara_brain.readout import Embedding
from clara_brain.served_model import Kind, ServedModel, adapters_of, look_at
from clara_brain.settings import EngineSettings, ServerSettings
from clara_brain.text_stream import TextStream
from clara_brain.token_estimate import RAISE, TokenRate, fitted

_log = logging.getLogger(__name__)

T = TypeVar("T")

_MOST_TRIES_TO_FIT = 6
_LAST_RESOLVER_S = 2.0


class OpenAIBackend:
    """A model on a server of the OpenAI API. Of `engine`, slots, queue_size and n_ctx hold.

    Raises ModelError when the server cannot be used.
    """

    continues_text = False  # a server does not tell: its chat template decides

    def __init__(self, settings: ServerSettings, engine: EngineSettings | None = None) -> None:
        self.no_heads = self.heads_sha256 = ""
        engine = engine or EngineSettings()
        self._queue_size = engine.queue_size
        self.capacity = engine.queue_size + engine.slots
        self._server = OpenAIServer(settings)
        self._slots = asyncio.Semaphore(engine.slots)
        self._lock = threading.Lock()
        self._closing = False
        self._tasks: dict[Ticket, asyncio.Task[None] | None] = {}
        self._running: set[Ticket] = set()
        self._figures = Figures()
        self._rate = TokenRate()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._work, name="openai", daemon=True)
        self._thread.start()
        try:
            found = self._call(look_at(self._server, settings.server_model, engine.n_ctx))
            self.model: ServedModel = found.result()
        except BaseException:
            self.close()
            raise
        self.n_ctx = self.model.n_ctx
        self._control = self.model.control()

    @property
    def readouts(self) -> str:
        """Return nothing: a server does not give the states that governance heads read."""
        return ""

    @property
    def description(self) -> str:
        """Say in a line which model it is and where."""
        return (
            f"{self.model.name} on {self._server} ({self.model.kind.value},"
            f" {self.n_ctx} tokens of context)"
        )

    def submit(self, request: Request, on_token: OnToken, on_done: OnDone) -> Ticket:
        """Queue a request. Raises QueueFull and ShuttingDown at once."""
        ticket = Ticket(request, on_token, on_done, self._end)
        with self._lock:
            if self._closing:
                raise ShuttingDown("the backend is shutting down")
            if len(self._tasks) >= self.capacity:
                raise QueueFull(
                    f"{self._queue_size} requests are waiting, which is the most; try again later"
                )
            self._tasks[ticket] = None
            self._loop.call_soon_threadsafe(self._start, ticket)
        return ticket

    def complete(self, request: Request, on_token: OnToken | None = None) -> Completion:
        """Answer a request and wait for it: the plain way for scripts and tests."""
        done: Future[Completion] = Future()
        self.submit(request, on_token or (lambda delta: None), done.set_result)
        return done.result()

    def neutralise(self, text: str) -> str:
        """Replace what could be a control token of the model by a space. From any thread."""
        return self._control.sub(" ", text)

    def tokenize(self, text: str) -> Future[list[int]]:
        """Tokens of a text, in which control tokens are no such.

        The future raises BackendError where the server cannot tell, as only llama.cpp's can.
        """
        return self._call(self._tokenize(text))

    def count_tokens(self, text: str) -> int:
        """Tokens of a text, reckoned from what the server counted so far. From any thread."""
        return self._rate.count(text)

    def embed(self, text: str) -> Future[list[float]]:
        """Embed a text as a vector of length 1. The future raises BackendError."""
        return self._call(self._embed(text))

    def embed_span(self, text: str) -> Future[Embedding | None]:
        """Return nothing: a server does not give the states that governance heads read."""
        future: Future[Embedding | None] = Future()
        future.set_result(None)
        return future

    def forget(self, session: str) -> None:
        """Do nothing: what a server has evaluated is its own."""

    def load_adapter(self, name: str, path: str | Path) -> Future[LoadedAdapter]:
        """Refuse: a server loads its adapters itself. The future raises AdapterError."""
        return self._call(self._refuse_adapter("loaded"))

    def unload_adapter(self, name: str) -> Future[None]:
        """Refuse: a server keeps its adapters. The future raises AdapterError."""
        return self._call(self._refuse_adapter("unloaded"))

    def adapters(self) -> Future[tuple[LoadedAdapter, ...]]:
        """List the adapters that the server has loaded, by name."""
        future: Future[tuple[LoadedAdapter, ...]] = Future()
        future.set_result(tuple(each.adapter for each in self.model.adapters))
        return future

    def refuse_grammar(self) -> str:
        """Say why a grammar cannot be held to; empty when it can."""
        if self.model.kind is Kind.LLAMA_CPP:
            return ""
        return (
            f"{self._server} takes no grammar, as only llama.cpp's own does: serve the model by"
            " llama-server"
        )

    def figures(self) -> Figures:
        """Health figures as they stand."""
        with self._lock:
            running = len(self._running)
            return replace(self._figures, queued=len(self._tasks) - running, running=running)

    def model_info(self) -> ModelInfo:
        """Return what the server says of the model."""
        model = self.model
        said = (
            ("server.url", self._server.url),
            ("server.model", model.name),
            ("server.path", model.path),
        )
        return ModelInfo(
            path=f"{self._server.url}/v1",
            name=model.name,
            backend=f"{model.kind.value} server",
            context_length=model.n_ctx,
            bytes=model.bytes,
            quantization=model.quantization,
            parameters=model.parameters,
            trained_context_length=model.trained_n_ctx,
            metadata=tuple((key, value) for key, value in said if value),
        )

    def close(self) -> None:
        """Refuse new work, end what runs and waits, close all connections, join the thread.

        May be called twice.
        """
        with self._lock:
            if self._closing:
                return
            self._closing = True
        asyncio.run_coroutine_threadsafe(self._shut_down(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _work(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()

    def _call(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        with self._lock:
            if not self._closing:
                return asyncio.run_coroutine_threadsafe(work, self._loop)
        work.close()
        future: Future[T] = Future()
        future.set_exception(ShuttingDown("the backend is shutting down"))
        return future

    async def _shut_down(self) -> None:
        for ticket in list(self._tasks):
            self._stop(ticket, Stop.ERROR)
        rest = asyncio.all_tasks() - {asyncio.current_task()}
        answered = {task for task in self._tasks.values() if task}
        for task in rest - answered:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)
        await self._server.close()
        with suppress(asyncio.TimeoutError):
            # A name that is still being looked up holds a thread.
            await asyncio.wait_for(self._loop.shutdown_default_executor(), _LAST_RESOLVER_S)

    def _end(self, ticket: Ticket, how: Stop) -> None:
        with self._lock:
            if ticket in self._tasks and not self._closing:
                self._loop.call_soon_threadsafe(self._stop, ticket, how)

    def _start(self, ticket: Ticket) -> None:
        # asyncio itself keeps no task alive; from its first step on, `_tasks` does.
        self._loop.create_task(self._answer(ticket))

    def _stop(self, ticket: Ticket, how: Stop) -> None:
        if ticket.ending or ticket not in self._tasks:
            return
        ticket.ending = how
        # One that has not begun finds its end when it begins; cancelled now, it would never run.
        if task := self._tasks[ticket]:
            task.cancel()

    async def _answer(self, ticket: Ticket) -> None:
        """Answer one request, exactly once."""
        request, completion = ticket.request, Completion()
        reply = request.reply()
        deadline = request.deadline
        timer = deadline and self._loop.call_at(deadline, self._stop, ticket, Stop.DEADLINE)
        try:
            self._tasks[ticket] = asyncio.current_task()
            if ticket.ending:
                raise asyncio.CancelledError
            async with self._slots:
                self._running.add(ticket)
                completion.queued = time.monotonic() - ticket.accepted
                await self._complete(ticket, completion, reply)
        except asyncio.CancelledError:
            completion.stop = ticket.ending
            if ticket not in self._running:
                completion.queued = time.monotonic() - ticket.accepted
            if ticket.ending is Stop.ERROR:
                completion.error = ShuttingDown(
                    "the backend shut down before the turn was finished"
                )
        except BrainError as error:
            completion.stop, completion.error = Stop.ERROR, error
        except Exception as error:
            _log.exception("a request failed in a way nobody foresaw")
            completion.stop, completion.error = Stop.ERROR, BackendError(str(error))
        if timer:
            timer.cancel()
        completion.text = reply.text
        with self._lock:
            self._running.discard(ticket)
            del self._tasks[ticket]
            self._figures.count(completion)
        try:
            ticket.on_done(completion)
        except Exception:
            _log.exception("a completion's receiver failed")

    async def _complete(self, ticket: Ticket, completion: Completion, reply: TextStream) -> None:
        request = replace(ticket.request, prompt=cleaned(ticket.request.prompt, self.neutralise))
        refusal = self.refuse_grammar()
        if request.sampling.grammar and not request.sampling.json_schema and refusal:
            raise InvalidRequest(refusal)
        model = await self._model_now(request)
        rate = self._rate.value
        for left in reversed(range(_MOST_TRIES_TO_FIT)):
            completion.dropped_turns, size, count = fitted(request, model, rate)
            body = body_of(request, model, completion.dropped_turns, count)
            try:
                await self._stream(ticket, body, completion, reply)
            except ContextOverflow:
                all_dropped = completion.dropped_turns >= turns_of(request.prompt)
                if completion.completion_tokens or all_dropped or not left:
                    raise
                rate *= RAISE
            else:
                self._rate.learn(size, completion.prompt_tokens)
                return

    async def _model_now(self, request: Request) -> ServedModel:
        """Return the model with its adapters' numbers as the server gives them now.

        Raises AdapterError for a request under adapters where they are others than they were.
        """
        if not self.model.adapters:
            return self.model
        adapters = await adapters_of(self._server)
        known = [each.adapter for each in self.model.adapters]
        if request.adapters and [each.adapter for each in adapters] != known:
            names = ", ".join(each.adapter.name for each in adapters) or "none"
            raise AdapterError(
                f"{self._server} was started again with other adapters ({names}); configure the"
                " node again"
            )
        return replace(self.model, adapters=adapters)

    async def _stream(
        self, ticket: Ticket, body: dict[str, Any], completion: Completion, reply: TextStream
    ) -> None:
        events = self._server.stream(path_of(ticket.request.prompt), body)
        first = 0.0
        try:
            async with aclosing(events):
                async for event in events:
                    chunk = chunk_of(event)
                    if chunk.text:
                        now = time.monotonic()
                        first = first or now
                        completion.time_to_first_token = first - ticket.accepted
                        completion.generating = now - first
                        completion.completion_tokens += 1
                        self._tell(ticket, reply.push(chunk.text.encode("utf-8", "replace")))
                    _note(completion, chunk)
                    if reply.stopped:
                        completion.stop = Stop.STRING
                        return
                    if reply.replaced:
                        completion.stop = Stop.END
                        return
        finally:
            if first:  # else the same reply may be asked for again, and begins then
                self._tell(ticket, reply.finish())
        if completion.stop is Stop.NONE:
            raise BackendError(
                f"{self._server} ended the stream in the middle of the reply; try again"
            )

    def _tell(self, ticket: Ticket, delta: str) -> None:
        if delta:
            ticket.on_token(delta)

    async def _tokenize(self, text: str) -> list[int]:
        if self.model.kind is not Kind.LLAMA_CPP:
            raise BackendError(
                f"{self._server} does not tell tokens, as only llama.cpp's own does"
            )
        body = {"content": self.neutralise(text), "add_special": False, "parse_special": False}
        answer = await self._server.post("/tokenize", body)
        tokens = answer.get("tokens") if isinstance(answer, dict) else None
        if not isinstance(tokens, list) or not all(isinstance(token, int) for token in tokens):
            raise BackendError(f"{self._server} answered /tokenize without a list of tokens")
        return tokens

    async def _embed(self, text: str) -> list[float]:
        body = {"model": self.model.name, "input": self.neutralise(text)}
        answer = await self._server.post("/v1/embeddings", body)
        try:
            vector = [float(value) for value in answer["data"][0]["embedding"]]
            length = math.hypot(*vector)
        except (KeyError, IndexError, TypeError, ValueError):
            vector, length = [], 0.0
        if not length or not math.isfinite(length):
            raise BackendError(f"{self._server} answered /v1/embeddings without a vector")
        return [value / length for value in vector]

    async def _refuse_adapter(self, done: str) -> Any:
        raise AdapterError(
            f"adapters cannot be {done} from here: {self._server} has those that it was started"
            " with (llama-server --lora FILE); they can be scaled"
        )


def _note(completion: Completion, chunk: Chunk) -> None:
    """Take over what the server counted, which is more exact than the number of chunks."""
    if chunk.prompt_tokens:
        completion.prompt_tokens = chunk.prompt_tokens
        completion.cached_tokens = chunk.cached_tokens
    if chunk.completion_tokens:
        completion.completion_tokens = chunk.completion_tokens
    if chunk.stop:
        completion.stop = chunk.stop
