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
    memory_replies,
    points_back,
)
from clara_brain.grounding import Grounded, cue, ground, ground_now
from clara_brain.recollection import Recollection

# Memory is asked with a cue; the flag says that the turn can do without an answer.
Recall = Callable[[str, bool], Awaitable[Recollection | None]]

WHOLE_QUESTION = (
    "I look up each question about what I did by itself. Please ask the whole of it again."
)


@dataclass(frozen=True)
class Remembered:
    """What memory says to a turn, and the episodes that it rests on."""

    grounded: Grounded
    episode_ids: tuple[str, ...] = ()
    abstained: bool = False


async def remember(
    text: str,
    policy: MemoryPolicy,
    recall: Recall,
    neutralise: Callable[[str], str],
    *,
    quote: bool,
    follows: bool,
) -> Remembered | None:
    """Return what memory says to a text; None where the reply is not memory's.

    `follows`: the last reply was memory's. A question that only points back to it is not one that
    memory can read, and a model would make up its answer.
    """
    follows = follows and quote and policy is not MemoryPolicy.NEVER
    whole = Remembered(Grounded(text, (), WHOLE_QUESTION))
    if follows and points_back(text):
        return whole
    asking = asks_memory(policy, text)
    if asking is Asking.NOT:
        return None
    if asking is Asking.NOW:
        # Without a cue everything fits that is under way.
        return Remembered(ground_now(text, await recall("", False), neutralise, quote))
    recollection = await recall(cue(text), asking is Asking.QUESTION)
    if not memory_replies(asking, text, recollection):
        return None
    if recollection is None:
        return Remembered(ground(text, None, neutralise, quote))
    if follows and points_back(text, recollection):
        return whole
    return Remembered(
        ground(text, recollection, neutralise, quote),
        tuple(fact.episode_id for fact in recollection.told),
        recollection.abstained and not (recollection.counted or recollection.under_way),
    )
