# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""What the rules on a sentence read off it: numbers, directions, and orders for later."""

from __future__ import annotations

import math
import re
import time
from dataclasses import replace
from pathlib import Path

import pytest
from clara_brain.errors import SkillFileError
from clara_brain.orders import is_plain_order
from clara_brain.plain_orders import only_reading, word_for_word
from clara_brain.skill_decision import decide, possible
from clara_brain.skill_file import load_skills
from clara_brain.skills import Skill
from clara_brain.spoken_numbers import fitting, spellings
from clara_brain.units import to_si

from clara_brain import conversions

DATA = Path(__file__).parent / "data"
ARM = load_skills(DATA / "skills.yaml")
HOME = load_skills(DATA / "home.yaml")
GARDEN = load_skills(DATA / "garden.yaml")
ROBOT = load_skills(DATA / "robot.yaml")


def is_number(written: str) -> bool:
    return re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", written) is not None


@pytest.mark.parametrize(
    "text",
    [
        "drive point five meters",
        "drive a point five meters",
        "turn minus point five m",
        "turn minus a hundred m",
        "turn minus, 90 m",
        "turn \u201390 m",
        "turn \u201090 m",
        "turn \u201190 m",
        "turn \u201490 m",
        "turn \u2013ninety m",
        "turn -ninety m",
        "turn twenty\u2013five m",
        "drive 3 / 4 meters",
        "drive 2\u20443 meters",
        "drive 2. 5 meters",
        "drive 2, 5 meters",
        "drive 2\u00b75 meters",
        "drive 2\u20145 meters",
        "drive 2\u200b5 meters",
        "drive 2\u00d73 meters",
        "drive 90 minus 45 meters",
        "drive 3 over 4 meters",
        "drive 1 e 3 meters",
        "drive half 2 meters",
        "drive ~2 meters",
        "drive 2 meters 50",
        "drive 2 meters, 50",
        "drive 2m 50",
        "drive 2 meters 50 centimeters",
        "drive 2 meters and 50 centimeters",
        "drive 2 meters, then 50 centimeters",
        "drive 2, no, 50 centimeters",
        "drive two meters and a half",
        "drive two and a third meters",
        "drive two and half meters",
        "drive point five",
        "drive left-2 meters",
        "drive left -ninety meters",
        "drive to gate B-12",
        "drive on a-2 meters",
        "drive " + "hundred " * 155 + "meters",
    ],
)
def test_a_number_that_is_not_read_whole_is_kept_as_it_was_said(text):
    read = spellings(fitting(text, "m"))
    assert read and not any(map(is_number, read))


@pytest.mark.parametrize(
    "text",
    [
        "drive 1m50",
        "drive 2m50cm",
        "drive 5'",
        'drive 5"',
        "drive 5 €",
        "drive at 2 meters a second",
        "drive at 2 meters each second",
        "drive at 2 meters per second",
        "drive at 0.4 m / s",
        "drive 5 in",
        "drive 5 in back",
        "drive 5 in north",
        "drive 5 in, please",
    ],
)
def test_what_another_unit_follows_is_not_taken(text):
    assert spellings(fitting(text, "m")) == ()


@pytest.mark.parametrize(
    ("text", "unit", "read"),
    [
        ("drive 2 m at 0.4 m / s", "m/s", ("0.4",)),
        ("drive 2 m at 1.5 meters a second", "m/s", ("1.5",)),
        ("drive 2 meters, please", "m", ("2",)),
        ("drive, 2 meters.", "m", ("2",)),
        ("'drive 2 meters'", "m", ("2",)),
        ("drive 2 m\u2014slowly", "m", ("2",)),
        ("drive one-and-a-half meters", "m", ("1.5",)),
        ("drive two-three meters", "m", ("2", "3")),
        ("a 5-meter drive", "m", ("5",)),
        ("drive zero point five meters", "m", ("0.5",)),
        ("drive minus half a meter", "m", ("-0.5",)),
        ("wait 1 minute 30 seconds", "h", ()),
        ("go to station #5", "", ("5",)),
        ("turn -90 degrees", "deg", ("-90",)),
        ("turn left -90 degrees", "deg", ("-90",)),
        ("move over 2 meters", "m", ("2",)),
        ("go to gate e 5", "", ("5",)),
        ("go to x 1 y 2", "", ("1", "2")),
        ("go to floor 3 room 12", "", ("3", "12")),
        ("go to aisle 4, shelf 2", "", ("4", "2")),
        ("turn \u221290°", "deg", ("-90",)),
        ("go to level 4 in aisle 2", "", ("4", "2")),
        ("take basket 2 out of the oil", "", ("2",)),
        ("heat it to 22 degrees", "°C", ("22",)),
        ("heat it to 22 degrees Celsius", "°C", ("22",)),
        ("heat it to 22 °C", "°C", ("22",)),
        ("heat it to 22C", "°C", ("22",)),
        ("heat it to 22 centigrade", "°F", ()),
        ("heat it to 70 degrees Fahrenheit", "°C", ()),
        ("heat it to 70 degrees Fahrenheit", "deg", ()),
        ("give it 2 litres", "l", ("2",)),
        ("give it 2 l", "l", ("2",)),
        ("give it 2 l", "ml", ()),
        ("pump it to 2 bar", "bar", ("2",)),
    ],
)
def test_what_has_one_reading_is_read(text, unit, read):
    assert spellings(fitting(text, unit)) == read


def test_a_time_in_two_units_is_neither_of_them():
    assert spellings(fitting("wait 1 minute 30 seconds", "s")) == ("1 min 30 s",)
    # A skill with a parameter for each may be told both.
    assert spellings(fitting("a line of 2 m, 5 cm wide", "m", ["cm"])) == ("2",)
    assert spellings(fitting("a line of 2 m, 5 cm wide", "cm", ["m"])) == ("5",)


def test_a_number_that_cannot_be_read_is_refused_with_a_reason():
    said = "drive 2. 5 meters"
    (offer,) = possible(ARM, said)
    assert offer.values["distance"] == ("2. 5",)
    decision = decide(ARM, "drive(distance=2. 5)", said)
    assert decision.reason == "distance is not a number that can be read: '2. 5'"
    assert decide(ARM, "drive(distance=5)", said).reason == "distance 5 was not said"
    assert word_for_word(ARM, possible(ARM, said), said) is None


@pytest.mark.parametrize(
    ("skills", "said"),
    [
        (HOME, "go to the kitchen in twenty-five minutes"),
        (HOME, "go to the kitchen in half an hour"),
        (HOME, "go to the kitchen in 1.5 hours"),
        (HOME, "go to the kitchen in 30 min"),
        (HOME, "go to the kitchen in just five minutes"),
        (HOME, "go to the kitchen in twenty-five days"),
        (HOME, "go to the kitchen in five"),
        (HOME, "go to the kitchen in a bit"),
        (HOME, "go to the kitchen in a little bit"),
        (HOME, "go to the kitchen in a sec"),
        (HOME, "go to the kitchen half an hour from now"),
        (HOME, "go to the kitchen at 5"),
        (HOME, "go to the kitchen at 5.30"),
        (HOME, "go to the kitchen at six"),
        (HOME, "go to the kitchen at around six"),
        (HOME, "go to the kitchen around 6"),
        (HOME, "go to the kitchen by six"),
        (HOME, "turn 90 degrees by 6"),
        (GARDEN, "water the plants at 6"),
        (GARDEN, "water the plants for 5 minutes at 6"),
        (ARM, "put the cup on the table at two"),
        (ARM, "drive 2 meters in 5 minutes"),
        (ARM, "drive 2 meters by 6"),
        (ARM, "drive 2 meters at 1830"),
        (HOME, "go to the kitchen at 1830"),
        (HOME, "turn 90 degrees around 30"),
        (HOME, "turn in 30"),
        (HOME, "set the light at 20"),
        (GARDEN, "water the plants by 6"),
        (ROBOT, "drive to the dock in thirty"),
    ],
)
def test_an_order_for_later_is_none_for_now(skills, said):
    assert possible(skills, said) == []


@pytest.mark.parametrize(
    ("skills", "said"),
    [
        (ARM, "drive back 2 meters"),
        (ARM, "drive 2 meters back"),
        (ARM, "drive 2 meters backwards"),
        (ARM, "drive 2 meters back to me"),
        (ARM, "drive 2 meters away from me"),
        (ARM, "drive 2 meters to the left"),
        (ARM, "drive up 2 meters"),
        (ARM, "drive 2 meters right now"),
        (ARM, "put the cup under the table"),
        (ARM, "put the cup behind table"),
        (HOME, "turn 90 degrees to the right"),
        (HOME, "turn right now by 90 degrees"),
        (HOME, "turn 90 degrees right now"),
        (HOME, "turn 90 right now"),
        (HOME, "turn right away 90 degrees"),
        (HOME, "turn right, away, 90 degrees"),
        (ARM, "drive 2 right now"),
        (ARM, "drive right now 2 meters"),
        (HOME, "come back from the kitchen"),
        (HOME, "come from kitchen"),
        (HOME, "move away from the dock"),
        (HOME, "drive from the dock"),
        (HOME, "drive through the kitchen"),
        (ARM, "put the cup next to the table"),
        (ARM, "put the cup by the table"),
        (ARM, "drive 2 meters slowly"),
        (ARM, "pick up the other cup"),
        (ARM, "pick up the broken cup"),
        (ARM, "put the cup on the left shelf"),
        (ROBOT, "switch the lamp off"),
    ],
)
def test_a_direction_that_a_skill_does_not_have_makes_it_no_order(skills, said):
    assert possible(skills, said) == []


@pytest.mark.parametrize(
    ("skills", "said"),
    [
        (ARM, "drive forward 2 meters"),
        (ARM, "drive 2 meters straight ahead"),
        (ARM, "drive 2 meters at 0.4 m/s"),
        (ARM, "drive 2 meters at 0.4"),
        (ARM, "drive forward by 2"),
        (ARM, "put the cup back on the shelf"),
        (ARM, "pick up the cup right now"),
        (ARM, "pick up the big red cup over there"),
        (HOME, "go over to the kitchen"),
        (HOME, "go on to the kitchen"),
        (ARM, "set the bottle down on the floor"),
        (HOME, "turn left by ninety degrees"),
        (HOME, "spin by 180 degrees"),
        (HOME, "spin by 180"),
        (HOME, "turn around 180"),
        (HOME, "turn left by 1,000"),
        (HOME, "set the light at 50"),
        (HOME, "head back to the dock right away"),
        (HOME, "set the light to 50 percent"),
        (HOME, "set the light to 50 percent right away"),
        (HOME, "set the light to 50 right now"),
        (HOME, "turn 90 degrees right away"),
        (ARM, "drive 2 meters at 0.4 m/s right now"),
        (GARDEN, "water the plants for 5 minutes right now"),
        (GARDEN, "water the plants right now for 5 minutes"),
        (GARDEN, "water the plants for 12 minutes"),
        (GARDEN, "mow the back lawn"),
        (ROBOT, "drive to the dock right now at 0.3 m/s"),
        (ROBOT, "look at 50 centimeters"),
        (ROBOT, "look at 50"),
    ],
)
def test_an_order_that_a_skill_means_stays_one(skills, said):
    assert possible(skills, said)


def one_skill(path: Path, *lines: str) -> tuple[Skill, ...]:
    """Return the skill of these lines of YAML, which have all keys but the description."""
    skill = "".join(f"  {line}\n" for line in lines)
    path.write_text(f"skills:\n- description: It is for a test.\n{skill}")
    return load_skills(path)


MOWER = """
skills:
- name: mow
  description: Mow a lawn.
  parameters:
    area: {type: choice, choices: [front lawn, back lawn, orchard], default: front lawn}
    pace: {type: choice, choices: [slow, normal], default: normal}
  examples:
  - {say: mow the back lawn, use: {area: back lawn}}
  - {say: mow the orchard slow, use: {area: orchard, pace: slow}}
- name: blade
  description: Switch the blade motor.
  parameters: {turning: {type: boolean}}
  examples:
  - {say: turn the blade on, use: {turning: true}}
  - {say: switch the blade off, use: {turning: false}}
- name: dock
  description: Return to the charging station.
  examples: [{say: go home}, {say: dock}, {say: return to the charging station}]
- name: grip
  description: Close the hand.
  examples: [{say: close the hand}, {say: grab it}]
"""


@pytest.fixture(scope="module")
def mower(tmp_path_factory: pytest.TempPathFactory) -> tuple[Skill, ...]:
    path = tmp_path_factory.mktemp("mower") / "mower.yaml"
    path.write_text(MOWER)
    return load_skills(path)


@pytest.mark.parametrize(
    "said",
    [
        *("turn on the light", "turn on", "turn on me", "turn the other blade on"),
        *("close the other one", "close my hand", "grab me"),
        *("mow the neighbour's lawn", "mow the side lawn", "mow another lawn", "mow me"),
        *("mow the artificial orchard", "mow around the orchard", "mow near the orchard"),
        *("mow next to the orchard", "mow the second orchard", "mow the orchard a bit"),
        *("mow the orchard a little", "mow a third of the orchard", "mow the orchard last"),
        *("mow the orchard quickly", "mowing the orchard", "going home now", "closing the hand"),
        *("dock is full", "mow is done", "return to me", "return to the front", "go home with me"),
    ],
)
def test_another_thing_and_what_is_only_told_are_no_orders(mower, said):
    assert possible(mower, said) == []


@pytest.mark.parametrize(
    "said",
    [
        *("turn it on", "turn the blade on again", "would you mind mowing the orchard?"),
        *("mow the old orchard", "mow my orchard", "mow the orchard slow", "go back home"),
        *("return back to the charging station", "mow the orchard once more", "grab that"),
        *("yes, mow the orchard", "actually, go home", "great, now mow the orchard", "grab it"),
        *("quick, go home", "alright, go ahead and close the hand"),
        *("you need to go home", "could you possibly go home", "alright, close the hand"),
    ],
)
def test_a_plain_order_for_the_same_thing_stays_one(mower, said):
    assert possible(mower, said)


def test_a_person_behind_a_particle_is_another_order(tmp_path):
    lift = one_skill(tmp_path / "lift.yaml", "name: lift", "examples: [{say: lift up}]")
    assert possible(lift, "lift up now") and possible(lift, "lift up her") == []


def test_it_stands_for_the_thing_of_an_example_with_a_particle_or_another_verb(tmp_path):
    page = one_skill(
        tmp_path / "page.yaml",
        "name: turn_page",
        "examples: [{say: turn over the page}]",
        "words: [turn, flip]",
    )
    assert possible(page, "turn it over") and possible(page, "flip it")


def test_whom_a_thing_is_given_to_is_not_what_it_is_said_of(tmp_path):
    bring = one_skill(
        tmp_path / "bring.yaml",
        "name: bring",
        "parameters:",
        "  drug: {type: choice, choices: [aspirin, gauze]}",
        "examples: [{say: bring me the aspirin, use: {drug: aspirin}}]",
        "words: [bring, call]",
    )
    assert possible(bring, "bring me gauze") and possible(bring, "call me gauze") == []


def test_a_unit_of_the_file_stands_for_what_it_measures(tmp_path):
    water = one_skill(
        tmp_path / "water.yaml",
        "name: water",
        "parameters:",
        "  plant: {type: choice, choices: [basil, mint]}",
        "  amount: {type: number, minimum: 1, maximum: 9, unit: scoop, default: 1}",
        "examples:",
        "- {say: give the basil water, use: {plant: basil}}",
        "- {say: give the mint 2 scoops of water, use: {plant: mint, amount: 2}}",
    )
    assert possible(water, "give the basil 3 scoops") and possible(water, "give the basil 3") == []


def test_a_number_that_an_example_has_in_the_same_place_is_no_time(tmp_path):
    joint = one_skill(
        tmp_path / "joint.yaml",
        "name: move_joint",
        "parameters:",
        "  joint: {type: integer, minimum: 1, maximum: 6}",
        "  angle: {type: number, minimum: -180, maximum: 180}",
        "examples: [{say: move joint 3 by 20, use: {joint: 3, angle: 20}}]",
    )
    assert possible(joint, "move joint 4 by 15") and possible(joint, "set joint 4 at 50") == []
    assert possible(joint, "move joint 4 to 15 at 6") == []
    alarm = one_skill(
        tmp_path / "alarm.yaml",
        "name: wake",
        "parameters:",
        "  hour: {type: integer, minimum: 0, maximum: 23}",
        "  minutes: {type: integer, minimum: 1, maximum: 30, unit: min}",
        "examples: [{say: wake me at 7 for 10 minutes, use: {hour: 7, minutes: 10}}]",
    )
    assert possible(alarm, "wake me at 6 for 5 minutes")
    assert possible(alarm, "wake me at 6 for 5 minutes in 2 hours") == []


def test_two_numbers_that_a_skill_needs_are_no_times(tmp_path):
    joint = one_skill(
        tmp_path / "joint.yaml",
        "name: move_joint",
        "parameters:",
        "  joint: {type: integer, minimum: 1, maximum: 6}",
        "  angle: {type: number, minimum: -180, maximum: 180}",
        "examples: [{say: move joint 3 to 20, use: {joint: 3, angle: 20}}]",
    )
    assert possible(joint, "move joint 4 to 15") and possible(joint, "move joint 4 at 90")
    assert possible(joint, "move joint 4 at 9") == []


def test_a_point_that_the_skill_names_is_no_decimal_point(tmp_path):
    point = one_skill(
        tmp_path / "point.yaml",
        "name: go_to",
        "parameters:",
        "  point: {type: integer, minimum: 1, maximum: 9}",
        "  speed: {type: number, minimum: 0, maximum: 9, unit: m/s, default: 1}",
        "examples:",
        "  - {say: go to point 5, use: {point: 5}}",
        "  - {say: drive to charging point 2, use: {point: 2}}",
    )
    for said, number in (("go to point 5", "5"), ("please drive to charging point six", "6")):
        assert possible(point, said)[0].values["point"] == (number,)
    decision = word_for_word(point, possible(point, "go to point 7"), "go to point 7")
    assert decision.values["point"] == 7
    (offer,) = possible(point, "go to point 5 at point five m/s")
    assert not any(map(is_number, offer.values["speed"]))


def test_a_point_is_a_name_for_no_other_number_of_the_skill(tmp_path):
    point = one_skill(
        tmp_path / "point.yaml",
        "name: go_to",
        "parameters:",
        "  point: {type: integer, minimum: 1, maximum: 9}",
        "  speed: {type: number, minimum: 0, maximum: 9, default: 1}",
        "examples: [{say: go to point 5, use: {point: 5}}]",
    )
    (offer,) = possible(point, "go to point 3 at speed point 5")
    assert not any(map(is_number, offer.values["speed"]))


def test_a_rate_has_sides_as_well(tmp_path):
    spin = one_skill(
        tmp_path / "spin.yaml",
        "name: turn",
        "parameters:",
        "  rate: {type: number, minimum: 1, maximum: 90, unit: deg/s, default: 30}",
        "  duration: {type: number, minimum: 1, maximum: 9, unit: s}",
        "examples: [{say: turn for 3 seconds, use: {duration: 3}}]",
    )
    assert possible(spin, "turn for 5 seconds")
    assert possible(spin, "turn right now for 5 seconds") == []


def test_an_example_that_could_not_be_obeyed_is_refused(tmp_path):
    def skill(parameter: str, example: str) -> tuple[Skill, ...]:
        return one_skill(
            *(tmp_path / "skill.yaml", "name: turn", f"parameters: {{a: {{{parameter}}}}}"),
            f"examples: [{{say: turn {example}}}]",
        )

    angle = "type: number, minimum: -180, maximum: 180, unit: deg"
    for parameter, example, reason in (
        (angle, "to point 5, use: {a: 0.5}", "could not be obeyed"),
        (angle, "right 90 degrees, use: {a: -90}", "a -90 was not said"),
        (angle, "it when I say so, use: {a: 1}", "it is negated, or not for now"),
        (f"{angle}, default: 9", "5 degrees, use: {a: 9}", "a 9 was not said"),
        ("type: choice, choices: [dock]", "back, use: {a: dock}", "a is not said"),
        ("type: boolean", "it on, use: {a: true}", "needs an example for true and one for false"),
    ):
        with pytest.raises(SkillFileError, match=reason):
            skill(parameter, example)
    assert skill("type: text", "yourself into a frog, use: {a: a frog}")


def test_back_home_is_to_a_place_that_is_called_so(tmp_path):
    home = one_skill(
        tmp_path / "home.yaml",
        "name: go_to",
        "parameters: {place: {type: choice, choices: [home, kitchen]}}",
        "examples: [{say: go to the kitchen, use: {place: kitchen}}]",
    )
    assert possible(home, "go back home")
    for said in ("go away home", "go back from home", "go home from back there"):
        assert possible(home, said) == []


def test_forward_is_no_order_for_a_skill_that_goes_back(tmp_path):
    path = tmp_path / "skills.yaml"
    path.write_text(
        "skills:\n- name: back_up\n  description: Drive backwards.\n  parameters:\n"
        "    distance: {type: number, minimum: 0, maximum: 5, unit: m}\n"
        "  examples: [{say: drive back 2 meters, use: {distance: 2}}]\n"
    )
    skills = load_skills(path)
    assert possible(skills, "drive back 3 meters")
    for said in ("drive forward 3 meters", "drive 3 meters ahead"):
        assert possible(skills, said) == []


@pytest.mark.parametrize(
    "said",
    ["now " * 4000, "go to the kitchen" + "." * 16_000 + " a", "drive " + "hundred " * 2000],
)
def test_a_text_that_is_too_long_for_an_order_is_none_at_once(said):
    began = time.monotonic()
    assert not is_plain_order(said)
    assert word_for_word(HOME, possible(HOME, said), said) is None
    assert time.monotonic() - began < 0.5


def test_a_thousand_verbs_are_looked_for_at_once():
    words = [f"verb{chr(97 + at // 26)}{chr(97 + at % 26)}" for at in range(512)]
    skills = [
        Skill(f"skill_{at}", "ACT", "Act.", words=tuple(words[8 * at : 8 * at + 8]))
        for at in range(64)
    ]
    began = time.monotonic()
    assert possible(skills, f"please {words[-1]} now")[0].skill is skills[-1]
    assert time.monotonic() - began < 0.5


def test_fillers_and_what_the_robot_is_called_may_stand_before_an_order(tmp_path):
    path = tmp_path / "skills.yaml"
    skill = "skills:\n- {name: go_home, description: Go., examples: [{say: go home}]}\n"
    path.write_text(f"called: [Forklift, robot, um]\n{skill}")
    skills = load_skills(path)
    for said in ("forklift go home", "um, uh hey Forklift, could you go home", "yo robot go home"):
        assert word_for_word(skills, possible(skills, said), said).skill == "go_home"
    said = "um put the, uh, book on the hmm shelf"
    assert word_for_word(ARM, possible(ARM, said), said).values["place"] == "shelf"
    assert possible(HOME, "um go to the kitchen") and not possible(HOME, "forklift go to the dock")
    for said in ("go home to the forklift", "the forklift can go home", "umbrella go home"):
        assert possible(skills, said) == []
    began = time.monotonic()
    assert possible(skills, "robot um forklift " * 17 + "x") == []
    assert time.monotonic() - began < 0.5
    path.write_text(f"called: [the forklift]\n{skill}")
    with pytest.raises(SkillFileError, match=r"line 1: called\[0\] must look like 'Rover'"):
        load_skills(path)


def test_an_order_with_the_longest_text_is_still_one():
    said = "Clara, could you please announce that " + "the train is late " * 14
    assert len(said) > 250 and possible(HOME, said)


@pytest.mark.parametrize(
    ("value", "unit", "meant"),
    [
        (90, "deg", math.pi / 2),
        (5, "min", 300.0),
        (50, "cm", 0.5),
        (36, "km/h", 10.0),
        (0.3, "m/s", 0.3),
        (1000, "lb", 453.59237),
        (22, "°C", 22.0),
        (22, "°", 22.0),
        (3, "l", 3.0),
        (50, "%", 50.0),
        (3, "", 3.0),
    ],
)
def test_a_number_is_turned_into_the_si_unit_of_what_it_measures(value, unit, meant):
    assert to_si(value, unit) == pytest.approx(meant)


def test_a_request_for_the_robot_has_its_numbers_in_si_units():
    decision = decide(HOME, "turn(angle=90)", "turn 90 degrees")
    (angle,) = conversions.action_event(decision, "a1").context
    assert (angle.role, angle.kind) == ("angle", angle.NUMBER)
    assert list(angle.values) == pytest.approx([math.pi / 2])
    # What a target of the robot's own is filled from stays in the unit of the file.
    assert decision.values == {"angle": 90.0}


def test_what_keeps_away_from_a_thing_is_no_order_to_go_there(tmp_path):
    robot = one_skill(
        tmp_path / "go.yaml",
        "name: go_to",
        "parameters: {place: {type: choice, choices: [station a, dock]}}",
        "examples: [{say: drive to the dock, use: {place: dock}}]",
    )
    assert possible(robot, "drive to the old dock") and possible(robot, "drive to station a")
    for said in (
        "drive past station a",
        "drive to any place but dock",
        "drive to all besides dock",
    ):
        assert possible(robot, said) == []


def test_a_description_that_names_both_sides_tells_neither(tmp_path):
    def turn(description: str) -> tuple[Skill, ...]:
        (skill,) = one_skill(
            *(tmp_path / "turn.yaml", "name: turn"),
            "parameters: {angle: {type: number, minimum: -180, maximum: 180, unit: deg}}",
            "examples: [{say: turn 90 degrees, use: {angle: 90}}]",
        )
        return (replace(skill, description=description),)

    both = turn("To the left where the angle is positive, to the right where it is negative.")
    for said in ("turn right 45 degrees", "turn 45 degrees to the left"):
        assert possible(both, said) == []
    assert possible(both, "turn 45 degrees")
    left = turn("Turn to the left.")
    assert possible(left, "turn left 45 degrees") and not possible(left, "turn right 45 degrees")


def test_units_may_be_spelt_out_and_be_anything_that_is_counted(tmp_path):
    turn = one_skill(
        *(tmp_path / "turn.yaml", "name: turn"),
        "parameters: {angle: {type: number, minimum: 0, maximum: 180, unit: Degrees}}",
        "examples: [{say: turn 90 degrees, use: {angle: 90}}]",
    )
    assert turn[0].parameters[0].unit == "deg" and possible(turn, "turn 45 degrees")
    wave = one_skill(
        *(tmp_path / "wave.yaml", "name: wave"),
        "parameters: {count: {type: integer, minimum: 1, maximum: 9, unit: times}}",
        "examples: [{say: wave 3 times, use: {count: 3}}]",
    )
    assert possible(wave, "wave 2 times") and possible(wave, "wave for 2 seconds") == []


@pytest.mark.parametrize(
    ("written", "example", "unit", "said"),
    [
        ("°C", "22 degrees", "°C", ("18 °C", "18 degrees Celsius", "18 C", "18")),
        ("degrees Celsius", "22 degrees Celsius", "°C", ("18 degrees", "18 centigrade")),
        ("degF", "70 °F", "°F", ("68 degrees", "68 degrees Fahrenheit", "68F")),
        # What the file calls degrees has no scale, and is no angle.
        ("deg", "22 degrees", "°", ("18 degrees", "18°", "18")),
    ],
)
def test_a_temperature_is_said_in_degrees_and_is_no_angle(tmp_path, written, example, unit, said):
    number = int(example[:2])
    heat = one_skill(
        *(tmp_path / "heat.yaml", "name: heat"),
        f"parameters: {{temperature: {{type: number, minimum: 0, maximum: 99, unit: {written}}}}}",
        f"examples: [{{say: heat it to {example}, use: {{temperature: {number}}}}}]",
    )
    assert heat[0].parameters[0].unit == unit
    for each in said:
        text = f"heat it to {each}"
        decision = only_reading(heat, possible(heat, text), text)
        (temperature,) = conversions.action_event(decision, "a1").context
        assert list(temperature.values) == [float(each[:2])]
    for other in ("18 liters", "18 bar", "18 kelvin", "18 radians"):
        assert possible(heat, f"heat it to {other}") == []


def test_a_word_that_is_a_unit_behind_a_number_alone_is_no_known_word(tmp_path):
    home = one_skill(
        *(tmp_path / "home.yaml", "name: go_home"),
        "examples: [{say: go home}]",
    )
    assert possible(home, "go home")
    for said in ("go home to the bar", "go home by c", "go home at 5 bar"):
        assert possible(home, said) == []


def test_a_flag_that_need_not_be_said_wants_one_word_only(tmp_path):
    oven = one_skill(
        *(tmp_path / "oven.yaml", "name: heat"),
        "parameters:",
        "  degrees: {type: number, minimum: 50, maximum: 250, unit: degrees}",
        "  fan: {type: boolean, default: false}",
        "examples:",
        "- {say: heat it to 180 degrees, use: {degrees: 180}}",
        "- {say: heat it to 200 degrees with the fan, use: {degrees: 200, fan: true}}",
    )
    assert decide(oven, "heat(degrees=150)", "heat it to 150 degrees").values["fan"] is False
    left_out = decide(oven, "heat(degrees=150)", "heat it to 150 degrees with the fan")
    assert left_out.reason == "fan was said, but was left out"
