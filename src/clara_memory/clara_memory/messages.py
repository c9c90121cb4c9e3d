# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""What a robot tells of its actions: an event when one starts, a result when it ended.

Fields and limits are those of the messages in clara_interfaces; times are in ns, 0 where a message
was not stamped.
"""

from dataclasses import dataclass

from clara_memory.episode import (
    MAX_ACTION_ID,
    MAX_DETAIL,
    MAX_FILLER,
    Outcome,
    RoleFiller,
    check_fillers,
    check_text,
    check_time,
    fold,
)
from clara_memory.errors import InvalidRequest


@dataclass(frozen=True, slots=True)
class Event:
    """The robot started something; the fields are those of clara_interfaces/ActionEvent."""

    action_id: str
    action: str
    subject: str = ""
    object: str = ""
    start_ns: int = 0
    context: tuple[RoleFiller, ...] = ()


@dataclass(frozen=True, slots=True)
class Result:
    """How it ended; the fields are those of clara_interfaces/ActionResult."""

    action_id: str
    outcome: Outcome
    end_ns: int = 0
    detail: str = ""
    effects: tuple[RoleFiller, ...] = ()


def check_event(event: Event) -> None:
    """Raise InvalidRequest with the name of the first field that is not valid."""
    _check_action_id(event.action_id)
    for field in ("subject", "action", "object"):
        check_text(field, getattr(event, field), MAX_FILLER)
    if not fold(event.action):
        raise InvalidRequest("action", "is empty: an event needs an action, as 'PICK_UP'")
    check_fillers("context", event.context, standard=False)
    check_time("header.stamp", event.start_ns)


def check_result(result: Result) -> None:
    """Raise InvalidRequest with the name of the first field that is not valid."""
    _check_action_id(result.action_id)
    if result.outcome is Outcome.UNKNOWN:
        raise InvalidRequest("outcome", "is 0: say SUCCEEDED, FAILED, CANCELED or TIMED_OUT")
    check_text("detail", result.detail, MAX_DETAIL, lines=True)
    check_fillers("effects", result.effects, standard=False)
    check_time("header.stamp", result.end_ns)


def _check_action_id(action_id: str) -> None:
    if not action_id:
        raise InvalidRequest("action_id", "is empty: it ties an event to its result")
    check_text("action_id", action_id, MAX_ACTION_ID)
