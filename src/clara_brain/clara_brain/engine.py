# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""The engine: one model, one worker thread, a bounded queue of turns.

A turn is accepted or refused at once, can be cancelled at any moment (queued, in prefill, between
tokens) and is answered exactly once, on the worker thread or on the thread that cancelled it.
Callbacks must not block.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path

from clara_brain import gguf
from clara_brain.chat_template import ChatTemplate
from clara_brain.errors import BackendError, BrainError, QueueFull, ShuttingDown
from clara_brain.llama_runtime import Aborted, LlamaRuntime, Sampler, SamplerSettings, Slot
from clara_brain.prompt import ChatPrompt, PromptBuilder, RawPrompt
from clara_brain.settings import EngineSettings
from clara_brain.text_stream import TextStream

_log = logging.getLogger(__name__)


class Stop(IntEnum):
    """Why a turn ended; the numbers are those of the Chat action."""

    NONE = 0
    END = 1
    LENGTH = 2
    STRING = 3
    CANCELED = 4
    DEADLINE = 5
    ERROR = 6


@dataclass(frozen=True)
class Request:
    """One completion. `deadline` is a time of time.monotonic(), or None."""

    prompt: ChatPrompt | RawPrompt
    sampling: SamplerSettings
    max_tokens: int
    stop: tuple[str, ...] = ()
    deadline: float | None = None


@dataclass
class Completion:
    """What became of a request.

    Times in seconds; `error` says what went wrong, None when nothing did.
    """

    text: str = ""
    stop: Stop = Stop.NONE
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    dropped_turns: int = 0
    queued: float = 0.0
    time_to_first_token: float = 0.0
    generating: float = 0.0
    error: BrainError | None = None

    @property
    def tokens_per_second(self) -> float:
        """Tokens after the first, by the time they took; 0 with fewer than two tokens."""
        if self.completion_tokens < 2 or self.generating <= 0:
            return 0.0
        return (self.completion_tokens - 1) / self.generating


OnToken = Callable[[str], None]
OnDone = Callable[[Completion], None]


class Ticket:
    """A request on its way; `cancel` ends it at the next token at the latest."""

    def __init__(
        self, engine: Engine, request: Request, on_token: OnToken, on_done: OnDone
    ) -> None:
        self.request = request
        self.on_token = on_token
        self.on_done = on_done
        self.accepted = time.monotonic()
        self.ending: Stop = Stop.NONE
        self.timer: threading.Timer | None = None
        self._engine = engine

    def cancel(self, how: Stop = Stop.CANCELED) -> None:
        """End the request.

        Nothing happens when it has ended already. Stop.ERROR means a shutdown.
        """
        self._engine._end(self, how)


@dataclass
class EngineFigures:
    """Figures for health reports."""

    queued: int = 0
    busy: bool = False
    completions: int = 0
    last_tokens_per_second: float = 0.0
    last_error: str = field(default="")


class Engine:
    """Loads a model and answers requests one after another on a thread of its own.

    Raises ModelError when the model cannot be used.
    """

    def __init__(self, path: str | Path, settings: EngineSettings | None = None) -> None:
        settings = settings or EngineSettings()
        self.path = Path(path)
        self.header = gguf.read_header(self.path)
        self.settings = settings
        self._runtime = LlamaRuntime(
            self.path,
            n_ctx=settings.n_ctx,
            slots=settings.slots,
            n_batch=settings.n_batch,
            n_threads=settings.threads(),
            n_gpu_layers=settings.n_gpu_layers,
        )
        try:
            bos = self._runtime.bos_text()
            template = ChatTemplate(
                self._runtime.metadata("tokenizer.chat_template"), bos, self._runtime.eos_text()
            )
        except BrainError:
            self._runtime.close()
            raise
        self._prompts = PromptBuilder(self._runtime, template, bos)
        self.n_ctx = self._runtime.n_ctx
        self._queue: deque[Ticket] = deque()
        self._running: Ticket | None = None
        self._closing = False
        self._changed = threading.Condition()
        self._figures = EngineFigures()
        self._worker = threading.Thread(target=self._work, name="llama", daemon=True)
        self._worker.start()

    def submit(self, request: Request, on_token: OnToken, on_done: OnDone) -> Ticket:
        """Queue a request. Raises QueueFull and ShuttingDown at once."""
        ticket = Ticket(self, request, on_token, on_done)
        with self._changed:
            if self._closing:
                raise ShuttingDown("the engine is shutting down")
            # One may run beside those that wait, also while the worker is about to take it.
            if len(self._queue) + (self._running is not None) > self.settings.queue_size:
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
        done = threading.Event()
        result: list[Completion] = []

        def finish(completion: Completion) -> None:
            result.append(completion)
            done.set()

        self.submit(request, on_token or (lambda delta: None), finish)
        done.wait()
        return result[0]

    def neutralise(self, text: str) -> str:
        """Replace every control token of the model in a text by a space. From any thread."""
        return self._prompts.neutralise(text)

    def count_tokens(self, text: str) -> int:
        """Tokens of a text, as the model counts them. From any thread."""
        return len(self._runtime.tokenize(self._prompts.neutralise(text), add_special=False))

    def figures(self) -> EngineFigures:
        """Health figures as they stand."""
        with self._changed:
            figures = self._figures
            return EngineFigures(
                len(self._queue),
                self._running is not None,
                figures.completions,
                figures.last_tokens_per_second,
                figures.last_error,
            )

    def close(self) -> None:
        """Refuse new work, end what runs and waits, join the worker, free the model.

        May be called twice.
        """
        with self._changed:
            self._closing = True
            tickets = [*self._queue, *([self._running] if self._running else [])]
            self._changed.notify()
        for ticket in tickets:
            self._end(ticket, Stop.ERROR)
        self._worker.join()
        self._runtime.close()

    def _end(self, ticket: Ticket, how: Stop) -> None:
        with self._changed:
            if ticket in self._queue:
                self._queue.remove(ticket)
            elif ticket is self._running:
                ticket.ending = ticket.ending or how
                self._runtime.abort(True)
                return
            else:
                return
        ticket.ending = how
        self._answer(
            ticket, self._ended(ticket, Completion(queued=time.monotonic() - ticket.accepted))
        )

    def _ended(self, ticket: Ticket, completion: Completion) -> Completion:
        completion.stop = ticket.ending
        if ticket.ending is Stop.ERROR:
            completion.error = ShuttingDown("the engine shut down before the turn was finished")
        return completion

    def _answer(self, ticket: Ticket, completion: Completion) -> None:
        if ticket.timer:
            ticket.timer.cancel()
        with self._changed:
            self._figures.completions += 1
            if completion.tokens_per_second:
                self._figures.last_tokens_per_second = completion.tokens_per_second
            if completion.error:
                self._figures.last_error = str(completion.error)
        try:
            ticket.on_done(completion)
        except Exception:
            _log.exception("a completion's receiver failed")

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._queue or self._closing)
                if self._closing and not self._queue:
                    return
                ticket = self._running = self._queue.popleft()
                self._runtime.abort(False)
            completion = Completion(queued=time.monotonic() - ticket.accepted)
            try:
                self._run(ticket, completion)
            except BrainError as error:
                completion.stop, completion.error = Stop.ERROR, error
            except Exception as error:
                _log.exception("a turn failed in a way nobody foresaw")
                completion.stop, completion.error = Stop.ERROR, BackendError(str(error))
            with self._changed:
                self._running = None
            self._answer(ticket, completion)

    def _run(self, ticket: Ticket, completion: Completion) -> None:
        request, runtime = ticket.request, self._runtime
        tokens, completion.dropped_turns = self._prompts.build(request.prompt, request.max_tokens)
        completion.prompt_tokens = len(tokens)
        stream = TextStream(request.stop)
        with contextlib.closing(runtime.sampler(request.sampling)) as sampler:
            slot, completion.cached_tokens = runtime.slot_for(tokens)
            limit = min(request.max_tokens, self.n_ctx - len(tokens))
            try:
                runtime.prefill(slot, tokens[completion.cached_tokens :])
                completion.stop = self._generate(ticket, completion, sampler, slot, stream, limit)
            except Aborted:
                self._ended(ticket, completion)
        if rest := stream.finish():
            ticket.on_token(rest)
        completion.text = stream.text

    def _generate(
        self,
        ticket: Ticket,
        completion: Completion,
        sampler: Sampler,
        slot: Slot,
        stream: TextStream,
        limit: int,
    ) -> Stop:
        runtime, on_token = self._runtime, ticket.on_token
        first = 0.0
        while not ticket.ending:
            token = sampler.next()
            now = time.monotonic()
            if not completion.completion_tokens:
                first = now
                completion.time_to_first_token = now - ticket.accepted
            completion.generating = now - first
            if runtime.is_end(token):
                return Stop.END
            completion.completion_tokens += 1
            if delta := stream.push(runtime.piece(token)):
                on_token(delta)
            if stream.stopped:
                return Stop.STRING
            if completion.completion_tokens >= limit:
                return Stop.LENGTH
            runtime.append(slot, token)
        self._ended(ticket, completion)
        return completion.stop
