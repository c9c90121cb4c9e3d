# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""The starter data that ship with Clara are enough, different, English, and held out in part."""

from __future__ import annotations

from pathlib import Path

import pytest
from clara_training.data_check import check_path
from clara_training.examples import DIFFICULTIES, KnowledgeExample, TraitExample, file_name
from clara_training.spec import DOMAINS, TRAITS
from clara_training.starter import FOLDER, starter_examples, starter_names

TRIPLES, PAIRS = 150, 80
ALL = [*((name, True) for name in TRAITS), *((name, False) for name in DOMAINS)]


def test_there_is_starter_data_for_every_dimension_of_the_research_format() -> None:
    assert starter_names() == [*TRAITS, *DOMAINS]


@pytest.mark.parametrize(("name", "trait"), ALL)
def test_starter_data_pass_every_check(name: str, trait: bool) -> None:
    report = check_path(FOLDER / file_name(name, trait))
    assert report.faults == [] and report.warnings == []
    assert "not_ascii" not in report.figures
    assert len(report.examples) >= (TRIPLES if trait else PAIRS)
    assert 0.10 <= report.held_out / len(report.examples) <= 0.20


@pytest.mark.parametrize("name", TRAITS)
def test_every_triple_has_something_said_to_the_robot(name: str) -> None:
    examples = [each for each in starter_examples(name, True) if isinstance(each, TraitExample)]
    assert all(each.prompt for each in examples)
    openings = {" ".join(each.prompt.lower().split()[:3]) for each in examples}
    assert len(openings) >= len(examples) / 2, "the prompts open too much alike"


@pytest.mark.parametrize("name", DOMAINS)
def test_every_domain_has_questions_of_every_difficulty(name: str) -> None:
    examples = [
        each for each in starter_examples(name, False) if isinstance(each, KnowledgeExample)
    ]
    for difficulty in DIFFICULTIES:
        assert sum(each.difficulty == difficulty for each in examples) >= len(examples) * 0.15


def test_a_dimension_that_clara_does_not_know_has_none(tmp_path: Path) -> None:
    assert starter_examples("curiosity", True) == []
