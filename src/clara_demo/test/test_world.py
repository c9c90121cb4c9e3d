# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""The rules of the simulated world, and the file of skills that goes with it."""

from pathlib import Path

import pytest
import yaml
from clara_demo.outcome import Outcome
from clara_demo.world import ACTIONS, OBJECTS, PLACES, World

SKILLS = Path(__file__).parents[1] / "config" / "skills.yaml"


@pytest.fixture
def world() -> World:
    return World(seed=1, failure_probability=0.0)


def test_what_is_picked_up_can_be_placed(world: World) -> None:
    assert world.perform("PICK_UP", "cup").outcome is Outcome.SUCCEEDED
    assert world.held == "cup"
    placed = world.perform("PLACE", "cup", "shelf")
    assert placed.outcome is Outcome.SUCCEEDED
    assert placed.effects == {"place": "shelf"}
    assert world.held is None and world.where["cup"] == "shelf"


def test_a_full_gripper_picks_up_nothing_more(world: World) -> None:
    world.perform("PICK_UP", "cup")
    refused = world.perform("PICK_UP", "ball")
    assert refused.outcome is Outcome.FAILED
    assert refused.detail == "I am already holding the cup"
    assert world.where["ball"] == "floor"


def test_what_is_not_held_cannot_be_placed(world: World) -> None:
    world.perform("PICK_UP", "ball")
    assert world.perform("PLACE", "cup", "shelf").detail == "I am not holding the cup"
    assert world.held == "ball"


@pytest.mark.parametrize(
    ("action", "thing", "place", "reason"),
    [
        ("FLY", "", "", "I cannot do FLY"),
        ("PICK_UP", "piano", "", "there is no piano here"),
        ("PICK_UP", "", "", "PICK_UP needs an object"),
        ("PLACE", "cup", "moon", "there is no moon here"),
        ("PLACE", "cup", "", "PLACE needs a place"),
    ],
)
def test_the_unknown_is_refused_with_the_reason(
    world: World, action: str, thing: str, place: str, reason: str
) -> None:
    report = world.perform(action, thing, place)
    assert report.outcome is Outcome.FAILED
    assert report.detail.startswith(reason)
    assert report.duration_s == 0


def test_letter_case_does_not_matter(world: World) -> None:
    assert world.perform("pick_up", "CUP").outcome is Outcome.SUCCEEDED


def test_a_cup_that_slips_stays_where_it_was() -> None:
    world = World(seed=1, failure_probability=1.0)
    report = world.perform("PICK_UP", "cup")
    assert report.outcome is Outcome.FAILED
    assert report.detail == "the cup slipped out of the gripper"
    assert world.held is None and world.where["cup"] == "table"


def test_failures_are_as_frequent_as_they_should_be() -> None:
    failed = {"cup": 0, "book": 0}
    for seed in range(400):
        for thing in failed:
            report = World(seed, failure_probability=0.2).perform("PICK_UP", thing)
            failed[thing] += report.outcome is Outcome.FAILED
    assert 120 < failed["cup"] < 200  # 0.4 of 400
    assert 20 < failed["book"] < 65  # 0.1 of 400


def test_one_seed_gives_the_same_ends_in_whatever_order() -> None:
    def attempts(world: World, thing: str) -> list[int]:
        ends = []
        for _ in range(20):
            ends.append(int(world.perform("PICK_UP", thing).outcome))
            world.perform("PLACE", thing, "floor")
        return ends

    first, second = World(3, 0.3), World(3, 0.3)
    cup, ball = attempts(first, "cup"), attempts(first, "ball")
    assert attempts(second, "ball") == ball
    assert attempts(second, "cup") == cup
    assert len(set(cup)) == 2


def test_the_file_of_skills_offers_what_the_world_can_do() -> None:
    skills = yaml.safe_load(SKILLS.read_text())["skills"]
    assert {skill["action"] for skill in skills} == set(ACTIONS)
    for skill in skills:
        assert skill["description"] and skill["examples"]
        parameters = skill.get("parameters", {})
        known = {"object": set(OBJECTS), "place": set(PLACES)}
        for name, parameter in parameters.items():
            assert parameter["type"] == "choice"
            assert set(parameter["choices"]) == known[name]
        for example in skill["examples"]:
            assert set(example["use"]) == set(parameters)
            for name, value in example["use"].items():
                assert value in parameters[name]["choices"]
                assert value in example["say"]
