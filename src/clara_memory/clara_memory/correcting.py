# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Correcting an episode: what was recorded wrongly is replaced, and what it was before is kept.

The episode keeps its id and its times, so whoever cites it still finds it.
"""

from dataclasses import replace

from clara_memory.episode import Episode, Outcome, check_episode, completed
from clara_memory.errors import InvalidRequest

CORRECTABLE = ("subject", "action", "object", "result", "detail")


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
