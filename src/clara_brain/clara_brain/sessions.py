# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Conversations and what was said in them, kept in the memory of the process.

Both their number and their length have a limit: the conversation not used for longest goes first,
and so does the oldest turn. Not thread-safe: one thread owns a Sessions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from clara_brain.errors import SessionNotFound
from clara_brain.prompt import Exchange


@dataclass
class Session:
    """One conversation.

    Times are what the clock given to Sessions says; `tokens` is for its history.
    """

    name: str
    created: float
    last_used: float
    turns: int = 0
    history: list[Exchange] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)

    @property
    def tokens(self) -> int:
        """Tokens of the history."""
        return sum(self.sizes)


class Sessions:
    """All conversations. `clock` gives the time in seconds."""

    def __init__(self, clock: Callable[[], float], max_sessions: int, max_turns: int) -> None:
        self._clock = clock
        self._max_sessions = max_sessions
        self._max_turns = max_turns
        self._sessions: dict[str, Session] = {}

    def history(self, name: str) -> tuple[Exchange, ...]:
        """Return what was said in a conversation, oldest first; nothing for a new one."""
        session = self._sessions.get(name)
        return tuple(session.history) if session else ()

    def add(self, name: str, exchange: Exchange, tokens: int, dropped: int = 0) -> None:
        """Add a completed turn; the `dropped` oldest ones, which no longer fit, are given up."""
        now = self._clock()
        session = self._sessions.pop(name, None) or Session(name, now, now)
        self._sessions[name] = session
        session.last_used = now
        session.turns += 1
        session.history.append(exchange)
        session.sizes.append(tokens)
        surplus = max(
            min(dropped, len(session.history) - 1), len(session.history) - self._max_turns
        )
        del session.history[:surplus], session.sizes[:surplus]
        while len(self._sessions) > self._max_sessions:
            del self._sessions[next(iter(self._sessions))]

    def reset(self, name: str) -> int:
        """Forget a conversation; return how many turns it had. Raises SessionNotFound."""
        session = self._sessions.pop(name, None)
        if session is None:
            raise SessionNotFound(f"there is no conversation named {name!r}")
        return session.turns

    def clear(self) -> None:
        """Forget all conversations."""
        self._sessions.clear()

    def latest_first(self) -> list[Session]:
        """All conversations, latest first."""
        return list(reversed(self._sessions.values()))
