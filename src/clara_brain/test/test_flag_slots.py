# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""A boolean is what was said, never what a model guesses."""

from __future__ import annotations

import pytest
from clara_brain.flag_slots import flag_slots
from clara_brain.plain_orders import word_for_word
from clara_brain.skill_decision import decide, grammar, possible
from clara_brain.skills import Example, Parameter, Skill

ROOM = Parameter("room", "choice", said=True, choices=("hall", "living_room"))
LIT = Parameter("lit", "boolean", said=False)
LAMP = Skill(
    *("lamp", "LAMP", "Switch a lamp on or off.", (ROOM, LIT)),
    (
        Example("switch the lamp in the hall on", {"room": "hall", "lit": True}),
        Example("switch off the lamp in the living room", {"room": "living_room", "lit": False}),
    ),
    words=("switch", "turn"),
)
FAST = Parameter("fast", "boolean", said=False, default=False)
WAVE = Skill(
    *("wave", "WAVE", "Wave.", (FAST,)),
    (Example("wave", {}), Example("wave fast", {"fast": True})),
)


@pytest.mark.parametrize(
    ("said", "value"),
    [
        ("switch the lamp in the hall off", "false"),
        ("turn the living room lamp on", "true"),
        ("please switch the lamp on in the living room", "true"),
    ],
)
def test_it_is_told_by_the_words_in_which_the_examples_differ(said, value):
    assert flag_slots(LAMP, said).values == {"lit": (value,)}
    room = "hall" if "hall" in said else "living_room"
    other = "true" if value == "false" else "false"
    assert decide([LAMP], f"lamp(room={room}, lit={value})", said).reason == ""
    wrong = decide([LAMP], f"lamp(room={room}, lit={other})", said)
    assert wrong.reason == f"lit {other} was not said"
    assert f'", lit=" ("{value}")' in grammar(possible([LAMP], said))


@pytest.mark.parametrize(
    "said", ["switch the lamp in the hall", "switch the hall lamp on and off"]
)
def test_neither_or_both_is_no_order(said):
    assert possible([LAMP], said) == []


def test_where_it_is_not_said_it_is_the_default_and_nothing_else():
    assert decide([WAVE], "wave()", "wave").values == {"fast": False}
    assert decide([WAVE], "wave(fast=true)", "wave").reason == "fast true was not said"
    assert decide([WAVE], "wave(fast=true)", "wave fast").values == {"fast": True}
    left_out = decide([WAVE], "wave()", "wave fast")
    assert left_out.reason == "fast was said, but was left out"


def test_an_order_like_an_example_needs_no_model():
    said = "switch off the lamp in the hall"
    decision = word_for_word([LAMP], possible([LAMP], said), said)
    assert decision.values == {"room": "hall", "lit": False}


def shown(**examples: bool | None) -> Skill:
    """Return a skill with a flag that is false unless it is said."""
    flag = Parameter("flash", "boolean", said=False, default=False)
    says = tuple(
        Example(say.replace("_", " "), {} if value is None else {"flash": value})
        for say, value in examples.items()
    )
    return Skill("take_photo", "TAKE", "Take a photo.", (flag,), says, words=("take", "make"))


@pytest.mark.parametrize(
    ("camera", "said", "value"),
    [
        (shown(take_a_photo=None, take_a_photo_with_flash=True), "take a photo with flash", True),
        (shown(take_a_photo=None, take_a_photo_with_flash=True), "take a photo please", False),
        # Words that mean nothing by themselves tell nothing.
        (shown(take_a_photo=None, please_take_one_with_flash=True), "please take a photo", False),
        # It is named, and nothing says which.
        (shown(take_it_flash_on=True, take_it_flash_off=False), "take it with flash", None),
        (shown(take_it_bright=True, make_it_dark=False), "make it", False),
        (shown(take_a_photo=None, make_one_bright=True), "take a bright photo", True),
    ],
)
def test_words_that_merely_differ_tell_nothing(camera, said, value):
    found = flag_slots(camera, said)
    if value is None:
        assert found is None
    else:
        assert (found.values["flash"] or ("false",)) == ("true" if value else "false",)


def test_no_verb_tells_what_another_word_tells():
    rooms = Parameter("room", "choice", said=True, choices=("room 1", "room 2"))
    bring = Skill(
        *("deliver", "DELIVER", "Deliver mail.", (rooms, FAST)),
        (
            Example("deliver mail to room 1", {"room": "room 1"}),
            Example("bring mail to room 2 urgently", {"room": "room 2", "fast": True}),
        ),
    )
    assert flag_slots(bring, "bring mail to room 1").values == {"fast": ()}
    assert flag_slots(bring, "deliver mail to room 2 urgently").values == {"fast": ("true",)}


def test_a_word_behind_a_number_tells_nothing():
    loud = Parameter("loud", "boolean", said=False, default=False)
    times = Parameter("times", "integer", said=True, default=1, minimum=1, maximum=5)
    sound = Skill(
        *("play", "PLAY", "Play a sound.", (loud, times)),
        (
            Example("play a sound", {}),
            Example("play a loud sound 3 times", {"loud": True, "times": 3}),
        ),
    )
    assert flag_slots(sound, "play a sound 2 times").values == {"loud": ()}
    assert flag_slots(sound, "play a loud sound").values == {"loud": ("true",)}
