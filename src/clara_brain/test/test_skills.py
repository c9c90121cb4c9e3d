# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Skills: the file, the grammar, the validation, and how well the real model decides."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from clara_brain.abilities import abilities
from clara_brain.check_skills import tried
from clara_brain.engine import Request
from clara_brain.errors import SkillFileError
from clara_brain.orders import imperative
from clara_brain.prompt import RawPrompt
from clara_brain.skill_choice import choice_request, decision_of
from clara_brain.skill_decision import GREEDY, decide, possible, whole_grammar
from clara_brain.skill_file import load_skills
from clara_brain.spoken_numbers import fitting, spellings

DATA = Path(__file__).parent / "data"
SKILLS = load_skills(DATA / "skills.yaml")
UTTERANCES = yaml.safe_load((DATA / "utterances.yaml").read_text())


GO = "skills:\n- name: a\n  description: x\n"


def decided(engine, said):
    offers = possible(SKILLS, said)
    request = choice_request(SKILLS, offers, said)
    written = engine.complete(request).text if request else None
    choice = decision_of(SKILLS, offers, said, written)
    decision = choice.decision
    if decision is None or decision.reason or choice.unsure:
        return None
    return decision.skill, decision.values


def test_the_model_acts_on_orders_and_on_nothing_else(engine):
    right = wanted = 0
    wrong = []
    for utterance in UTTERANCES:
        got = decided(engine, utterance["say"])
        want = (utterance["do"], utterance.get("with", {})) if "do" in utterance else None
        if got and got != want:
            wrong.append((utterance["say"], got))
        if want and not utterance.get("or_nothing"):
            wanted += 1
            right += got == want
    print(f"{len(UTTERANCES)} utterances: recall {right}/{wanted}, wrong {len(wrong)}")
    assert wrong == []
    assert right / wanted >= 0.9


def test_a_tried_sentence_says_what_the_brain_would_do(engine):
    said = {
        "grab the cup": "pick up the cup",
        "stop": "a stop: Clara cancels what runs",
        "what can you do?": f"no order; Clara says: {abilities(SKILLS)}",
        "grab the knife": "no order for any skill: pick_up does not know the word 'knife'",
        "the sky is blue": "no order for any skill; Clara just talks",
        "grab the cup or the book": "refused: cup and book were both said; say one object",
        "grab the cup and then wave to the people": (
            "2 steps, of which all are done or none\n  1. pick up the cup\n  2. wave"
        ),
        "grab the cup and then wave if you can": (
            'not done, no part of it: step 2 ("wave if you can"): it is no order for any skill'
        ),
    }
    assert {each: tried(engine, SKILLS, {}, each) for each in said} == said


def test_the_grammar_of_the_whole_file_is_one_that_llama_cpp_takes(engine):
    sampling = replace(GREEDY, grammar=whole_grammar(SKILLS))
    done = engine.complete(Request(RawPrompt("Person: hello\nAction: "), sampling, 40))
    assert done.error is None and (done.text.strip() == "none" or "(" in done.text)


@pytest.mark.parametrize(
    ("written", "said", "reason"),
    [
        ("fly()", "fly away", "no skill named"),
        ("pick_up(object=knife)", "grab the knife", "nothing that was said asks for"),
        ("pick_up(object=bottle)", "grab the cup", "was not said"),
        ("pick_up(object=cup)", "what is a cup?", "nothing that was said asks for"),
        ("pick_up()", "grab the cup", "needs object"),
        ("pick_up(object=cup, force=9)", "grab the cup", "no parameter 'force'"),
        ("pick_up(object=cup, object=cup)", "grab the cup", "given twice"),
        ("drive(distance=80)", "drive 80 meters", "from 0.1 to 5"),
        ("drive(distance=nan)", "drive 2 meters", "finite number"),
        ("drive(distance=1e3)", "drive 2 meters", "not a number"),
        ("drive(distance=3)", "drive 2 meters", "was not said"),
        ("drive(distance=2, speed=0.4)", "drive 2 meters", "was not said"),
        ("pick_up(object=cup)", "grab the cup or the book", "both said"),
        ("drive(distance=2)", "drive 2 meters at 0.4 m/s", "speed was said, but was left out"),
        ("drive(distance=-inf)", "drive 2 meters", "finite number, not -inf"),
        ("drive(distance=-2)", "drive 2 meters", "from 0.1 to 5 m, not -2"),
        ("drive(distance=fast)", "drive 2 meters", "not a number that can be read"),
        ("drive(distance=2)", "drive 2 or 3 meters", "2 and 3 were both said; say one distance"),
        ("pick_up(object=cup)", "if it rains, grab the cup", "nothing that was said asks for"),
        ("pick_up(object=cup)", "pick up the cup when I say so", "nothing that was said asks for"),
        ("pick_up(object=cup)", "grab the cup tomorrow", "nothing that was said asks for"),
        ("wave(object=cup)", "wave", "no parameter 'object'"),
        ("pick_up(object=cup); wave()", "grab the cup", "cannot be read"),
        ("pick_up(object=cup) and more", "grab the cup", "not of the form"),
    ],
)
def test_what_the_model_wrote_is_refused_with_a_reason(written, said, reason):
    decision = decide(SKILLS, written, said)
    assert decision is not None and reason in decision.reason


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("drive 2 meters", ("2",)),
        ("drive twenty-five meters", ("25",)),
        ("drive twenty two meters", ("22",)),
        ("drive one hundred and five meters", ("105",)),
        ("drive 3 hundred meters", ("300",)),
        ("drive one and a half meters", ("1.5",)),
        ("drive half a meter", ("0.5",)),
        ("drive two point five meters", ("2.5",)),
        ("drive minus two meters", ("-2",)),
        ("drive \u22122m", ("-2",)),
        ("drive .5 m", ("0.5",)),
        ("drive 2 to 3 meters", ("2", "3")),
        ("drive one two three meters", ("1", "2", "3")),
        ("drive 2 meters at 0.4 meters per second", ("2",)),
        ("drive 1,5 meters", ("1,5",)),
        ("drive 1,000 meters", ("1,000",)),
        ("drive 1e3 meters", ("1e3",)),
        ("drive 2-3 meters", ("2-3",)),
        ("drive 1/2 meter", ("1/2",)),
        ("drive nan meters", ("nan",)),
        ("drive minus infinity", ("-inf",)),
        ("drive 3 miles", ()),
        ("drive 3 times", ()),
        ("drive 0x10", ()),
        ("drive on", ()),
    ],
)
def test_numbers_are_read_whole_or_not_at_all(text, read):
    assert spellings(fitting(text, "m")) == read


def test_what_was_plainly_said_cannot_be_left_out_by_the_model(engine):
    said = "drive 2 meters at 0.4 m/s"
    assert decided(engine, said) == ("drive", {"distance": 2.0, "speed": 0.4})


@pytest.mark.parametrize(
    "said",
    [
        "wave equations are hard",
        "grab a seat and tell me about the ball",
        "get the ball rolling",
        "take the bottle bank for example",
        "lift off with the ball",
        "drive up the price by 3 percent",
    ],
)
def test_a_word_that_a_skill_does_not_explain_makes_it_no_order(said):
    assert possible(SKILLS, said) == []


@pytest.mark.parametrize(
    ("said", "bare"),
    [
        ("Could you please take the cup?", "take the cup"),
        ("would you mind picking up the cup, please?", "pick up the cup"),
        ("Clara, I need you to take the cup now", "take the cup now"),
        ("take the cup", "take the cup"),
    ],
)
def test_the_model_sees_the_bare_order(said, bare):
    assert imperative(SKILLS, said) == bare
    assert possible(SKILLS, said)


def test_defaults_and_numbers_are_filled_in():
    decision = decide(SKILLS, "drive(distance=2)", "drive two meters")
    assert decision.reason == "" and decision.context == {"distance": 2.0, "speed": 0.2}
    assert possible(SKILLS, "drive 3 centimeters") == []


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("skills: [", "line 1: not valid YAML"),
        ("skill: []", "line 1: the file has the unknown key 'skill'; did you mean 'skills'?"),
        ("", "the file must be a mapping"),
        ("skills: [&a [*a]]", "an alias refers to what it stands in"),
        (f"{GO}  name: b\n", "line 4: the key 'name' is given twice"),
        (
            "skills:\n- name: Pick\n  description: x",
            "line 2: skills[0].name must look like 'pick_up'",
        ),
        ("skills:\n- name: none\n  description: x", "line 2: the skill name 'none' is reserved"),
        (f"{GO}- name: a\n  description: y", "line 4: the skill name 'a' is given twice"),
        ("skills:\n- name: 'a\n\n    b'\n", "line 2: 'a\\nb' must be a text in one line"),
        ("skills:\n- name: a\n", "line 2: skill a lacks 'description'"),
        (f"{GO}  confrm: always", "line 4: skill a has the unknown key 'confrm'; did you mean"),
        (f"{GO}  confirm: maybe", "line 4: skill a.confirm must be one of never, first_time"),
        (f"{GO}  at_most: 3 a minute", "line 4: skill a.at_most must look like '3 per 60 s'"),
        (f"{GO}  at_most: 3 per 0 s", "line 4: skill a.at_most must be over more than 0 s"),
        (f"{GO}  timeout: 3", "line 4: skill a.timeout is for actions and services"),
        (f"{GO}  in_words: 'go {{x}}'", "line 4: skill a.in_words has '{x}', which is no param"),
        (f"{GO}  parameters: {{b: {{type: colour}}}}", "skill a.parameters.b.type must be one"),
        (
            f"{GO}  parameters:\n    b: {{type: number, minimum: 1}}",
            "line 5: skill a.parameters.b lacks 'maximum'",
        ),
        (
            f"{GO}  parameters:\n    b: {{type: number, minimum: .nan, maximum: 1}}",
            "line 5: skill a.parameters.b.minimum must be a finite number, not nan",
        ),
        (
            f"{GO}  parameters:\n    b: {{type: number, minimum: 2, maximum: 1}}",
            "line 5: skill a.parameters.b.minimum is more than its maximum",
        ),
        (
            f"{GO}  parameters:\n    b: {{type: choice, choices: [on, off]}}",
            "line 5: skill a.parameters.b.choices[0] must be a text, not True; put it in quotes",
        ),
        (
            f"{GO}  parameters:\n    b: {{type: choice, choices: [c], default: d}}",
            "line 5: skill a.parameters.b.default: b must be one of c",
        ),
        (f"{GO}  parameters: {{b: {{type: text, choices: [c]}}}}", "unknown key 'choices'"),
        (
            f"{GO}  parameters:\n    b: {{type: boolean, must_be_said: true}}",
            "line 5: skill a.parameters.b has the unknown key 'must_be_said'; it may have type",
        ),
        (f"{GO}  examples: [{{say: hey, use: {{q: 1}}}}]", "which is no parameter of a"),
        (f"{GO}  target: {{action: /a, type: b/srv/C}}", "must look like package/action/Name"),
        (f"{GO}  target: {{type: b/srv/C}}", "exactly one of 'action', 'service', 'topic'"),
        (
            f"{GO}  target: {{topic: t, type: b/msg/C, fields: {{x: q}}}}",
            "skill a.target.fields.x names 'q', which is no parameter",
        ),
        (
            f"{GO}  parameters: {{p: {{type: boolean}}}}\n  target: {{topic: t, type: b/msg/C}}",
            "line 5: skill a.target does not use the parameter 'p'",
        ),
        (
            f"{GO}  parameters: {{p: {{type: choice, choices: [u, v]}}}}\n  target:\n"
            "    topic: t\n    type: b/msg/C\n    by_choice: {p: {u: {x: 1}}}",
            "line 8: skill a.target.by_choice.p lacks the choice 'v'",
        ),
    ],
)
def test_a_fault_in_the_file_is_named(tmp_path, text, sentence):
    path = tmp_path / "skills.yaml"
    path.write_text(text)
    with pytest.raises(SkillFileError, match=r"skills\.yaml") as caught:
        load_skills(path)
    assert sentence in str(caught.value)
