# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Several orders of a person, each begun when the one before it has succeeded.

Nothing is planned by Clara: the steps were said, checked and agreed to before the first of them
begins. Whatever else becomes of a step, a failure, a timeout, a cancel or a refusal, ends the
plan.
Not thread-safe: one thread owns a PlanRunner.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from clara_brain.errors import SkillRefused, Unforeseen
from clara_brain.skill_decision import Decision
from clara_brain.skills import Skill

_log = logging.getLogger(__name__)


class End(Enum):
    """How an action ended; the values are those of ActionResult.msg."""

    SUCCEEDED = 1
    FAILED = 2
    CANCELED = 3
    TIMED_OUT = 4


# Called once with how an action ended, and what is said about it.
Ended = Callable[[End, str], None]

_HOW = {
    End.FAILED: "I could not",
    End.CANCELED: "I was stopped before I could",
    End.TIMED_OUT: "it took me too long to",
}


class Step(NamedTuple):
    """A skill, and what is to be done with it."""

    skill: Skill
    decision: Decision


@dataclass
class _Plan:
    """What is under way: the step that runs, and those `coming` after it."""

    running: Step
    coming: list[Step]
    begun: Callable[[Step, str], None]
    later: Callable[[str], None]


class PlanRunner:
    """The steps of one order, while some of them are still to begin.

    `request` starts a step and returns the action's id, or raises SkillRefused; it calls back once
    when the action has ended. `refusal` says why a skill may not be used now, empty when it may.
    """

    def __init__(
        self, request: Callable[[Step, Ended], str], refusal: Callable[[Skill], str]
    ) -> None:
        self._request = request
        self._refusal = refusal
        self._plan: _Plan | None = None

    @property
    def to_come(self) -> tuple[Decision, ...]:
        """Return what is still to be begun."""
        return tuple(each.decision for each in self._plan.coming) if self._plan else ()

    def begin(
        self,
        steps: Sequence[Step],
        begun: Callable[[Step, str], None],
        later: Callable[[str], None],
    ) -> str:
        """Begin the first step; return its action's id. Raises SkillRefused.

        `begun` is told of each of the others with its action's id, `later` why they are not begun.
        """
        first, *coming = steps
        self._plan = plan = _Plan(first, coming, begun, later)
        try:
            return self._start(plan, first)
        except Exception:
            self._plan = None
            raise

    def drop(self, why: str = "") -> tuple[Decision, ...]:
        """Begin nothing any more; return what would have been. `later` is told `why`, if given."""
        plan, dropped, self._plan = self._plan, self.to_come, None
        if plan and why:
            plan.later(f"I will not {one_after_the_other(dropped)}: {why}.")
        return dropped

    def _start(self, plan: _Plan, step: Step) -> str:
        return self._request(step, lambda end, detail: self._ended(plan, step, end, detail))

    def _ended(self, plan: _Plan, step: Step, end: End, detail: str) -> None:
        if plan is not self._plan or step is not plan.running:
            return  # it was dropped
        if end is not End.SUCCEEDED:
            why = f"{_HOW[end]} {step.decision.in_words()}"
            self.drop(f"{why} ({detail})" if detail else why)
            return
        following = plan.coming[0]
        try:
            if reason := self._refusal(following.skill):
                raise SkillRefused(reason)
            action_id = self._start(plan, following)
        except SkillRefused as error:
            self.drop(str(error))
        except Exception as error:
            _log.exception("a step could not be begun in a way nobody foresaw")
            self.drop(str(Unforeseen(error)))
        else:
            plan.running = plan.coming.pop(0)
            if not plan.coming:
                self._plan = None  # the last step is an order like any other
            plan.begun(following, action_id)


def one_after_the_other(decisions: Sequence[Decision], behind: Sequence[str] = ()) -> str:
    """Say what is done in which order, with what stands `behind` each, as " again"."""
    ends = behind or [""] * len(decisions)
    words = [f"{each.in_words()}{end}" for each, end in zip(decisions, ends, strict=True)]
    *others, last = words
    return f"{', then '.join(others)} and then {last}" if others else last
