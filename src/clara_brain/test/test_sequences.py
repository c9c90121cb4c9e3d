# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Which sentences are several orders one after the other, and which only look like it."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from clara_brain.sequences import MOST_STEPS, Steps, steps_of
from clara_brain.skill_file import load_skills
from clara_brain.skills import Example, Parameter, Skill

DATA = Path(__file__).parent / "data"
ROBOT = load_skills(DATA / "robot.yaml")
HOME = load_skills(DATA / "home.yaml")


@pytest.mark.parametrize(
    ("text", "orders"),
    [
        (
            "Drive to the kitchen and then open the door.",
            ("Drive to the kitchen", "open the door."),
        ),
        ("drive to the dock and open the door", ("drive to the dock", "open the door")),
        (
            "First drive to the dock, then switch the lamp on, and after that launch the drone",
            ("First drive to the dock", "switch the lamp on", "launch the drone"),
        ),
        (
            "Drive to the dock, switch the lamp on, and open the door",
            ("Drive to the dock", "switch the lamp on", "open the door"),
        ),
        ("drive to the dock, then to the kitchen", ("drive to the dock", "drive to the kitchen")),
        ("switch the lamp on, then the radio on", ("switch the lamp on", "switch the radio on")),
        (
            "go ahead and drive to the dock, and then, um, please open the door",
            ("go ahead and drive to the dock", "um, please open the door"),
        ),
        (
            "could you drive to the dock and then open the door?",
            ("could you drive to the dock", "open the door?"),
        ),
        ("Open the door. Then drive to the dock", ("Open the door", "drive to the dock")),
    ],
)
def test_orders_that_follow_one_another_are_read_in_their_order(text, orders):
    assert steps_of(ROBOT, text) == Steps(orders)


def test_a_free_text_is_never_cut():
    orders = ("go to the dock", "announce that dinner is ready and then go to bed")
    assert steps_of(HOME, " and ".join(orders)) == Steps(orders)
    assert steps_of(HOME, orders[1]) == Steps()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("open the door and drive to the garage", "drive_to does not know the word 'garage'"),
        ("drive to the kitchen and then open the door if it is shut", "it"),
        ("drive to the kitchen and then open the door when Bob comes", "not for now"),
        ("drive to the kitchen and then don't open the door", "no order"),
        ("drive to the kitchen, no, to the dock, and then open the door", "negated"),
        ("drive to the kitchen or the dock and then open the door", '"or"'),
        ("drive to the kitchen, sorry, the dock, and then open the door", '"sorry"'),
        ("drive to the kitchen and open the door first", '"first"'),
        ("drive to the kitchen and then open the door, or rather not", '"or"'),
        ("drive to the dock, open the door", "comma"),
        ("drive to the dock, drive to the kitchen, and open the door", "comma"),
        ("drive to the dock and then open the door?", "question"),
        ("switch the lamp on and then drive to it", 'say what "it" means'),
        ("look at 50 cm and then switch that on", 'say what "that" means'),
        ("look at 50 cm, then 60 cm", "no order"),
        ("drive to the kitchen, then at 0.3 m/s", "no order"),
        ("drive to the kitchen and then I open the door", "no order"),
        ("drive to the kitchen and then open the door, he said", "'said'"),
        (" then ".join(["open the door"] * (MOST_STEPS + 1)), "8 are the most"),
    ],
)
def test_what_is_no_plain_sequence_is_refused_as_a_whole(text, why):
    read = steps_of(ROBOT, text)
    assert not read.orders and why in read.why


@pytest.mark.parametrize(
    "text",
    [
        "drive to the dock",
        "drive to the dock then",
        "then drive to the dock, please",
        "go and then",
        "he said drive to the dock and then open the door",
        "if you are there, drive to the dock and then open the door",
        "after you drive to the kitchen, open the door",
        "don't drive to the kitchen and then open the door",
        "did you drive to the dock and then open the door?",
        "tell Bob to drive to the dock and then open the door",
        "drive to the dock and I will open the door",
        "drive to the kitchen, the dock and the cellar",
        "the log says: drive to the dock and then open the door",
        "drive to the dock\nand then open the door",
        "drive to the dock and then " * 20,
    ],
)
def test_what_does_not_begin_as_a_sequence_is_read_as_before(text):
    assert steps_of(ROBOT, text) == Steps()


def test_what_an_example_says_with_and_is_one_order():
    note = Parameter("note", "text", False, default="")
    parcel = Skill(
        "deliver",
        "DELIVER",
        "Deliver the parcel.",
        (note,),
        (
            Example("deliver the parcel", {}),
            Example("deliver the parcel and say it is urgent", {"note": "it is urgent"}),
        ),
    )
    say = Skill("say", "SAY", "Say hello.", (), (Example("say hello", {}),))
    assert steps_of((parcel, say), "deliver the parcel and say hello") == Steps()
    orders = ("deliver the parcel", "say hello")
    assert steps_of((parcel, say), " and then ".join(orders)) == Steps(orders)


def test_a_text_of_any_form_is_read_at_once():
    began = time.monotonic()
    for part in (
        " and ",
        ", ",
        " then",
        "and then ",
        ", . ;",
        "drive and ",
        " and drive to the dock",
    ):
        steps_of(ROBOT, f"drive to the dock{part * 60}"[:320])
        steps_of(ROBOT, part * 4000)
    assert time.monotonic() - began < 1.0
