# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Each step of an order begins when the one before it has succeeded, and never otherwise."""

from __future__ import annotations

import pytest
from clara_brain.errors import SkillRefused
from clara_brain.plan import End, Ended, PlanRunner, Step, one_after_the_other
from clara_brain.skill_decision import Decision
from clara_brain.skill_gate import SkillGate
from clara_brain.skills import Rate, Skill

STEPS = [Step(Skill(each, each.upper(), ""), Decision(each, words=each)) for each in "abc"]


class Robot:
    """A robot that does what it is asked, and says how that ended when the test says so."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.ends: list[Ended] = []
        self.begun: list[tuple[str, str]] = []
        self.told: list[str] = []
        self.refuses = self.limit = ""
        self.runner = PlanRunner(self._request, lambda skill: self.limit)

    def _request(self, step: Step, ended: Ended) -> str:
        if self.refuses:
            raise SkillRefused(self.refuses)
        self.asked.append(step.skill.name)
        self.ends.append(ended)
        return f"id of {step.skill.name}"

    def begin(self, steps: list[Step]) -> str:
        return self.runner.begin(
            steps, lambda step, name: self.begun.append((step.skill.name, name)), self.told.append
        )


@pytest.fixture
def robot() -> Robot:
    robot = Robot()
    assert robot.begin(STEPS) == "id of a"
    return robot


def test_each_step_waits_for_the_success_of_the_one_before(robot):
    assert robot.asked == ["a"] and [each.skill for each in robot.runner.to_come] == ["b", "c"]
    robot.ends[0](End.SUCCEEDED, "")
    robot.ends[0](End.SUCCEEDED, "")  # said twice
    assert robot.asked == ["a", "b"]
    robot.ends[1](End.SUCCEEDED, "")
    assert robot.asked == ["a", "b", "c"] and not robot.runner.to_come
    assert robot.begun == [("b", "id of b"), ("c", "id of c")]
    robot.ends[2](End.FAILED, "it slipped")  # the last step is an order like any other
    assert not robot.told


@pytest.mark.parametrize(
    ("end", "said"),
    [
        (End.FAILED, "I will not b and then c: I could not a (it slipped)."),
        (End.CANCELED, "I will not b and then c: I was stopped before I could a (it slipped)."),
        (End.TIMED_OUT, "I will not b and then c: it took me too long to a (it slipped)."),
    ],
)
def test_whatever_else_becomes_of_a_step_ends_the_order(robot, end, said):
    robot.ends[0](end, "it slipped")
    robot.ends[0](End.SUCCEEDED, "")
    assert robot.asked == ["a"] and robot.told == [said] and not robot.runner.to_come


def test_a_step_that_may_not_be_begun_any_more_ends_the_order(robot):
    robot.limit = "b was used too often"
    robot.ends[0](End.SUCCEEDED, "")
    assert robot.told == ["I will not b and then c: b was used too often."]
    robot.limit, robot.refuses = "", "nobody serves it"
    with pytest.raises(SkillRefused):
        robot.begin(STEPS)
    assert robot.asked == ["a"] and not robot.runner.to_come


def test_a_fault_that_nobody_foresaw_ends_the_order(robot, monkeypatch):
    monkeypatch.setattr(robot.runner, "_request", lambda step, ended: 1 // 0)
    robot.ends[0](End.SUCCEEDED, "")
    assert not robot.runner.to_come and not robot.begun
    (told,) = robot.told
    assert told.startswith("I will not b and then c: ")


def test_what_was_dropped_is_not_begun_by_what_ends_later(robot):
    assert [each.skill for each in robot.runner.drop()] == ["b", "c"]
    robot.begin(STEPS)
    robot.ends[0](End.SUCCEEDED, "")
    assert robot.asked == ["a", "a"] and not robot.told and len(robot.runner.to_come) == 2
    robot.runner.drop("I was stopped")
    robot.ends[1](End.SUCCEEDED, "")
    assert robot.asked == ["a", "a"] and robot.told == ["I will not b and then c: I was stopped."]
    assert robot.runner.drop("again") == () and len(robot.told) == 1


def test_steps_are_said_in_their_order():
    decisions = [each.decision for each in STEPS]
    assert one_after_the_other(decisions[:1]) == "a"
    assert one_after_the_other(decisions[:2]) == "a and then b"
    assert one_after_the_other(decisions, ["", " again", ""]) == "a, then b again and then c"


def test_a_rate_is_checked_for_all_uses_at_once():
    clock = [100.0]
    gate, skill = SkillGate(lambda: clock[0]), Skill("a", "A", "", at_most=Rate(3, 60.0))
    assert gate.refusal(skill, 3) == ""
    assert gate.refusal(skill, 4) == "a is used 4 times in that, and 3 in 60 s is the most"
    gate.used(skill)
    clock[0] += 20
    gate.used(skill)
    assert gate.refusal(skill, 2) == (
        "a was used 2 times in the last 60 s, and 3 are the most; wait 40 s"
    )
    assert gate.refusal(skill, 3).endswith("wait 60 s") and gate.refusal(skill) == ""
