# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Messages that wait for their other half, as rows of the memory's file.

An event waits for its result, a result for its event: there is one of a kind ("event", "result")
and an action_id.
"""

import json
from dataclasses import dataclass
from sqlite3 import Connection

from clara_memory.episode import Episode, RoleFiller
from clara_memory.errors import InvalidRequest, sentence
from clara_memory.formats import episode_from_json, episode_to_json
from clara_memory.store import Store


@dataclass(slots=True)
class Waiting:
    """A message that waits: an event, or a result (as an episode of UNKNOWN_ACTION)."""

    received_ns: int
    episode: Episode
    stamped: bool

    def fillers(self, robot: str) -> list[RoleFiller]:
        """Return what it says; without a subject it is of this robot."""
        one = self.episode
        texts = {
            "subject": one.subject or robot,
            "action": one.action,
            "object": one.object,
            "result": one.outcome.name if one.outcome else "",  # an event has none yet
        }
        standard = [RoleFiller(role, text) for role, text in texts.items() if text]
        return [*standard, *one.context, *one.effects]


def read_waiting(store: Store) -> tuple[dict[str, dict[str, Waiting]], list[str]]:
    """Return what waits by kind and action_id, as it came, and what is damaged in sentences."""
    waiting: dict[str, dict[str, Waiting]] = {"event": {}, "result": {}}
    unreadable = []
    for kind, action_id, received_ns, message in store.read(
        "SELECT kind, action_id, received_ns, message FROM pending ORDER BY received_ns, rowid"
    ):
        try:
            written = json.loads(message)
            stamped = bool(written.pop("stamped"))
            one = Waiting(int(received_ns), episode_from_json(written), stamped)
            waiting[kind][action_id] = one
        except (InvalidRequest, ValueError, TypeError, KeyError, AttributeError):
            unreadable.append(
                sentence(f"the {kind} of action '{action_id}' that waits cannot be read")
            )
    return waiting, unreadable


def insert_waiting(database: Connection, kind: str, waiting: Waiting) -> None:
    """Add a row; one of the same kind and action_id that could not be read is replaced."""
    written = episode_to_json(waiting.episode) | {"stamped": waiting.stamped}
    database.execute(
        "INSERT OR REPLACE INTO pending VALUES (?, ?, ?, ?)",
        (
            kind,
            waiting.episode.action_id,
            waiting.received_ns,
            json.dumps(written, ensure_ascii=False),
        ),
    )


def delete_waiting(database: Connection, kind: str, action_id: str) -> None:
    """Delete the row of a kind and an action_id."""
    database.execute("DELETE FROM pending WHERE kind = ? AND action_id = ?", (kind, action_id))
