# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""A free text is what stands behind what leads to it, and nothing is made up for one."""

from __future__ import annotations

from dataclasses import replace

import pytest
from clara_brain.plain_orders import only_reading, word_for_word
from clara_brain.skill_choice import Choice, decision_of
from clara_brain.skill_decision import decide, grammar, possible
from clara_brain.skills import Example, Parameter, Skill
from clara_brain.text_slots import exact_text

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
        "send the parcel to the lab and say something",
    ],
)
def test_what_stands_before_a_text_is_held_to_the_rules_for_all_orders(said):
    assert possible([SEND], said) == []


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("cheer and shout we won the cup", "we won the cup"),
        ("cheer and shout: don't you dare (ever)", "don't you dare (ever)"),
        ('cheer and shout "hip" and hooray', '"hip" and hooray'),
        ("cheer and shout 'hip hip'!", "hip hip"),
        ("cheer and shout be quiet please", "be quiet please"),
        ("cheer and shout shout for joy", "shout for joy"),
        ("please cheer and shout it is over", "it is over"),
        ("cheer and shout a \\ b", "a \\ b"),
    ],
)
def test_a_text_that_must_be_said_is_taken_as_it_is_and_by_no_model(said, words):
    choices = possible([CHEER], said)
    assert word_for_word([CHEER], choices, said).values == {"words": words}
    assert decide([CHEER], 'cheer(words="won")', said).reason == 'words "won" was not said'
    assert decision_of([CHEER], choices, said, None) == Choice(
        word_for_word([CHEER], choices, said), unsure=False
    )


@pytest.mark.parametrize(
    "said",
    [
        *("cheer tomorrow's winner and shout hooray", "cheer we won the cup", "cheer and shout"),
        *("don't cheer and shout hooray", "tomorrow cheer and shout hooray"),
        *("cheer and shout that again", "cheer and shout it, please", "cheer and shout a\nb"),
        *("why do you cheer and shout hooray", "cheer (loud) and shout hooray"),
    ],
)
def test_where_nothing_leads_to_a_text_or_the_rest_is_no_order_there_is_none(said):
    assert possible([CHEER], said) == []


@pytest.mark.parametrize(
    "said",
    [
        *("cheer and shout hooray when Bob comes", "cheer and shout hooray in five minutes"),
        *("cheer and shout from the roof", "cheer and shout hooray and then go home"),
        *("cheer and shout hooray. Open the door", "cheer and shout what you see"),
    ],
)
def test_what_of_a_text_may_be_meant_for_the_robot_is_asked_about(said):
    choice = decision_of([CHEER], possible([CHEER], said), said, None)
    assert choice.unsure and choice.decision.values["words"] in said


def test_a_text_that_its_examples_put_in_other_words_is_left_to_the_model():
    words = replace(CHEER.parameters[0], said=False)
    shown = Example("cheer for Bob", {"words": "go Bob"})
    loud = replace(CHEER, parameters=(words,), examples=(shown,))
    assert exact_text(loud) is None and exact_text(CHEER) is not None
    assert decide([loud], 'cheer(words="go Ann")', "cheer for Ann").reason == ""
    assert (
        decision_of([loud], possible([loud], "cheer for Ann"), "cheer for Ann", None) == Choice()
    )
