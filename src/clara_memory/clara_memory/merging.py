# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Another memory: read from its file, or from a JSONL export of it.

Whose an episode is the robot's name says, not the file: what this robot lived comes back as its
own, as from a backup. Who merges a namesake's memory gives that a name.
"""

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from sqlite3 import Connection

from clara_memory.database import HEADER
from clara_memory.episode import (
    MAX_FILLER,
    UNKNOWN_ACTION,
    Episode,
    check_text,
    fold,
    lacks_result,
)
from clara_memory.errors import InvalidRequest, StorageFailed
from clara_memory.formats import read_jsonl
from clara_memory.pairing import Change
from clara_memory.store import MERGED, Store

_OF_A_RESULT = ("outcome", "result", "end_ns", "detail", "effects")
_OF_AN_EVENT = ("subject", "action", "object", "context", "detail")


@dataclass(frozen=True, slots=True)
class Merged:
    """What became of the episodes of another memory.

    Of those known already, `completed` had no result or no event here, and the other memory did;
    over the service they are not told apart.
    """

    added: int
    already_known: int
    completed: int = 0


def episodes_of(path: Path, damaged: Callable[[str], None] | None = None) -> Iterator[Episode]:
    """Yield the episodes of a memory file or a JSONL export, each with an id of its own.

    A damaged one is left out, and `damaged` told of it; without `damaged` it raises.

    Raises:
        InvalidRequest: there is no such file, or it is neither; line and field are named.
    """
    try:
        # A pipe or a device may never end, or never begin.
        if path.exists() and not path.is_file():
            raise InvalidRequest("path", f"{path} is no file: give a memory or a JSONL export")
        with path.open("rb") as file:
            is_database = file.read(len(HEADER)) == HEADER
    except OSError as error:
        raise InvalidRequest("path", f"{path} cannot be read: {error.strerror}") from error
    if not is_database:
        yield from _of_jsonl(path)
        return
    try:
        other = Store(path, read_only=True, damaged=damaged)
    except StorageFailed as error:
        raise InvalidRequest("path", f"cannot be merged: {error}") from error
    try:
        yield from other.episodes()
    finally:
        other.close()


def _of_jsonl(path: Path) -> Iterator[Episode]:
    try:
        with path.open(encoding="utf-8-sig") as file:
            for episode in read_jsonl(file):
                if not episode.episode_id:
                    raise InvalidRequest(
                        "path", f"{path} has an episode without episode_id: import it instead"
                    )
                yield episode
    except UnicodeDecodeError as error:
        raise InvalidRequest("path", f"{path} is neither a memory nor UTF-8 JSONL") from error
    except InvalidRequest as error:
        raise InvalidRequest("path", f"{path}, {error}") from error


class Counted:
    """Episodes that are counted as they are read; `progress` hears of every thousandth."""

    def __init__(
        self, episodes: Iterable[Episode], progress: Callable[[int], None] | None
    ) -> None:
        self._episodes = episodes
        self._progress = progress
        self.seen = 0

    def __iter__(self) -> Iterator[Episode]:
        for episode in self._episodes:
            self.seen += 1
            if self._progress is not None and self.seen % 1000 == 0:
                self._progress(self.seen)
            yield episode


def take_in(
    database: Connection,
    store: Store,
    episodes: Iterable[Episode],
    name: str,
    own_robots: Collection[str],
    now_ns: int,
) -> list[Change]:
    """Insert another memory's episodes in a transaction, or complete those that are open here.

    Without a `name`, episodes of `own_robots` are this memory's own.

    Raises InvalidRequest for a `name` that makes provenance too long, StorageFailed.
    """
    changes = []
    unfinished = store.unfinished()
    own = set() if name else {fold(robot) for robot in own_robots}
    for episode in episodes:
        is_own = fold(episode.robot) in own
        taken = come_back(episode) if is_own else with_provenance(episode, name)
        seq = store.insert(database, taken)
        if seq is not None:
            changes.append(Change(seq, taken, True))
        elif taken.episode_id in unfinished:
            seq = unfinished[taken.episode_id]
            before = store.fetch([seq]).get(seq)
            after = completed_by(before, taken) if before is not None else None
            if before is not None and after is not None:
                del unfinished[taken.episode_id]
                store.update(database, seq, before, after, now_ns)
                changes.append(Change(seq, after, False))
    return changes


def come_back(episode: Episode) -> Episode:
    """Return an own episode as it was here, also where another robot's memory had it meanwhile."""
    if episode.source and not episode.source.startswith(MERGED):
        return episode
    return replace(episode, source="file")


def with_provenance(episode: Episode, name: str) -> Episode:
    """Return the episode as another memory has it; where it was merged before, that stays."""
    if episode.source.startswith(MERGED):
        return episode
    named = f"{MERGED}{name or episode.robot}"
    check_text("name", named, MAX_FILLER)
    return replace(episode, source=named)


def completed_by(known: Episode, other: Episode) -> Episode | None:
    """Return an open episode with what the same one in another memory has; None for no more.

    What was done to what stays as it is here, where it may have been corrected.
    """
    result = lacks_result(known) and not lacks_result(other)
    event = known.action == UNKNOWN_ACTION and other.action != UNKNOWN_ACTION
    if not (result or event):
        return None
    taken = (*(_OF_A_RESULT if result else ()), *(_OF_AN_EVENT if event else ()))
    after = replace(known, **{name: getattr(other, name) for name in taken})
    start_ns = min(other.start_ns if event else after.start_ns, after.end_ns)
    return replace(after, start_ns=start_ns)
