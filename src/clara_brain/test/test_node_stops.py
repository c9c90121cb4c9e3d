# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""What stops a robot, over real DDS: "stop", a deadline, the end of the brain."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from builtin_interfaces.msg import Duration
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from rcl_interfaces.msg import Parameter, ParameterValue
from rcl_interfaces.srv import SetParameters
from robot import DATA, Robot
from world import ChatClient, start_brain

from clara_interfaces.action import Chat
from clara_interfaces.msg import ActionResult, SkillDecision

# Longer than it takes to do something else meanwhile, but a test can wait for it.
TIMEOUT_S = 6


@pytest.fixture(scope="module")
def skills(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("skills") / "robot.yaml"
    text = (DATA / "robot.yaml").read_text()
    path.write_text(text.replace("timeout: 2\n", f"timeout: {TIMEOUT_S}\n"))
    return path


@pytest.fixture(scope="module")
def world(domain: int, skills: Path) -> Iterator[Robot]:
    world = Robot(skills)
    world.wait_until_ready()
    # A client is found a moment after it found the server; until then it misses feedback.
    pieces: list = []
    while not pieces:
        world.ask("Hello!", pieces)
    yield world
    world.drive.destroy()
    world.close()


@pytest.fixture
def asker(world: Robot) -> Iterator[ChatClient]:
    """Somebody who talks to the brain while the robot's own servers and memory do nothing."""
    with ChatClient(name="asker") as asker:
        yield asker


@pytest.fixture(autouse=True)
def nothing_runs(world: Robot) -> Iterator[None]:
    world.goals.clear()
    yield
    if world.brain.poll() is None:
        world.until(lambda: not world.ask("stop").result.decisions)


@contextmanager
def talking(world: Robot, *sessions: str) -> Iterator[None]:
    """Have Clara talk on and on in each of these conversations."""
    pieces: list = []
    goals = [world.send_endless(pieces, session_id=each) for each in sessions]
    world.until(lambda: pieces)
    results = [goal.get_result_async() for goal in goals]
    try:
        yield
        assert not any(result.done() for result in results)
    finally:
        for goal in goals:
            world.wait(goal.cancel_goal_async())
        for result in results:
            world.wait(result, 5)


@contextmanager
def patience(asker: ChatClient) -> Iterator[None]:
    """Have the brain wait long for memory."""

    def wait(seconds: float) -> None:
        value = ParameterValue(type=3, double_value=seconds)
        given = Parameter(name="memory_timeout_s", value=value)
        answer = asker.call(SetParameters, "brain/set_parameters", parameters=[given])
        assert answer.results[0].successful

    wait(30.0)
    try:
        yield
    finally:
        wait(0.5)


def test_a_stop_does_not_wait_for_the_turn_before_it_and_ends_it_alone(world):
    started, _ = world.decision("drive to the kitchen", session_id="a")
    world.until(lambda: world.goals)
    with talking(world, "b"):
        talk = world.send_endless(session_id="a")
        said = "STOP! There is a child in front of you, do you not see that?"
        stopped, reply = world.decision(said, session_id="a")
        assert stopped.status == SkillDecision.STOPPED
        assert stopped.request.action_id == started.request.action_id
        assert reply == "I am stopping: drive to the kitchen."
        assert world.result_of(started).outcome == ActionResult.CANCELED
        ended = world.wait(talk.get_result_async(), 5).result
        assert ended.error_code == ended.CANCELED


def test_a_stop_drops_the_steps_that_are_still_to_come(world):
    world.calls.clear()
    statuses, result = world.statuses("drive to the kitchen and then switch the lamp on")
    assert statuses == [SkillDecision.REQUESTED, SkillDecision.PLANNED]
    world.until(lambda: world.goals)
    stopped, reply = world.decision("stop", session_id="another")
    assert stopped.status == SkillDecision.STOPPED
    assert reply == "I am stopping: drive to the kitchen. I will not switch the lamp on."
    assert world.result_of(result.decisions[0]).outcome == ActionResult.CANCELED
    assert world.ask("stop").result.text == "Nothing that I could cancel is under way."
    assert not world.calls
    # What is asked of the robot on a topic cannot be canceled, but what follows is dropped.
    world.statuses("open the door, then switch the lamp on", session_id="s")
    assert world.statuses("yes", session_id="s")[0] == statuses
    reply = world.ask("stop").result
    assert reply.text == "I will not switch the lamp on. What has begun I cannot cancel."
    assert world.ask("drive to the dock").result.decisions[0].status == SkillDecision.REQUESTED
    assert not world.calls


def test_a_stop_ends_what_is_said_where_nothing_else_is_under_way(world):
    talk = world.send_endless(session_id="a")
    assert world.ask("stop", session_id="a").result.text == "I have stopped talking."
    ended = world.wait(talk.get_result_async(), 5).result
    assert ended.error_code == ended.CANCELED


def test_a_stop_silences_what_is_said_sentence_by_sentence_at_once(world):
    for number in range(5):
        talk, stop = f"talk {number}", f"stop {number}"
        world.sentences.clear()
        world.tell(talk, "Tell a very long story about a ship.", session_id="a")
        world.until(lambda: world.sentences)
        world.tell(stop, "stop", session_id="a")
        heard, answer = world.spoken(talk), world.spoken(stop)
        if heard[-1].error_code:
            break  # else the story was at its end already
    assert heard[-1].error_code == Chat.Result.CANCELED and heard[-1].last
    assert not heard[-1].text and [each.last for each in heard].count(True) == 1
    assert [(each.text, each.last) for each in answer] == [("I have stopped talking.", True)]
    assert world.sentences.index(heard[-1]) < world.sentences.index(answer[0])
    reply = next(each for each in world.replies if each.request_id == talk)
    assert reply.error_code == Chat.Result.CANCELED


def test_a_stop_is_obeyed_when_no_more_turns_are_taken(world):
    started, _ = world.decision("drive to the kitchen")
    world.until(lambda: world.goals)
    with talking(world, "b", "c", "d", "e"):
        full = world.ask("And me?").result
        assert full.error_code == full.QUEUE_FULL
        stopped, _ = world.decision("stop")
        assert stopped.status == SkillDecision.STOPPED
        assert world.result_of(started).outcome == ActionResult.CANCELED


def test_what_was_ordered_before_a_stop_is_not_begun_after_it(world):
    with talking(world, "f"):
        waits = world.send("drive to the kitchen", session_id="f", max_tokens=4)
        assert not world.ask("stop", max_tokens=2).result.decisions
    result = world.wait(waits.get_result_async()).result
    (decision,) = result.decisions
    assert decision.status == SkillDecision.REFUSED
    assert result.text == "I cannot do that: I was told to stop before I began."
    assert not world.goals
    # What is ordered after it is done.
    assert world.decision("drive to the kitchen", session_id="f")[0].status == 1


def test_a_deadline_ends_a_turn_that_waits_for_another_and_lets_none_pass_it(world):
    soon = Duration(nanosec=300_000_000)
    with talking(world, "g"):
        late = world.send("drive to the kitchen", session_id="g", deadline=soon)
        after = world.send("drive to the kitchen", session_id="g")
        result = world.wait(late.get_result_async(), 5).result
        assert result.error_code == result.DEADLINE_EXCEEDED and not result.decisions
        third = after.get_result_async()
        assert world.ask("Hello!").result.error_code == 0
        assert not third.done() and not world.goals
        world.wait(after.cancel_goal_async())
        world.wait(third, 5)
    assert not world.goals


@pytest.mark.parametrize("text", ["what happened with the lamp?", "drive to the kitchen"])
def test_a_deadline_and_a_cancel_end_a_turn_that_waits_for_memory(world, asker, text):
    with patience(asker):
        began = time.monotonic()
        result = asker.ask(text, deadline=Duration(nanosec=500_000_000)).result
        assert result.error_code == result.DEADLINE_EXCEEDED and not result.decisions
        goal = asker.send(text)
        asker.wait(goal.cancel_goal_async())
        result = asker.wait(goal.get_result_async(), 10).result
        assert result.error_code == result.CANCELED and not result.decisions
        assert time.monotonic() - began < 15
    assert not world.goals
    assert not any("memory did not answer" in line for line in world.log)


def test_a_goal_whose_server_refuses_to_cancel_stays_within_reach_of_a_stop(world):
    world.refuses = True
    try:
        started, _ = world.decision("drive to the kitchen")
        world.until(lambda: world.goals)
        assert world.decision("stop")[0].status == SkillDecision.STOPPED
        world.until(lambda: any("its server refuses to cancel" in line for line in world.log))
        assert world.result_of(started).outcome == ActionResult.TIMED_OUT
    finally:
        world.refuses = False
    before = world.stopped
    stopped, _ = world.decision("stop")
    assert stopped.request.action_id == started.request.action_id
    world.until(lambda: world.stopped > before)
    told = [each for each in world.results if each.action_id == started.request.action_id]
    assert len(told) == 1


def transition(asker: ChatClient, number: int) -> None:
    asked = Transition(id=number)
    assert asker.call(ChangeState, "brain/change_state", transition=asked).success


def test_a_goal_that_is_taken_after_the_brain_was_cleaned_up_is_canceled(world, asker):
    assert asker.ask("drive to the kitchen").result.decisions
    before = world.stopped
    transition(asker, Transition.TRANSITION_DEACTIVATE)
    transition(asker, Transition.TRANSITION_CLEANUP)
    world.until(lambda: world.stopped > before)
    transition(asker, Transition.TRANSITION_CONFIGURE)
    transition(asker, Transition.TRANSITION_ACTIVATE)
    world.wait_until_ready()


def test_a_goal_that_is_taken_while_the_brain_ends_is_canceled(world, asker):
    assert asker.ask("drive to the kitchen").result.decisions
    before = world.stopped
    world.brain.send_signal(signal.SIGINT)
    world.until(lambda: world.stopped > before, 5)
    assert world.brain.wait(20) == 0
    assert "Traceback" not in "".join(world.log)


def test_a_server_that_takes_no_goal_does_not_keep_the_brain(world, asker, skills):
    world.brain.kill()  # where the test before failed
    world.brain.wait()
    world.brain = start_brain(skills=skills)
    world.wait_until_ready()
    assert asker.ask("drive to the kitchen").result.decisions
    world.brain.send_signal(signal.SIGINT)
    assert world.brain.wait(5) == 0
    assert "Traceback" not in world.brain.stderr.read()
