# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""What ends an order of several steps whose first is on action_request, over real DDS."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from robot import Robot

ORDER = "open the door and then drive to the dock"


@pytest.fixture(scope="module")
def world(domain: int) -> Iterator[Robot]:
    from clara_interfaces.msg import ActionResult

    world = Robot()
    world.wait_until_ready()
    world.answers = world.node.create_publisher(ActionResult, "action_result", 10)
    world.until(lambda: world.answers.get_subscription_count() >= 2)
    yield world
    world.close()


@pytest.fixture(autouse=True)
def _at_rest(world: Robot) -> None:
    world.past, world.detail = [], ""
    for heard in (world.goals, world.calls, world.requests, world.replies):
        heard.clear()


def begun(world: Robot, session: str, order: str = ORDER):
    """Say an order and yes to it, and return the request of its first step."""
    world.statuses(order, session_id=session)
    world.statuses("yes", session_id=session)
    world.until(lambda: world.requests)
    return world.requests[-1]


def answer(world: Robot, request, outcome: int) -> None:
    from clara_interfaces.msg import ActionResult

    world.answers.publish(ActionResult(action_id=request.action_id, outcome=outcome))


def nothing_to_come(world: Robot) -> bool:
    return "Then I am to" not in world.ask("what are you doing?").result.text


@pytest.mark.parametrize("outcome", [2, 3, 4, 0, 77])
def test_only_a_success_that_the_robot_reports_begins_the_next_step(world, outcome):
    request = begun(world, f"outcome {outcome}")
    answer(world, request, outcome)
    world.until(lambda: nothing_to_come(world))
    answer(world, request, 1)
    assert world.decision("switch the lamp on")[0].status == 1
    assert not world.goals


def test_a_yes_to_several_steps_is_one_to_each_of_them(world):
    from clara_interfaces.msg import SkillDecision

    world.statuses("drive to the dock and then open the door", session_id="second")
    world.statuses("yes", session_id="second")
    world.until(lambda: world.requests)
    assert world.statuses("open the door", session_id="second")[0] == [SkillDecision.REQUESTED]


def test_each_step_counts_against_the_rate_of_its_skill(world):
    three = "launch the drone, then launch the drone, then launch the drone"
    _, result = world.statuses(three, session_id="rate")
    assert "launch is used 3 times in that, and 2 in 600 s is the most" in result.text
    request = begun(world, "rate", "launch the drone and then launch the drone")
    answer(world, request, 1)
    world.until(lambda: len(world.requests) == 2)
    _, said = world.decision("launch the drone", session_id="rate")
    assert "launch was used 2 times in the last 600 s" in said


def test_a_step_that_ends_after_the_brain_was_deactivated_begins_nothing(world):
    request = begun(world, "deactivated")
    assert world.transition(4) and world.transition(3)
    world.until(lambda: world.answers.get_subscription_count() >= 2)
    answer(world, request, 1)
    assert nothing_to_come(world)
    assert world.decision("switch the lamp on")[0].status == 1 and not world.goals


@pytest.mark.parametrize(
    "words", ["never mind", "don't drive to the dock", "no", "skip the next step"]
)
def test_what_was_ordered_and_has_not_begun_can_be_taken_back_where_it_was_ordered(world, words):
    request = begun(world, words)
    world.ask(words, session_id="another")
    assert not nothing_to_come(world)
    said = world.ask(words, session_id=words).result.text
    assert said == ("I will not drive to the dock. What has begun goes on; say stop to end that.")
    answer(world, request, 1)
    assert nothing_to_come(world) and not world.goals


def test_a_stop_is_obeyed_also_where_its_message_is_refused(world):
    from clara_interfaces.action import Chat

    begun(world, "refused")
    world.tell("x" * 129, "stop")
    world.until(lambda: world.replies)
    assert world.replies[-1].error_code == Chat.Result.INVALID_REQUEST
    assert nothing_to_come(world)
