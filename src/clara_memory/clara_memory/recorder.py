# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""The thread that writes: messages gather into one commit, and whoever waits is told after it.

- Messages of topics commit together, at most `commit_interval_s` or `commit_batch` apart. Where
  the disk refuses they are kept and tried again; a full queue drops new ones and counts them.
- An episode that somebody waits for commits at once, and a refusal is theirs to know.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence

from clara_memory.episode import Episode
from clara_memory.errors import InvalidRequest, MemoryFault, StorageFailed
from clara_memory.memory import EpisodicMemory
from clara_memory.messages import Event, Result
from clara_memory.settings import RecorderSettings

RETRY_S = 1.0
EXPIRE_S = 0.2

Done = Callable[[Episode | MemoryFault], None]


class Recorder:
    """Owns all writing to one memory from construction until `stop`."""

    def __init__(
        self,
        memory: EpisodicMemory,
        settings: RecorderSettings,
        now_ns: Callable[[], int],
        committed: Callable[[Sequence[Episode]], None],
    ) -> None:
        """Start the thread; `committed` is called on it with the episodes of each commit."""
        self._memory = memory
        self._settings = settings
        self._now_ns = now_ns
        self._committed = committed
        self._messages: deque[tuple[int, Event | Result]] = deque()
        self._requests: deque[tuple[Episode, Done]] = deque()
        self._changed = threading.Condition()
        self._stopping = False
        self._ended = False
        self.dropped = 0
        self.fault = ""  # what the disk said last, empty when it works
        self.committed_at = 0.0  # time.monotonic() of the latest commit, 0 before the first
        self.commit_s = 0.0  # how long it took
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)
        self._thread.start()

    @property
    def queued(self) -> int:
        """Messages and episodes that wait for the disk."""
        return len(self._messages) + len(self._requests)

    def offer(self, message: Event | Result) -> bool:
        """Queue a valid message; False (and counted) where the queue is full."""
        with self._changed:
            if self._stopping or self._ended or len(self._messages) >= self._settings.queue_size:
                self.dropped += 1
                return False
            self._messages.append((self._now_ns(), message))
            self._changed.notify()
            return True

    def store(self, episode: Episode, done: Done) -> None:
        """Store a complete episode; `done` gets it, or the error, on the recorder's thread."""
        with self._changed:
            if not self._ended:
                self._requests.append((episode, done))
                self._changed.notify()
                return
        done(StorageFailed(f"the memory takes nothing more: {self.fault or 'it was stopped'}"))

    def stop(self) -> int:
        """Write what waits, and end the thread; returns the messages that the disk refused."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        self._thread.join()
        return len(self._messages)

    def _run(self) -> None:
        try:
            self._work()
        except Exception as error:
            self.fault = f"the recorder broke off: {type(error).__name__}: {error}"
            raise
        finally:
            with self._changed:
                self._ended = True
                requests = list(self._requests)
                self._requests.clear()
            for _, done in requests:
                done(StorageFailed(self.fault))

    def _work(self) -> None:
        while True:
            stopping = self._gather()
            self._answer_requests()
            wrote = self._write_messages()
            self._expire()
            if stopping and (not wrote or not self.queued):
                return
            if not wrote:
                with self._changed:
                    self._changed.wait_for(
                        lambda: self._stopping or bool(self._requests), timeout=RETRY_S
                    )

    def _gather(self) -> bool:
        """Wait until there is something to write; returns whether the recorder is to stop."""
        with self._changed:
            self._changed.wait_for(lambda: self._stopping or self.queued > 0, timeout=EXPIRE_S)
            end = time.monotonic() + self._settings.commit_interval_s
            while (
                0 < len(self._messages) < self._settings.commit_batch
                and not self._requests
                and not self._stopping
                and (left := end - time.monotonic()) > 0
            ):
                self._changed.wait(left)
            return self._stopping

    def _answer_requests(self) -> None:
        with self._changed:
            requests = list(self._requests)
            self._requests.clear()
        if not requests:
            return
        began = time.monotonic()
        try:
            added = self._memory.add([episode for episode, _ in requests])
        except MemoryFault as error:
            self.fault = str(error)
            for _, done in requests:
                done(error)
            return
        self._note_commit(began)
        self._committed(added)
        new = {id(episode) for episode in added}
        for episode, done in requests:
            if id(episode) in new:
                done(episode)
            else:
                done(InvalidRequest("episode_id", f"'{episode.episode_id}' is already in memory"))

    def _write_messages(self) -> bool:
        batch = list(self._messages)[: self._settings.commit_batch]
        if not batch:
            return True
        began = time.monotonic()
        try:
            changed = self._memory.record_arrived(batch)
        except MemoryFault as error:
            self.fault = str(error)
            return False
        with self._changed:
            for _ in batch:
                self._messages.popleft()
        self._note_commit(began)
        self._committed(changed)
        return True

    def _note_commit(self, began: float) -> None:
        self.fault = ""
        self.committed_at = time.monotonic()
        self.commit_s = self.committed_at - began

    def _expire(self) -> None:
        try:
            changed = self._memory.expire(self._now_ns())
        except MemoryFault as error:
            self.fault = str(error)
            return
        if changed:
            self._committed(changed)
