# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""A thing that may be for several parameters of a skill gets where it belongs."""

from __future__ import annotations

import time

import pytest
from clara_brain.choice_slots import choice_slots, mentions
from clara_brain.plain_orders import only_reading, word_for_word
from clara_brain.skill_decision import Decision, decide, grammar, possible
from clara_brain.skills import Example, Parameter, Skill
from clara_brain.taken_up import says_a_part, takes_up

PLACES = ("table", "shelf", "kitchen_table")
OBJECT = Parameter("object", "choice", said=True, choices=("cup", "tea_cup", "table lamp"))
FROM = Parameter("source", "choice", said=True, choices=PLACES)
TO = Parameter("destination", "choice", said=True, choices=PLACES)
MOVE = Skill(
    "move",
    "MOVE",
    "move a thing",
    (OBJECT, TO, FROM),
    (
        Example(
            "move the cup from the shelf to the table",
            {"object": "cup", "source": "shelf", "destination": "table"},
        ),
    ),
    words=("move", "put"),
)
PUT = Skill(
    "put",
    "PUT",
    "put a thing somewhere",
    (OBJECT, Parameter("place", "choice", said=True, default="shelf", choices=PLACES)),
    (Example("put the cup on the table", {"object": "cup", "place": "table"}),),
)
MOVED = {"object": ("cup",), "source": ("table",), "destination": ("shelf",)}


@pytest.mark.parametrize(
    "said",
    [
        "move the cup from the table to the shelf",
        "move the cup to the shelf from the table",
        "put the cup from the table onto the shelf",
        "move the cup table shelf",
    ],
)
def test_what_is_for_two_parameters_is_told_by_preposition_or_order(said):
    assert choice_slots(MOVE, said).values == MOVED
    right = "move(object=cup, destination=shelf, source=table)"
    swapped = "move(object=cup, destination=table, source=shelf)"
    assert decide([MOVE], right, said).reason == ""
    assert decide([MOVE], swapped, said).reason == "destination table was not said"
    choices = possible([MOVE], said)
    assert '", destination=" ("shelf") ", source=" ("table")' in grammar(choices)
    assert only_reading([MOVE], choices, said).values == {
        name: value for name, (value,) in MOVED.items()
    }


@pytest.mark.parametrize(
    "said",
    [
        "move the cup to the shelf",  # from where?
        "move the cup from the table or the shelf",
        "move the cup from the table from the shelf",
        "move the cup on the table in the shelf",
    ],
)
def test_what_cannot_be_told_is_not_guessed(said):
    assert possible([MOVE], said) == []


def test_too_many_are_refused_with_a_sentence():
    said = "move the cup from the table to the shelf and the kitchen table"
    refused = decide([MOVE], "move(object=cup, destination=shelf, source=table)", said)
    assert refused.reason == (
        "table and shelf and kitchen_table were all said; say one destination"
    )


def test_a_name_within_a_longer_one_is_not_meant():
    assert [each.choice for each in mentions(PUT, "put the tea cup on the kitchen table")] == [
        *("tea_cup", "kitchen_table")
    ]
    assert choice_slots(PUT, "put the tea cup on the table").values["object"] == ("tea_cup",)
    # Nor is it that of another parameter.
    assert choice_slots(PUT, "put the table lamp there").values == {
        "object": ("table lamp",),
        "place": (),
    }
    both = "put the tea cup beside the cup"
    assert choice_slots(PUT, both).values["object"] == ("cup", "tea_cup")


def test_an_order_like_an_example_needs_no_model():
    said = "move the tea cup from the kitchen table to the shelf"
    decision = word_for_word([MOVE], possible([MOVE], said), said)
    assert decision.values == {
        "object": "tea_cup",
        "source": "kitchen_table",
        "destination": "shelf",
    }


def test_thousands_of_names_are_looked_for_in_no_time():
    choices = tuple(f"thing number {at}" for at in range(256))
    many = Skill(
        *("take", "TAKE", "take things"),
        tuple(Parameter(f"p{at}", "choice", said=True, choices=choices) for at in range(8)),
    )
    mentions(many, "")
    before = time.perf_counter()
    assert len(mentions(many, "take thing number 7 " * 16)) == 16
    assert time.perf_counter() - before < 0.5


def choosing(name: str, default: str | None, *choices: str) -> Parameter:
    return Parameter(name, "choice", said=True, default=default, choices=choices)


@pytest.mark.parametrize(
    ("parameter", "said"),
    [
        (choosing("drink", "black coffee", "black coffee", "green tea"), "make tea"),
        (choosing("place", "dock", "dock", "living room"), "make the dining room"),
        (choosing("object", "ball", "ball", "red ring"), "make the rings"),
        (choosing("direction", "forward", "forward", "right"), "make it right now"),
    ],
)
def test_half_a_name_is_not_the_default(parameter, said):
    make = Skill("make", "MAKE", "Make it.", (parameter,), words=("make",))
    assert choice_slots(make, said) is None
    assert choice_slots(make, "make it").values == {parameter.name: ()}


@pytest.mark.parametrize(
    ("choices", "said", "meant"),
    [
        (("A", "B"), "park in a bay", ()),
        (("A", "B"), "park in bay a", ("A",)),
        (("A", "B"), "park in A", ("A",)),
        (("A", "B"), "park the cart to a", ("A",)),
        (("IT", "lab"), "park near it", ()),
        (("IT", "lab"), "park at IT", ("IT",)),
        (("me", "nurse"), "park beside me", ("me",)),
        (("room 2", "room 3"), "park in room two", ("room 2",)),
        (("room 2", "room 3"), "park in room number three", ("room 3",)),
        (("bay 12",), "park in bay number 12", ("bay 12",)),
        (("nurses station",), "park at the nurses' station", ("nurses station",)),
        (("nurse's station",), "park at the nurses station", ("nurse's station",)),
        (("slow", "fast"), "park slowly", ("slow",)),
        (("gin", "gin and tonic"), "park the gin & tonic", ("gin and tonic",)),
    ],
)
def test_a_word_of_the_language_is_a_thing_only_where_it_is_named(choices, said, meant):
    bay = Parameter("bay", "choice", said=True, choices=choices)
    park = Skill("park", "PARK", "Park.", (bay,), (Example("park in bay B", {"bay": "B"}),))
    assert choice_slots(park, said).values["bay"] == meant


def test_a_part_of_another_choice_beside_the_one_that_is_said_makes_it_no_order():
    drink = Parameter("drink", "choice", said=True, choices=("gin", "gin and tonic", "beer"))
    pour = Skill("pour", "POUR", "Pour.", (drink,), (Example("pour a beer", {"drink": "beer"}),))
    assert choice_slots(pour, "pour a gin").values["drink"] == ("gin",)
    assert choice_slots(pour, "pour a gin tonic") is None


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("drive backwards", ("backward",)),
        ("drive back", ("backward",)),
        ("drive ahead", ("forward",)),
        ("drive back to the dock", ()),
        ("drive ahead of me", ()),
        ("drive to the back", ()),
    ],
)
def test_backwards_is_backward(said, meant):
    way = choosing("direction", "forward", "forward", "backward")
    drive = Skill("drive", "DRIVE", "Drive.", (way,), (Example("drive", {}),))
    assert choice_slots(drive, said).values == {"direction": meant}


def test_it_before_a_direction_is_what_a_verb_is_done_to():
    way = choosing("direction", None, "up", "down")
    tilt = Skill("tilt", "", "Tilt.", (way,), (Example("tilt the mast up", {"direction": "up"}),))
    look = Skill("look", "", "Look.", (way,), (Example("look up", {"direction": "up"}),))
    assert choice_slots(tilt, "tilt it down").values == {"direction": ("down",)}
    assert choice_slots(look, "look it up") is None


@pytest.mark.parametrize(
    ("said", "is_one"),
    [
        ("fetch the cup from the table", True),
        ("fetch the cup at the table", True),
        ("fetch the cup to the table", False),
        ("fetch the cup onto the table", False),
    ],
)
def test_to_a_place_is_not_from_it(said, is_one):
    fetch = Skill(
        *("fetch", "FETCH", "Fetch a thing.", (OBJECT, FROM)),
        (Example("fetch the cup from the shelf", {"object": "cup", "source": "shelf"}),),
    )
    assert (choice_slots(fetch, said) is not None) == is_one


@pytest.mark.parametrize(
    ("said", "is_so"),
    [
        ("the cup", True),
        ("move the cup", True),
        ("the tea cup", False),
        ("from the shelf to the table", False),
        ("to the table", False),
        ("the shelf", False),
        ("move it", True),
        ("move it?", False),
    ],
)
def test_what_may_be_for_two_parameters_is_no_part_of_what_was_asked(said, is_so):
    values = {"object": "cup", "source": "table", "destination": "shelf"}
    assert says_a_part(MOVE, Decision("move", values=values), said) is is_so


def test_one_of_two_numbers_is_no_part_of_what_was_asked():
    x, y = (Parameter(name, "number", said=True, minimum=0, maximum=9) for name in "xy")
    for parameters, is_so in (((x,), True), ((x, y), False)):
        values = {each.name: float(at) for at, each in enumerate(parameters, start=3)}
        go = Skill("go", "GO", "go to a point", parameters, words=("go",))
        assert says_a_part(go, Decision("go", values=values), "go 3") is is_so


def test_an_order_that_names_nothing_is_not_the_one_that_was_asked():
    height = Parameter("height", "number", said=True, default=2.0, minimum=1, maximum=9, unit="m")
    lift = Skill("lift", "LIFT", "lift the arm", (height,), words=("lift",))
    asked = Decision("lift", values={"height": 5.0})
    assert takes_up(lift, asked, "lift it") and not takes_up(lift, asked, "lift")


def test_between_two_is_neither_from_one_nor_to_the_other():
    assert choice_slots(MOVE, "move the cup between the table and the shelf") is None


def test_what_makes_another_verb_is_no_part_of_what_was_asked():
    take_off = Skill(
        *("take_off", "TAKE_OFF", "take off", (), (Example("take off", {}),)), words=("take",)
    )
    assert says_a_part(take_off, Decision("take_off"), "take off")
    assert not says_a_part(take_off, Decision("take_off"), "take it off")
