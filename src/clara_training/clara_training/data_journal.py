# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""The journal of a generation: every request, batch and paid answer, on the disk at once.

One JSON object a line in `data/generation.jsonl`, appended and flushed before anything else is
done. From it a killed run knows what was paid for, which batches are still out, and what it cost.
Requests and answers bear the hash of the prompt that they are of, for a trait may be described
otherwise by now; what was written into the data files is noted, to know later what a person took
out of them.
No key and no header ever goes into it.
"""

from __future__ import annotations

import fcntl
import json
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from clara_training.errors import DataError, StorageError

NAME = "generation.jsonl"


@dataclass
class PendingBatch:
    """A batch that was sent, or was about to be, and whose answers are not all here yet."""

    nonce: str
    requests: dict[str, dict[str, Any]]  # custom id -> dimension, cell and the prompt's hash
    sent_at: str
    most: float
    batch_id: str | None = None
    model: str | None = None  # which it was sent to; journals of earlier versions do not say


@dataclass
class State:
    """What the journal says."""

    answers: list[dict[str, Any]] = field(default_factory=list)
    spent: float = 0.0
    asked: dict[str, int] = field(default_factory=dict)  # dimension -> cells used so far
    pending: list[PendingBatch] = field(default_factory=list)
    written: dict[str, set[str]] = field(default_factory=dict)  # dimension -> examples' hashes
    lost: int = 0  # requests sent by a process that died before the answer came


class Journal:
    """The open journal of one run; one process at a time has it."""

    def __init__(self, folder: Path) -> None:
        """Open or make the journal. Raises StorageError, and DataError when it is in use."""
        self.path = folder / NAME
        self._lock = threading.Lock()
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._file = self.path.open("a+b", buffering=0)
        except OSError as error:
            raise StorageError(f"{self.path} cannot be opened: {error.strerror}") from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._file.close()
            raise DataError(
                f"another process makes data for this run ({self.path} is in use); wait for it"
            ) from None
        self._mend_end()

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let another process have it."""
        self._file.close()

    def append(self, event: str, **fields: Any) -> None:
        """Write one event and wait until it is on the disk. Raises StorageError."""
        line = json.dumps({"event": event, **fields}, ensure_ascii=False) + "\n"
        with self._lock:
            try:
                left = memoryview(line.encode("utf-8", "replace"))
                while left:
                    left = left[self._file.write(left) or 0 :]
                os.fsync(self._file.fileno())
            except OSError as error:
                raise StorageError(
                    f"{self.path} cannot be written ({error.strerror}); nothing more is asked for "
                    "that would then be lost"
                ) from error

    def state(self) -> State:
        """Read what was written so far."""
        return read_state(self.path)

    def _mend_end(self) -> None:
        """End a line that a killed process left unfinished, so that the next one is whole."""
        end = self._file.seek(0, os.SEEK_END)
        if end:
            self._file.seek(end - 1)
            if self._file.read(1) != b"\n":
                self._file.write(b"\n")


def read_state(path: Path) -> State:
    """Read a journal; where there is none, nothing was done. Raises DataError."""
    state = State()
    sent: dict[str, float] = {}
    batches: dict[str, PendingBatch] = {}
    for event in _events(path):
        try:
            _take_in(event, state, sent, batches)
        except (KeyError, TypeError, AttributeError) as error:
            raise DataError(
                f"{path} has an event {event['event']!r} that this version of Clara does not "
                f"understand ({error}); set the file aside to begin anew"
            ) from None
    # What a dead process had under way may have been paid for: it counts at its most.
    state.spent += sum(sent.values())
    state.lost = len(sent)
    state.pending = list(batches.values())
    return state


def _take_in(
    event: dict[str, Any],
    state: State,
    sent: dict[str, float],
    batches: dict[str, PendingBatch],
) -> None:
    kind = event["event"]
    if kind == "sent":
        sent[event["id"]] = event["most"]
        _count(state, event)
    elif kind in ("answer", "failed"):
        sent.pop(event["id"], None)
        state.spent += event["cost"]
        if kind == "answer":
            state.answers.append(event)
    elif kind == "attempt":
        state.spent += event["cost"]
    elif kind == "batch_intent":
        batches[event["nonce"]] = PendingBatch(
            event["nonce"],
            event["requests"],
            event["at"],
            event["most"],
            model=event.get("model"),
        )
        for request in event["requests"].values():
            _count(state, request)
    elif kind == "batch" and event["nonce"] in batches:
        batches[event["nonce"]].batch_id = event["batch_id"]
    elif kind == "batch_done":
        batches.pop(event["nonce"], None)
    elif kind == "written":
        state.written.setdefault(event["dimension"], set()).update(event["examples"])


def _count(state: State, request: dict[str, Any]) -> None:
    name = request["dimension"]
    state.asked[name] = max(state.asked.get(name, 0), request["cell"] + 1)


def _events(path: Path) -> Iterator[dict[str, Any]]:
    try:
        lines = path.read_bytes().split(b"\n")
    except FileNotFoundError:
        return
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error
    for line in lines:
        if not line.strip():
            continue
        try:
            event = json.loads(line)
        except ValueError:
            continue  # cut off by a kill: what it was about was not acted on yet
        if isinstance(event, dict) and "event" in event:
            yield event
