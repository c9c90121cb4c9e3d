# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""The node's personality over real DDS: adapters that follow sliders, presets, fades."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from clara_brain.node import BrainNode
from clara_brain.persona import IDENTITY
from conftest import write_adapter
from rclpy.lifecycle import TransitionCallbackReturn
from rclpy.parameter import Parameter
from world import ChatClient, World

from clara_brain import parameters
from clara_interfaces.msg import Sampling
from clara_interfaces.srv import (
    GetPersonality,
    ListAdapters,
    LoadAdapter,
    ScaleAdapters,
    SetPersonality,
    UnloadAdapter,
)

GREEDY = Sampling(temperature=0.0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("adapters")
    write_adapter(folder / "warmth.gguf", seed=1)
    write_adapter(folder / "dialect.gguf", seed=2)
    return folder


@pytest.fixture(scope="module")
def world(domain: int, folder: Path) -> Iterator[World]:
    world = World(adapters_path=folder)
    world.until(lambda: world.state() == "active")
    yield world
    world.close()


@pytest.fixture(autouse=True)
def defaults(world: World) -> None:
    world.call(SetPersonality, "personality/set", preset="spec")
    world.call(ScaleAdapters, "adapter/scale", names=["dialect"], scales=[0.0])


def scales(world: World) -> dict[str, float]:
    listed = world.call(ListAdapters, "adapter/list").adapters
    return {each.name: pytest.approx(each.scale, abs=1e-6) for each in listed}


def sliders(world: World) -> dict[str, float]:
    return {each.name: each.value for each in world.call(GetPersonality, "personality/get").traits}


def set_parameter(world: World, name: str, value: str) -> str:
    from rcl_interfaces.msg import Parameter, ParameterValue
    from rcl_interfaces.srv import SetParameters

    given = Parameter(name=name, value=ParameterValue(type=4, string_value=value))
    answer = world.call(SetParameters, "brain/set_parameters", parameters=[given])
    return "" if answer.results[0].successful else answer.results[0].reason


def test_an_adapter_named_after_a_slider_has_its_value_as_scale(world):
    assert scales(world) == {"warmth": 0.8, "dialect": 0.0}
    world.call(SetPersonality, "personality/set", names=["warmth"], values=[0.25])
    assert scales(world) == {"warmth": 0.25, "dialect": 0.0}
    # What the adapter expresses, the prompt does not say as well.
    assert "cold" not in world.call(GetPersonality, "personality/get").system_prompt
    result = world.ask("Hello!", sampling=GREEDY).result
    assert [(each.name, round(each.scale, 4)) for each in result.adapters] == [("warmth", 0.25)]


def test_a_slider_changes_the_next_reply_and_back_again_with_nothing_left_over(world):
    texts = []
    for warmth in (0.0, 1.0, 0.0):
        world.call(SetPersonality, "personality/set", names=["warmth"], values=[warmth])
        texts.append(world.ask("What is tea?", sampling=GREEDY, max_tokens=40).result.text)
    assert texts[0] == texts[2] != texts[1]


def test_a_slider_with_an_adapter_is_not_scaled_by_hand_and_any_other_is(world):
    refused = world.call(ScaleAdapters, "adapter/scale", names=["warmth"], scales=[0.5])
    assert refused.error_code == refused.INVALID_REQUEST and "slider" in refused.error_msg
    done = world.call(ScaleAdapters, "adapter/scale", names=["dialect"], scales=[-0.5])
    assert done.error_code == 0 and scales(world)["dialect"] == -0.5
    for names, values, word in (
        (["dialect"], [9.0], "-4 to 4"),
        (["dialect"], [float("nan")], "nan"),
        (["nobody"], [1.0], "nobody"),
        (["dialect"], [], "scales"),
        (["dialect", "dialect"], [9.0, 0.0], "twice"),
    ):
        bad = world.call(ScaleAdapters, "adapter/scale", names=names, scales=values)
        assert bad.error_code == bad.INVALID_REQUEST and word in bad.error_msg
    assert scales(world)["dialect"] == -0.5


def test_what_expresses_a_slider_can_be_chosen(world):
    try:
        assert set_parameter(world, "personality_by", "prompt") == ""
        assert "warm" in world.call(GetPersonality, "personality/get").system_prompt
        assert not world.ask("Hello!").result.adapters
        assert set_parameter(world, "personality_by", "both") == ""
        assert "warm" in world.call(GetPersonality, "personality/get").system_prompt
        assert [each.name for each in world.ask("Hello!").result.adapters] == ["warmth"]
        assert "adapters, prompt, both" in set_parameter(world, "personality_by", "magic")
    finally:
        set_parameter(world, "personality_by", "adapters")


def test_who_she_is_can_be_said_while_she_runs(world):
    before = world.call(GetPersonality, "personality/get").system_prompt
    try:
        assert set_parameter(world, "identity", "You are Robby.") == ""
        now = world.call(GetPersonality, "personality/get").system_prompt
        assert now == before.replace(IDENTITY, "You are Robby.") != before
    finally:
        set_parameter(world, "identity", IDENTITY)


def test_an_adapter_is_loaded_and_unloaded_at_run_time(world, folder, tmp_path):
    write_adapter(tmp_path / "x.gguf", seed=3)
    done = world.call(
        LoadAdapter, "adapter/load", name="mood", path=str(tmp_path / "x.gguf"), scale=0.5
    )
    assert (done.error_code, done.adapter.scale) == (0, 0.5)
    assert [each.name for each in world.ask("Hello!").result.adapters] == ["mood", "warmth"]
    again = world.call(LoadAdapter, "adapter/load", name="mood", path=str(tmp_path / "x.gguf"))
    assert again.error_code == again.ADAPTER_FAILED and "already" in again.error_msg
    assert world.call(UnloadAdapter, "adapter/unload", name="mood").error_code == 0
    gone = world.call(UnloadAdapter, "adapter/unload", name="mood")
    assert gone.error_code == gone.ADAPTER_FAILED and "mood" in gone.error_msg
    write_adapter(tmp_path / "wide.gguf", seed=3, width=64)
    for path, word in (("/nowhere.gguf", "No such file"), ("wide.gguf", "another model")):
        bad = world.call(LoadAdapter, "adapter/load", name="bad", path=str(tmp_path / path))
        assert bad.error_code == bad.ADAPTER_FAILED and word in bad.error_msg
    assert set(scales(world)) == {"warmth", "dialect"}


def test_an_adapter_is_not_unloaded_under_a_reply(world):
    world.call(ScaleAdapters, "adapter/scale", names=["dialect"], scales=[0.1])
    pieces: list = []
    goal = world.send_endless(pieces)
    world.until(lambda: pieces)
    busy = world.call(UnloadAdapter, "adapter/unload", name="dialect")
    assert busy.error_code == busy.ADAPTER_FAILED and "under way" in busy.error_msg
    world.wait(goal.cancel_goal_async())
    world.wait(goal.get_result_async(), 5)


def test_a_preset_moves_its_sliders_and_given_values_win(world):
    presets = world.call(GetPersonality, "personality/get").presets
    assert {"spec", "neutral", "companion"} <= set(presets)
    world.call(
        SetPersonality, "personality/set", preset="companion", names=["playful"], values=[0.1]
    )
    now = sliders(world)
    assert (round(now["formal"], 4), round(now["playful"], 4)) == (0.1, 0.1)
    unknown = world.call(SetPersonality, "personality/set", preset="pirate")
    assert unknown.error_code == unknown.INVALID_REQUEST and "pirate" in unknown.error_msg
    assert sliders(world) == now


def test_a_fade_glides_there_and_a_later_call_ends_it(world):
    world.call(SetPersonality, "personality/set", names=["warmth"], values=[0.0])
    world.call(SetPersonality, "personality/set", names=["warmth"], values=[1.0], fade=1.0)
    seen: set[float] = set()
    end = time.monotonic() + 10
    while sliders(world)["warmth"] < 1.0 and time.monotonic() < end:
        seen.add(round(sliders(world)["warmth"], 4))
    assert sliders(world)["warmth"] == 1.0
    assert len([value for value in seen if 0.0 < value < 1.0]) >= 2
    world.call(SetPersonality, "personality/set", names=["warmth"], values=[0.0], fade=600.0)
    world.call(SetPersonality, "personality/set", names=["formal"], values=[0.5])
    held = sliders(world)["warmth"]
    assert held > 0.9
    for bad in (-1.0, float("nan"), 1e9):
        answer = world.call(
            SetPersonality, "personality/set", names=["warmth"], values=[0.0], fade=bad
        )
        assert answer.error_code == answer.INVALID_REQUEST and "fade" in answer.error_msg


def test_a_personality_file_with_a_trait_of_its_own_has_a_slider_for_it(world, folder, tmp_path):
    from ament_index_python.packages import get_package_share_directory
    from rcl_interfaces.srv import ListParameters

    shipped = Path(get_package_share_directory("clara_brain")) / "config" / "clara_spec.json"
    document = json.loads(shipped.read_text())
    document["personality"]["dialect"] = 0.6
    document["config"]["descriptions"] = {"dialect": "how much it sounds like the coast"}
    (tmp_path / "spec.json").write_text(json.dumps(document))

    def configure(path: str) -> None:
        assert world.transition(4) and world.transition(2)
        assert set_parameter(world, "spec", path) == ""
        assert world.transition(1) and world.transition(3)

    configure(str(tmp_path / "spec.json"))
    try:
        # There is an adapter of that name, which from now on follows the slider.
        assert scales(world) == {"warmth": 0.8, "dialect": 0.6}
        world.call(SetPersonality, "personality/set", names=["dialect"], values=[0.2])
        assert scales(world)["dialect"] == 0.2
    finally:
        configure("")
    names = world.call(ListParameters, "brain/list_parameters").result.names
    assert "personality.dialect" not in names and "personality.warmth" in names


@pytest.mark.parametrize("begun", ["whole", "broken"])
def test_a_personality_file_in_the_home_folder_counts_also_once_it_is_mended(
    world, tmp_path, monkeypatch, begun
):
    document = json.loads(parameters.shipped("clara_spec.json").read_text())
    document["personality"]["warmth"] = 0.05
    whole, path = json.dumps(document), tmp_path / "spec.json"
    path.write_text(whole if begun == "whole" else "{")
    monkeypatch.setenv("HOME", str(tmp_path))
    given = [Parameter("spec", value="~/spec.json"), Parameter("state_path", value="")]
    with ChatClient("/home") as client:
        node = BrainNode(namespace="/home", context=client.node.context, parameter_overrides=given)
        try:
            path.write_text(whole)
            assert node.trigger_configure() == TransitionCallbackReturn.SUCCESS
            assert parameters.sliders(node)["warmth"] == 0.05
        finally:
            node.destroy_node()


def test_sliders_that_ask_for_too_much_together_are_kept_to_what_the_model_bears(world, folder):
    path = folder / "together.json"
    document = {
        "format": 1,
        "limit": 0.16,
        "names": ["warmth"],
        "costs": [[1.0]],
        "inputs": {"adapter warmth": ""},
    }

    def again(text: str) -> ListAdapters.Response:
        path.write_text(text)
        assert all(world.transition(each) for each in (4, 2, 1, 3))
        return world.call(ListAdapters, "adapter/list")

    try:
        listed = again(json.dumps(document))
        assert listed.share == pytest.approx(0.5)  # of 0.8, which costs 0.64
        assert scales(world)["warmth"] == 0.4
        result = world.ask("Hello!").result
        assert {each.name: round(each.scale, 4) for each in result.adapters}["warmth"] == 0.4
        world.call(SetPersonality, "personality/set", names=["warmth"], values=[0.3])
        assert world.call(ListAdapters, "adapter/list").share == 1.0
        assert scales(world)["warmth"] == pytest.approx(0.3, abs=1e-6)
        # A damaged file is said in the log, and Clara is served without a bound.
        listed = again("{")
        assert world.state() == "active" and listed.share == 1.0 and len(listed.adapters) == 2
    finally:
        path.unlink()
        assert all(world.transition(each) for each in (4, 2, 1, 3))
