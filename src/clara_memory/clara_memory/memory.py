# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""The episodic memory: a file of episodes, and columns in RAM that answer questions about them.

`store` and `record` return after commit. Queries read what is committed and never wait for a
commit. All methods may be called from any thread.
"""

import os
import random
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from sqlite3 import Connection
from types import TracebackType

import numpy as np

from clara_memory.correcting import correct
from clara_memory.episode import (
    FAILURES,
    MAX_FILLER,
    Episode,
    Filler,
    Outcome,
    RoleFiller,
    as_filler,
    check_episode,
    check_text,
    completed,
)
from clara_memory.erasing import Request, check_request, erase_found, found_by, rows_meeting
from clara_memory.errors import InvalidRequest, StorageFailed
from clara_memory.forgetting import (
    Bounds,
    Conditions,
    Consolidated,
    check_bounds,
    make_room,
    numbers_left,
)
from clara_memory.meaning import Embedder
from clara_memory.merging import Counted, Merged, episodes_of, take_in
from clara_memory.messages import Event, Result, check_event, check_result
from clara_memory.pairing import Change, Pairing, PairingCounts, PairingSettings
from clara_memory.recall import Recall
from clara_memory.store import Store


@dataclass(frozen=True, slots=True)
class Stats:
    """Figures of the memory; times in ns, 0 where there is no episode."""

    episodes: int
    succeeded: int
    failed: int
    pending: int
    oldest_ns: int
    latest_ns: int
    path: str
    bytes: int
    vocabulary: dict[str, int]
    counts: PairingCounts
    forgotten: int = 0  # by the forgetting policy, since the counts were reset
    pinned: int = 0
    max_episodes: int = 0
    max_bytes: int = 0


class EpisodicMemory(Recall):
    """Episodes by role: store what happened, ask by any subset of roles.

    >>> memory = EpisodicMemory()
    >>> _ = memory.store_memory(subject="CLARA", action="PICK_UP", object="CUP", result="SUCCESS")
    >>> memory.query(object="CUP", result="SUCCESS")["action"].candidates[0].filler
    'PICK_UP'
    """

    def __init__(
        self,
        path: str | PathLike[str] | None = None,
        *,
        robot: str = "CLARA",
        read_only: bool = False,
        pairing: PairingSettings | None = None,
        meaning: Embedder | None = None,
        bounds: Bounds | None = None,
        damaged: Callable[[str], None] | None = None,
    ) -> None:
        """Open the memory of a file, or one in RAM where path is None.

        With `meaning` (clara_memory.meaning) a filler is found by another word for it, too.
        With `damaged` a damaged episode is left out and its name given to that function, from
        any thread; without it, reading that episode raises StorageFailed.

        Raises:
            StorageFailed: the file cannot be opened; FileInUse, NotAMemory: and why.
            InvalidRequest: the bounds are not valid.
        """
        bounds = bounds or Bounds()
        check_bounds(bounds)
        file = None if path is None else Path(os.path.expanduser(path)).absolute()
        store = Store(file, read_only=read_only, damaged=damaged)
        try:
            waiting = Pairing(store, robot, pairing or PairingSettings())
            super().__init__(store, robot, waiting, bounds, meaning)
        except BaseException:
            store.close()
            raise
        self._chance = random.Random(os.urandom(32))
        self._forgotten = 0
        self._writing = threading.Lock()

    @property
    def set_aside(self) -> Path | None:
        """Where a damaged file found at the path was moved to, or None."""
        return self._store.set_aside

    @property
    def pending(self) -> int:
        """Return the number of actions that started and have not ended yet."""
        return self._pairing.pending

    @property
    def forgotten(self) -> int:
        """Return how many episodes the forgetting policy has taken since the counts were reset."""
        return self._forgotten

    @property
    def bytes_on_disk(self) -> int:
        """Return the size of the file with its write-ahead log."""
        return self._store.bytes_on_disk()

    def store_memory(
        self,
        subject: str = "",
        action: str = "",
        object: str = "",
        result: str = "",
        **context: Filler,
    ) -> str:
        """Store an episode by its roles; other keywords are context. Returns its episode_id.

        Raises:
            InvalidRequest, StorageFailed: as `store`.
        """
        fillers = tuple(as_filler(role, filler) for role, filler in context.items())
        episode = Episode(
            action=action, subject=subject, object=object, result=result, context=fillers
        )
        return self.store(episode).episode_id

    def store(
        self, episode: Episode, *, source: str = "service", now_ns: int | None = None
    ) -> Episode:
        """Store one episode and return it complete, with its id; it is on disk then.

        Raises:
            InvalidRequest: a field is not valid, or an episode with its episode_id is there.
            StorageFailed: the disk refused; nothing was stored.
        """
        stored = self.store_all([episode], source=source, now_ns=now_ns)
        if not stored:
            raise InvalidRequest("episode_id", f"'{episode.episode_id}' is already in memory")
        return stored[0]

    def store_all(
        self, episodes: Iterable[Episode], *, source: str = "file", now_ns: int | None = None
    ) -> list[Episode]:
        """Store episodes, all or (on error) none; those whose episode_id is known are left out.

        Returns those that were added. Raises as `store`.
        """
        moment = time.time_ns() if now_ns is None else now_ns
        return self.add([self.complete(episode, source, moment) for episode in episodes])

    def complete(self, episode: Episode, source: str, now_ns: int) -> Episode:
        """Return an episode as it would be stored, with its id; raises InvalidRequest."""
        check_episode(episode)
        return completed(
            episode,
            robot=self.robot,
            now_ns=now_ns,
            episode_id=f"{self._chance.getrandbits(64):016x}",
            source=source,
        )

    def add(self, episodes: Iterable[Episode]) -> list[Episode]:
        """Commit complete episodes at once; returns those whose episode_id was new.

        Raises:
            StorageFailed: the disk refused; nothing was stored.
        """
        complete = list(episodes)

        def insert(database: Connection) -> list[Change]:
            seqs = self._store.insert_all(database, complete)
            return [
                Change(seq, episode, True)
                for seq, episode in zip(seqs, complete, strict=True)
                if seq is not None
            ]

        changes = self._write(insert)
        return [change.episode for change in changes]

    def record(
        self, messages: Iterable[Event | Result], now_ns: int | None = None
    ) -> list[Episode]:
        """Pair events and results, in one commit; returns the episodes stored or completed.

        Raises:
            InvalidRequest: a message is not valid; nothing was taken in.
            StorageFailed: the disk refused; nothing was taken in, try again later.
        """
        moment = time.time_ns() if now_ns is None else now_ns
        valid = list(messages)
        for message in valid:
            if isinstance(message, Event):
                check_event(message)
            else:
                check_result(message)
        return self.record_arrived([(moment, message) for message in valid])

    def record_arrived(self, arrived: Sequence[tuple[int, Event | Result]]) -> list[Episode]:
        """Pair valid messages that come with the time of their arrival in ns; else as `record`."""
        return self._paired(
            lambda database: [
                change
                for moment, message in arrived
                for change in self._pairing.take(database, message, moment)
            ]
        )

    def awaits(self, action_id: str) -> bool:
        """Whether the action with this id started, and how it ended is not known yet.

        Raises:
            StorageFailed: the file cannot be read, or the episode is damaged.
        """
        return self._pairing.awaits(action_id)

    def overdue(self, now_ns: int) -> bool:
        """Whether anything waits at this moment that `expire` would give up."""
        return self._pairing.has_overdue(now_ns)

    def expire(self, now_ns: int | None = None) -> list[Episode]:
        """Store what has waited too long for its other half; returns those episodes.

        Raises:
            StorageFailed: the disk refused; nothing was changed.
        """
        moment = time.time_ns() if now_ns is None else now_ns
        if not self._pairing.has_overdue(moment):
            return []
        return self._paired(lambda database: self._pairing.expire(database, moment))

    def reset_counts(self) -> None:
        """Begin to count events, results, duplicates and orphans anew."""
        with self._writing:
            self._pairing.counts = PairingCounts()
            self._forgotten = 0

    def _paired(self, work: Callable[[Connection], list[Change]]) -> list[Episode]:
        counts = replace(self._pairing.counts)
        try:
            changes = self._write(work)
        except StorageFailed:
            self._pairing.counts = counts
            self._pairing.reload()
            raise
        return [change.episode for change in changes]

    def _write(self, work: Callable[[Connection], list[Change]]) -> list[Change]:
        """Do the work in one transaction with what the bounds ask for, then take it up in RAM."""
        with self._writing:
            with self._store.transaction() as database:
                changes = work(database)
                self._uses.flush(database)
                added = [change.seq for change in changes if change.added]
                held = len(self._columns) + len(added)
                gone = make_room(database, self.bounds, held, added, time.time_ns())
            with self._index:
                self._take_up(changes, gone)
                self._forgotten += len(gone)
        return changes

    def forget(
        self,
        *,
        episode_ids: Sequence[str] = (),
        where: Sequence[RoleFiller] = (),
        since_ns: int = 0,
        until_ns: int = 0,
        dry_run: bool = False,
        reason: str = "",
        now_ns: int | None = None,
    ) -> int:
        """Forget the episodes for which every condition given holds; returns how many.

        Fillers must be equal, letter case and separators aside. With `dry_run` only count. What
        still waits for its event or result goes and counts as well, and so do the numbers left
        of episodes that were consolidated; both only where no `episode_ids` are given.

        Raises:
            InvalidRequest: a field is not valid, or there is no condition at all.
            StorageFailed: the disk refused; nothing was forgotten.
        """
        request = Request(tuple(episode_ids), Conditions(tuple(where), since_ns, until_ns), reason)
        check_request(request)
        moment = time.time_ns() if now_ns is None else now_ns
        with self._writing:
            with self._index:
                rows = rows_meeting(request.conditions, self._columns)
            found = found_by(request, rows, self._store, self._pairing)
            if found.count and not dry_run:
                try:
                    with self._store.transaction() as database:
                        erase_found(database, found, request, self._pairing, moment)
                except StorageFailed:
                    self._pairing.reload()
                    raise
                self._store.empty_log()
                with self._index:
                    self._take_up([], found.seqs)
        return found.count

    def correct(self, episode_id: str, *, now_ns: int | None = None, **changes: str) -> Episode:
        """Correct subject, action, object, result or detail of an episode; returns it as it is.

        It keeps its id and times; what it was before stays in the table `revisions`.

        Raises:
            InvalidRequest: the id is not in memory, or a field is not valid; nothing was changed.
            StorageFailed: the disk refused; nothing was changed.
        """
        moment = time.time_ns() if now_ns is None else now_ns
        made = self._write(
            lambda database: [correct(database, self._store, episode_id, changes, moment)]
        )
        return made[0].episode

    def pin(self, episode_ids: Sequence[str], pinned: bool = True) -> int:
        """Pin episodes, so that the forgetting policy never takes them; returns how many changed.

        Raises:
            InvalidRequest: an id is not in memory; nothing was changed.
            StorageFailed: the disk refused; nothing was changed.
        """
        if not episode_ids:
            raise InvalidRequest("episode_ids", "is empty: say which episodes to pin")
        with self._writing:
            known = self._store.seqs_of(episode_ids)
            for number, identity in enumerate(episode_ids):
                if identity not in known:
                    raise InvalidRequest(
                        f"episode_ids[{number}]", f"'{identity[:64]}' is not in memory"
                    )
            with self._store.transaction() as database:
                return self._store.set_pinned(database, set(known.values()), pinned)

    def merge(
        self,
        path: str | PathLike[str],
        name: str = "",
        progress: Callable[[int], None] | None = None,
    ) -> Merged:
        """Take in another memory (its file, or a JSONL export), all of it or nothing.

        Episodes that are here already, by their id, are not taken twice; one that has no result
        here is completed where it has one there. What this robot lived itself comes back as its
        own, unless a `name` is given. `progress` is called with the number of episodes read so
        far.

        Raises:
            InvalidRequest: there is no such file, or it is no memory; line and field are named.
            StorageFailed: the disk refused.
        """
        check_text("name", name, MAX_FILLER)
        other = Path(os.path.expanduser(path)).absolute()
        if other == self._store.path:
            raise InvalidRequest("path", "is this memory's own file")
        episodes = Counted(episodes_of(other, self._store.damaged), progress)
        own = self._own_robots()
        changes = self._write(
            lambda database: take_in(database, self._store, episodes, name, own, time.time_ns())
        )
        if progress is not None:
            progress(episodes.seen)
        added = sum(change.added for change in changes)
        return Merged(added, episodes.seen - added, len(changes) - added)

    def _own_robots(self) -> list[str]:
        """Return whose memory this is: another's, where its file was opened without the name."""
        with self._index:
            known = self._columns.robots.identity(RoleFiller("robot", self.robot))
        return [self.robot] if known else self._store.robots_not_merged() or [self.robot]

    def consolidated(self) -> list[Consolidated]:
        """Return the numbers left of episodes that were consolidated, the most frequent first."""
        return numbers_left(self._store)

    def verify(self) -> Iterator[tuple[int, str]]:
        """Yield for every row how many were looked at and what is wrong with it (mostly nothing).

        Row 0 stands for the file as a whole, and for what waits for its event or result.
        """
        yield from ((0, problem) for problem in self._pairing.unreadable)
        yield from self._store.damage()

    def stats(self) -> Stats:
        """Return the figures of the memory."""
        with self._index:
            outcomes = np.bincount(self._columns.outcome, minlength=len(Outcome))
            ends = self._columns.end_ns
            return Stats(
                episodes=len(self._columns),
                succeeded=int(outcomes[Outcome.SUCCEEDED]),
                failed=int(sum(outcomes[outcome] for outcome in FAILURES)),
                pending=self._pairing.pending,
                oldest_ns=int(ends.min()) if len(ends) else 0,
                latest_ns=int(ends.max()) if len(ends) else 0,
                path="" if self._store.path is None else str(self._store.path),
                bytes=self._store.bytes_on_disk(),
                vocabulary={role: len(known) for role, known in self._columns.items.items()},
                counts=replace(self._pairing.counts),
                forgotten=self._forgotten,
                pinned=self._store.pinned(),
                max_episodes=self.bounds.max_episodes,
                max_bytes=self.bounds.max_bytes,
            )

    def episodes(self) -> Iterator[Episode]:
        """Yield all episodes in the order they were stored; raises StorageFailed."""
        return self._store.episodes()

    def close(self) -> None:
        """Close the file; nothing else can be called then."""
        with self._writing:
            self._store.close()

    def __enter__(self) -> "EpisodicMemory":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
