# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Limits on the use of skills: what waits for a yes, and how often each skill was used.

A question is bound to its conversation: only the turn right after it can answer, and only in time.
Not thread-safe: one thread owns a SkillGate.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from clara_brain.prompt import Exchange
from clara_brain.skill_decision import Decision
from clara_brain.skills import Confirm, Skill

_MOST_KEPT = 1000  # conversations with an open question, and yeses that are remembered


@dataclass(frozen=True)
class _Question:
    decisions: tuple[Decision, ...]
    said: str
    ends: float


class SkillGate:
    """Questions that wait for an answer, and uses that count against a rate.

    `clock` gives seconds and never goes back.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._questions: dict[str, _Question] = {}
        self._said_yes: dict[tuple[str, str], None] = {}
        self._uses: dict[str, deque[float]] = {}

    def must_ask(self, skill: Skill, session: str) -> bool:
        """Whether a skill needs a yes in this conversation first."""
        if skill.confirm is Confirm.FIRST_TIME:
            return (session, skill.name) not in self._said_yes
        return skill.confirm is Confirm.ALWAYS

    def ask(self, session: str, decisions: Sequence[Decision], said: str, seconds: float) -> None:
        """Remember what was asked in a conversation, in answer to `said`."""
        self._questions.pop(session, None)
        self._questions[session] = _Question(tuple(decisions), said, self._clock() + seconds)
        _trim(self._questions)

    def take(self, session: str, history: Sequence[Exchange]) -> tuple[Decision, ...]:
        """Return what the last turn of a conversation asked about; it is asked no more.

        Several are the steps of one order. Nothing when there is no question, its time is up, or
        the conversation was reset meanwhile. Each turn calls this first.
        """
        if not history:
            # A new conversation, or one that was reset: an earlier yes was another person's.
            for key in [key for key in self._said_yes if key[0] == session]:
                del self._said_yes[key]
        question = self._questions.pop(session, None)
        if question is None or self._clock() > question.ends:
            return ()
        if not history or history[-1].user != question.said:
            return ()
        return question.decisions

    def agree(self, skill: Skill, session: str) -> None:
        """Remember that a conversation said yes to a skill."""
        self._said_yes[session, skill.name] = None
        _trim(self._said_yes)

    def refusal(self, skill: Skill, uses: int = 1) -> str:
        """Return why a skill may not be used now, so many times; empty when it may."""
        if skill.at_most is None:
            return ""
        if uses > skill.at_most.uses:
            return (
                f"{skill.name} is used {uses} times in that, and {skill.at_most.uses} in"
                f" {skill.at_most.period:g} s is the most"
            )
        now = self._clock()
        used = self._uses.setdefault(skill.name, deque())
        while used and used[0] <= now - skill.at_most.period:
            used.popleft()
        too_many = len(used) + uses - skill.at_most.uses
        if too_many <= 0:
            return ""
        wait = used[too_many - 1] + skill.at_most.period - now
        times = f"{len(used)} time{'s' * (len(used) != 1)}"
        most = "which is the most" if uses == 1 else f"and {skill.at_most.uses} are the most"
        return (
            f"{skill.name} was used {times} in the last {skill.at_most.period:g} s, {most};"
            f" wait {max(1, round(wait))} s"
        )

    def used(self, skill: Skill) -> None:
        """Count a use."""
        if skill.at_most:
            self._uses.setdefault(skill.name, deque()).append(self._clock())


def _trim(kept: dict[str, _Question] | dict[tuple[str, str], None]) -> None:
    while len(kept) > _MOST_KEPT:
        del kept[next(iter(kept))]  # type: ignore[arg-type]
