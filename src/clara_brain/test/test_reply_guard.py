# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""What Clara can do is said from her skills, and the model promises nothing beyond them."""

from __future__ import annotations

from pathlib import Path

import pytest
from alone import GREEDY
from clara_brain.abilities import abilities, asks_abilities
from clara_brain.backend import Request
from clara_brain.decoding import Stop
from clara_brain.prompt import ChatPrompt, Exchange
from clara_brain.reply_guard import NoPromise, Opening
from clara_brain.skill_file import load_skills
from clara_brain.skill_use import SkillPolicy, no_promise
from clara_brain.skills import Skill
from clara_brain.text_stream import TextStream

SKILLS = load_skills(Path(__file__).parent / "data" / "skills.yaml")
INSTEAD = "I did not take that for an order that I can follow; ask me what I can do."
OBEYED = (
    Exchange("go to the kitchen", "I will go to the kitchen."),
    Exchange("pick up the cup", "I will pick up the cup."),
)


def heard(reply: str, verb: str = "") -> str:
    """Return what comes of a reply that arrives letter by letter."""
    stream = TextStream(no_promise=NoPromise(verb, "no"))
    given = [stream.push(letter.encode()) for letter in reply]
    assert "".join([*given, stream.finish()]) == stream.text
    assert stream.replaced == (stream.text == "no")
    return stream.text


@pytest.mark.parametrize(
    ("verb", "reply"),
    [
        ("open", "I will open the window."),
        ("open", "I\u2019ll do that right away!"),
        ("open", "Sure thing! Of course, Clara, I'm going to open it for you."),
        ("open", "I'd be happy to open the window for you."),
        ("open", "I have opened the window."),
        ("close", "I am closing it now."),
        ("sing", "I can sing a song for you."),
        ("tell", "I will tell the nurse."),
        ("", "We will now go to the park."),
        ("come", "On my way!"),
        ("come", "Okay, will do."),
    ],
)
def test_a_promise_to_act_is_not_said(verb, reply):
    assert heard(reply, verb) == "no"


@pytest.mark.parametrize(
    ("verb", "reply"),
    [
        ("open", "I cannot open windows."),
        ("open", "The window has a handle."),
        ("open", "I will not."),
        ("tell", "I will tell you a joke: a gear walks into a bar."),
        ("explain", "Of course! I'll be happy to explain it."),
        ("help", "Sure, I will do my best to help."),
        ("give", "I'll give you an example."),
        ("", "I am sad today."),
        ("", "I will be here for you."),
        ("", "I have never seen the sea."),
        ("", "I'm glad to hear that, I will remember it."),
        ("open", "Open the window"),
        ("open", "On the shelf."),
        ("open", "I wil"),
        ("", "Okay"),
        ("", ""),
    ],
)
def test_what_is_no_promise_is_said_as_it_is(verb, reply):
    assert heard(reply, verb) == reply


def test_a_reply_that_cannot_become_a_promise_is_held_back_no_longer():
    opening = Opening(NoPromise("open", "no"))
    assert [opening.check(piece, last=False) for piece in ("Sure", ", the", " win", "dow")] == [
        *("", "", "Sure, the win", "dow"),
    ]


def test_what_is_said_instead_is_whole_also_where_it_ends_as_a_stop_string_begins():
    stream = TextStream(("...",), no_promise=NoPromise("open", "I cannot."))
    given = [stream.push(b"I will open it"), stream.push(b" now."), stream.finish()]
    assert "".join(given) == stream.text == "I cannot." and stream.replaced


@pytest.mark.parametrize("said", ["why would you open it?", "What is a window?", "do you sing?"])
def test_a_question_about_facts_may_be_answered_as_the_model_likes(said):
    assert no_promise(SKILLS, said, SkillPolicy.ALWAYS) is None
    assert no_promise((), "open the window", SkillPolicy.ALWAYS) is None


def test_the_verb_of_what_was_ordered_is_found_behind_politeness():
    said = ("could you please open the window", "do the dishes", "Sing!")
    found = [no_promise(SKILLS, each, SkillPolicy.ALWAYS) for each in said]
    assert found == [NoPromise(verb, INSTEAD) for verb in ("open", "do", "sing")]
    assert no_promise(SKILLS, "sing", SkillPolicy.NEVER).instead != INSTEAD


def test_the_model_that_ships_promises_after_orders_that_were_obeyed_and_is_kept_from_it(engine):
    said = "turn off the tv"
    prompt = ChatPrompt("You are Clara, the mind of a robot.", said, OBEYED)
    free = engine.complete(Request(prompt, GREEDY, 12))
    assert free.text.startswith("I will turn off")
    heard: list[str] = []
    held = no_promise(SKILLS, said, SkillPolicy.ALWAYS)
    kept = engine.complete(Request(prompt, GREEDY, 12, no_promise=held), heard.append)
    assert (kept.text, kept.stop, heard) == (INSTEAD, Stop.END, [INSTEAD])
    assert kept.completion_tokens < free.completion_tokens


@pytest.mark.parametrize(
    "said",
    [
        "what can you do?",
        "Hey Clara, tell me what you can do for me",
        "what are your skills",
        "which abilities do you have?",
        "how can you help me?",
        "what can I ask you to do?",
    ],
)
def test_what_she_can_do_is_asked_in_many_words(said):
    assert asks_abilities(said)


@pytest.mark.parametrize(
    "said",
    [
        "what can you do about the noise?",
        "what did you do?",
        "what can you see?",
        "can you help me?",
        "I know what you can do",
    ],
)
def test_what_asks_for_something_else_is_not_answered_so(said):
    assert not asks_abilities(said)


def test_what_she_can_do_is_what_the_skills_file_says():
    skills = (
        Skill("pick_up", "PICK_UP", "Pick up an object."),
        Skill("scan", "SCAN", "LIDAR scan. Takes long."),
    )
    assert abilities(skills) == "This is what I can do: pick up an object; LIDAR scan."
    assert abilities(skills * 7).endswith("; LIDAR scan; 2 more.")
