# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Decode several completions at once: each step is one batch with the next tokens of all.

Those that generate come first in a batch, a token each (more with lookup decoding); the rest of it
is filled with prompts, a small share while others generate, so that a long prompt never holds them
up for long. Completions under other adapters take turns, for adapters rule a whole batch.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum

from clara_brain.errors import BackendError, BrainError
from clara_brain.kv_cache import Slot
from clara_brain.llama_runtime import Aborted, LlamaRuntime, Piece
from clara_brain.lookup import Lookup
from clara_brain.readout import Reading, Readout
from clara_brain.sampler import Sampler
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


@dataclass
class Completion:
    """What became of a request.

    Times in seconds; `error` says what went wrong, None when nothing did. `readout` is there where
    it was asked for and the model has governance heads.
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
    readout: Readout | None = None

    @property
    def tokens_per_second(self) -> float:
        """Tokens after the first, by the time they took; 0 with fewer than two tokens."""
        if self.completion_tokens < 2 or self.generating <= 0:
            return 0.0
        return (self.completion_tokens - 1) / self.generating


@dataclass
class Decoding:
    """A completion on its sequence of the KV cache.

    `tokens` are all that are known, prompt and reply: those beyond what the slot holds are still
    to be evaluated. `accepted` is a time of time.monotonic(); `ended` asks whether the completion
    was cancelled meanwhile.
    """

    slot: Slot
    sampler: Sampler
    stream: TextStream
    tokens: list[int]
    limit: int
    completion: Completion
    accepted: float
    on_token: Callable[[str], None]
    ended: Callable[[], bool]
    on_end: Callable[[], None]
    reading: Reading | None = None
    lookup: Lookup | None = None
    stepped: int = 0
    first_token: float = 0.0

    @property
    def generating(self) -> bool:
        """Whether the prompt is evaluated."""
        return self.completion.completion_tokens > 0

    def take(self, token: int, is_end: bool, piece: bytes) -> bool:
        """Add a chosen token to the reply; return whether the reply goes on."""
        completion, now = self.completion, time.monotonic()
        if not completion.completion_tokens:
            self.first_token = now
            completion.time_to_first_token = now - self.accepted
        completion.generating = now - self.first_token
        if is_end:
            completion.stop = Stop.END
            return False
        completion.completion_tokens += 1
        self.tokens.append(token)
        if delta := self.stream.push(piece):
            self.on_token(delta)
        if self.stream.stopped:
            completion.stop = Stop.STRING
        elif self.stream.replaced:
            completion.stop = Stop.END
        elif completion.completion_tokens >= self.limit:
            completion.stop = Stop.LENGTH
        return completion.stop is Stop.NONE


class Decoder:
    """The completions under way. All methods belong to the engine's thread."""

    def __init__(self, runtime: LlamaRuntime, prefill_shared: int, lookup: int) -> None:
        self._runtime = runtime
        self._prefill_shared = prefill_shared
        self._lookup = lookup
        self._under_way: list[Decoding] = []
        self._steps = 0

    @property
    def busy(self) -> bool:
        """Whether a completion is under way."""
        return bool(self._under_way)

    def uses(self, adapter: str) -> bool:
        """Whether a completion under way is ruled by an adapter."""
        return any(adapter == name for each in self._under_way for name, _ in each.slot.adapters)

    def begin(self, decoding: Decoding) -> None:
        """Take in a completion whose slot was acquired."""
        if self._lookup:
            decoding.lookup = Lookup(decoding.tokens)
        self._under_way.append(decoding)

    def step(self) -> None:
        """Decode one batch, and end what is finished, cancelled or failed."""
        for decoding in [each for each in self._under_way if each.ended()]:
            self._end(decoding)
        if not self._under_way:
            return
        self._steps += 1
        longest_waiting = min(self._under_way, key=lambda each: each.stepped)
        adapters = longest_waiting.slot.adapters
        group = [each for each in self._under_way if each.slot.adapters == adapters]
        batch = self._batch(group)
        try:
            self._runtime.adapters.use(adapters)
            places = self._runtime.decode([piece for _, piece in batch])
        except Aborted:
            return  # the next step goes on without those that were cancelled
        except BrainError as error:
            for decoding in group:
                self._end(decoding, error)
            return
        for (decoding, piece), place in zip(batch, places, strict=True):
            decoding.stepped = self._steps
            if piece.outputs:
                self._take(decoding, piece, place)

    def fail(self, error: BrainError) -> None:
        """End everything with an error."""
        for decoding in list(self._under_way):
            self._end(decoding, error)

    def _batch(self, group: Sequence[Decoding]) -> list[tuple[Decoding, Piece]]:
        """Choose what is evaluated next: a piece for each, as far as the batch has room."""
        generating = [each for each in group if each.generating]
        room = self._runtime.n_batch
        batch = []
        for decoding in generating:
            tokens = decoding.tokens[len(decoding.slot.tokens) :]
            # After an aborted step a model that cannot go back evaluates its whole text again.
            tokens, outputs = tokens[:room], int(len(tokens) <= room)
            if decoding.lookup and outputs:
                left = min(
                    room - len(tokens),
                    decoding.limit - decoding.completion.completion_tokens - 1,
                    self._lookup,
                )
                guesses = decoding.lookup.guess(decoding.tokens, left)
                tokens, outputs = tokens + guesses, outputs + len(guesses)
            if tokens:
                batch.append((decoding, Piece(decoding.slot, tokens, outputs)))
                room -= len(tokens)
        if generating:
            room = min(room, self._prefill_shared)
        for decoding in group:
            if not decoding.generating and room > 0:
                rest = decoding.tokens[len(decoding.slot.tokens) :]
                piece = Piece(decoding.slot, rest[:room], int(len(rest) <= room))
                batch.append((decoding, piece))
                room -= len(piece.tokens)
        return batch

    def _take(self, decoding: Decoding, piece: Piece, place: int) -> None:
        """Choose tokens from the logits of a piece, as far as its guesses were right."""
        runtime, slot = self._runtime, decoding.slot
        guesses = piece.tokens[len(piece.tokens) - piece.outputs + 1 :]
        goes_on = True
        try:
            for offset in range(piece.outputs):
                token = runtime.choose(decoding.sampler, place + offset)
                is_end = runtime.is_end(token)
                if decoding.reading and not is_end:
                    self._read(decoding.reading, decoding.stream.decoded, place + offset)
                goes_on = decoding.take(token, is_end, runtime.piece(token))
                if not goes_on or offset == len(guesses) or guesses[offset] != token:
                    break
        except BrainError as error:
            self._end(decoding, error)
            return
        except Exception as error:
            _log.exception("a completion failed in a way nobody foresaw")
            self._end(decoding, BackendError(str(error)))
            return
        if guesses:
            held = len(decoding.tokens) - (decoding.completion.stop is not Stop.END)
            runtime.cache.cut(slot, min(held, len(slot.tokens)))
        if not goes_on:
            self._end(decoding)

    def _read(self, reading: Reading, offset: int, place: int) -> None:
        reading.add(offset, self._runtime.entropy(place) if reading.takes_entropy else 0.0)

    def _end(self, decoding: Decoding, error: BrainError | None = None) -> None:
        self._under_way.remove(decoding)
        decoding.sampler.close()
        states, held = decoding.slot.states, len(decoding.slot.tokens)
        self._runtime.cache.release(decoding.slot)
        completion = decoding.completion
        if error:
            completion.stop, completion.error = Stop.ERROR, error
        if rest := decoding.stream.finish():
            decoding.on_token(rest)
        completion.text = decoding.stream.text
        of_model = decoding.generating and not decoding.stream.replaced
        if decoding.reading and states is not None and of_model:
            completion.readout = decoding.reading.finish(
                decoding.tokens, states, held, len(completion.text)
            )
        decoding.on_end()
