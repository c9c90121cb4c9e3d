# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""What memory has to say to one turn, with a memory that answers as each test wants it to."""

from __future__ import annotations

import asyncio

import pytest
from clara_brain.asking_memory import MemoryPolicy
from clara_brain.recollection import Age, Fact, Outcome, Recollection, UnderWay, Unread
from clara_brain.remembering import WHOLE_QUESTION, Remembered, remember

FOUND = Fact("e1", "PICK_UP", "cup", Outcome.FAILED, Age(60))
GATE = UnderWay("CLOSE", "gate", Age(20))
EMPTY = Recollection(abstained=True)


def remembered(
    text: str,
    recalled: Recollection,
    policy: MemoryPolicy = MemoryPolicy.AUTO,
    quote: bool = True,
    follows: bool = False,
) -> tuple[Remembered | None, list[str]]:
    """Return what memory says to a text, and the cues that it was asked with."""
    cues = []

    async def recall(cue: str, briefly: bool) -> Recollection:
        cues.append(cue)
        return recalled

    said = remember(text, policy, recall, str, quote=quote, follows=follows)
    return asyncio.run(said), cues


@pytest.mark.parametrize(
    ("settings", "whole"),
    [
        ({"follows": True}, True),
        ({}, False),
        ({"follows": True, "quote": False}, False),
        ({"follows": True, "policy": MemoryPolicy.NEVER}, False),
    ],
)
def test_a_question_that_points_back_is_to_be_asked_whole_where_memory_replied(settings, whole):
    said, cues = remembered("why?", EMPTY, **settings)
    assert (said is not None and said.grounded.quoted == WHOLE_QUESTION) == whole
    assert not (whole and cues)


@pytest.mark.parametrize(
    ("recognised", "follows", "whole"),
    [
        (("result",), True, True),
        (("result", "action"), True, False),
        (("result",), False, False),
    ],
)
def test_whether_a_question_names_a_deed_is_told_by_what_memory_read(recognised, follows, whole):
    recalled = Recollection((FOUND,), recognised=recognised)
    said, _ = remembered("did it fail?", recalled, follows=follows)
    assert said is not None and (said.grounded.quoted == WHOLE_QUESTION) == whole
    assert said.episode_ids == (() if whole else ("e1",))


def test_what_the_robot_does_now_is_asked_without_a_cue_so_that_all_of_it_fits():
    said, cues = remembered("What are you doing?", Recollection(under_way=(GATE,)))
    assert said is not None and "closing the gate" in said.grounded.quoted
    assert cues == [""]


@pytest.mark.parametrize(
    ("recalled", "ids", "abstained"),
    [
        (EMPTY, (), True),
        (Recollection((FOUND,)), ("e1",), False),
        (Recollection(abstained=True, under_way=(GATE,)), (), False),
        (Recollection(abstained=True, counted=("3 of 4 failed.",)), (), False),
        # What was counted was counted of something else.
        (Recollection((FOUND,), counted=("3 failed.",), unread=(Unread("ajar"),)), (), False),
        # What comes nearest is not said where what was asked about is under way.
        (Recollection((FOUND,), under_way=(GATE,), missing=("gate",)), (), False),
    ],
)
def test_a_reply_rests_on_the_episodes_that_it_tells_and_abstains_where_it_tells_nothing(
    recalled, ids, abstained
):
    said, _ = remembered("Did you close the gate?", recalled)
    assert said is not None and (said.episode_ids, said.abstained) == (ids, abstained)
