# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""llama.cpp, as far as the engine needs it: a model, a context with several sequences, a sampler.

Uses llama-cpp-python's binding of the C API, because its `Llama` class keeps one sequence only:
here each conversation (and the skill decision) keeps its own KV cache. All calls but `abort`
belong to one thread.
"""

from __future__ import annotations

import ctypes
import logging
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import llama_cpp

from clara_brain.errors import BackendError, InvalidRequest, ModelError

_log = logging.getLogger(__name__)

_ABORTED = 2
_PENALTY_WINDOW = 64
_CONTROL = llama_cpp.LLAMA_TOKEN_ATTR_CONTROL | llama_cpp.LLAMA_TOKEN_ATTR_UNKNOWN


@llama_cpp.llama_log_callback  # type: ignore[untyped-decorator]
def _to_log(level: int, text: bytes, user_data: ctypes.c_void_p) -> None:
    _log.debug("llama.cpp: %s", text.decode("utf-8", "replace").rstrip())


# llama.cpp keeps the pointer: the module keeps the callback, for a collected one would crash the
# process.
_keep_log_callback = _to_log
_backend_ready = False

# ggml asks the abort callback once for each node of the graph, hundreds of times a token. C's
# strlen, given a buffer that is the empty string or not, answers without ever taking the
# interpreter's lock.
_strlen = ctypes.CDLL(None).strlen
_ask_abort = ctypes.cast(_strlen, llama_cpp.ggml_abort_callback)


def _start_backend() -> None:
    global _backend_ready
    if not _backend_ready:
        llama_cpp.llama_log_set(_keep_log_callback, ctypes.c_void_p(0))
        llama_cpp.llama_backend_init()
        _backend_ready = True


class Aborted(Exception):
    """A decode was ended by `abort`; what was evaluated before stays usable."""


@dataclass(frozen=True)
class SamplerSettings:
    """How tokens are chosen; the fields are those of Sampling.msg, all of them set."""

    temperature: float
    top_p: float
    top_k: int
    min_p: float
    repeat_penalty: float
    seed: int
    grammar: str = ""


@dataclass
class Slot:
    """One sequence of the KV cache and the tokens that it holds."""

    index: int
    tokens: list[int] = field(default_factory=list)
    used: float = 0.0


class LlamaRuntime:
    """A loaded model and its context.

    `n_ctx` is what one conversation may have; the KV cache is `slots` times that. Raises
    ModelError.
    """

    def __init__(
        self,
        path: Path,
        n_ctx: int,
        slots: int,
        n_batch: int,
        n_threads: int,
        n_gpu_layers: int = 0,
    ) -> None:
        _start_backend()
        self._model = self._context = None
        self._chains: list[llama_cpp.llama_sampler_p] = []
        model_params = llama_cpp.llama_model_default_params()
        model_params.n_gpu_layers = n_gpu_layers
        self._model = llama_cpp.llama_model_load_from_file(str(path).encode(), model_params)
        if not self._model:
            raise ModelError(
                f"llama.cpp could not load {path}: it may be too new for this llama-cpp-python"
                f" ({llama_cpp.__version__}), or the memory is too small"
            )
        self._abort_flag = ctypes.create_string_buffer(2)
        params = llama_cpp.llama_context_default_params()
        params.n_ctx = n_ctx * slots
        params.n_seq_max = slots
        params.kv_unified = False
        params.n_batch = params.n_ubatch = n_batch
        params.n_threads = params.n_threads_batch = n_threads
        params.abort_callback = _ask_abort
        params.abort_callback_data = ctypes.cast(self._abort_flag, ctypes.c_void_p)
        self._context = llama_cpp.llama_init_from_model(self._model, params)
        if not self._context:
            self.close()
            raise ModelError(
                f"llama.cpp could not make a context of {slots} x {n_ctx} tokens for {path}:"
                " lower n_ctx or slots"
            )
        self._memory = llama_cpp.llama_get_memory(self._context)
        self._vocab = llama_cpp.llama_model_get_vocab(self._model)
        self.n_vocab = llama_cpp.llama_vocab_n_tokens(self._vocab)
        self.n_ctx = int(llama_cpp.llama_n_ctx_seq(self._context))
        self._batch = llama_cpp.llama_batch_init(n_batch, 0, 1)
        self._n_batch = n_batch
        self._slots = [Slot(index) for index in range(slots)]
        self._pieces: dict[int, bytes] = {}

    def close(self) -> None:
        """Free everything. The runtime cannot be used afterwards."""
        if self._context:
            if hasattr(self, "_batch"):
                llama_cpp.llama_batch_free(self._batch)
            llama_cpp.llama_free(self._context)
        if self._model:
            llama_cpp.llama_model_free(self._model)
        self._model = self._context = None

    def abort(self, wanted: bool) -> None:
        """End the decode that is under way (True), or allow decoding again (False).

        From any thread.
        """
        self._abort_flag[0] = b"\x01" if wanted else b"\x00"

    def metadata(self, key: str) -> str | None:
        """Value of a metadata key, as llama.cpp prints it; None when it is absent."""
        size = 1 << 16
        buffer = ctypes.create_string_buffer(size)
        length = llama_cpp.llama_model_meta_val_str(self._model, key.encode(), buffer, size)
        return None if length < 0 else buffer.value.decode("utf-8", "replace")

    def token_text(self, token: int) -> str:
        """How a token is written in a prompt, control tokens included.

        Empty for the null token.
        """
        if token < 0:
            return ""
        return self._piece(token, special=True).decode("utf-8", "replace")

    def bos_text(self) -> str:
        """Text of the token that begins a prompt; empty when the model has none."""
        return self.token_text(llama_cpp.llama_vocab_bos(self._vocab))

    def eos_text(self) -> str:
        """Text of the token that ends a text; empty when the model has none."""
        return self.token_text(llama_cpp.llama_vocab_eos(self._vocab))

    def control_texts(self) -> list[str]:
        """Return the texts of all control tokens, which no text from outside may contain."""
        texts = {
            self.token_text(token)
            for token in range(self.n_vocab)
            if llama_cpp.llama_vocab_get_attr(self._vocab, token) & _CONTROL
        }
        return sorted((text for text in texts if text), key=lambda text: (-len(text), text))

    def tokenize(self, text: str, add_special: bool) -> list[int]:
        """Tokens of a prompt; control tokens written in it are understood as such."""
        data = text.encode("utf-8")
        size = len(data) + 8
        tokens = (llama_cpp.llama_token * size)()
        count = llama_cpp.llama_tokenize(
            self._vocab, data, len(data), tokens, size, add_special, True
        )
        if count < 0:
            raise BackendError(f"llama.cpp could not tokenise a text of {len(data)} bytes")
        return list(tokens[:count])

    def is_end(self, token: int) -> bool:
        """Whether the token ends the model's turn."""
        return bool(llama_cpp.llama_vocab_is_eog(self._vocab, token))

    def piece(self, token: int) -> bytes:
        """Bytes that a generated token stands for; empty for control tokens."""
        piece = self._pieces.get(token)
        if piece is None:
            piece = self._pieces[token] = self._piece(token, special=False)
        return piece

    def _piece(self, token: int, special: bool) -> bytes:
        size = 256
        while True:
            buffer = ctypes.create_string_buffer(size)
            length = llama_cpp.llama_token_to_piece(self._vocab, token, buffer, size, 0, special)
            if length >= 0:
                return buffer.raw[:length]
            size = -length

    def slot_for(self, tokens: Sequence[int]) -> tuple[Slot, int]:
        """Choose the sequence that holds most of the prompt's beginning, and cut it there.

        Returns it and the number of cached tokens: at most one less than the prompt, since the
        last one must be evaluated to know what follows. A sequence that shares little is left
        alone for its own conversation while an older one can be given up.
        """
        shared = [common_prefix(slot.tokens, tokens) for slot in self._slots]
        best = max(range(len(shared)), key=lambda at: shared[at])
        slot, cached = self._slots[best], shared[best]
        if cached < len(slot.tokens) // 2:
            oldest = min(self._slots, key=lambda each: each.used)
            if oldest is not slot:
                slot, cached = self._copy_prefix(slot, oldest, cached)
        cached = min(cached, len(tokens) - 1)
        if not llama_cpp.llama_memory_seq_rm(self._memory, slot.index, cached, -1):
            # Recurrent models cannot go back to the middle of a sequence.
            cached = 0
            llama_cpp.llama_memory_seq_rm(self._memory, slot.index, -1, -1)
        del slot.tokens[cached:]
        slot.used = time.monotonic()
        return slot, cached

    def _copy_prefix(self, source: Slot, target: Slot, length: int) -> tuple[Slot, int]:
        """Start another sequence; where persona and beginnings agree, they are copied."""
        llama_cpp.llama_memory_seq_rm(self._memory, target.index, -1, -1)
        target.tokens.clear()
        if not length:
            return target, 0
        # Sequences in streams of their own can only be copied whole; the rest is cut off
        # afterwards.
        llama_cpp.llama_memory_seq_cp(self._memory, source.index, target.index, -1, -1)
        target.tokens.extend(source.tokens)
        return target, length

    def prefill(self, slot: Slot, tokens: Sequence[int]) -> None:
        """Evaluate tokens at the end of a sequence. Raises Aborted and BackendError."""
        for start in range(0, len(tokens), self._n_batch):
            chunk = tokens[start : start + self._n_batch]
            for at, token in enumerate(chunk):
                self._put(at, token, len(slot.tokens) + at, slot.index)
            self._batch.logits[len(chunk) - 1] = 1
            self._decode(len(chunk))
            slot.tokens.extend(chunk)

    def append(self, slot: Slot, token: int) -> None:
        """Evaluate one generated token. Raises Aborted and BackendError."""
        self._put(0, token, len(slot.tokens), slot.index)
        self._batch.logits[0] = 1
        self._decode(1)
        slot.tokens.append(token)

    def _put(self, at: int, token: int, position: int, sequence: int) -> None:
        batch = self._batch
        batch.token[at] = token
        batch.pos[at] = position
        batch.n_seq_id[at] = 1
        batch.seq_id[at][0] = sequence
        batch.logits[at] = 0

    def _decode(self, count: int) -> None:
        self._batch.n_tokens = count
        code = llama_cpp.llama_decode(self._context, self._batch)
        if code == _ABORTED:
            raise Aborted
        if code:
            raise BackendError(f"llama_decode failed with code {code}")

    def sampler(self, settings: SamplerSettings) -> Sampler:
        """Make a chain of samplers. Raises InvalidRequest when the grammar is not valid GBNF."""
        return Sampler(self._context, self._vocab, settings)


class Sampler:
    """Chooses the next token from the logits of the last decode."""

    def __init__(self, context: object, vocab: object, settings: SamplerSettings) -> None:
        self._context = context
        self._chain = llama_cpp.llama_sampler_chain_init(
            llama_cpp.llama_sampler_chain_default_params()
        )
        try:
            for link in _links(vocab, settings):
                llama_cpp.llama_sampler_chain_add(self._chain, link)
        except InvalidRequest:
            self.close()
            raise

    def next(self) -> int:
        """Choose a token."""
        return int(llama_cpp.llama_sampler_sample(self._chain, self._context, -1))

    def close(self) -> None:
        """Free the chain."""
        if self._chain:
            llama_cpp.llama_sampler_free(self._chain)
        self._chain = None


def _links(vocab: object, settings: SamplerSettings) -> Iterator[object]:
    if settings.grammar:
        grammar = llama_cpp.llama_sampler_init_grammar(vocab, settings.grammar.encode(), b"root")
        if not grammar:
            raise InvalidRequest("sampling.grammar is not valid GBNF, or has no rule named root")
        yield grammar
    if settings.repeat_penalty != 1.0:
        yield llama_cpp.llama_sampler_init_penalties(
            llama_cpp.llama_vocab_n_tokens(vocab),
            _PENALTY_WINDOW,
            settings.repeat_penalty,
            0.0,
            0.0,
        )
    if settings.temperature == 0.0:
        yield llama_cpp.llama_sampler_init_greedy()
        return
    if settings.top_k > 0:
        yield llama_cpp.llama_sampler_init_top_k(settings.top_k)
    if settings.top_p < 1.0:
        yield llama_cpp.llama_sampler_init_top_p(settings.top_p, 1)
    if settings.min_p > 0.0:
        yield llama_cpp.llama_sampler_init_min_p(settings.min_p, 1)
    yield llama_cpp.llama_sampler_init_temp(settings.temperature)
    yield llama_cpp.llama_sampler_init_dist(settings.seed & 0xFFFFFFFF)


def common_prefix(left: Sequence[int], right: Sequence[int]) -> int:
    """Length of the common beginning of two lists of tokens."""
    count = 0
    for a, b in zip(left, right, strict=False):
        if a != b:
            break
        count += 1
    return count
