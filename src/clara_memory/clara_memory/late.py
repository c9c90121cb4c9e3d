# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""What a message that comes late makes of the episode that was stored without it.

- It adds what nobody had said; what was corrected meanwhile stays.
- An episode still lacks its message where it was given up and nothing but corrections came since.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

from clara_memory.episode import CORRECTABLE, UNKNOWN_ACTION, Episode, lacks_result
from clara_memory.messages import Event

NO_RESULT = "no result came"
_CHANGEABLE = (*CORRECTABLE, "outcome")  # by a correction


def without_result(known: Episode, earlier: Sequence[Episode]) -> Episode | None:
    """Return the form of an episode whose result never came, None where it came.

    `earlier` are its forms before each change, the first form first.
    """
    return _given_up(known, earlier, lacks_result)


def without_event(known: Episode, earlier: Sequence[Episode]) -> Episode | None:
    """Return the form of an episode whose event never came, None where it came."""
    return _given_up(known, earlier, lambda form: form.action == UNKNOWN_ACTION)


def with_result(known: Episode, given_up: Episode, result: Episode) -> Episode:
    """Return an episode with its late result; `given_up` is its form without one."""
    # What somebody told of it meanwhile stays, unless the result tells something else.
    told = "" if given_up.detail.startswith(NO_RESULT) else given_up.detail
    whole = replace(
        given_up,
        outcome=result.outcome,
        result=result.outcome.name,
        end_ns=max(given_up.start_ns, result.end_ns),
        detail=result.detail or told,
        effects=result.effects or given_up.effects,
    )
    held = _corrected(whole, given_up, known)
    if held.outcome is not result.outcome and held.detail == result.detail:
        return replace(held, detail=told)  # it tells of another end than was corrected to
    return held


def with_event(known: Episode, given_up: Episode, event: Event, robot: str) -> Episode:
    """Return an episode with its late event; `given_up` is its form of UNKNOWN_ACTION.

    What says no subject was done by the `robot`.
    """
    whole = replace(
        given_up,
        subject=event.subject or robot,
        action=event.action,
        object=event.object,
        start_ns=min(event.start_ns or given_up.start_ns, given_up.end_ns),
        context=event.context,
    )
    return _corrected(whole, given_up, known)


def _given_up(
    known: Episode, earlier: Sequence[Episode], lacks: Callable[[Episode], bool]
) -> Episode | None:
    for form in (known, *reversed(earlier)):
        if replace(form, **{name: getattr(known, name) for name in _CHANGEABLE}) != known:
            return None  # a message changed it
        if lacks(form):
            return form
    return None


def _corrected(whole: Episode, before: Episode, after: Episode) -> Episode:
    """Return an episode with what differs between two forms of it as the latter says."""
    return replace(
        whole,
        **{
            name: getattr(after, name)
            for name in _CHANGEABLE
            if getattr(after, name) != getattr(before, name)
        },
    )
