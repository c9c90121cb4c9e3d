# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Two robots on one network: the worked example of a launch file, and one in simulated time.

`kitchen` is clara_demo's robot.launch.py: Clara inside a robot's own launch file, with a
namespace, remappings and a QoS override. `garage` is Clara's own launch file, told to take the
time from /clock.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from bag import Recorder
from builtin_interfaces.msg import Time
from conftest import active
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from lifecycle_msgs.msg import State
from rcl_interfaces.srv import GetParameters
from rclpy.qos import ReliabilityPolicy
from rosgraph_msgs.msg import Clock
from running import Peer, Process

from clara_interfaces.action import Chat
from clara_interfaces.msg import ActionEvent, ActionResult, Episode, SkillDecision, Utterance
from clara_interfaces.srv import GetMemoryStats, GetPersonality, SetPersonality

TIMEOUT_S = 300  # memory's result_timeout_s


class Robots:
    """A peer in each robot's namespace, and all that the kitchen's robot says, recorded."""

    def __init__(self, domain: int, folder: Path) -> None:
        self.folder = folder
        self.kitchen = Peer(domain, "kitchen/clara")
        self.garage = Peer(domain, "garage/mind")
        self.bag = Recorder(
            self.kitchen.node,
            {
                "/kitchen/clara/action_event": ActionEvent,
                "/kitchen/clara/action_result": ActionResult,
            },
        )
        self.clock = self.garage.node.create_publisher(Clock, "/clock", 10)

    def close(self) -> None:
        self.kitchen.close()
        self.garage.close()

    def spin(self, condition: Callable[[], Any], limit: float, what: str) -> Any:
        """Serve both peers until the condition holds."""

        def served() -> Any:
            self.garage.executor.spin_once(timeout_sec=0.0)
            return condition()

        return self.kitchen.spin_until(served, limit, what)


@pytest.fixture(scope="module")
def robots(domain: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Robots]:
    folder = tmp_path_factory.mktemp("robots")
    both = Robots(domain, folder)
    env = {"ROS_LOG_DIR": str(folder / "log"), "HOME": str(folder)}
    launches = [
        Process(*("ros2", "launch"), *words, f"memory_path:={folder}/{name}", env=env, cwd=folder)
        for name, *words in (
            ("kitchen.sqlite3", "clara_demo", "robot.launch.py"),
            (
                *("garage.sqlite3", "clara_brain", "clara.launch.py"),
                *("namespace:=garage/mind", "use_sim_time:=true"),
            ),
        )
    ]
    try:
        for peer in (both.kitchen, both.garage):
            for name in ("memory", "brain"):
                what = f"{name} active; {[launch.output for launch in launches]}"
                peer.spin_until(lambda peer=peer, name=name: active(peer, name), 120.0, what)
        yield both
    finally:
        both.close()
        for launch in launches:
            launch.close()


def episodes_of(peer: Peer) -> int:
    return int(peer.call(GetMemoryStats, "memory/stats").episodes)


def warmth(peer: Peer) -> float:
    traits = peer.call(GetPersonality, "personality/get").traits
    return float({trait.name: trait.value for trait in traits}["warmth"])


def test_what_one_robot_does_says_and_is_told_stays_with_it(robots: Robots) -> None:
    kitchen, garage = robots.kitchen, robots.garage
    heard = {peer: peer.listen(Episode, "memory/episodes") for peer in (kitchen, garage)}
    replies = {peer: peer.listen(Utterance, "reply") for peer in (kitchen, garage)}
    say = garage.node.create_publisher(Utterance, "say", 10)
    for name in ("kitchen/clara/memory/episodes", "kitchen/clara/reply", "garage/mind/reply"):
        robots.spin(lambda name=name: kitchen.node.count_publishers(f"/{name}"), 30.0, name)
    for topic in ("action_event", "action_result"):
        name = f"/kitchen/clara/{topic}"  # the robot, remapped, and the brain; memory
        robots.spin(lambda name=name: kitchen.node.count_publishers(name), 30.0, name)
        robots.spin(lambda name=name: kitchen.node.count_subscribers(name) >= 2, 30.0, name)
    robots.spin(say.get_subscription_count, 30.0, "the garage's brain on say")
    before = episodes_of(garage)

    asked: list[tuple[str, float]] = []

    def ask() -> None:
        result, _ = kitchen.chat("please grab the cup")
        (decision,) = result.decisions
        assert decision.status == SkillDecision.REQUESTED, decision.reason
        asked.append((decision.request.action_id, time.monotonic()))

    def remembered() -> bool:
        # What the arm publishes before it has discovered memory, memory never gets.
        if len(asked) < 3 and time.monotonic() - asked[-1][1] > 15.0:
            ask()
        return any(e.action_id == name for e in heard[kitchen] for name, _ in asked)

    ask()
    robots.spin(remembered, 60.0, "the episode")
    moved = SetPersonality.Request(names=["warmth"], values=[0.125])
    assert kitchen.call(SetPersonality, "personality/set", moved).error_code == 0
    say.publish(Utterance(request_id="g", text="What happened with the cup?"))
    robots.spin(lambda: replies[garage], 60.0, "the garage's reply")

    assert not heard[garage] and episodes_of(garage) == before
    assert warmth(kitchen) == pytest.approx(0.125) and warmth(garage) != pytest.approx(0.125)
    assert not replies[kitchen]
    told, _ = garage.chat("What happened with the cup?", max_tokens=8)
    assert told.error_code == Chat.Result.NONE and not told.memory_ids


def test_nodes_are_where_the_robots_launch_file_puts_them_and_told_apart(robots: Robots) -> None:
    peer = robots.kitchen
    health = peer.listen(DiagnosticArray, "/diagnostics")
    expected = {
        f"/{place}/{name}"
        for place in ("kitchen/clara", "garage/mind")
        for name in ("memory", "brain")
    }

    def names() -> set[str]:
        known = peer.node.get_node_names_and_namespaces()
        return {f"{space.rstrip('/')}/{name}" for name, space in known}

    peer.spin_until(lambda: expected | {"/kitchen/arm"} <= names(), 30.0, "every node in the list")

    def clockless() -> set[str]:
        warned = DiagnosticStatus.WARN
        statuses = [one for array in health for one in array.status if one.level == warned]
        return {one.name for one in statuses if "time from /clock" in one.message}

    # The robot has a publisher on /clock, but its simulation has not begun.
    peer.spin_until(clockless, 20.0, "a memory that says it has no time")
    assert clockless() == {"garage/mind/memory: memory"}

    def well() -> set[str]:
        return {status.name.split(":")[0] for array in health for status in array.status}

    peer.spin_until(
        lambda: {name[1:] for name in expected} <= well(), 20.0, "health of every node"
    )
    name = "qos_overrides./kitchen/clara/action_event.subscription.depth"
    request = GetParameters.Request(names=[name, "use_sim_time"])
    depth, simulated = peer.call(GetParameters, "memory/get_parameters", request).values
    assert depth.integer_value == 5000 and not simulated.bool_value


def test_in_simulated_time_memory_waits_and_dates_by_the_clock(robots: Robots) -> None:
    peer = robots.garage
    heard = peer.listen(Episode, "memory/episodes")
    health = peer.listen(DiagnosticArray, "/diagnostics")
    peer.spin_until(
        lambda: peer.node.count_publishers("/garage/mind/memory/episodes"), 30.0, "memory"
    )
    peer.spin_until(lambda: robots.clock.get_subscription_count() >= 2, 30.0, "nodes on /clock")
    for publisher in (peer.events, peer.results):
        peer.spin_until(publisher.get_subscription_count, 30.0, f"memory on {publisher.topic}")

    def tick(second: int) -> None:
        robots.clock.publish(Clock(clock=Time(sec=second)))

    def told(action_id: str, second: int) -> Episode:
        def found() -> Episode | None:
            tick(second)
            return next((one for one in heard if one.action_id == action_id), None)

        return peer.spin_until(found, 20.0, f"the episode of {action_id}")

    def clock_has_come() -> bool:
        tick(1000)
        return any(
            array.status[0].name.startswith("garage/mind/memory")
            and array.header.stamp.sec == 1000
            for array in health
        )

    peer.spin_until(clock_has_come, 20.0, "memory's clock at 1000 s")
    # Nothing has a stamp: the time is that of the clock, which stands still meanwhile.
    peer.events.publish(ActionEvent(action_id="done", action="LOOK"))
    peer.results.publish(ActionResult(action_id="done", outcome=ActionResult.SUCCEEDED))
    assert told("done", 1000).end.sec == 1000
    peer.events.publish(ActionEvent(action_id="late", action="DOCK"))
    peer.spin_until(
        lambda: peer.call(GetMemoryStats, "memory/stats").pending, 20.0, "the event in memory"
    )
    late = told("late", 1000 + TIMEOUT_S + 1)
    assert late.outcome == Episode.UNKNOWN and late.start.sec == 1000
    result, _ = peer.chat("Say hello.", max_tokens=4)
    assert result.error_code == Chat.Result.NONE, result.error_msg


def test_a_session_that_was_recorded_makes_the_same_memory_anew(
    robots: Robots, start: Callable[..., Process]
) -> None:
    pytest.importorskip("mcap", reason="set-up installs it; this Python has not")
    folder, peer = robots.folder, robots.kitchen
    heard = peer.listen(Episode, "memory/episodes")
    peer.spin_until(
        lambda: peer.node.count_publishers("/kitchen/clara/memory/episodes"), 30.0, "memory"
    )
    for text in ("wave to the people", "look around"):
        result, _ = peer.chat(text)
        name = result.decisions[0].request.action_id
        peer.spin_until(lambda name=name: any(e.action_id == name for e in heard), 30.0, text)
    robots.bag.write(folder / "session.mcap")
    for words in (
        ("rebuild", folder / "session.mcap", "--file", folder / "rebuilt.sqlite3"),
        ("export", "--file", folder / "rebuilt.sqlite3", "--output", folder / "rebuilt.jsonl"),
        ("export", "--namespace", "/kitchen/clara", "--output", folder / "lived.jsonl"),
    ):
        said = start("clara-memory", *words)
        assert said.wait() == 0, said.output
    lived, rebuilt = (
        sorted(map(json.dumps, map(json.loads, Path(folder, name).read_text().splitlines())))
        for name in ("lived.jsonl", "rebuilt.jsonl")
    )
    assert lived == rebuilt and len(lived) >= 2


def test_a_robots_qos_overrides_hold_and_a_wrong_one_is_a_sentence(
    start: Callable[..., Process], domain: int, tmp_path: Path
) -> None:
    override = "qos_overrides./{}/action_event.subscription.reliability:={}"
    node = ("ros2", "run", "clara_memory", "memory_node", "--ros-args", "-p", "autostart:=true")

    def memory(name: str, policy: str) -> Process:
        words = ("-p", f"memory_path:={tmp_path}/{name}", "-r", f"__ns:=/{name}")
        return start(*node, *words, "-p", override.format(name, policy))

    brain = start(
        *("ros2", "run", "clara_brain", "brain_node", "--ros-args", "-r", "__ns:=/wrong"),
        *("-p", "qos_overrides./wrong/reply.publisher.history:=perhaps"),
    )
    memory("lossy", "best_effort")
    wrong = memory("wrong", "perhaps")
    lossy, other = Peer(domain, "lossy"), Peer(domain, "wrong")
    try:
        lossy.spin_until(lambda: active(lossy, "memory"), 60.0, "memory active")
        found = lossy.spin_until(
            lambda: lossy.node.get_subscriptions_info_by_topic("/lossy/action_event"), 20.0, "it"
        )
        assert [each.qos_profile.reliability for each in found] == [ReliabilityPolicy.BEST_EFFORT]
        line = wrong.wait_for("[ERROR]", 60.0)
        assert "cannot activate" in line and "perhaps" in line and "reliability" in line
        assert "Traceback" not in wrong.output
        state = other.state_of("memory")
        assert state.id == State.PRIMARY_STATE_INACTIVE
        assert brain.wait() == 1 and "Traceback" not in brain.output, brain.output
        assert "brain_node: " in brain.output and "perhaps" in brain.output
    finally:
        lossy.close()
        other.close()
