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
    before: tuple[str, ...] | None = None,
) -> tuple[Remembered | None, list[str]]:
    """Return what memory says to a text, and the cues that it was asked with."""
    cues = []

    async def recall(cue: str, briefly: bool) -> Recollection:
        cues.append(cue)
        return recalled

    said = remember(text, policy, recall, str, quote=quote, before=before)
    return asyncio.run(said), cues


@pytest.mark.parametrize(
    ("settings", "whole"),
    [
        ({"before": ()}, True),
        ({}, False),
        ({"before": (), "quote": False}, False),
        ({"before": (), "policy": MemoryPolicy.NEVER}, False),
    ],
)
def test_a_question_that_points_back_is_to_be_asked_whole_where_memory_replied(settings, whole):
    said, cues = remembered("why?", EMPTY, **settings)
    assert (said is not None and said.grounded.quoted == WHOLE_QUESTION) == whole
    assert not (whole and cues)


@pytest.mark.parametrize(
    ("recognised", "before", "whole"),
    [
        (("result",), (), True),
        (("result", "action"), (), False),
        (("result",), None, False),
    ],
)
def test_whether_a_question_names_a_deed_is_told_by_what_memory_read(recognised, before, whole):
    recalled = Recollection((FOUND,), recognised=recognised)
    said, _ = remembered("did it fail?", recalled, before=before)
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


BEFORE = ("Did you drop the cup?",)
ASKED = "Did you drop the cup?\n"
TAKEN = "as to 'did you drop the cup'"


@pytest.mark.parametrize(
    "text",
    [
        "And did it fail?",
        "When was that?",
        "How often?",
        "Why?",
        "and the plate?",
        "And yesterday?",
        "What about the kitchen?",
        "What happened then?",
        "and what did you do next?",
        "What did you do right after that?",
        "After that, did you close the gate?",
        "And how often today?",
        "Did you?",
    ],
)
def test_a_question_that_points_back_is_asked_behind_those_that_memory_replied_to(text):
    recalled = Recollection((FOUND,), recognised=("when",), relative=TAKEN)
    said, cues = remembered(text, recalled, before=BEFORE)
    assert cues[-1] == f"{ASKED}{text.rstrip('?')}?"
    assert said is not None and said.grounded.quoted.startswith("As to 'did you drop the cup':")
    assert said.asked == (*BEFORE, text) and said.episode_ids == ("e1",)


@pytest.mark.parametrize(
    "text",
    [
        "Did you close the gate?",
        "And did you close the gate?",
        "What did you do after you closed the gate?",
        "What happened yesterday?",
        "How many failed?",
    ],
)
def test_a_whole_question_is_asked_alone_and_the_next_may_go_on_from_it(text):
    recalled = Recollection((FOUND,), recognised=("action", "object"))
    said, cues = remembered(text, recalled, before=BEFORE)
    assert cues == [text] and said is not None and said.asked == (text,)


@pytest.mark.parametrize(
    "recalled",
    [
        EMPTY,
        Recollection((FOUND,), recognised=("action",), unread=(Unread("ajar"),)),
    ],
)
def test_no_question_goes_on_from_one_that_memory_could_not_read(recalled):
    said, _ = remembered("Did you do it with the door ajar?", recalled)
    assert said is not None and said.asked == ()


@pytest.mark.parametrize("before", [BEFORE, ("x" * 1024,)])
def test_a_question_that_memory_cannot_go_on_with_is_to_be_asked_whole(before):
    said, _ = remembered("and the elephant?", EMPTY, before=before)
    assert said is not None and said.grounded.quoted == WHOLE_QUESTION and said.asked == ()


def test_where_memory_found_nothing_it_says_of_what():
    recalled = Recollection(abstained=True, reason="it was not then", relative=TAKEN)
    said, _ = remembered("and today?", recalled, before=BEFORE)
    assert said is not None and said.abstained
    assert said.grounded.quoted == (
        "As to 'did you drop the cup': I find no answer to that in my memory: it was not then."
    )
