# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""llama.cpp, as far as the engine needs it: a model, a context with several sequences.

Uses llama-cpp-python's binding of the C API, because its `Llama` class keeps one sequence only:
here each conversation (and the skill decision) keeps its own KV cache, and all that are under way
are decoded in one batch. All calls but `abort` and `tokenize` belong to one thread.
"""

from __future__ import annotations

import ctypes
import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import llama_cpp
import numpy as np
from numpy.typing import NDArray

from clara_brain.errors import BackendError, InvalidRequest, ModelError
from clara_brain.kv_cache import KvCache, Slot
from clara_brain.lora import LoraAdapters
from clara_brain.sampler import Sampler, SamplerSettings
from clara_brain.settings import KV_TYPES, EngineSettings

_log = logging.getLogger(__name__)

_ABORTED = 2
_LONGEST_SPAN = 128
_CONTROL = llama_cpp.LLAMA_TOKEN_ATTR_CONTROL | llama_cpp.LLAMA_TOKEN_ATTR_UNKNOWN
_FLASH = {
    "auto": llama_cpp.LLAMA_FLASH_ATTN_TYPE_AUTO,
    "on": llama_cpp.LLAMA_FLASH_ATTN_TYPE_ENABLED,
    "off": llama_cpp.LLAMA_FLASH_ATTN_TYPE_DISABLED,
}


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
class Piece:
    """What one sequence adds to a batch.

    Its next tokens, and for how many of the last of them logits are wanted.
    """

    slot: Slot
    tokens: Sequence[int]
    outputs: int = 1


class LlamaRuntime:
    """A loaded model and its context.

    `n_ctx` is what one conversation may have; the KV cache is `slots` times that. `n_ctx_train` is
    what the model has learned, in tokens as well.
    `continues_text`: the model was trained on texts alone, as its metadata say. With `states` each
    decode also leaves the final hidden states of its tokens in their slots. Raises ModelError.
    """

    def __init__(self, path: Path, settings: EngineSettings, states: bool = False) -> None:
        _start_backend()
        self._context: object | None = None
        self._embedder: object | None = None
        self._reader: object | None = None
        self._settings = settings
        model_params = llama_cpp.llama_model_default_params()
        model_params.n_gpu_layers = settings.n_gpu_layers
        model_params.load_mode = (
            llama_cpp.LLAMA_LOAD_MODE_MMAP if settings.use_mmap else llama_cpp.LLAMA_LOAD_MODE_NONE
        )
        self._model = llama_cpp.llama_model_load_from_file(str(path).encode(), model_params)
        if not self._model:
            raise ModelError(
                f"llama.cpp could not load {path}: it may be too new for this llama-cpp-python"
                f" ({llama_cpp.__version__}), or the memory is too small"
            )
        self._abort_flag = ctypes.create_string_buffer(2)
        params = self._context_params()
        if states:
            # llama.cpp then gives states and logits of every token; without, only what is sampled.
            params.embeddings = True
            params.pooling_type = llama_cpp.LLAMA_POOLING_TYPE_NONE
            params.n_outputs_max_per_seq = 0
        params.abort_callback = _ask_abort
        params.abort_callback_data = ctypes.cast(self._abort_flag, ctypes.c_void_p)
        self._context = llama_cpp.llama_init_from_model(self._model, params)
        if not self._context:
            self.close()
            raise ModelError(
                f"llama.cpp could not make a context of {settings.slots} x {settings.n_ctx} tokens"
                f" for {path}: lower n_ctx or slots, or set flash_attn to on where kv_type is not"
                " f16"
            )
        self._vocab = llama_cpp.llama_model_get_vocab(self._model)
        self.n_vocab = llama_cpp.llama_vocab_n_tokens(self._vocab)
        self.n_ctx = int(llama_cpp.llama_n_ctx_seq(self._context))
        self.n_ctx_train = int(llama_cpp.llama_model_n_ctx_train(self._model))
        self.continues_text = self.metadata("clara.continues_text") == "true"
        if self.continues_text:
            # Beyond what it was trained with, MVLM has no positions: llama.cpp would abort.
            self.n_ctx = min(self.n_ctx, self.n_ctx_train)
        self.n_batch = settings.n_batch
        self._batch = llama_cpp.llama_batch_init(self.n_batch, 0, 1)
        self._width = llama_cpp.llama_model_n_embd(self._model) if states else 0
        self.cache = KvCache(self._context, settings.slots, self.n_ctx, self._width)
        self.adapters = LoraAdapters(self._model, self._context)
        self._pieces: dict[int, bytes] = {}

    def _context_params(self) -> llama_cpp.llama_context_params:
        settings = self._settings
        params = llama_cpp.llama_context_default_params()
        params.n_ctx = settings.n_ctx * settings.slots
        params.n_seq_max = settings.slots
        params.kv_unified = False
        params.n_batch = params.n_ubatch = settings.n_batch
        params.n_outputs_max_per_seq = 1 + settings.lookup
        params.n_threads = params.n_threads_batch = settings.threads()
        params.flash_attn_type = _FLASH[settings.flash_attn]
        params.type_k = params.type_v = KV_TYPES[settings.kv_type]
        return params

    def close(self) -> None:
        """Free everything. The runtime cannot be used afterwards."""
        for context in (self._embedder, self._reader):
            if context:
                llama_cpp.llama_free(context)
        if self._context:
            if hasattr(self, "adapters"):
                self.adapters.close()
                llama_cpp.llama_batch_free(self._batch)
            llama_cpp.llama_free(self._context)
        if self._model:
            llama_cpp.llama_model_free(self._model)
        self._model = self._context = self._embedder = self._reader = None

    def identity(self, sha256: str) -> str:
        """Say what a saved KV cache depends on, given the hash of the model's file."""
        settings = self._settings
        return (
            f"{sha256} llama-cpp-python {llama_cpp.__version__} n_ctx {self.n_ctx}"
            f" kv {settings.kv_type} flash {settings.flash_attn} gpu {settings.n_gpu_layers}"
        )

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
        return sorted(filter(None, texts))

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

    def decode(self, pieces: Sequence[Piece]) -> list[int]:
        """Evaluate tokens of several sequences at once, `n_batch` at most.

        Returns for each piece the place of its first logits. Raises Aborted and BackendError;
        the sequences then hold what they held before.
        """
        at, places = 0, [0] * len(pieces)
        logits = self._batch.logits
        # llama.cpp evaluates in one go only sequences that follow one another by number; others
        # one after another, which costs a fifth of the speed and more.
        for number in sorted(range(len(pieces)), key=lambda each: pieces[each].slot.index):
            piece = pieces[number]
            begin = len(piece.slot.tokens)
            for offset, token in enumerate(piece.tokens):
                self._put(at + offset, token, begin + offset, piece.slot.index)
            at += len(piece.tokens)
            places[number] = at - piece.outputs
            read = len(piece.tokens) if self._width else piece.outputs
            for place in range(at - read, at):
                logits[place] = 1
        self._batch.n_tokens = at
        code = llama_cpp.llama_decode(self._context, self._batch)
        if code:
            for piece in pieces:
                self.cache.cut(piece.slot, len(piece.slot.tokens))
            if code == _ABORTED:
                raise Aborted
            raise BackendError(f"llama_decode failed with code {code}")
        if self._width:
            self._keep_states(pieces, places, at)
        for piece in pieces:
            piece.slot.tokens.extend(piece.tokens)
        return places

    def _keep_states(self, pieces: Sequence[Piece], places: Sequence[int], count: int) -> None:
        """Copy the states of the last batch beside the sequences they belong to."""
        given = llama_cpp.llama_get_embeddings(self._context)
        states = np.ctypeslib.as_array(given, (count, self._width))
        for piece, place in zip(pieces, places, strict=True):
            held, end = len(piece.slot.tokens), place + piece.outputs
            assert piece.slot.states is not None
            rows = states[end - len(piece.tokens) : end]
            piece.slot.states[held : held + len(rows)] = rows

    def entropy(self, place: int) -> float:
        """Return the entropy, in nats, of what the model expects after a place of the last batch.

        Before any sampler: penalties, temperature and grammar are not in it.
        """
        given = llama_cpp.llama_get_logits_ith(self._context, place)
        logits = np.ctypeslib.as_array(given, (self.n_vocab,))
        logits = logits - logits.max()
        weights = np.exp(logits)
        total = float(weights.sum(dtype=np.float64))
        return math.log(total) - float(weights @ logits) / total

    def _put(self, at: int, token: int, position: int, sequence: int) -> None:
        batch = self._batch
        batch.token[at] = token
        batch.pos[at] = position
        batch.n_seq_id[at] = 1
        batch.seq_id[at][0] = sequence
        batch.logits[at] = 0

    def embed(self, text: str) -> list[float]:
        """Return the mean of the last hidden states of a text, of length 1 (n_embd floats).

        Uses a small context of its own, made at the first call. Raises InvalidRequest and
        BackendError.
        """
        if not self._embedder:
            self._embedder = self._reading_context(llama_cpp.LLAMA_POOLING_TYPE_MEAN)
        tokens = self.tokenize(text, add_special=True)
        if not 0 < len(tokens) <= self.n_batch:
            raise InvalidRequest(
                f"a text to embed must have 1 to {self.n_batch} tokens, not {len(tokens)}"
            )
        self._read(self._embedder, tokens)
        size = llama_cpp.llama_model_n_embd(self._model)
        vector = llama_cpp.llama_get_embeddings_seq(self._embedder, 0)[:size]
        length = math.sqrt(sum(value * value for value in vector)) or 1.0
        return [value / length for value in vector]

    def mean_state(self, text: str) -> tuple[NDArray[np.float32], list[int]] | None:
        """Return the mean of a text's final hidden states, (n_embd,), read alone, and its tokens.

        Of its first tokens, so that nobody waits long; None when it has none. Memory heads are
        trained on such means, the beginning of a text before them. Raises BackendError.
        """
        if not self._reader:
            self._reader = self._reading_context(llama_cpp.LLAMA_POOLING_TYPE_NONE)
        begin = llama_cpp.llama_vocab_bos(self._vocab)
        before = [] if begin < 0 else [begin]
        tokens = self.tokenize(text, add_special=False)
        tokens = before + tokens[: min(_LONGEST_SPAN, self.n_batch - len(before))]
        if len(tokens) == len(before):
            return None
        self._read(self._reader, tokens)
        given = llama_cpp.llama_get_embeddings(self._reader)
        size = llama_cpp.llama_model_n_embd(self._model)
        states = np.ctypeslib.as_array(given, (len(tokens), size))[len(before) :]
        mean = np.asarray(states.mean(axis=0, dtype=np.float64), np.float32)
        return mean, tokens[len(before) :]

    def _reading_context(self, pooling: int) -> object:
        """Make a small context that gives states, beside the one that generates."""
        params = llama_cpp.llama_context_default_params()
        params.n_ctx = params.n_batch = params.n_ubatch = self.n_batch
        params.n_threads = params.n_threads_batch = self._settings.threads()
        params.embeddings = True
        params.n_outputs_max_per_seq = 0
        params.pooling_type = pooling
        # No text is so long that it would have to be aborted.
        context = llama_cpp.llama_init_from_model(self._model, params)
        if not context:
            raise BackendError("llama.cpp could not make a context for embeddings")
        return context

    def _read(self, context: object, tokens: Sequence[int]) -> None:
        """Evaluate tokens in a context of `_reading_context`, and nothing before them."""
        for place, token in enumerate(tokens):
            self._put(place, token, place, 0)
            self._batch.logits[place] = 1
        self._batch.n_tokens = len(tokens)
        llama_cpp.llama_memory_clear(llama_cpp.llama_get_memory(context), True)
        code = llama_cpp.llama_decode(context, self._batch)
        if code:
            raise BackendError(f"llama_decode failed with code {code} for an embedding")

    def sampler(self, settings: SamplerSettings) -> Sampler:
        """Make a chain of samplers. Raises InvalidRequest."""
        return Sampler(self._vocab, settings)

    def choose(self, sampler: Sampler, place: int) -> int:
        """Choose the token that follows the logits at a place of the last batch.

        Raises BackendError where the logits are no numbers.
        """
        first = llama_cpp.llama_get_logits_ith(self._context, place)[0]
        if first != first:
            # One NaN in the weights makes all of them so, and llama.cpp would choose any token.
            raise BackendError(
                "the model's output is not a number: its weights, or an adapter's, are damaged"
            )
        return sampler.choose(self._context, place)
