# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""The engine: one model, one worker thread, a bounded queue, several completions at once.

A request is accepted or refused at once, can be cancelled at any moment (queued, in prefill,
between tokens) and is answered exactly once, on the worker thread or on the thread that cancelled
it. Callbacks must not block.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from clara_brain import gguf, governance_file, model_info
from clara_brain.backend import Figures, OnDone, OnToken, Request, Ticket
from clara_brain.chat_template import ChatTemplate
from clara_brain.decoding import Completion, Decoder, Decoding, Stop
from clara_brain.errors import (
    AdapterError,
    BackendError,
    BrainError,
    GovernanceError,
    QueueFull,
    ShuttingDown,
)
from clara_brain.governance import Governance
from clara_brain.llama_runtime import LlamaRuntime
from clara_brain.lora import LoadedAdapter
from clara_brain.model_info import ModelInfo
from clara_brain.prompt import PromptBuilder
from clara_brain.readout import Embedding, Reading
from clara_brain.settings import EngineSettings

_log = logging.getLogger(__name__)

T = TypeVar("T")


class Engine:
    """Loads a model and answers requests on a thread of its own, `slots` of them at once.

    With `heads`, a file of governance heads of this model, completions have read-outs. Raises
    ModelError when the model cannot be used; heads that cannot be are no reason not to serve it:
    `no_heads` says in a sentence what is wrong with them. Heads that are not certain to beat their
    baselines are run with `unproven_heads` alone.
    """

    def __init__(
        self,
        path: str | Path,
        settings: EngineSettings | None = None,
        heads: str | Path | None = None,
        *,
        unproven_heads: bool = False,
    ) -> None:
        settings = settings or EngineSettings()
        self.path = Path(path)
        self.header = gguf.read_header(self.path)
        # Before it is loaded: a file that is put in its place later is not what was evaluated.
        fingerprint = model_info.fingerprint(self.path)
        self.settings = settings
        self.heads: Governance | None = None
        self.no_heads = ""
        if heads:
            try:
                self.heads = governance_file.load(
                    Path(heads), self.header, unproven=unproven_heads
                )
            except GovernanceError as error:
                self.no_heads = str(error)
        self.heads_sha256 = self.heads.sha256 if self.heads else ""
        read = self.heads is not None and bool(self.heads.heads)
        self._runtime = LlamaRuntime(self.path, settings, states=read)
        self._identity = self._runtime.identity(fingerprint)
        try:
            bos = self._runtime.bos_text()
            template = ChatTemplate(
                self._runtime.metadata("tokenizer.chat_template"),
                *(bos, self._runtime.eos_text()),
                continues_text=self._runtime.continues_text,
            )
        except BrainError:
            self._runtime.close()
            raise
        self._prompts = PromptBuilder(self._runtime, template, bos)
        self.n_ctx = self._runtime.n_ctx
        self.continues_text = self._runtime.continues_text
        self.capacity = settings.queue_size + settings.slots
        self._decoder = Decoder(self._runtime, settings.n_prefill_shared, settings.lookup)
        self._queue: deque[Ticket] = deque()
        self._running: set[Ticket] = set()
        self._jobs: deque[Callable[[], None]] = deque()
        self._closing = False
        self._model_info: ModelInfo | None = None
        self._changed = threading.Condition()
        self._figures = Figures(restored_sequences=self._restore())
        self._worker = threading.Thread(target=self._work, name="llama", daemon=True)
        self._worker.start()

    def submit(self, request: Request, on_token: OnToken, on_done: OnDone) -> Ticket:
        """Queue a request. Raises QueueFull and ShuttingDown at once."""
        ticket = Ticket(request, on_token, on_done, self._end)
        with self._changed:
            if self._closing:
                raise _shutting_down()
            # As many may run beside those that wait, also while the worker is about to take them.
            if len(self._queue) + len(self._running) >= self.capacity:
                raise QueueFull(
                    f"{self.settings.queue_size} requests are waiting, which is the most;"
                    " try again later"
                )
            if request.deadline is not None:
                wait = max(0.0, request.deadline - time.monotonic())
                ticket.timer = threading.Timer(wait, self._end, (ticket, Stop.DEADLINE))
                ticket.timer.daemon = True
                ticket.timer.start()
            self._queue.append(ticket)
            self._changed.notify()
        return ticket

    def complete(self, request: Request, on_token: OnToken | None = None) -> Completion:
        """Answer a request and wait for it: the plain way for scripts and tests."""
        done: Future[Completion] = Future()
        self.submit(request, on_token or (lambda delta: None), done.set_result)
        return done.result()

    def neutralise(self, text: str) -> str:
        """Replace every control token of the model in a text by a space. From any thread."""
        return self._prompts.neutralise(text)

    @property
    def readouts(self) -> str:
        """Say in a line which governance heads are run, or why none are; empty without any."""
        return self.heads.description if self.heads else self.no_heads

    @property
    def description(self) -> str:
        """Say in a line which model it is and where."""
        return (
            f"{self.path} ({self.header.architecture} {self.header.quantization},"
            f" {self.header.parameters:,} weights, {self.n_ctx} tokens of context)"
        )

    def tokenize(self, text: str) -> Future[list[int]]:
        """Tokens of a text, in which control tokens are no such. From any thread, at once.

        The future raises ShuttingDown where the model may be freed already.
        """
        future: Future[list[int]] = Future()
        text = self._prompts.neutralise(text)
        with self._changed:
            if self._closing:
                future.set_exception(_shutting_down())
            else:
                future.set_result(self._runtime.tokenize(text, add_special=False))
        return future

    def count_tokens(self, text: str) -> int:
        """Tokens of a text, as the model counts them. From any thread. Raises ShuttingDown."""
        return len(self.tokenize(text).result())

    def embed(self, text: str) -> Future[list[float]]:
        """Embed a text: the mean of its last hidden states, of length 1."""
        return self._call(lambda: self._runtime.embed(self._prompts.neutralise(text)))

    def embed_span(self, text: str) -> Future[Embedding | None]:
        """Embed a text by the memory head, which reads it by itself; None without one.

        None as well for a text without tokens.
        """
        memory = self.heads.memory if self.heads else None
        if memory is None:
            future: Future[Embedding | None] = Future()
            future.set_result(None)
            return future

        def work() -> Embedding | None:
            read = self._runtime.mean_state(self._prompts.neutralise(text))
            return Embedding(memory.embed(*read), memory.threshold) if read else None

        return self._call(work)

    def forget(self, session: str) -> None:
        """Give up what was evaluated for a conversation, also what is on disk. From any thread."""
        cache, folder = self._runtime.cache, self.settings.cache_path
        self._call(lambda: cache.forget_session(session, folder))

    def load_adapter(self, name: str, path: str | Path) -> Future[LoadedAdapter]:
        """Load a LoRA adapter; it has no effect on requests that do not name it.

        The future raises AdapterError.
        """

        def load() -> LoadedAdapter:
            adapter = self._runtime.adapters.load(name, Path(path))
            self._runtime.cache.adapter_loaded(name, adapter.fingerprint)
            return adapter

        return self._call(load)

    def unload_adapter(self, name: str) -> Future[None]:
        """Free an adapter. The future raises AdapterError, also while a reply needs it or will."""

        def unload() -> None:
            with self._changed:
                waits = any(name in dict(each.request.adapters) for each in self._queue)
            if waits or self._decoder.uses(name):
                raise AdapterError(
                    f"adapter {name!r} is in force for a reply under way; try again later"
                )
            self._runtime.adapters.unload(name)
            self._runtime.cache.forget(name)

        return self._call(unload)

    def adapters(self) -> Future[tuple[LoadedAdapter, ...]]:
        """List the adapters, by name."""
        return self._call(lambda: self._runtime.adapters.loaded)

    def refuse_grammar(self) -> str:
        """Return nothing: llama.cpp holds to any grammar."""
        return ""

    def model_info(self) -> ModelInfo:
        """Lineage of the model; reads all of a file not hashed before. Raises ModelError."""
        # Once: a file that is put in its place later is not what is loaded.
        if self._model_info is None:
            info = model_info.of_file(self.path, self.header, self.n_ctx)
            self._model_info = replace(info, heads=self.heads, no_heads=self.no_heads)
        return self._model_info

    def figures(self) -> Figures:
        """Health figures as they stand."""
        with self._changed:
            return replace(self._figures, queued=len(self._queue), running=len(self._running))

    def close(self) -> None:
        """Refuse new work, end what runs and waits, join the worker, free the model.

        The KV cache is saved where the settings say so. May be called twice.
        """
        with self._changed:
            self._closing = True
            tickets = [*self._queue, *self._running]
            self._changed.notify()
        for ticket in tickets:
            self._end(ticket, Stop.ERROR)
        self._worker.join()
        self._runtime.close()

    def _call(self, work: Callable[[], T]) -> Future[T]:
        """Have the worker do something between two steps."""
        future: Future[T] = Future()

        def job() -> None:
            try:
                future.set_result(work())
            except Exception as error:
                future.set_exception(error)

        with self._changed:
            if self._closing:
                future.set_exception(_shutting_down())
            else:
                self._jobs.append(job)
                self._changed.notify()
        return future

    def _end(self, ticket: Ticket, how: Stop) -> None:
        with self._changed:
            if ticket in self._queue:
                self._queue.remove(ticket)
            elif ticket in self._running:
                ticket.ending = ticket.ending or how
                self._runtime.abort(True)
                return
            else:
                return
        ticket.ending = how
        self._answer(ticket, Completion(queued=time.monotonic() - ticket.accepted))

    def _answer(self, ticket: Ticket, completion: Completion) -> None:
        if ticket.ending and completion.stop is Stop.NONE:
            completion.stop = ticket.ending
            if ticket.ending is Stop.ERROR:
                completion.error = ShuttingDown(
                    "the engine shut down before the turn was finished"
                )
        if ticket.timer:
            ticket.timer.cancel()
        with self._changed:
            self._running.discard(ticket)
            self._figures.count(completion)
        try:
            ticket.on_done(completion)
        except Exception:
            _log.exception("a completion's receiver failed")

    def _work(self) -> None:
        while self._wait():
            jobs, tickets = self._next()
            for job in jobs:
                job()
            for ticket in tickets:
                self._begin(ticket)
            try:
                self._decoder.step()
            except Exception as error:
                _log.exception("a step failed in a way nobody foresaw")
                self._decoder.fail(BackendError(str(error)))
        self._save()

    def _wait(self) -> bool:
        """Wait for work; False when there will be none any more."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._queue or self._jobs or self._decoder.busy or self._closing
            )
            return bool(self._queue or self._jobs or self._decoder.busy or not self._closing)

    def _next(self) -> tuple[list[Callable[[], None]], list[Ticket]]:
        with self._changed:
            jobs = list(self._jobs)
            self._jobs.clear()
            tickets = []
            for _ in range(min(len(self._queue), self._runtime.cache.free)):
                tickets.append(self._queue.popleft())
                self._running.add(tickets[-1])
            # Who cancels from here on finds the ticket running, and sets the flag again.
            self._runtime.abort(False)
        return jobs, tickets

    def _begin(self, ticket: Ticket) -> None:
        request, runtime = ticket.request, self._runtime
        completion = Completion(queued=time.monotonic() - ticket.accepted)
        sampler = None
        try:
            tokens, completion.dropped_turns = self._prompts.build(
                request.prompt, request.max_tokens
            )
            completion.prompt_tokens = len(tokens)
            sampler = runtime.sampler(request.sampling)
            runtime.adapters.use(request.adapters)
            slot, completion.cached_tokens = runtime.cache.acquire(
                tokens, request.adapters, request.session
            )
        except Exception as error:
            if sampler:
                sampler.close()
            if not isinstance(error, BrainError):
                _log.exception("a request failed in a way nobody foresaw")
                error = BackendError(str(error))
            completion.stop, completion.error = Stop.ERROR, error
            self._answer(ticket, completion)
            return
        self._decoder.begin(
            Decoding(
                slot,
                sampler,
                request.reply(),
                tokens,
                min(request.max_tokens, self.n_ctx - len(tokens)),
                completion,
                ticket.accepted,
                ticket.on_token,
                lambda: bool(ticket.ending),
                lambda: self._answer(ticket, completion),
                Reading(self.heads, len(tokens)) if request.read and self.heads else None,
            )
        )

    def _restore(self) -> int:
        folder = self.settings.cache_path
        return self._runtime.cache.load(folder, self._identity) if folder else 0

    def _save(self) -> None:
        folder = self.settings.cache_path
        if not folder:
            return
        try:
            self._runtime.cache.save(folder, self._identity, self.settings.cache_bytes)
        except (OSError, BrainError) as error:
            _log.warning("the KV cache could not be saved: %s", error)


def _shutting_down() -> ShuttingDown:
    return ShuttingDown("the engine is shutting down")
