# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""A query and what its text adds to it: fillers, times, and whose deeds it is about.

What the query gives by role holds against what its text says of that role.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

from clara_memory.columns import Columns
from clara_memory.cue import EITHER
from clara_memory.episode import RoleFiller, fold
from clara_memory.retrieval import RELATIVE, WHEN, Query
from clara_memory.text_cue import understand
from clara_memory.unread import REFERRED, UNREAD_TIME, Unread


class Asked(NamedTuple):
    """A query with the times and robots that its text says.

    `recognised` are the text's fillers, `unread` what says something and is known of none,
    `reason` why nothing can be answered, `when` the time as it was understood, `first` whether
    the oldest episodes are wanted, `relative` what the question is relative to.
    """

    query: Query
    recognised: Sequence[RoleFiller] = ()
    unread: Sequence[Unread] = ()
    reason: str = ""
    when: str = ""
    first: bool = False
    relative: str = ""

    @property
    def understood(self) -> list[RoleFiller]:
        """Return all that is asked by, the time and what it is relative to as fillers too."""
        said = ((WHEN, self.when), (RELATIVE, self.relative))
        return [
            *self.query.cue,
            *self.recognised,
            *(one.told for one in self.query.ranges),
            *(RoleFiller(role, words) for role, words in said if words),
        ]


class Listener(NamedTuple):
    """Who is asked, when, and what is known; `robot` and `own_robots` as `read_text` says.

    `base` is what holds of each text beside what it says, and `relative` that in words.
    """

    columns: Columns
    robot: str
    own_robots: Callable[[], list[str]]
    now_ns: int
    base: Query = Query()
    relative: str = ""

    def reads(self, text: str) -> Asked:
        """Return how a text is read as a query."""
        query = replace(self.base, text=text)
        bounded = bool(self.relative)
        asked = read_text(
            query, self.columns, self.robot, self.own_robots, self.now_ns, bounded=bounded
        )
        return asked._replace(relative=self.relative)


def read_text(
    query: Query,
    columns: Columns,
    robot: str,
    own_robots: Callable[[], list[str]],
    now_ns: int,
    *,
    bounded: bool = False,
) -> Asked:
    """Return what a query asks with its text.

    Args:
        query: a valid one.
        columns: what is known.
        robot: who "you" is; `own_robots` returns who it may be else, in another robot's file.
        own_robots: is asked only where `robot` has done nothing.
        now_ns: what "yesterday" is before.
        bounded: whether the times of the query are part of what is asked.
    """
    if not query.text.strip():
        return Asked(query)
    said = understand(query.text, columns, robot, now_ns)
    given = {filler.role for filler in query.cue}
    recognised = [filler for filler in said.fillers if filler.role not in given]
    given |= {REFERRED} if query.cue else set()  # "it" is what the cue says
    unread = [one for one in said.unread if one.role not in given]
    times_only = ((said.when.read or bounded) and said.of_all) or said.of_all_ever
    times_only |= any(one.role == UNREAD_TIME for one in unread)
    reason = ""
    if not (recognised or query.cue or times_only):
        unread = [one for one in unread if one.reason]
        reason = "" if unread else "nothing in the text is known to memory"
    since_ns = max(query.since_ns, said.when.since_ns)
    bounds = [bound for bound in (query.until_ns, said.when.until_ns) if bound]
    query = replace(query, since_ns=since_ns, until_ns=min(bounds, default=0))
    if said.of_you and not query.robots and not query.subjects:
        others = any(
            "subject" in filler.role.split(EITHER) and fold(filler.filler) != fold(robot)
            for filler in (*query.cue, *recognised)
        )
        if not others:
            query = _of_robot(query, columns, robot, own_robots)
    return Asked(query, recognised, unread, reason, said.when.spoken, said.first)


def _of_robot(
    query: Query, columns: Columns, robot: str, own_robots: Callable[[], list[str]]
) -> Query:
    """Return a query that says "you" as one about a robot, where there are others."""
    if columns.robots.identity(RoleFiller("robot", robot)):
        return replace(query, robots=(robot,)) if len(columns.robots) > 1 else query
    # It has done nothing, or the file is another robot's, opened without its name.
    return replace(query, robots=tuple(own_robots()) or (robot,))
