# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Forgetting by a declared policy when a memory reaches its cap, and what all forgetting leaves.

- What is forgotten is gone from the file (`PRAGMA secure_delete`); an audit row says when, what
  was asked, why and which ids, never what the episodes were. Rows of requests stay; of what went
  because the memory was full there are the latest, for a capped memory must not grow.
- The numbers that `consolidate` leaves are capped as well: the rarest are added up.
- Use is counted with forward decay (Cormode et al., 2009): log2 of the sum of 2^(t / half life)
  over the times an episode answered a query. Its order never changes as time goes by.
"""

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from sqlite3 import Connection

from clara_memory.episode import FAILURES, STANDARD_ROLES, Outcome, RoleFiller
from clara_memory.errors import InvalidRequest, StorageFailed
from clara_memory.item_memory import symbol
from clara_memory.store import Store

POLICIES = ("oldest", "least_used", "consolidate")
MIN_BYTES = 1_000_000
_CHUNK = 100  # one in so many goes at a time, so that most stores need not forget anything
_IDS_AUDITED = 1000
_ROWS_AUDITED = 100  # of the policy; as each is for a _CHUNKth, of as many episodes as are held
_NUMBERS_SHARE = 4  # at most one row of numbers for so many episodes held,
_NUMBERS_AT_LEAST = 100  # or so many rows
_ADDED_UP = ("object", "action", "subject", "result")  # what the rarest lose, in this order
_ON_CONFLICT = """
    ON CONFLICT (subject, action, object, result) DO UPDATE SET
        count = count + excluded.count,
        succeeded = succeeded + excluded.succeeded,
        failed = failed + excluded.failed,
        first_ns = min(first_ns, excluded.first_ns),
        last_ns = max(last_ns, excluded.last_ns)
"""


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much a memory may hold (0: no cap), and what goes when it is full.

    `oldest`: what was stored first. `least_used`: what answered queries least of late.
    `consolidate`: what was stored first, but its numbers are kept by subject, action, object and
    result. Pinned episodes never go. `max_bytes` caps the database file without its log.
    """

    max_episodes: int = 0
    max_bytes: int = 0
    forgetting_policy: str = "oldest"
    use_half_life_s: float = 7 * 86_400.0


@dataclass(frozen=True, slots=True)
class Consolidated:
    """What is still known of episodes that were forgotten: how many, and how they went.

    A role is empty where they had none, or where the rarest numbers were added up.
    """

    subject: str
    action: str
    object: str
    result: str
    count: int
    succeeded: int
    failed: int
    first_ns: int
    last_ns: int

    @property
    def fillers(self) -> list[RoleFiller]:
        """Return what they have in common."""
        texts = {role: getattr(self, role) for role in STANDARD_ROLES}
        return [RoleFiller(role, text) for role, text in texts.items() if text]


_NUMBERS = ", ".join(field.name for field in fields(Consolidated))
_VALUES = ", ".join("?" * len(fields(Consolidated)))


@dataclass(frozen=True, slots=True)
class Conditions:
    """What must be so for something to be forgotten; times in ns, 0: no condition."""

    where: tuple[RoleFiller, ...]
    since_ns: int
    until_ns: int

    def hold(self, fillers: Iterable[RoleFiller], first_ns: int, last_ns: int) -> bool:
        """Whether they hold for what has these fillers and ended from first to last (0: not yet).

        Fillers must be equal, letter case and separators aside.
        """
        there = {(filler.role, symbol(filler)) for filler in fillers}
        return (
            all((filler.role, symbol(filler)) in there for filler in self.where)
            and self.since_ns <= first_ns
            and (not self.until_ns or 0 < last_ns <= self.until_ns)
        )


def check_bounds(bounds: Bounds) -> None:
    """Raise InvalidRequest naming the field that is not valid."""
    if bounds.max_episodes < 0:
        raise InvalidRequest("max_episodes", f"is {bounds.max_episodes}, not 0 or more")
    if bounds.max_bytes < 0 or 0 < bounds.max_bytes < MIN_BYTES:
        raise InvalidRequest(
            "max_bytes", f"is {bounds.max_bytes:,}, not 0 (no cap) or at least {MIN_BYTES:,}"
        )
    if bounds.forgetting_policy not in POLICIES:
        raise InvalidRequest(
            "forgetting_policy", f"is '{bounds.forgetting_policy}', none of {', '.join(POLICIES)}"
        )
    if not bounds.use_half_life_s > 0:
        raise InvalidRequest("use_half_life_s", "is not a positive number of seconds")


def surplus(database: Connection, bounds: Bounds, held: int) -> int:
    """Return how many of `held` episodes must go for the memory to keep within its bounds."""
    count = max(0, held - bounds.max_episodes) if bounds.max_episodes else 0
    if bounds.max_bytes:
        size, pages, free = (
            database.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("page_size", "page_count", "freelist_count")
        )
        used = size * (pages - free)
        if used > bounds.max_bytes:
            count = max(count, math.ceil(held * (1 - bounds.max_bytes / used)))
    return count


def make_room(
    database: Connection, bounds: Bounds, held: int, added: Sequence[int], now_ns: int
) -> list[int]:
    """Forget what the policy says of the `held` episodes; returns the row numbers.

    Those just `added` go only where they are more than the memory may hold.

    Raises:
        StorageFailed: too much is pinned.
    """
    if not (bounds.max_episodes or bounds.max_bytes):
        return []
    count = surplus(database, bounds, held)
    if count and bounds.forgetting_policy == "consolidate":
        _add_up(database, max(_NUMBERS_AT_LEAST, held // _NUMBERS_SHARE))
        count = surplus(database, bounds, held)
    if not count:
        return []
    order = "seq"
    if bounds.forgetting_policy == "least_used":
        order = "use_score, seq"
        # To have happened counts as a use, at the time of it.
        database.execute(
            "UPDATE episodes SET use_score = min(end_ns, ?) / ? WHERE use_score IS NULL",
            (now_ns, bounds.use_half_life_s * 1e9),
        )
    first = min(added, default=2**62)
    wanted = count + held // _CHUNK
    rows = database.execute(
        f"SELECT seq FROM episodes WHERE pinned = 0 AND seq < ? ORDER BY {order} LIMIT ?",
        (first, wanted),
    )
    seqs = [row[0] for row in rows]
    if len(seqs) < count and len(added) > held - len(added):
        seqs += sorted(added)[: min(count - len(seqs), len(added) - 1)]
    if len(seqs) < count:
        raise StorageFailed(
            f"the memory is full: of its {held - len(added):,} episodes only {len(seqs):,} are "
            "not pinned; unpin some, or raise max_episodes or max_bytes"
        )
    if bounds.forgetting_policy == "consolidate":
        _consolidate(database, seqs)
    erase(database, seqs, now_ns, {"policy": bounds.forgetting_policy}, "the memory was full")
    database.execute(
        "DELETE FROM audit WHERE asked LIKE '{\"policy\":%'"
        " AND number <= (SELECT max(number) FROM audit) - ?",
        (_ROWS_AUDITED,),
    )
    return seqs


def erase(
    database: Connection,
    seqs: Sequence[int],
    now_ns: int,
    asked: dict[str, object],
    reason: str,
    others: int = 0,
) -> None:
    """Delete rows and what they looked like before, and leave an audit row.

    It counts the `others` that were no rows too.
    """
    ids = []
    for seq in seqs:
        ids += database.execute("SELECT episode_id FROM episodes WHERE seq = ?", (seq,)).fetchone()
    database.executemany("DELETE FROM revisions WHERE seq = ?", ((seq,) for seq in seqs))
    database.executemany("DELETE FROM episodes WHERE seq = ?", ((seq,) for seq in seqs))
    database.execute(
        "INSERT INTO audit (at_ns, asked, reason, forgotten, episode_ids) VALUES (?, ?, ?, ?, ?)",
        (now_ns, json.dumps(asked), reason, len(seqs) + others, json.dumps(ids[:_IDS_AUDITED])),
    )


def _consolidate(database: Connection, seqs: Iterable[int]) -> None:
    failed = ", ".join(str(int(outcome)) for outcome in FAILURES)
    database.executemany(
        f"""
        INSERT INTO consolidated ({_NUMBERS})
        SELECT subject, action, object, result, 1, outcome = {int(Outcome.SUCCEEDED)},
               outcome IN ({failed}), start_ns, end_ns
        FROM episodes WHERE seq = ? {_ON_CONFLICT}
        """,
        ((seq,) for seq in seqs),
    )


def numbers_left(store: Store) -> list[Consolidated]:
    """Return the numbers left of episodes that were consolidated, the most frequent first."""
    rows = store.read(f"SELECT {_NUMBERS} FROM consolidated ORDER BY count DESC, last_ns DESC")
    return [Consolidated(*row) for row in rows]


def erase_numbers(database: Connection, numbers: Iterable[Consolidated]) -> None:
    """Delete these of the numbers that are left of episodes."""
    database.executemany(
        "DELETE FROM consolidated WHERE subject = ? AND action = ? AND object = ? AND result = ?",
        [(one.subject, one.action, one.object, one.result) for one in numbers],
    )


def _add_up(database: Connection, limit: int) -> None:
    """Have at most `limit` rows of numbers: the rarest lose what sets them apart."""
    for rank in range(1, 1 + len(_ADDED_UP)):
        there = database.execute("SELECT count(*) FROM consolidated").fetchone()[0]
        if there <= limit:
            return
        rarest = [
            Consolidated(*row)
            for row in database.execute(
                f"SELECT {_NUMBERS} FROM consolidated ORDER BY count, last_ns LIMIT ?",
                (there - limit + limit // 10,),  # some more, so that this is seldom done
            )
        ]
        erase_numbers(database, rarest)
        emptied = dict.fromkeys(_ADDED_UP[:rank], "")
        database.executemany(
            f"INSERT INTO consolidated ({_NUMBERS}) VALUES ({_VALUES}) {_ON_CONFLICT}",
            [tuple((asdict(one) | emptied).values()) for one in rarest],
        )


class Uses:
    """Counts in RAM which episodes answered queries, until the next commit takes them along."""

    def __init__(self, half_life_s: float) -> None:
        self._half_life_ns = half_life_s * 1e9
        self._scores: dict[int, float] = {}

    def count(self, seqs: Iterable[int], now_ns: int) -> None:
        """Note that these episodes answered a query now."""
        now = now_ns / self._half_life_ns
        for seq in seqs:
            self._scores[seq] = _log_sum(self._scores.get(seq), now)

    def flush(self, database: Connection) -> None:
        """Write what was counted."""
        scores, self._scores = self._scores, {}
        for seq, score in scores.items():
            row = database.execute(
                "SELECT use_score, end_ns FROM episodes WHERE seq = ?", (seq,)
            ).fetchone()
            if row is not None:
                before, end_ns = row
                if before is None:
                    before = min(end_ns / self._half_life_ns, score)
                database.execute(
                    "UPDATE episodes SET use_score = ? WHERE seq = ?",
                    (_log_sum(before, score), seq),
                )


def _log_sum(first: float | None, second: float) -> float:
    """Return log2(2^first + 2^second)."""
    if first is None:
        return second
    high, low = max(first, second), min(first, second)
    return high + math.log2(1.0 + 2.0 ** (low - high))
