# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Which sentences with a verb of a skill are orders for it, and what they say."""

from __future__ import annotations

from pathlib import Path

import pytest
from clara_brain.confirmation import answer
from clara_brain.orders import why_no_order
from clara_brain.plain_orders import only_reading, word_for_word
from clara_brain.skill_decision import Decision, possible
from clara_brain.skill_file import load_skills

MACHINES = load_skills(Path(__file__).parent / "data" / "machines.yaml")


def read(said: str) -> Decision | None:
    """Return what a sentence would have a machine do, without a model."""
    choices = possible(MACHINES, said)
    return word_for_word(MACHINES, choices, said) or only_reading(MACHINES, choices, said)


@pytest.mark.parametrize(
    "said",
    [
        "return to the charging station on Friday",
        "return to the charging station at noon",
        "return to the charging station provided it rains",
        "return to the charging station as long as it rains",
        "return to the charging station on my signal",
        "go back to mowing",
        "go back to the orchard",
        "go back to the charger or mow the orchard",
        "going back to the charger takes ages",
        "wave to the people on Friday",
        "wave at noon",
        "wave at him as long as he is here",
        "take off to the lake",
        "take off to my left",
        "open the vents to the left",
        "lower the forks to my feet",
        "come down to the deep end",
        "open the gripper to them",
        "open the vents to the percent",
        "take off with it",
    ],
)
def test_what_is_done_to_nobody_and_goes_nowhere_known_is_no_order(said):
    assert read(said) is None


@pytest.mark.parametrize(
    "said",
    [
        "put the bolt in the left or right fixture",
        "put the bolt in the left or in the right fixture",
        "put the big or small gear on the tray",
        "put the big, small gear on the tray",
        "mow the front and back lawn",
        "mow the front/back lawn",
        "go to rack a or b",
        "go to rack a and b",
    ],
)
def test_of_two_things_that_share_a_noun_neither_is_taken(said):
    assert read(said) is None


@pytest.mark.parametrize(
    "said",
    ["put the thing beside the bolt on the tray", "open the thing", "bring the thing to Anna"],
)
def test_a_thing_is_no_word_that_a_skill_knows(said):
    assert read(said) is None


@pytest.mark.parametrize("said", ["take it off", "take that off please", "come it down"])
def test_what_is_done_to_a_thing_is_another_verb_than_what_is_done_to_none(said):
    assert read(said) is None


@pytest.mark.parametrize("said", ["put the fries on", "take 3 tomatoes", "put fish in"])
def test_a_choice_alone_is_not_what_all_examples_with_the_verb_are_about(said):
    assert read(said) is None


@pytest.mark.parametrize(
    "said", ["open the vents more", "open the vents some more", "open the vents further"]
)
def test_more_of_it_is_not_all_of_it(said):
    assert read(said) is None


@pytest.mark.parametrize(
    "said",
    [
        "move to minus x 100 y 200 z 300",
        "move the elbow by a negative angle of 90 degrees",
        "move the elbow to 30 degrees negative",
        "drive 2..3 meters",
        "drive 2...3 meters",
        "thrust forward for 5 seconds or more",
        "thrust forward each 5 seconds",
        "set the speed limit to 1 meter per second per second",
    ],
)
def test_a_number_is_not_taken_without_its_minus_or_in_part(said):
    assert read(said) is None


@pytest.mark.parametrize(
    ("said", "skill", "values"),
    [
        ("go back to the charger please", "go_home", {}),
        ("please wave to my friend", "wave", {}),
        ("could you wave at the children now?", "wave", {}),
        ("move to x minus 100 y 200 z 300", "move_to", {"x": -100, "y": 200, "z": 300}),
        ("thrust forward for another 5 seconds", "thrust", {"duration": 5, "power": 30}),
        ("go down to 7 meters", "dive", {"depth": 7}),
        ("open the vents up to 70 percent", "open_vents", {"opening": 70}),
        ("open the vents once more", "open_vents", {"opening": 100}),
        ("drive 2 more meters", "drive", {"distance": 2}),
        ("take some more gauze to the pharmacy", "deliver", {"object": "gauze"}),
        ("thrust up 5 seconds", "thrust", {"direction": "up", "duration": 5}),
        ("look up", "look", {"direction": "up"}),
        ("thrust back for 5 seconds", "thrust", {"direction": "backward", "duration": 5}),
        ("thrust straight ahead for 5 seconds", "thrust", {"direction": "forward"}),
        ("take 3 photos of the tomatoes", "photograph", {"crop": "tomatoes", "count": 3}),
        ("photograph the tomatoes", "photograph", {"crop": "tomatoes", "count": 1}),
        ("put salt on the fish", "salt", {"food": "fish", "amount": "normal"}),
        ("switch to trot", "set_gait", {"gait": "trot"}),
        ("give the tomatoes 3 l", "water", {"crop": "tomatoes", "amount": 3}),
        ("switch it to trot", "set_gait", {"gait": "trot"}),
        ("move to x 100 y 200 z 300 once more", "move_to", {"x": 100, "y": 200, "z": 300}),
        ("turn 90 to the left", "turn", {"side": "left", "angle": 90}),
        ("turn on the headlight", "headlight", {"state": True}),
        ("turn off the headlight please", "headlight", {"state": False}),
        ("bring the gauze to recovery", "deliver", {"urgent": False}),
        ("take the gauze to pharmacy urgently", "deliver", {"urgent": True}),
        ("take a suture kit, please, to the theatre", "deliver", {"room": "theatre"}),
    ],
)
def test_what_an_order_says_is_read(said, skill, values):
    decision = read(said)
    assert decision is not None and decision.skill == skill
    assert {name: decision.values[name] for name in values} == values


@pytest.mark.parametrize(
    "said",
    [
        "move 2 meters to the side",
        "move 2 meters across",
        "drive 3 meters around me",
        "drive 3 meters towards me",
        "drive 3 meters near me",
        "go forward 5 meters",
        "thrust back to the dock for 5 seconds",
    ],
)
def test_a_length_in_a_direction_that_a_skill_does_not_have_is_no_order(said):
    assert read(said) is None


@pytest.mark.parametrize(
    "said",
    [
        "move forward 2 meters at low speed",
        "move forward 2 meters at full speed",
        "thrust forward for 5 seconds with full power",
        "thrust forward for 5 seconds at full",
        "mow the orchard at a low height",
        "shake for a second",
        "shake for another minute",
        "shake for another second",
        "shake for a few seconds",
    ],
)
def test_what_is_said_in_another_way_than_by_a_number_is_not_the_default(said):
    assert read(said) is None


@pytest.mark.parametrize(
    "said",
    [
        "thrust forward for 5 seconds at 50 % more power",
        "thrust forward for 5 seconds with 20 % more",
        "thrust forward for 5 seconds with another 20 % power",
        "set the speed limit to 1 m/s more",
    ],
)
def test_so_much_more_is_not_as_much(said):
    assert read(said) is None


@pytest.mark.parametrize(
    "said",
    [
        "go to packing the second I go",
        "go to packing should I need you",
        "go to packing, should you have time",
        "go to packing some other time",
        "go to packing each time",
        "go to packing the last time",
        "go to packing, they should",
    ],
)
def test_a_condition_of_plain_words_is_one(said):
    assert read(said) is None


@pytest.mark.parametrize(
    "said",
    [
        "call me Ben",
        "call it Anna",
        "look who left",
        "look it up",
        "look, you are right",
        "look right at me",
    ],
)
def test_what_is_said_of_somebody_is_no_order(said):
    assert read(said) is None


def test_the_reason_is_that_of_the_skill_that_knows_most_of_the_words():
    reason = why_no_order(MACHINES, "take a photo of the lettuce")
    assert reason == "photograph does not know the word 'lettuce'"


@pytest.mark.parametrize("said", ["okay thanks", "OK, thank you", "that is right now"])
def test_what_may_be_the_end_of_it_is_no_yes(said):
    assert answer(said) is None
    assert answer("yes, thanks") and answer("okay") and answer("that is right")
