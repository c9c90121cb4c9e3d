# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""The personality file, and the command that shows it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from clara_training.errors import SpecError
from clara_training.spec import default_spec, load_spec

BRAIN_SPEC = Path(__file__).parents[2] / "clara_brain" / "config" / "clara_spec.json"


def document(**changes: Any) -> dict[str, Any]:
    """The standard spec with changes, written section__name=value."""
    whole = default_spec().as_document()
    for place, value in changes.items():
        section, _, name = place.partition("__")
        if name:
            whole[section][name] = value
        else:
            whole[section] = value
    return whole


def written(folder: Path, value: object) -> Path:
    path = folder / "clara_spec.json"
    path.write_text(value if isinstance(value, str) else json.dumps(value))
    return path


def test_the_spec_that_the_brain_ships_is_the_standard_one() -> None:
    if not BRAIN_SPEC.exists():
        pytest.skip("clara_brain's sources are not beside this package")
    assert load_spec(BRAIN_SPEC).as_document() == default_spec().as_document()


def test_a_spec_is_read_as_it_was_written(tmp_path: Path) -> None:
    spec = load_spec(written(tmp_path, document()))
    assert spec.dimensions == (
        *("warmth", "playful", "formal", "encouragement"),
        *("medical", "coding", "teaching", "quantum"),
    )
    assert spec.weights["warmth"] == 0.8 and spec.is_trait("warmth")
    assert not spec.is_trait("quantum") and spec.merge_method == "ties"
    assert load_spec(written(tmp_path, spec.as_document())) == spec


def test_own_traits_and_domains_can_be_added_and_described(tmp_path: Path) -> None:
    whole = document(personality__curiosity=0.6, expertise__gardening=0.4)
    whole["config"]["descriptions"] = {"curiosity": "how much the robot asks back"}
    spec = load_spec(written(tmp_path, whole))
    assert spec.is_trait("curiosity") and not spec.is_trait("gardening")
    assert spec.description("curiosity") == "how much the robot asks back"
    with pytest.raises(SpecError, match=r"does not say what 'gardening' means.*descriptions"):
        spec.description("gardening")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("{", r"is not valid JSON: line 1, column 2"),
        ('{\n "personality": {},\n oops', r"is not valid JSON: line 3, column 2"),
        ("[]", r"it must hold an object, not a list"),
        ('{"personality": {"a": 1, "a": 0}}', r"the key 'a' is there twice"),
        ({}, r"the file lacks 'personality'"),
        (document(extra={}), r"the file has the unknown key 'extra'; it may have personality"),
        (document(personality=[1]), r"personality must be an object, not a list"),
        (document(personality={}, expertise={}), r"both empty: there is nothing to train"),
        (document(personality__warmth=1.5), r"personality.warmth must be from 0 to 1, not 1.5"),
        (document(personality__warmth=-0.1), r"personality.warmth must be from 0 to 1"),
        (document(expertise__coding=float("nan")), r"expertise.coding must be from 0 to 1"),
        (document(personality__warmth=10**400), r"personality.warmth must be from 0 to 1, not 10"),
        ('{"personality": {"warmth": ' + "1" * 5000 + "}}", r"a number that is too long"),
        (document(expertise__coding="much"), r"expertise.coding must be a number.* not a text"),
        (document(expertise__coding=True), r"not true or false"),
        (document(personality__Warm=0.5), r"personality.Warm is no name for a dimension"),
        ({**document(), "expertise": {"warmth": 1}}, r"'warmth' is both in personality and in"),
        (document(config__base_model=""), r"config.base_model must be a text, not ''"),
        (document(config__examples_per_dimension=0), r"whole number from 1 to 100000, not 0"),
        (document(config__examples_per_dimension=2.5), r"whole number from 1 to 100000, not 2.5"),
        (document(config__merge_method="blend"), r"'blend' is not known; there are linear, ties"),
        (document(config__epochs=3), r"config has the unknown key 'epochs'"),
        (document(config__descriptions={"nix": "x"}), r"descriptions.nix describes no dimension"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence_that_names_the_file(
    tmp_path: Path, content: object, sentence: str
) -> None:
    path = written(tmp_path, content)
    with pytest.raises(SpecError, match=sentence) as caught:
        load_spec(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_a_missing_file_and_one_that_is_not_utf_8_are_named(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"is not there; clara-train spec --write"):
        load_spec(tmp_path / "none.json")
    path = tmp_path / "latin.json"
    path.write_bytes(b'{"personality": "caf\xe9"}')
    with pytest.raises(SpecError, match=r"is not UTF-8 text \(byte 20\)"):
        load_spec(path)


def test_an_unknown_dimension_is_answered_with_those_that_there_are() -> None:
    with pytest.raises(SpecError, match=r"'warmht' is no dimension.*it has warmth, playful"):
        default_spec().require("warmht")
