# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""A free text is what stands behind what leads to it, and nothing is made up for one."""

from __future__ import annotations

import pytest
from clara_brain.plain_orders import only_reading
from clara_brain.skill_decision import decide, grammar, possible
from clara_brain.skills import Example, Parameter, Skill

PLACE = Parameter("place", "choice", said=True, choices=("lab", "office"))
NOTE = Parameter("note", "text", said=False, default="")
SEND = Skill(
    *("send", "SEND", "Send a parcel.", (PLACE, NOTE)),
    (
        Example("send the parcel to the lab", {"place": "lab"}),
        Example(
            "send it to the office and say it is urgent",
            {"place": "office", "note": "it is urgent"},
        ),
    ),
)
CHEER = Skill(
    *("cheer", "CHEER", "Cheer.", (Parameter("words", "text", said=True),)),
    (Example("cheer and shout happy birthday", {"words": "happy birthday"}),),
)


@pytest.mark.parametrize(
    ("said", "note"),
    [
        ("send the parcel to the lab", ""),
        ("send the parcel to the lab and say hello to Bob.", "hello to Bob"),
        ('send it to the lab and say "3 of them are back"', "3 of them are back"),
    ],
)
def test_a_text_that_need_not_be_said_is_all_behind_what_leads_to_it(said, note):
    choices = possible([SEND], said)
    assert only_reading([SEND], choices, said).values == {"place": "lab", "note": note}
    assert ("note=" in grammar(choices)) == bool(note)
    made_up = decide([SEND], 'send(place=lab, note="it is urgent")', said)
    assert made_up.reason == 'note "it is urgent" was not said'
    left_out = decide([SEND], "send(place=lab)", said)
    assert left_out.reason == ("note was said, but was left out" if note else "")


@pytest.mark.parametrize(
    "said",
    [
        "send the parcel to the lab yesterday",
        "send the parcel to the lab and go to the office",
        "send 2 parcels to the lab",
        "send half the parcel to the lab",
        "send the parcel past the lab and say hello",
    ],
)
def test_what_stands_before_a_text_is_held_to_the_rules_for_all_orders(said):
    assert possible([SEND], said) == []


@pytest.mark.parametrize(
    ("said", "is_one"),
    [
        ("cheer and shout we won the cup", True),
        ("cheer we won the cup", True),
        ("cheer tomorrow's winner and shout hooray", False),
    ],
)
def test_the_words_of_a_text_that_must_be_said_are_free(said, is_one):
    assert bool(possible([CHEER], said)) == is_one
