# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Correcting an episode: what was recorded wrongly is replaced, and what it was before is kept.

The episode keeps its id and its times, so whoever cites it still finds it.
"""

from dataclasses import replace
from sqlite3 import Connection

from clara_memory.episode import Episode, Outcome, check_episode, completed
from clara_memory.errors import InvalidRequest, StorageFailed
from clara_memory.pairing import Change
from clara_memory.store import Store

CORRECTABLE = ("subject", "action", "object", "result", "detail")


def correct(
    database: Connection, store: Store, episode_id: str, changes: dict[str, str], now_ns: int
) -> Change:
    """Correct the episode with this id in a transaction.

    Raises:
        InvalidRequest: the id is not in memory, or the changes are not valid.
        StorageFailed: the episode is damaged.
    """
    seq = store.seqs_of([episode_id]).get(episode_id)
    if seq is None:
        raise InvalidRequest("episode_id", f"'{episode_id[:64]}' is not in memory")
    before = store.fetch([seq]).get(seq)
    if before is None:
        raise StorageFailed(f"the episode '{episode_id[:64]}' is damaged")
    after = corrected(before, changes)
    store.update(database, seq, before, after, now_ns)
    return Change(seq, after, False)


def corrected(episode: Episode, changes: dict[str, str]) -> Episode:
    """Return the valid episode with these fields changed; a result sets its outcome as well.

    Raises:
        InvalidRequest: there is nothing to change, or a field is not valid or cannot be changed.
    """
    if not changes:
        raise InvalidRequest("changes", f"are none: give one of {', '.join(CORRECTABLE)}")
    for field in changes:
        if field not in CORRECTABLE:
            raise InvalidRequest(field, f"cannot be corrected, only {', '.join(CORRECTABLE)} can")
    outcome = Outcome.UNKNOWN if "result" in changes else episode.outcome
    whole = replace(episode, outcome=outcome, **changes)  # type: ignore[arg-type]
    check_episode(whole)
    return completed(whole, robot=whole.robot, now_ns=whole.end_ns)
