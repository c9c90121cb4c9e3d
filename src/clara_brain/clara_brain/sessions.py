# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Conversations and what was said in them, kept in RAM and, where there is a store, on disk.

Both their number and their length have a limit: the conversation not used for longest goes first,
and so does the oldest turn. Not thread-safe: one thread owns a Sessions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from clara_brain.earlier_turns import MOST_SPANS, Span
from clara_brain.errors import SessionNotFound
from clara_brain.prompt import Exchange

if TYPE_CHECKING:
    from clara_brain.session_store import SessionStore


@dataclass
class Session:
    """One conversation.

    Times are what the clock given to Sessions says; `tokens` is for its history. `spans` are what
    was said and has an embedding by the heads in use, also when it left the history. `asked` are
    the questions that the next may go on from where the last reply was memory's, else None; that
    is not kept on disk.
    """

    name: str
    created: float
    last_used: float
    turns: int = 0
    history: list[Exchange] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    spans: list[Span] = field(default_factory=list)
    asked: tuple[str, ...] | None = None

    @property
    def tokens(self) -> int:
        """Tokens of the history."""
        return sum(self.sizes)


class Sessions:
    """All conversations. `clock` gives the time in seconds."""

    def __init__(
        self,
        clock: Callable[[], float],
        max_sessions: int,
        max_turns: int,
        store: SessionStore | None = None,
    ) -> None:
        self._clock = clock
        self._max_sessions = max_sessions
        self._max_turns = max_turns
        self._store = store
        self._sessions: dict[str, Session] = (
            {session.name: session for session in store.load()} if store else {}
        )
        self._keep_to_the_cap()

    def history(self, name: str) -> tuple[Exchange, ...]:
        """Return what was said in a conversation, oldest first; nothing for a new one."""
        session = self._sessions.get(name)
        return tuple(session.history) if session else ()

    def spans(self, name: str) -> tuple[Span, ...]:
        """Return what was said in a conversation and has an embedding, oldest first."""
        session = self._sessions.get(name)
        return tuple(session.spans) if session else ()

    def turns(self, name: str) -> int:
        """Return how many turns a conversation has had; 0 for a new one."""
        session = self._sessions.get(name)
        return session.turns if session else 0

    def add(
        self,
        name: str,
        exchange: Exchange,
        tokens: int,
        dropped: int = 0,
        spans: Iterable[Span] = (),
        asked: tuple[str, ...] | None = None,
    ) -> None:
        """Add a completed turn; the `dropped` oldest ones, which no longer fit, are given up."""
        now = self._clock()
        session = self._sessions.pop(name, None) or Session(name, now, now)
        self._sessions[name] = session
        session.last_used = now
        session.turns += 1
        session.asked = asked
        session.history.append(exchange)
        session.sizes.append(tokens)
        session.spans.extend(spans)
        del session.spans[:-MOST_SPANS]
        surplus = max(
            min(dropped, len(session.history) - 1), len(session.history) - self._max_turns
        )
        del session.history[:surplus], session.sizes[:surplus]
        if self._store:
            self._store.add(session)
        self._keep_to_the_cap()

    def find(self, name: str) -> Session | None:
        """Return a conversation; None for a new one."""
        return self._sessions.get(name)

    def get(self, name: str) -> Session:
        """Return a conversation. Raises SessionNotFound."""
        session = self.find(name)
        if session is None:
            raise SessionNotFound(f"there is no conversation named {name!r}")
        return session

    def reset(self, name: str) -> int:
        """Forget a conversation; return how many turns it had.

        Raises SessionNotFound, and StateError where it stays on disk: then it stays here as well.
        """
        session = self.get(name)
        if self._store:
            self._store.forget(name)
        del self._sessions[name]
        return session.turns

    @property
    def fault(self) -> str:
        """Say in a sentence that what is said is not being written; empty while it is."""
        return self._store.fault if self._store else ""

    def close(self) -> None:
        """Close the store; what was said stays in it."""
        if self._store:
            self._store.close()

    def latest_first(self) -> list[Session]:
        """All conversations, latest first."""
        return list(reversed(self._sessions.values()))

    def _keep_to_the_cap(self) -> None:
        while len(self._sessions) > self._max_sessions:
            name = next(iter(self._sessions))
            del self._sessions[name]
            if self._store:
                self._store.drop(name)
