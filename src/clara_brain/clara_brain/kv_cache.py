# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""The KV cache: which sequence holds which tokens, and which of them a new prompt can go on from.

Each conversation has a sequence of its own. What a sequence holds depends on the adapters that
were in force when it was evaluated, so a prompt under other adapters never goes on from it.
Sequences are saved to files when the engine closes and found again when it opens. Each knows whose
it is, so that what was evaluated for a conversation goes when that is forgotten.
"""

from __future__ import annotations

import ctypes
import json
import logging
import os
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import llama_cpp
import numpy as np
from numpy.typing import NDArray

_log = logging.getLogger(__name__)

# Scales of the adapters in force, by name; nothing for the bare model.
AdapterScales = tuple[tuple[str, float], ...]

# Copying a sequence costs about as much as evaluating this many tokens.
_COPY_GAIN = 16
# A shorter sequence is evaluated sooner than it is read from a file.
_LEAST_SAVED = 64
# What the cache leaves free of the disk, in bytes: conversations and memory go before it.
_LEAST_FREE = 64 << 20
_FORMAT = 3  # 3: the conversation of each sequence
_INDEX = "index.json"
_NEW_INDEX = "index.new"


@dataclass
class Slot:
    """One sequence of the KV cache and the tokens that it holds, of `session` where it is of one.

    Where a model's states are read, `states` (n_ctx, width) has the final hidden state of each
    token that was evaluated for the completion under way. Else it is None.
    """

    index: int
    tokens: list[int] = field(default_factory=list)
    adapters: AdapterScales = ()
    session: str = ""
    used: float = 0.0
    busy: bool = False
    forgotten: bool = False
    states: NDArray[np.float32] | None = None


class KvCache:
    """The sequences of one llama.cpp context. All methods belong to the engine's thread.

    With a `width` above 0 they have room for hidden states: 4 bytes each float, one state a token.
    """

    def __init__(self, context: object, slots: int, n_ctx: int, width: int = 0) -> None:
        self._context = context
        self._memory = llama_cpp.llama_get_memory(context)
        self._n_ctx = n_ctx
        self._slots = [Slot(index) for index in range(slots)]
        self._adapter_files: dict[str, str] = {}
        for slot in self._slots if width else ():
            slot.states = np.zeros((n_ctx, width), np.float32)

    @property
    def free(self) -> int:
        """How many sequences no completion is using."""
        return sum(not slot.busy for slot in self._slots)

    def acquire(
        self, tokens: Sequence[int], adapters: AdapterScales, session: str = ""
    ) -> tuple[Slot, int]:
        """Choose a free sequence that holds most of the prompt's beginning, and cut it there.

        Returns it and the number of cached tokens: at most one less than the prompt, since the
        last one must be evaluated to know what follows. A sequence that shares little is left
        alone for its own conversation while an older one can be given up; a beginning that another
        one holds, persona and skills above all, is copied. There must be a free sequence.
        """
        shared = [
            common_prefix(slot.tokens, tokens) if slot.adapters == adapters else 0
            for slot in self._slots
        ]
        free = [slot for slot in self._slots if not slot.busy]
        home = max(free, key=lambda slot: shared[slot.index])
        if shared[home.index] < len(home.tokens) // 2:
            # Of those never used, one beside a busy one: neighbours are evaluated in one go.
            busy = [slot.index for slot in self._slots if slot.busy]
            home = min(
                free,
                key=lambda slot: (slot.used, min((abs(slot.index - i) for i in busy), default=0)),
            )
        cached = shared[home.index]
        source = max(self._slots, key=lambda slot: shared[slot.index])
        if source is not home and shared[source.index] > cached + _COPY_GAIN:
            self._copy(source, home)
            cached = shared[source.index]
        cached = self.cut(home, min(cached, len(tokens) - 1))
        home.adapters, home.session = adapters, session
        home.busy = True
        return home, cached

    def release(self, slot: Slot) -> None:
        """Give a sequence back; it keeps what it holds for the next turn, unless forgotten."""
        slot.busy = False
        slot.used = time.monotonic()
        if slot.forgotten:
            self.cut(slot, 0)
        slot.forgotten = False

    def cut(self, slot: Slot, length: int) -> int:
        """Keep the first `length` tokens of a sequence; return how many it keeps.

        Recurrent models cannot go back to the middle of a sequence: they keep none.
        """
        if not llama_cpp.llama_memory_seq_rm(self._memory, slot.index, length, -1):
            length = 0
            llama_cpp.llama_memory_seq_rm(self._memory, slot.index, -1, -1)
        del slot.tokens[length:]
        return length

    def adapter_loaded(self, name: str, fingerprint: str) -> None:
        """Give up what an earlier run evaluated under another file of this adapter's name."""
        if self._adapter_files.get(name, fingerprint) != fingerprint:
            self.forget(name)
        self._adapter_files[name] = fingerprint

    def forget(self, adapter: str) -> None:
        """Give up what was evaluated under an adapter that is no longer there."""
        self._adapter_files.pop(adapter, None)
        for slot in self._slots:
            if any(name == adapter for name, _ in slot.adapters):
                self.cut(slot, 0)

    def forget_session(self, session: str, folder: Path | None) -> None:
        """Give up what was evaluated for a conversation, and all that `save` wrote before.

        Sequences in use are given up when they are released.
        """
        for slot in self._slots:
            if slot.session == session:
                slot.forgotten = slot.busy
                if not slot.busy:
                    self.cut(slot, 0)
        try:
            if folder:
                _remove(folder)
        except OSError as error:
            _log.warning("the saved KV cache still has what was forgotten: %s", error)

    def save(self, folder: Path, identity: str, limit: int) -> int:
        """Write the sequences last used to files, up to `limit` bytes; return how many.

        `identity` says what must be the same for them to be of use: model, version, types.
        An index, written last and whole, says which files are good. A disk that is nearly full
        gets fewer. Raises OSError, and then nothing is left of them.
        """
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        _remove(folder)
        room = min(limit, shutil.disk_usage(folder).free - _LEAST_FREE)
        try:
            return self._save(folder, identity, room)
        except OSError:
            _remove(folder)
            raise

    def _save(self, folder: Path, identity: str, limit: int) -> int:
        entries, total = [], 0
        for slot in sorted(self._slots, key=lambda each: each.used, reverse=True):
            size = llama_cpp.llama_state_seq_get_size(self._context, slot.index)
            if slot.busy or len(slot.tokens) < _LEAST_SAVED or total + size > limit:
                continue
            path = folder / f"{slot.index}.kv"
            tokens = (llama_cpp.llama_token * len(slot.tokens))(*slot.tokens)
            written = llama_cpp.llama_state_seq_save_file(
                self._context, os.fsencode(path), slot.index, tokens, len(slot.tokens)
            )
            if not written or written != path.stat().st_size:
                raise OSError(f"llama.cpp could not write {path}")
            path.chmod(0o600)
            total += written
            entries.append(
                {
                    "file": path.name,
                    "bytes": written,
                    "adapters": slot.adapters,
                    "session": slot.session,
                }
            )
        whole = folder / _NEW_INDEX
        whole.write_text(
            json.dumps(
                {
                    "format": _FORMAT,
                    "identity": identity,
                    "adapter_files": self._adapter_files,
                    "sequences": entries,
                }
            )
        )
        whole.chmod(0o600)
        whole.replace(folder / _INDEX)
        return len(entries)

    def load(self, folder: Path, identity: str) -> int:
        """Take in what `save` wrote for the same identity; return how many sequences.

        Anything else that lies there is left alone and logged: a cache is never worth a fault.
        """
        index = folder / _INDEX
        try:
            document = json.loads(index.read_text())
            if (document["format"], document["identity"]) != (_FORMAT, identity):
                _log.info("%s is of another model or version and is not used", index)
                return 0
            loaded = 0
            self._adapter_files = dict(document["adapter_files"])
            # The one used last was written first; the clock must say so too.
            for slot, entry in zip(self._slots, document["sequences"], strict=False):
                adapters = tuple((str(name), float(scale)) for name, scale in entry["adapters"])
                if self._load(slot, folder / entry["file"], entry["bytes"]):
                    slot.adapters, slot.session = adapters, str(entry["session"])
                    slot.used = time.monotonic() - loaded - 1
                    loaded += 1
            return loaded
        except FileNotFoundError:
            return 0
        except (OSError, ValueError, KeyError, TypeError) as error:
            _log.warning("the saved KV cache %s cannot be used: %r", index, error)
            return 0

    def _load(self, slot: Slot, path: Path, size: int) -> bool:
        if path.stat().st_size != size:
            _log.warning("%s has not the size that it was written with; it is not used", path)
            return False
        tokens = (llama_cpp.llama_token * self._n_ctx)()
        count = ctypes.c_size_t(0)
        read = llama_cpp.llama_state_seq_load_file(
            self._context,
            os.fsencode(path),
            slot.index,
            tokens,
            self._n_ctx,
            ctypes.byref(count),
        )
        if not read:
            _log.warning("llama.cpp could not read %s; it is not used", path)
            self.cut(slot, 0)
            return False
        slot.tokens = list(tokens[: count.value])
        return True

    def _copy(self, source: Slot, target: Slot) -> None:
        llama_cpp.llama_memory_seq_rm(self._memory, target.index, -1, -1)
        # Sequences in streams of their own can only be copied whole; the rest is cut off
        # afterwards.
        llama_cpp.llama_memory_seq_cp(self._memory, source.index, target.index, -1, -1)
        target.tokens[:] = source.tokens


def _remove(folder: Path) -> None:
    for old in (folder / _INDEX, folder / _NEW_INDEX, *folder.glob("*.kv")):
        old.unlink(missing_ok=True)


def common_prefix(left: Sequence[int], right: Sequence[int]) -> int:
    """Length of the common beginning of two lists of tokens."""
    count = 0
    for a, b in zip(left, right, strict=False):
        if a != b:
            break
        count += 1
    return count
