# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""What the rest of the brain asks of a model, wherever that runs.

There are two backends: `engine` has the model in this process, `openai_backend` reaches one on a
server. A request is accepted or refused at once and answered exactly once, from another thread.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from clara_brain.decoding import Completion, Stop
from clara_brain.errors import BackendError
from clara_brain.kv_cache import AdapterScales
from clara_brain.lora import LoadedAdapter
from clara_brain.model_info import ModelInfo
from clara_brain.prompt import ChatPrompt, RawPrompt
from clara_brain.readout import Embedding
from clara_brain.reply_guard import NoPromise
from clara_brain.sampler import SamplerSettings
from clara_brain.text_stream import TextStream


@dataclass(frozen=True)
class Request:
    """One completion. `deadline` is a time of time.monotonic(), or None.

    `adapters` are in force for this completion alone, whatever is set meanwhile. `session` is the
    conversation that it belongs to, empty for none. With `read` the read-outs of governance heads
    are wanted. With `no_promise` the reply is not to promise an act.
    """

    prompt: ChatPrompt | RawPrompt
    sampling: SamplerSettings
    max_tokens: int
    stop: tuple[str, ...] = ()
    deadline: float | None = None
    adapters: AdapterScales = ()
    session: str = ""
    read: bool = False
    no_promise: NoPromise | None = None

    def reply(self) -> TextStream:
        """Return what the reply is to be read through."""
        chats = isinstance(self.prompt, ChatPrompt)
        return TextStream(self.stop, thinks=chats, no_promise=self.no_promise)


OnToken = Callable[[str], None]
OnDone = Callable[[Completion], None]


class Ticket:
    """A request on its way; `cancel` ends it at the next token at the latest."""

    def __init__(
        self,
        request: Request,
        on_token: OnToken,
        on_done: OnDone,
        end: Callable[[Ticket, Stop], None],
    ) -> None:
        self.request = request
        self.on_token = on_token
        self.on_done = on_done
        self.accepted = time.monotonic()
        self.ending: Stop = Stop.NONE
        self.timer: threading.Timer | None = None
        self._end = end

    def cancel(self, how: Stop = Stop.CANCELED) -> None:
        """End the request.

        Nothing happens when it has ended already. Stop.ERROR means a shutdown.
        """
        self._end(self, how)


@dataclass
class Figures:
    """Figures for health reports.

    `queued` requests wait and `running` ones are being answered. `restored_sequences` of the KV
    cache were found on disk at the start. `failing` says how the model failed last; empty once it
    answered again.
    """

    queued: int = 0
    running: int = 0
    last_tokens_per_second: float = 0.0
    restored_sequences: int = 0
    failing: str = ""

    def count(self, completion: Completion) -> None:
        """Take in a completion that was answered."""
        if completion.tokens_per_second:
            self.last_tokens_per_second = completion.tokens_per_second
        if isinstance(completion.error, BackendError):
            self.failing = str(completion.error)
        elif completion.completion_tokens:
            self.failing = ""


class Backend(Protocol):
    """A model that answers requests. `n_ctx` is what one conversation may have, in tokens.

    `capacity` requests at most are under way or waiting. `continues_text`: it has learned no
    conversation. `no_heads` says why governance heads that are there are not used, `heads_sha256`
    is of the file of those that are. Futures are resolved on a thread of the backend.
    """

    n_ctx: int
    capacity: int
    continues_text: bool
    no_heads: str
    heads_sha256: str

    @property
    def readouts(self) -> str:
        """Say in a line which governance heads are run, or why none are; empty without any."""

    @property
    def description(self) -> str:
        """Say in a line which model it is and where."""

    def submit(self, request: Request, on_token: OnToken, on_done: OnDone) -> Ticket:
        """Queue a request. Raises QueueFull and ShuttingDown at once."""

    def neutralise(self, text: str) -> str:
        """Replace every control token of the model in a text by a space. From any thread."""

    def tokenize(self, text: str) -> Future[list[int]]:
        """Tokens of a text, in which control tokens are no such."""

    def count_tokens(self, text: str) -> int:
        """Tokens of a text, as near as can be told at once. From any thread."""

    def embed(self, text: str) -> Future[list[float]]:
        """Embed a text as a vector of length 1."""

    def embed_span(self, text: str) -> Future[Embedding | None]:
        """Embed a text by the memory head; None without one."""

    def forget(self, session: str) -> None:
        """Give up what was evaluated for a conversation. From any thread."""

    def load_adapter(self, name: str, path: str | Path) -> Future[LoadedAdapter]:
        """Load a LoRA adapter. The future raises AdapterError."""

    def unload_adapter(self, name: str) -> Future[None]:
        """Free an adapter. The future raises AdapterError."""

    def adapters(self) -> Future[tuple[LoadedAdapter, ...]]:
        """List the adapters, by name."""

    def refuse_grammar(self) -> str:
        """Say why a grammar cannot be held to; empty when it can."""

    def figures(self) -> Figures:
        """Health figures as they stand."""

    def model_info(self) -> ModelInfo:
        """Lineage of the model; may take seconds. Raises ModelError."""

    def close(self) -> None:
        """Refuse new work, end what runs and waits, free everything. May be called twice."""
