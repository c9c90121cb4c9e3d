# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Correcting an episode: what was recorded wrongly is replaced, and what it was before is kept.

The episode keeps its id and its times, so whoever cites it still finds it.
"""

from collections.abc import Sequence
from dataclasses import replace
from sqlite3 import Connection

from clara_memory.episode import (
    CORRECTABLE,
    MAX_DETAIL,
    MAX_FILLER,
    Episode,
    Kind,
    Outcome,
    RoleFiller,
    check_episode,
    check_text,
    completed,
    fold,
)
from clara_memory.errors import InvalidRequest, StorageFailed
from clara_memory.pairing import Change
from clara_memory.store import Store


def changes_of(fillers: Sequence[RoleFiller]) -> dict[str, str]:
    """Return what is to be changed by field, where it comes as fillers; an empty text clears.

    Raises:
        InvalidRequest: one is not valid; it is named as `changes[1].filler`.
    """
    changes: dict[str, str] = {}
    for number, one in enumerate(fillers):
        here = f"changes[{number}]"
        if one.role not in CORRECTABLE:
            raise InvalidRequest(
                f"{here}.role",
                f"is {one.role[:40]!r}: only {', '.join(CORRECTABLE)} can be corrected",
            )
        if one.role in changes:
            raise InvalidRequest(f"{here}.role", f"is '{one.role}', which is given twice")
        if one.kind is not Kind.TEXT or one.values:
            raise InvalidRequest(f"{here}.kind", f"must be TEXT, without values, for '{one.role}'")
        if one.role == "detail":
            check_text(f"{here}.filler", one.filler, MAX_DETAIL, lines=True)
        else:
            check_text(f"{here}.filler", one.filler, MAX_FILLER)
        if one.role == "action" and not fold(one.filler):
            raise InvalidRequest(f"{here}.filler", "is empty: an episode needs an action")
        changes[one.role] = one.filler
    if not changes:
        raise InvalidRequest("changes", f"is empty: give one of {', '.join(CORRECTABLE)}")
    return changes


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
