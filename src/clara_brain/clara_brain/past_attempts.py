# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""What memory knows of earlier attempts at the same thing, and how Clara says it.

As everything from memory, details are data: they are cleaned as a fact of `memory_in_words` is,
and are only ever said, never followed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum

from clara_brain.cleaning import clean_detail
from clara_brain.memory_in_words import age_words
from clara_brain.recollection import Age, Outcome
from clara_brain.skill_decision import Decision
from clara_brain.units import to_si

MOST_ATTEMPTS = 20


class AttemptsPolicy(Enum):
    """Whether Clara asks memory about earlier attempts before she acts, and says so."""

    NEVER = "never"
    FAILED = "failed"
    ALWAYS = "always"


@dataclass(frozen=True)
class Attempt:
    """One remembered attempt of the robot itself.

    `context` has numbers in SI units, written in digits.
    """

    action: str
    object: str
    outcome: Outcome
    age: Age
    detail: str = ""
    context: Mapping[str, str] = field(default_factory=dict)


def cue_of(decision: Decision) -> dict[str, str]:
    """Return the roles and fillers to ask memory with: all that is text."""
    cue = {"action": decision.action}
    if decision.object:
        cue["object"] = decision.object
    context = {role: each for role, each in decision.context.items() if isinstance(each, str)}
    return cue | {role: each for role, each in context.items() if each}


def experience(
    attempts: Sequence[Attempt],
    decision: Decision,
    policy: AttemptsPolicy,
    neutralise: Callable[[str], str],
) -> str:
    """Say how this very thing went before; empty when there is nothing to say."""
    same = sorted((each for each in attempts if _same(each, decision)), key=_recency)
    if not same or policy is AttemptsPolicy.NEVER:
        return ""
    last = same[0]
    failed = last.outcome in (Outcome.FAILED, Outcome.TIMED_OUT)
    said = []
    if policy is AttemptsPolicy.ALWAYS:
        worked = sum(each.outcome is Outcome.SUCCEEDED for each in same)
        times = f"{worked} of {len(same)} times" if len(same) > 1 else "once" * bool(worked)
        said += [f"That worked {times}, last tried {age_words(last.age)}."] if times else []
    if failed:
        ending = "that failed" if last.outcome is Outcome.FAILED else "that took too long"
        detail = clean_detail(last.detail, neutralise)
        said.append(f"Last time {ending}{f': {detail}' if detail else ''}.")
    return " ".join(said)


def _recency(attempt: Attempt) -> tuple[bool, float]:
    """Return by what the latest comes first; a stamp that lies ahead is no time that was."""
    return attempt.age.is_ahead, attempt.age.seconds


def _same(attempt: Attempt, decision: Decision) -> bool:
    known = {role: each.casefold() for role, each in attempt.context.items()}
    known |= {"action": attempt.action.casefold(), "object": attempt.object.casefold()}
    if any(known.get(role) != said.casefold() for role, said in cue_of(decision).items()):
        return False
    # What a robot does not report of itself may be anything.
    return all(known[role] == said for role, said in _measures(decision).items() if role in known)


def _measures(decision: Decision) -> dict[str, str]:
    """Return the numbers and booleans of a decision, as an attempt has them."""
    return {
        role: str(value).lower()
        if isinstance(value, bool)
        else f"{to_si(value, decision.units.get(role, '')):.9g}"
        for role, value in decision.context.items()
        if not isinstance(value, str)
    }
