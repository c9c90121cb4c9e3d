# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""What has begun and has no result yet, asked for as episodes are.

- It is no episode, and its words may be in none: a question is read once more, by them alone.
- What fits only in part, or only by a likeness, does not fit: memory may know what was meant.
- While it goes on it is of every time that lasts until now.
"""

import re
from collections.abc import Sequence
from dataclasses import replace

from clara_memory.columns import Columns
from clara_memory.episode import Episode, completed, fold
from clara_memory.item_memory import Reading
from clara_memory.messages import Event
from clara_memory.query_text import read_text
from clara_memory.ranking import rank
from clara_memory.retrieval import Query

_UNLIKE = (Reading.NOTHING, Reading.SPELLING, Reading.MEANING)
# What names nothing, and asks for all that goes on.
_WHAT_GOES_ON = re.compile(
    r"^\W*((what (are you|is the robot) (doing|up to|working on)|what is (going on|under way)"
    r"|(are you|is the robot) busy|is (anything|something) (going on|under way))"
    r"( (right|just))?( now)?|what is pending)\W*$"
)


def fitting(
    begun: Sequence[Episode], query: Query, robot: str, now_ns: int, *, bounded: bool = False
) -> tuple[Event, ...]:
    """Return the events that a query fits, the latest first.

    Args:
        begun: what waits for its result, without an end, the latest last.
        query: a valid one.
        robot: whose memory it is; its own events bear no subject.
        now_ns: what "today" is, and until when all of this goes on.
        bounded: as `read_text` says.
    """
    if not begun:
        return ()
    if _WHAT_GOES_ON.search(re.sub(r"['\u2019]s\b", " is", query.text.casefold())):
        query = replace(query, text="")
    columns = Columns()
    columns.extend(range(len(begun)), [_so_far(one, robot, now_ns) for one in begun])
    asked = read_text(query, columns, robot, lambda: [robot], now_ns, bounded=bounded)
    found = rank(
        columns,
        replace(asked.query, ask=("action",), max_episodes=len(begun)),
        asked.recognised,
        asked.unread,
        now_ns,
        reason=asked.reason,
    )
    read = [one for one in found.readings if one.cue in asked.understood]
    if found.set_aside or any(one.by in _UNLIKE for one in read):
        return ()
    return tuple(_event(begun[place], robot) for place in sorted(found.seqs.tolist())[::-1])


def _so_far(begun: Episode, robot: str, now_ns: int) -> Episode:
    """Return what has begun as the episode that it would be, did it end now."""
    ended = replace(begun, end_ns=max(begun.start_ns, now_ns))
    return completed(ended, robot=robot, now_ns=now_ns)


def _event(begun: Episode, robot: str) -> Event:
    own = fold(begun.subject) in ("", fold(robot))
    return Event(
        action_id=begun.action_id,
        action=begun.action,
        subject="" if own else begun.subject,
        object=begun.object,
        start_ns=begun.start_ns,
        context=begun.context,
    )
