# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""A skill that takes several numbers gets each where it belongs, whatever the model writes."""

from __future__ import annotations

import time
from collections.abc import Mapping

import pytest
from clara_brain.number_slots import number_slots
from clara_brain.plain_orders import only_reading, word_for_word
from clara_brain.skill_decision import decide, grammar, possible
from clara_brain.skills import Example, Parameter, Skill, Value


def number(name: str, unit: str = "", default: float | None = None) -> Parameter:
    return Parameter(name, "number", said=True, default=default, minimum=-9, maximum=90, unit=unit)


def skill(*parameters: Parameter, **examples: Mapping[str, Value]) -> Skill:
    shown = tuple(Example(say.replace("_", " "), use) for say, use in examples.items())
    return Skill("go_to", "GO_TO", "drive", parameters, shown, words=("go", "drive", "wave"))


POINT = skill(number("x", "m"), number("y", "m"), go_to_1_2={"x": 1.0, "y": 2.0})
BARE = skill(number("x"), number("y"))
DRIVE = skill(number("distance", "m"), number("speed", "m/s", 0.2))
WAVE = skill(number("times"), number("speed", "", 1.0))


@pytest.mark.parametrize("there", [POINT, BARE])
@pytest.mark.parametrize(
    "said",
    [
        "go to 3 4",
        "go to 3 and 4",
        "go to x 3 and y 4",
        "go to y 4, x 3",
        "go to y 4 x 3",
        "go to 4 y 3 x",
        "go to y of 4 and x of 3",
        "go to y and x 4 and 3",
        "go to x 3 and 4",
        "go to 3, y 4",
        "go to three and four",
    ],
)
def test_numbers_that_are_alike_are_told_apart_by_name_or_by_order(there, said):
    assert number_slots(there, said).values == {"x": ("3",), "y": ("4",)}
    decision = decide([there], "go_to(x=3, y=4)", said)
    assert decision.reason == "" and decision.values == {"x": 3.0, "y": 4.0}
    assert decide([there], "go_to(x=4, y=3)", said).reason == "x 4 was not said"
    assert decide([there], "go_to(x=3, y=3)", said).reason == "y 3 was not said"
    choices = possible([there], said)
    assert '"x=" ("3") ", y=" ("4")' in grammar(choices)
    assert only_reading([there], choices, said).values == {"x": 3.0, "y": 4.0}


@pytest.mark.parametrize(
    "said",
    [
        "go to 3",  # one number is not both
        "go to x 3",
        "go to 3 or 4",
        "go to x 3 or y 4",
        "go to x 3 to x 4",
    ],
)
def test_what_cannot_be_told_is_not_guessed(said):
    assert possible([POINT], said) == []
    reason = decide([POINT], "go_to(x=3, y=3)", said).reason
    assert reason == "nothing that was said asks for go_to"


def test_the_same_number_twice_is_for_both_and_a_third_one_is_refused():
    assert decide([POINT], "go_to(x=3, y=3)", "go to 3 3").reason == ""
    refused = decide([POINT], "go_to(x=3, y=4)", "go to 3 4 5")
    assert refused.reason == "3 and 4 and 5 were all said; say one x"


def test_the_order_is_that_of_the_examples():
    backwards = skill(number("x"), number("y"), go_to_row_2_column_1={"x": 1.0, "y": 2.0})
    assert number_slots(backwards, "go to row 4 column 3").values == {"x": ("3",), "y": ("4",)}
    both = skill(
        *(number("x"), number("y")),
        go_to_1_2={"x": 1.0, "y": 2.0},
        drive_to_3_4={"x": 4.0, "y": 3.0},
    )
    assert number_slots(both, "go to 3 4") is None
    assert number_slots(both, "go to y 3 x 4").values == {"x": ("4",), "y": ("3",)}


def test_a_number_without_unit_is_for_what_must_be_said_and_not_for_a_second_one():
    assert number_slots(DRIVE, "drive 2").values == {"distance": ("2",), "speed": ()}
    assert decide([DRIVE], "go_to(distance=2, speed=2)", "drive 2").reason == (
        "speed 2 was not said"
    )
    assert decide([DRIVE], "go_to(distance=2)", "drive 2").values["speed"] == 0.2
    told = number_slots(DRIVE, "drive at speed 0.5 for a distance of 2")
    assert told.values == {"distance": ("2",), "speed": ("0.5",)}
    # Nothing tells which is which.
    assert number_slots(DRIVE, "drive 2 0.5") is None
    shown = skill(*DRIVE.parameters, drive_1_at_2={"distance": 1.0, "speed": 2.0})
    assert number_slots(shown, "drive 2 at 0.5").values == {"distance": ("2",), "speed": ("0.5",)}


def test_what_was_told_by_name_or_order_cannot_be_left_out():
    for said in ("wave 3 times at speed 2", "wave speed 2 times 3"):
        assert number_slots(WAVE, said).values == {"times": ("3",), "speed": ("2",)}
        left_out = decide([WAVE], "go_to(times=3)", said)
        assert left_out.reason == "speed was said, but was left out"


def test_a_unit_tells_it_before_everything_else():
    turn = skill(number("angle", "deg"), number("count", "", 1.0))
    assert number_slots(turn, "drive 90 degrees and 2 times").values == {
        "angle": ("90",),
        "count": ("2",),
    }
    assert number_slots(turn, "drive 90 degrees").values == {"angle": ("90",), "count": ()}


def test_a_number_in_the_name_of_a_thing_is_no_value():
    room = Parameter("place", "choice", said=True, choices=("room_3", "dock"))
    to_room = skill(room, number("speed", "m/s", 0.2))
    decision = decide([to_room], "go_to(place=room_3)", "go to room 3")
    assert decision.reason == "" and decision.values == {"place": "room_3", "speed": 0.2}
    fast = decide([to_room], "go_to(place=room_3, speed=0.5)", "go to room 3 at 0.5 m/s")
    assert fast.reason == "" and fast.values["speed"] == 0.5


def test_an_order_that_is_an_example_but_for_its_numbers_needs_no_model():
    said = "go to 3 4"
    decision = word_for_word([POINT], possible([POINT], said), said)
    assert decision is not None and decision.values == {"x": 3.0, "y": 4.0}


HEADED = skill(
    number("x"), number("y"), number("heading", "", 0.0), go_to_x_1_y_2={"x": 1, "y": 2}
)
TIMES = skill(number("times"), number("speed", "", 1.0), wave_3_times={"times": 3.0})
GATE = skill(opens_the_gate={})
LEVEL = skill(number("level", "%"), go_to_50_percent={"level": 50.0})
TURN = skill(number("angle", "deg"), drive_90_degrees={"angle": 90.0})
HONK = skill(number("times"), wave_2_times={"times": 2.0})
DRAWER = skill(number("drawer"), go_to_drawer_3={"drawer": 3.0})
HEAT = skill(number("temperature"), go_to_22_degrees={"temperature": 22.0})
SERVE = skill(number("table"), number("glasses", "", 1.0), go_to_table_4={"table": 4.0})
WATER = skill(number("amount", "l", 2.0), go_with_3_liters={"amount": 3.0})
BED = Parameter("bed", "choice", said=True, choices=("tomatoes", "peppers"))
BAY = skill(
    *(number("bay"), number("level", "", 0.0)),
    go_to_bay_3={"bay": 3.0},
    go_to_bay_4_level_2={"bay": 4.0, "level": 2.0},
)
ROW = skill(number("row"), number("bed"), go_to_row_3_bed_2={"row": 3.0, "bed": 2.0})
RATE = skill(number("speed", "km/h"), drive_at_6_km_per_hour={"speed": 6.0})
PORTIONS = skill(
    number("table"),
    number("portions", "", 1.0),
    go_to_table_4={"table": 4.0},
    go_with_3_portions_to_table_2={"table": 2.0, "portions": 3.0},
)
SPIN = skill(number("seconds", "s", 30.0), number("speed", "rpm", 3.0))
PICK = skill(number("count"), BED, go_10_tomatoes={"count": 10.0, "bed": "tomatoes"})


@pytest.mark.parametrize(
    ("said", "values"),
    [
        ("go to 3 x, 4 y, heading 45", {"x": ("3",), "y": ("4",), "heading": ("45",)}),
        ("go to x 3 y 4 with 45", {"x": ("3",), "y": ("4",), "heading": ("45",)}),
        ("go to x 3 y 4 and 45", None),  # what need not be said is not said by the way
        ("go to heading 45 x 3 y 4", {"x": ("3",), "y": ("4",), "heading": ("45",)}),
        ("go to 3 x 4", None),  # whose is it?
    ],
)
def test_a_name_belongs_to_the_number_that_it_stands_beside(said, values):
    found = number_slots(HEADED, said)
    assert (found and found.values) == values


def test_a_name_right_behind_a_number_is_not_that_of_the_next():
    found = number_slots(TIMES, "wave 3 times with 5")
    assert found.values == {"times": ("3",), "speed": ("5",)}
    assert number_slots(TIMES, "wave 3 times and 5") is None


@pytest.mark.parametrize(
    ("robot", "said"),
    [
        (DRIVE, "drive 2 meters at 10 cm/s"),
        (DRIVE, "drive 2 meters with speed 0.5 or 1"),
        (GATE, "drive 50 percent"),
        (GATE, "drive half"),
        (HONK, "wave for 3 seconds"),
        (HONK, "wave 2 minutes"),
        (TURN, "drive 90 degrees half"),
        (GATE, "drive for one minute"),
        (GATE, "drive for an hour"),
        (TURN, "drive one radian"),
        (DRAWER, "go to that one"),
        (DRAWER, "go to the top one"),
        (DRAWER, "go to one of the drawers"),
        (DRAWER, "go to one drawer"),
        (DRAWER, "go to 5 drawers"),
        (DRAWER, "go to 5 of the drawers"),
        (DRAWER, "go to drawer 50 percent"),
        (TURN, "drive the left one"),
        (HEAT, "go to 18 percent"),
        (SERVE, "go to tables 4 and 5"),
        (ROW, "go to rows 3 and 4"),
        (ROW, "go to row 3 and 4"),
        (ROW, "go to row 3 to 4"),
        (BAY, "go to pallet 3 in bay 5"),
        (BAY, "go to pallet 3"),
        (PICK, "go 10 percent of the tomatoes"),
        (PICK, "go 10 crates of tomatoes"),
    ],
)
def test_a_number_that_is_for_nothing_makes_it_no_order(robot, said):
    assert number_slots(robot, said) is None


@pytest.mark.parametrize(
    ("robot", "said", "is_one"),
    [
        (LEVEL, "go to 20 percent", True),
        (LEVEL, "go by 20 percent", False),
        (TURN, "drive 45 degrees", True),
        (TURN, "drive by 45 degrees", True),
        (TURN, "drive to 45 degrees", False),
        (LEVEL, "go another 20 percent", False),
        (LEVEL, "go 20 percent more", False),
        (TURN, "drive another 45 degrees", True),
        (HEAT, "go 18 degrees", False),
    ],
)
def test_to_change_a_value_by_so_much_is_not_to_set_it(robot, said, is_one):
    assert (number_slots(robot, said) is not None) == is_one


def test_a_number_with_more_behind_it_is_no_name_of_a_thing():
    room = Parameter("place", "choice", said=True, choices=("room_3", "room_4"))
    rooms = skill(room)
    for said in ("go to room 3 and 4", "go to room 3.5", "go to room 3 or 4"):
        assert possible([rooms], said) == []
    assert possible([rooms], "go to room 3.")


@pytest.mark.parametrize(
    ("robot", "said", "name", "value"),
    [
        (DRAWER, "go to drawer one", "drawer", "1"),
        (DRAWER, "go to drawer number 3", "drawer", "3"),
        (SERVE, "go to table one", "table", "1"),
        (SERVE, "go to table number 3", "table", "3"),
        (PICK, "go one pepper", "count", "1"),
        (PICK, "go 3 ripe peppers", "count", "3"),
        (WATER, "go with one liter", "amount", "1"),
        (WATER, "go with half a liter", "amount", "0.5"),
        (WATER, "go with a liter", "amount", "1"),
        (DRIVE, "drive forward a meter", "distance", "1"),
        (DRIVE, "drive a meter and a half", "distance", "1.5"),
        (DRIVE, "drive a meter at 0.4 m/s", "distance", "1"),
        (DRIVE, "drive another meter", "distance", "1"),
        (DRIVE, "drive one more meter", "distance", "1"),
        (BAY, "go to bay one", "bay", "1"),
        (BAY, "go to bay number 2 level one", "level", "1"),
        (RATE, "drive at 6 kilometers an hour", "speed", "6"),
        (SPIN, "drive at 50 rpm", "speed", "50"),
        (SPIN, "drive for 9 seconds at 50 rpm", "seconds", "9"),
        (PORTIONS, "go with a large portion to table one", "table", "1"),
    ],
)
def test_one_of_a_unit_or_behind_its_name_is_a_number(robot, said, name, value):
    assert number_slots(robot, said).values[name] == (value,)


@pytest.mark.parametrize(
    ("robot", "said", "values"),
    [
        (HONK, "wave once", {"times": 1}),
        (HONK, "please wave twice", {"times": 2}),
        (HONK, "wave thrice", {"times": 3}),
        (DRAWER, "go to the third drawer", {"drawer": 3}),
        (DRAWER, "go to the 3rd drawer please", {"drawer": 3}),
        (SERVE, "go to the second table", {"table": 2, "glasses": 1.0}),
        (GATE, "drive the gate once", {}),
        (GATE, "drive the gate at once", {}),
        (GATE, "drive the gate once more", {}),
        (GATE, "drive the gate twice", None),
        (TURN, "drive 90 degrees twice", None),
        (HONK, "wave the second time", None),
        (DRAWER, "go to the third cupboard", None),
        (HONK, "wave once you are there", None),
        (DRAWER, "go to drawer 3 once I say so", None),
    ],
)
def test_counts_and_ordinals_are_numbers_where_a_skill_counts(robot, said, values):
    choices = possible([robot], said)
    decision = only_reading([robot], choices, said)
    assert (decision and decision.values) == values
    if values and robot is not GATE:
        assert word_for_word([robot], choices, said) == decision


@pytest.mark.parametrize(
    "said",
    ["drive half a meter", "drive 0.5 m", "drive 0.5 metres", "drive zero point five meters!"],
)
def test_an_order_is_an_example_however_its_number_is_said(said):
    half = skill(number("distance", "m"), drive_2_meters={"distance": 2.0})
    assert word_for_word([half], possible([half], said), said).values == {"distance": 0.5}


def test_one_by_itself_is_no_number():
    assert number_slots(GATE, "drive that one") is not None


def test_what_is_said_by_the_way_fills_nothing_that_need_not_be_said():
    deliver = skill(number("count", "", 1.0), number("room"), go_to_room_2={"room": 2.0})
    assert number_slots(deliver, "go to room 2 and 3") is None
    assert number_slots(deliver, "go to room 2").values == {"count": (), "room": ("2",)}


def test_a_number_that_only_one_parameter_takes_cannot_be_left_out():
    fast = skill(number("distance", "m"), number("speed", "", 1.0))
    left_out = decide([fast], "go_to(distance=2)", "drive 2 meters with a speed of 0.5")
    assert left_out.reason == "speed was said, but was left out"
    assert decide([fast], "go_to(distance=2)", "drive 2 meters with a speed of 1").reason == ""


def test_names_beside_numbers_do_not_hide_their_prepositions():
    point = skill(number("x", "m"), number("y", "m"), go_to_x_1_y_2={"x": 1.0, "y": 2.0})
    assert number_slots(point, "go to 3 4").values == {"x": ("3",), "y": ("4",)}
    assert number_slots(point, "go by x 0.1 y 0.2") is None


def test_many_numbers_and_examples_are_read_at_once():
    names = [f"joint_{at}" for at in range(16)]
    say = " ".join(f"{name.replace('_', ' ')} at 7{at}" for at, name in enumerate(names))
    arm = Skill(
        *("move", "MOVE", "Move.", tuple(number(name) for name in names)),
        tuple(Example(f"move {say} {at}", dict.fromkeys(names, 7)) for at in range(16)),
    )
    before = time.perf_counter()
    number_slots(arm, f"move {say}")
    assert time.perf_counter() - before < 1.0
