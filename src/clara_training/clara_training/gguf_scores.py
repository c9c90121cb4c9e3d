# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""A GGUF in llama.cpp, asked how likely texts are, with LoRA adapters at any scale.

Several replies to one prompt are evaluated in one batch and share the prompt's KV cache. This is
what will run on the robot, so what is measured here is what ships.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np

from clara_training import packages
from clara_training.errors import ExportError

if TYPE_CHECKING:
    from numpy.typing import NDArray

_log: list[str] = []
_keep: list[Any] = []  # llama.cpp holds the callback: a collected one would crash the process
MOST_REPLIES = 8


def llama() -> Any:
    """Return llama_cpp, its log caught in `log_lines`."""
    llama_cpp = packages.load("llama_cpp", "judging a GGUF")
    if not _keep:

        @llama_cpp.llama_log_callback  # type: ignore[untyped-decorator]
        def note(level: int, text: bytes, user_data: object) -> None:
            _log.append(text.decode("utf-8", "replace"))
            del _log[:-4000]

        _keep.append(note)
        llama_cpp.llama_log_set(note, ctypes.c_void_p(0))
        llama_cpp.llama_backend_init()
    return llama_cpp


def log_lines() -> list[str]:
    """Return what llama.cpp has said since the last call."""
    lines = "".join(_log).splitlines()
    _log.clear()
    return lines


class GgufScores:
    """A loaded model. `n_ctx` is the longest text in tokens. Raises ExportError."""

    def __init__(
        self, path: Path, *, n_ctx: int = 1024, threads: int = 0, vocab_only: bool = False
    ) -> None:
        self._cpp = cpp = llama()
        self._context: Any = None
        self._adapters: dict[str, Any] = {}
        params = cpp.llama_model_default_params()
        params.vocab_only = vocab_only
        self._model = cpp.llama_model_load_from_file(os.fsencode(path), params)
        if not self._model:
            raise ExportError(f"llama.cpp could not load {path}: {last_complaint()}")
        self._vocab = cpp.llama_model_get_vocab(self._model)
        self.n_vocab = int(cpp.llama_vocab_n_tokens(self._vocab))
        self.n_ctx = n_ctx
        # A model with learned positions has no others; llama.cpp ends the process at the next one.
        self.positions = int(cpp.llama_model_n_ctx_train(self._model))
        if not vocab_only:
            self._open(threads or len(os.sched_getaffinity(0)))

    def _open(self, threads: int) -> None:
        cpp = self._cpp
        params = cpp.llama_context_default_params()
        params.n_ctx = params.n_batch = self.n_ctx
        params.n_ubatch = min(512, self.n_ctx)
        params.n_seq_max = MOST_REPLIES
        params.kv_unified = True
        params.n_outputs_max_per_seq = self.n_ctx
        params.n_threads = params.n_threads_batch = threads
        self._context = cpp.llama_init_from_model(self._model, params)
        if not self._context:
            self.close()
            raise ExportError(f"llama.cpp could not make a context: {last_complaint()}")
        self._batch = cpp.llama_batch_init(self.n_ctx, 0, MOST_REPLIES)

    def close(self) -> None:
        """Free everything."""
        cpp = self._cpp
        for adapter in self._adapters.values():
            cpp.llama_adapter_lora_free(adapter)
        self._adapters.clear()
        if self._context:
            cpp.llama_batch_free(self._batch)
            cpp.llama_free(self._context)
        if self._model:
            cpp.llama_model_free(self._model)
        self._context = self._model = None

    def __enter__(self) -> GgufScores:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def load_adapter(self, name: str, path: Path) -> None:
        """Load a LoRA adapter; it has no effect before `use`. Raises ExportError."""
        adapter = self._cpp.llama_adapter_lora_init(self._model, os.fsencode(path))
        if not adapter:
            raise ExportError(f"llama.cpp could not load the adapter {path}: {last_complaint()}")
        self._adapters[name] = adapter

    def use(self, scales: Mapping[str, float]) -> None:
        """Put adapters in force, by name; all others are silent. KeyError for unknown names."""
        pairs = [(self._adapters[name], scale) for name, scale in scales.items() if scale]
        handles = (self._cpp.llama_adapter_lora_p_ctypes * len(pairs))(*(h for h, _ in pairs))
        values = (ctypes.c_float * len(pairs))(*(scale for _, scale in pairs))
        if self._cpp.llama_set_adapters_lora(self._context, handles, len(pairs), values):
            raise ExportError(f"llama.cpp refused the scales {dict(scales)}")

    def tokens(self, text: str, *, add_special: bool = False) -> list[int]:
        """Tokenise; control tokens written in the text are understood as such."""
        data = text.encode("utf-8")
        size = len(data) + 8
        buffer = (self._cpp.llama_token * size)()
        count = self._cpp.llama_tokenize(
            self._vocab, data, len(data), buffer, size, add_special, True
        )
        if count < 0:
            raise ExportError(f"llama.cpp could not tokenise a text of {len(data)} bytes")
        return list(buffer[:count])

    def metadata(self, key: str) -> str | None:
        """Value of a metadata key as text; None when it is absent."""
        buffer = ctypes.create_string_buffer(1 << 16)
        length = self._cpp.llama_model_meta_val_str(self._model, key.encode(), buffer, len(buffer))
        return None if length < 0 else buffer.value.decode("utf-8", "replace")

    def logits(self, tokens: Sequence[int]) -> NDArray[np.float32]:
        """Logits after each token of a text, (tokens, vocabulary).

        ExportError for one that is longer than `positions`.
        """
        self._clear()
        self._check(len(tokens))
        for place, token in enumerate(tokens):
            self._put(place, token, place, (0,), wanted=True)
        return self._decode(len(tokens))

    def generate(self, prompt: Sequence[int], count: int) -> list[int]:
        """Go on from a prompt with the likeliest tokens, `count` at most, up to the turn's end."""
        self._clear()
        self._check(len(prompt))
        for place, token in enumerate(prompt):
            self._put(place, token, place, (0,), wanted=place == len(prompt) - 1)
        at = len(prompt)
        found: list[int] = []
        logits = self._decode(len(prompt))
        while len(found) < count:
            token = int(logits[-1].argmax())
            if self._cpp.llama_vocab_is_eog(self._vocab, token):
                break
            found.append(token)
            if at == min(self.n_ctx, self.positions) or len(found) == count:
                break
            logits = self.step(token, at)
            at += 1
        return found

    def step(self, token: int, position: int) -> NDArray[np.float32]:
        """Read one more token after what was read last; its logits, (1, vocabulary).

        ExportError at a position that the model was not made for.
        """
        self._check(position + 1)
        self._outputs = 0
        self._put(0, token, position, (0,), wanted=True)
        return self._decode(1)

    def log_probabilities(
        self, prompt: Sequence[int], replies: Sequence[Sequence[int]]
    ) -> list[float]:
        """Sum of the log-probabilities (nats) of each reply's tokens after the prompt.

        At least one token of prompt, and as many replies as you like. A text longer than `n_ctx`,
        or than what the model was made for (`positions`), raises ExportError.
        """
        sums: list[float] = []
        for begin in range(0, len(replies), MOST_REPLIES):
            group = replies[begin : begin + MOST_REPLIES]
            while sum(map(len, group)) + len(prompt) > self.n_ctx and len(group) > 1:
                group = group[: len(group) // 2]
            sums += self._group(prompt, group)
            for rest in range(begin + len(group), min(begin + MOST_REPLIES, len(replies))):
                sums += self._group(prompt, replies[rest : rest + 1])
        return sums

    def _group(self, prompt: Sequence[int], replies: Sequence[Sequence[int]]) -> list[float]:
        total = len(prompt) + sum(map(len, replies))
        if total > self.n_ctx:
            raise ExportError(f"a text of {total} tokens does not fit into {self.n_ctx}")
        self._check(len(prompt) + max(map(len, replies)) - 1)
        self._clear()
        everyone = tuple(range(len(replies)))
        at = 0
        for place, token in enumerate(prompt):
            self._put(at, token, place, everyone, wanted=place == len(prompt) - 1)
            at += 1
        rows = [[0] for _ in replies]
        row = 0
        for number, reply in enumerate(replies):
            for offset, token in enumerate(reply[:-1]):
                self._put(at, token, len(prompt) + offset, (number,), wanted=True)
                at, row = at + 1, row + 1
                rows[number].append(row)
        logits = self._decode(at)
        return [
            float(token_log_probabilities(logits[where[: len(reply)]], reply).sum())
            for where, reply in zip(rows, replies, strict=True)
        ]

    def _check(self, tokens: int) -> None:
        if tokens > self.positions:
            raise ExportError(
                f"a text of {tokens} tokens is longer than the {self.positions} that the model was"
                " made for"
            )

    def _clear(self) -> None:
        self._cpp.llama_memory_clear(self._cpp.llama_get_memory(self._context), True)
        self._outputs = 0

    def _put(
        self, at: int, token: int, position: int, sequences: tuple[int, ...], wanted: bool
    ) -> None:
        batch = self._batch
        batch.token[at] = token
        batch.pos[at] = position
        batch.n_seq_id[at] = len(sequences)
        for index, sequence in enumerate(sequences):
            batch.seq_id[at][index] = sequence
        batch.logits[at] = wanted
        self._outputs += wanted

    def _decode(self, count: int) -> NDArray[np.float32]:
        self._batch.n_tokens = count
        code = self._cpp.llama_decode(self._context, self._batch)
        if code:
            raise ExportError(f"llama_decode failed with code {code}: {last_complaint()}")
        pointer = self._cpp.llama_get_logits(self._context)
        logits: NDArray[np.float32] = np.ctypeslib.as_array(
            pointer, shape=(self._outputs, self.n_vocab)
        ).copy()
        return logits


def log_softmax(logits: NDArray[np.float32]) -> NDArray[np.float64]:
    """Log-probabilities of logits, along the last axis, in f64."""
    shifted = logits.astype(np.float64)
    shifted -= shifted.max(axis=-1, keepdims=True)
    shifted -= np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return shifted


def token_log_probabilities(
    logits: NDArray[np.float32], tokens: Sequence[int]
) -> NDArray[np.float64]:
    """Log-probability of each token under its row of logits, (tokens,)."""
    top = logits.max(axis=-1)
    spread = np.exp(logits - top[:, None]).sum(axis=-1, dtype=np.float64)
    chosen = logits[np.arange(len(tokens)), np.asarray(tokens)].astype(np.float64)
    result: NDArray[np.float64] = chosen - top - np.log(spread)
    return result


def last_complaint(lines: Sequence[str] = ()) -> str:
    """Pick the line of llama.cpp's log that says what is wrong."""
    lines = [line.strip() for line in lines or log_lines() if line.strip()]
    wrong = [line for line in lines if "error" in line.lower() or "fail" in line.lower()]
    return (wrong or lines or ["it gives no reason"])[-1 if not wrong else 0]
