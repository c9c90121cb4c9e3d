# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""When a turn asks memory, and when what memory says is the reply."""

from __future__ import annotations

import pytest
from clara_brain.asking_memory import (
    Asking,
    MemoryPolicy,
    asks_memory,
    memory_replies,
    points_back,
)
from clara_brain.recollection import Age, Fact, Outcome, Recollection, UnderWay, Unread

FACT = Fact("e1", "DELIVER", "LINEN", Outcome.FAILED, Age(60))


@pytest.mark.parametrize(
    "text",
    [
        "what happened with the cup?",
        "Did you place the book?",
        "what went wrong?",
        "do you remember the door?",
        "where is the cup?",
        "when did you last charge?",
        "Well, Clara, what broke yesterday?",
        "Have you heard the bell?",
        "Where is the Red Cup that you dropped? What did you do?",
        "What happened with the Red Cup?",
        "what was the first thing you delivered today?",
        "What was your longest patrol?",
        "why couldn't you deliver the linen?",
        "how many times was the nozzle clogged?",
        "How many of your deliveries were late?",
        "when was that?",
        "where's the cup?",
        "did Rex fail more often than you?",
        "did you say hello to Anna?",
        "What did you say when you dropped the cup?",
        "what did you tell Anna?",
        "why did you not tell me that you dropped the cup?",
        "what happened in May?",
        "how was your night in the kitchen?",
        "did you get that cup?",
        "Did you get my keys?",
        "have you made tea?",
        "did you answer the door?",
        "can you tell me what you did yesterday?",
        "do you know what happened with the cup?",
        "what happened to my keys?",
        "what happened to the glass?",
        "how was your last round?",
        "how did the delivery go?",
        "has anything changed in Ward 12?",
    ],
)
def test_questions_about_the_past_are_memory_s_alone(text):
    assert asks_memory(MemoryPolicy.AUTO, text) is Asking.PAST
    assert asks_memory(MemoryPolicy.NEVER, text) is Asking.NOT
    for unknown in (None, Recollection(abstained=True)):
        assert memory_replies(Asking.PAST, text, unknown)


@pytest.mark.parametrize(
    "text",
    [
        "Where is the Eiffel Tower?",
        "How did the Romans build roads?",
        "where was the king of France?",
        "how often was Einstein married?",
        "What has happened in France in 1789?",
        "what happened in 1789?",
        "Has anything changed in Python 3.12?",
        "what happened to the dinosaurs?",
        "How was the moon formed?",
        "How was your weekend?",
    ],
)
def test_what_may_be_of_the_world_is_memory_s_where_it_knows_of_it(text):
    assert asks_memory(MemoryPolicy.AUTO, text) is Asking.NAMED
    assert not memory_replies(Asking.NAMED, text, Recollection(abstained=True))
    assert memory_replies(Asking.NAMED, text, Recollection((FACT,)))
    assert asks_memory(MemoryPolicy.ALWAYS, text) is Asking.PAST


@pytest.mark.parametrize(
    "text",
    [
        "hello",
        "pick up the cup",
        "I went to the shop yesterday.",
        "I was thinking of what you said.",
    ],
)
def test_other_talk_does_not(text):
    assert asks_memory(MemoryPolicy.AUTO, text) is Asking.NOT
    assert not memory_replies(Asking.NOT, text, None)


@pytest.mark.parametrize(
    ("text", "recognised", "unread"),
    [
        ("why did the delivery to radiology fail?", ("action", "place", "result"), ()),
        ("Medi, which deliveries timed out?", ("action", "result"), ()),
        ("can you tell me what failed?", ("result",), ()),
        ("who patrolled the lobby last?", ("action", "object"), ()),
        ("how long does a delivery take on average?", ("action",), (Unread("average", "LINEN"),)),
        ("what was the soil moisture in the field?", ("object", "place"), ()),
        ("what is the success rate for linen?", ("object",), ()),
        ("did Will fail in May?", ("subject", "result"), ()),
        ("did anything fail today?", ("when",), ()),
        ("which row was sprayed most often?", ("action",), (Unread("row", "ROW_9"),)),
        ("why did the delivery to ward 12 fail?", ("action", "result"), (Unread("ward 12"),)),
        ("wasn't the giraffe washed?", ("action",), (Unread("giraffe"),)),
        ("did the blade get blocked today?", ("when",), (Unread("blade"), Unread("blocked"))),
    ],
)
def test_a_question_about_deeds_that_memory_could_read_is_its_own(text, recognised, unread):
    assert asks_memory(MemoryPolicy.AUTO, text) is Asking.QUESTION
    # Also where it does not know, for a model would make that up.
    found = Recollection(abstained=bool(unread), recognised=recognised, unread=unread)
    assert memory_replies(Asking.QUESTION, text, found)
    assert not memory_replies(Asking.QUESTION, text, None)


@pytest.mark.parametrize(
    ("text", "recognised", "unread"),
    [
        ("who was Einstein?", (), (Unread("einstein"),)),
        ("tell me a joke", (), ()),
        ("Did you know that whales sing?", (), (Unread("whales sing"),)),
        ("Have you ever heard a joke?", (), ()),
        ("What did you just say?", (), ()),
        ("What did you say just now?", (), ()),
        ("What did you mean by that?", (), (Unread("that"),)),
        ("Did you understand me?", (), ()),
        ("How did you like my joke?", (), ()),
        ("Did you mean green tea?", ("object",), (Unread("green"),)),
        ("Have you got any advice on tea?", ("object",), (Unread("got"), Unread("advice"))),
        ("Did you get that?", (), ()),
        ("What have you learned about me?", (), ()),
        ("Do you still remember my name?", (), ()),
        ("What were you trained on?", (), ()),
        ("Were you made by Google?", ("action",), (Unread("google"),)),
        ("what happens when water boils?", (), (Unread("when water boils"),)),
        ("what was your name again?", (), ()),
        ("I slept badly lately, what can I do?", (), (Unread("slept"),)),
        ("is a fox a dog?", ("object",), (Unread("dog"),)),
        ("what is smoke made of?", ("object",), ()),
        ("what is a patrol?", ("action",), ()),
        ("how do you deliver linen?", ("action", "object"), ()),
        ("how often should I spray row 7?", ("action", "object"), ()),
        ("when will you spray row 7 next?", ("action", "object"), ()),
        ("who saw the first eclipse?", ("action",), (Unread("eclipse", "ELEVATOR"),)),
        ("when was America found?", ("action",), (Unread("america"),)),
        ("how many patrols does the police do?", ("action",), (Unread("police"),)),
        ("why did my check fail at school?", ("action", "result"), (Unread("school"),)),
    ],
)
def test_a_question_about_the_world_is_the_model_s(text, recognised, unread):
    assert asks_memory(MemoryPolicy.AUTO, text) is Asking.QUESTION
    found = Recollection((FACT,), recognised=recognised, unread=unread)
    assert not memory_replies(Asking.QUESTION, text, found)


@pytest.mark.parametrize(
    ("text", "asking"),
    [
        ("what are you doing?", Asking.NOW),
        ("Hey Clara, what are you doing right now?", Asking.NOW),
        ("can you tell me what you're up to", Asking.NOW),
        ("are you busy?", Asking.NOW),
        ("Are you done yet?", Asking.NOW),
        ("is it finished?", Asking.NOW),
        ("what's happening?", Asking.NOW),
        ("what are you doing, Robby?", Asking.NOW),
        ("is anything still under way, Clara?", Asking.NOW),
        ("what are you doing tonight?", Asking.QUESTION),
        ("are you free on Monday?", Asking.QUESTION),
        ("what are you doing with the gate?", Asking.QUESTION),
        ("I know what you are doing.", Asking.NOT),
        ("what were you doing?", Asking.PAST),
    ],
)
def test_what_the_robot_is_doing_is_memory_s_alone(text, asking):
    assert asks_memory(MemoryPolicy.AUTO, text) is asking
    assert asks_memory(MemoryPolicy.NEVER, text) is Asking.NOT
    assert memory_replies(Asking.NOW, text, None)


@pytest.mark.parametrize(
    ("text", "replies"),
    [
        ("are you closing the gate?", True),
        ("is the gate closed?", True),
        ("what are you doing with the gate?", True),
        ("is it still open?", True),
        ("how do you close the gate?", False),
        ("what is a gate?", False),
        ("how are you doing today?", False),
        ("should we be closing the gate?", False),
    ],
)
def test_a_question_about_what_is_under_way_is_memory_s(text, replies):
    found = Recollection(under_way=(UnderWay("CLOSE", "GATE", Age(20)),))
    assert asks_memory(MemoryPolicy.AUTO, text) in (Asking.QUESTION, Asking.NOT)
    assert memory_replies(Asking.QUESTION, text, found) is replies
    assert not memory_replies(Asking.QUESTION, text, Recollection())


@pytest.mark.parametrize(
    ("text", "recognised", "back"),
    [
        ("why?", None, True),
        ("And how often?", None, True),
        ("and yesterday?", None, True),
        ("what about the kitchen?", None, True),
        ("and what happened?", None, False),
        ("thank you", None, False),
        ("and did it fail?", ("result",), True),
        ("how many of them failed?", ("result",), True),
        ("when was that?", (), True),
        ("how long did it take to deliver linen?", ("action", "object"), False),
        ("what failed today?", ("result", "when"), False),
    ],
)
def test_a_question_may_only_point_back_to_what_was_said(text, recognised, back):
    found = None if recognised is None else Recollection(recognised=recognised)
    assert points_back(text, found) is back
