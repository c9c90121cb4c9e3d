# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Skills: the file, the grammar, the validation, and how well the real model decides."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from clara_brain.engine import Request
from clara_brain.errors import SkillFileError
from clara_brain.prompt import RawPrompt
from clara_brain.skill_decision import (
    GREEDY,
    MAX_TOKENS,
    decide,
    decision_prompt,
    grammar,
    possible,
    whole_grammar,
)
from clara_brain.skill_file import load_skills

DATA = Path(__file__).parent / "data"
SKILLS = load_skills(DATA / "skills.yaml")
UTTERANCES = yaml.safe_load((DATA / "utterances.yaml").read_text())


def decided(engine, said):
    choices = possible(SKILLS, said)
    if not choices:
        return None
    sampling = replace(GREEDY, grammar=grammar(choices))
    prompt = RawPrompt(decision_prompt(SKILLS, said))
    written = engine.complete(Request(prompt, sampling, MAX_TOKENS)).text
    decision = decide(SKILLS, written, said)
    if decision is None or decision.reason:
        return None
    return decision.skill, {
        **decision.context,
        **({"object": decision.object} if decision.object else {}),
    }


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
        ("pick_up(object=cup); wave()", "grab the cup", "cannot be read"),
        ("pick_up(object=cup) and more", "grab the cup", "not of the form"),
    ],
)
def test_what_the_model_wrote_is_refused_with_a_reason(written, said, reason):
    decision = decide(SKILLS, written, said)
    assert decision is not None and reason in decision.reason


def test_defaults_and_numbers_are_filled_in():
    decision = decide(SKILLS, "drive(distance=2)", "drive two meters")
    assert decision.reason == "" and decision.context == {"distance": 2.0, "speed": 0.2}
    assert possible(SKILLS, "drive 3 centimeters") == []


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("skills: [", "line 1: not valid YAML"),
        ("skill: []", "unknown key 'skill'; did you mean 'skills'?"),
        ("skills: [{name: Pick, description: x}]", "must look like"),
        ("skills: [{name: a, description: x}, {name: a, description: y}]", "given twice"),
        ("skills: [{name: none, description: x}]", "reserved"),
        (
            "skills: [{name: a, description: x, parameters: {b: {type: colour}}}]",
            "type must be one",
        ),
        (
            "skills: [{name: a, description: x, parameters: {b: {type: number, minimum: 1}}}]",
            "line 1: skill a.parameters.b lacks 'maximum'",
        ),
        (
            "skills: [{name: a, description: x, parameters:"
            " {b: {type: choice, choices: [c], default: d}}}]",
            "must be one of c",
        ),
        (
            "skills: [{name: a, description: x, examples: [{say: hey, use: {q: 1}}]}]",
            "no parameter of a",
        ),
    ],
)
def test_a_fault_in_the_file_is_named(tmp_path, text, sentence):
    path = tmp_path / "skills.yaml"
    path.write_text(text)
    with pytest.raises(SkillFileError, match=r"skills\.yaml") as caught:
        load_skills(path)
    assert sentence in str(caught.value)
