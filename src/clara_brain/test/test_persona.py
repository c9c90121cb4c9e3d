# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""The personality file and the system prompt."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest
from clara_brain.errors import SpecError
from clara_brain.persona import SLIDERS, check_value, load_spec, system_prompt

SHIPPED = Path(__file__).parents[1] / "config" / "clara_spec.json"


def test_the_shipped_file_is_valid():
    spec = load_spec(SHIPPED)
    assert spec.values["warmth"] == 0.8 and set(spec.values) == set(SLIDERS)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda d: d["personality"].update(sarcasm=0.5), "unknown key 'sarcasm'"),
        (lambda d: d["personality"].update(warmth=1.2), "personality.warmth must be from 0 to 1"),
        (lambda d: d["personality"].update(warmth=float("nan")), "not nan"),
        (lambda d: d["expertise"].update(coding="high"), "expertise.coding must be a number"),
        (lambda d: d["expertise"].update(coding=True), "must be a number"),
        (lambda d: d["expertise"].pop("quantum"), "expertise lacks quantum"),
        (lambda d: d.pop("config"), "lacks config"),
        (lambda d: d["config"].update(examples_per_dimension=0), "whole number from 1"),
        (lambda d: d.update(personality=[1]), "must be an object, not a list"),
    ],
)
def test_a_fault_in_the_file_is_named(tmp_path, change, sentence):
    document = copy.deepcopy(json.loads(SHIPPED.read_text()))
    change(document)
    path = tmp_path / "spec.json"
    path.write_text(json.dumps(document))
    with pytest.raises(SpecError, match=r"spec\.json") as caught:
        load_spec(path)
    assert sentence in str(caught.value)


def test_broken_json_is_named_with_line_and_column(tmp_path):
    path = tmp_path / "spec.json"
    path.write_text('{\n  "personality": {,}\n}')
    with pytest.raises(SpecError, match="line 2, column 19"):
        load_spec(path)


def test_the_prompt_follows_the_sliders_and_nothing_else():
    low, high = dict.fromkeys(SLIDERS, 0.0), dict.fromkeys(SLIDERS, 1.0)
    assert system_prompt(low) == system_prompt(dict(low)) != system_prompt(high)
    assert "very warm" in system_prompt(high) and "cold" in system_prompt(low)
    assert "quantum physics" in system_prompt(high)
    middle = system_prompt(dict.fromkeys(SLIDERS, 0.5))
    assert "warm" not in middle and "medicine" not in middle


def test_what_the_robot_is_and_how_it_talks_stand_around_the_sliders():
    warm = dict.fromkeys(SLIDERS, 0.5) | {"warmth": 1.0}
    said = system_prompt(warm, identity="You are Robby. ", style="Rhyme.")
    assert said == "You are Robby. You are very warm and caring. Rhyme."
    assert system_prompt(warm, identity="", style=" ") == "You are very warm and caring."


def test_an_unknown_slider_is_refused():
    with pytest.raises(SpecError, match="not a slider"):
        check_value("rage", 0.5)


def own_spec(tmp_path: Path, **descriptions: str) -> Path:
    document = json.loads(SHIPPED.read_text())
    document["personality"]["sarcasm"] = 0.9
    document["expertise"]["ship_building"] = 0.1
    document["config"]["descriptions"] = descriptions
    path = tmp_path / "own.json"
    path.write_text(json.dumps(document))
    return path


def test_a_file_may_have_traits_and_domains_of_its_own(tmp_path):
    spec = load_spec(own_spec(tmp_path, sarcasm="how biting it is", ship_building="wooden ships"))
    assert (spec.values["sarcasm"], "ship_building" in spec.domains) == (0.9, True)
    prompt = system_prompt(spec.values, domains=spec.domains)
    assert "You show very much sarcasm." in prompt
    assert "You know little about ship building." in prompt
    assert "sarcasm" not in system_prompt(spec.values, ["sarcasm"], spec.domains)


def test_a_name_that_nothing_describes_is_a_fault(tmp_path):
    with pytest.raises(SpecError, match=r"'ship_building'.*config\.descriptions"):
        load_spec(own_spec(tmp_path, sarcasm="how biting it is"))
