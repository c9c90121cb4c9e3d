# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""What memory has to say to one turn: ask it, and ground the turn in what comes back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from clara_brain.asking_memory import (
    Asking,
    MemoryPolicy,
    asks_memory,
    may_point_back,
    memory_replies,
    points_back,
)
from clara_brain.grounding import CUE_LENGTH, Grounded, cue, ground, ground_now
from clara_brain.recollection import Recollection

# Memory is asked with a cue; the flag says that the turn can do without an answer.
Recall = Callable[[str, bool], Awaitable[Recollection | None]]

WHOLE_QUESTION = "I cannot tell what that goes on from. Please ask the whole question."


@dataclass(frozen=True)
class Remembered:
    """What memory says to a turn, and the episodes that it rests on.

    `asked` are the questions that the next one may go on from, the oldest first.
    """

    grounded: Grounded
    episode_ids: tuple[str, ...] = ()
    abstained: bool = False
    asked: tuple[str, ...] = ()


async def remember(
    text: str,
    policy: MemoryPolicy,
    recall: Recall,
    neutralise: Callable[[str], str],
    *,
    quote: bool,
    before: tuple[str, ...] | None,
) -> Remembered | None:
    """Return what memory says to a text; None where the reply is not memory's.

    `before` are the questions that this one may go on from, where the last reply was memory's,
    else None. Where it only points back, and memory cannot read it together with them, it is to be
    asked whole: a model would make up its answer.
    """
    follows = before if quote and policy is not MemoryPolicy.NEVER else None
    whole = Remembered(Grounded(text, (), WHOLE_QUESTION))
    told = _Telling(text, neutralise, quote)
    if follows is not None and points_back(text):
        return await told.going_on(follows, recall) or whole
    asking = asks_memory(policy, text)
    if asking is Asking.NOT:
        return None
    if asking is Asking.NOW:
        # Without a cue everything fits that is under way.
        return Remembered(ground_now(text, await recall("", False), neutralise, quote))
    recollection = await recall(cue(text), asking is Asking.QUESTION)
    replies = memory_replies(asking, text, recollection)
    if follows is not None and recollection is not None:
        pointing = points_back(text, recollection)
        if pointing or may_point_back(text, recollection):
            gone_on = await told.going_on(follows, recall)
            if gone_on is not None or (pointing and replies):
                return gone_on or whole
    return told.by(recollection, (cue(text),)) if replies else None


@dataclass(frozen=True)
class _Telling:
    """How one text is answered."""

    text: str
    neutralise: Callable[[str], str]
    quote: bool

    async def going_on(self, before: tuple[str, ...], recall: Recall) -> Remembered | None:
        """Return what memory says to a text behind others; None where it cannot read them so."""
        asked = (*before, cue(self.text))
        lines = "\n".join(f"{one.rstrip(' ?!.')}?" for one in asked)
        if not before or len(lines) > CUE_LENGTH:
            return None
        recollection = await recall(lines, False)
        read = recollection is None or recollection.relative or recollection.counted
        if not read:
            return None
        return self.by(recollection, asked)

    def by(self, recollection: Recollection | None, asked: tuple[str, ...]) -> Remembered:
        """Return what is said of what memory answered, None for a memory that did not answer."""
        if recollection is None:
            return Remembered(ground(self.text, None, self.neutralise, self.quote))
        read = (recollection.recognised or recollection.relative) and not recollection.unread
        return Remembered(
            ground(self.text, recollection, self.neutralise, self.quote),
            tuple(fact.episode_id for fact in recollection.told),
            recollection.abstained and not (recollection.counted or recollection.under_way),
            asked if read or recollection.counted else (),
        )
