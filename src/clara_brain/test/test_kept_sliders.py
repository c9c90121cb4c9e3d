# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Sliders that stay where they were left, on a node of their own without a model."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator

import pytest
import rclpy
from clara_brain.kept_sliders import KeptSliders
from clara_brain.persona import Spec, load_spec
from clara_brain.slider_file import SliderFile
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter

from clara_brain import parameters

SPEC = load_spec(parameters.shipped("clara_spec.json"))
DEFAULTS = SPEC.values
Start = Callable[..., tuple[Node, KeptSliders]]


@pytest.fixture
def start(domain: int) -> Iterator[Start]:
    """Return what starts a node with sliders, as with these given by a launch file."""
    context = rclpy.Context()
    rclpy.init(context=context)
    made: list[Node] = []

    def start(spec: Spec = SPEC, **given: float) -> tuple[Node, KeptSliders]:
        overrides = [Parameter(f"personality.{name}", value=it) for name, it in given.items()]
        made.append(Node("sliders", context=context, parameter_overrides=overrides))
        parameters.declare_sliders(made[-1], spec)
        return made[-1], KeptSliders(made[-1], ReentrantCallbackGroup(), "")

    yield start
    for node in made:
        node.destroy_node()
    rclpy.try_shutdown(context=context)


def test_a_slider_is_found_where_it_was_left_but_not_where_it_is_given(start, tmp_path):
    path = tmp_path / "sliders.json"
    node, kept = start()
    assert kept.open(path, "", DEFAULTS) == {} and not path.exists()
    parameters.set_sliders(node, {"warmth": 0.1, "formal": 0.9})
    kept.close()
    node, kept = start(formal=DEFAULTS["formal"])
    assert kept.open(path, "", DEFAULTS) == {"warmth": 0.1}
    now = parameters.sliders(node)
    assert (now["warmth"], now["formal"]) == (0.1, DEFAULTS["formal"])
    kept.close()
    # What is given is not what was left: without it that is found again.
    _, kept = start()
    assert kept.open(path, "", DEFAULTS) == {"warmth": 0.1, "formal": 0.9}


def test_a_slider_that_is_moved_while_nothing_is_kept_or_back_to_its_default_stays_there(
    start, tmp_path
):
    path = tmp_path / "sliders.json"
    SliderFile(path, "").save({"warmth": 0.1, "formal": 0.9}, DEFAULTS)
    node, kept = start()
    parameters.set_sliders(node, {"warmth": 0.3})
    assert kept.open(path, "", DEFAULTS) == {"formal": 0.9}
    parameters.set_sliders(node, {"formal": DEFAULTS["formal"]})
    kept.close()
    assert SliderFile(path, "").load(DEFAULTS) == {"warmth": 0.3}
    # Closed, nothing is written; opened again, nothing is moved a second time.
    parameters.set_sliders(node, {"playful": 0.2})
    assert SliderFile(path, "").load(DEFAULTS) == {"warmth": 0.3}
    assert kept.open(path, "", DEFAULTS) == {}
    assert SliderFile(path, "").load(DEFAULTS) == {"warmth": 0.3, "playful": 0.2}


def test_what_a_personality_file_says_anew_wins_over_what_was_left(start, tmp_path):
    path = tmp_path / "sliders.json"
    SliderFile(path, "").save({"warmth": 0.1, "formal": 0.9, "gone": 0.5}, {**DEFAULTS, "gone": 0})
    newer = {**DEFAULTS, "warmth": 0.45}
    assert SliderFile(path, "").load(newer) == {"formal": 0.9}
    assert SliderFile(path, "/robots/other.json").load(DEFAULTS) == {}
    # Also where it is edited, or another one is named, between two configurations of one node.
    node, kept = start()
    kept.open(path, "", DEFAULTS)
    kept.close()
    assert kept.open(path, "", newer) == {}
    kept.close()
    assert SliderFile(path, "").load(newer) == {"formal": 0.9}
    parameters.set_sliders(node, DEFAULTS)
    assert kept.open(path, "/robots/other.json", DEFAULTS) == {}
    parameters.set_sliders(node, {"playful": 0.6})
    kept.close()
    assert SliderFile(path, "/robots/other.json").load(DEFAULTS) == {"playful": 0.6}


def test_sliders_are_written_once_they_rest(start, tmp_path):
    path = tmp_path / "sliders.json"
    node, kept = start()
    kept.open(path, "", DEFAULTS)
    executor = SingleThreadedExecutor(context=node.context)
    executor.add_node(node)
    parameters.set_sliders(node, {"warmth": 0.2})
    assert not path.exists()
    end = time.monotonic() + 10
    while not path.exists() and time.monotonic() < end:
        executor.spin_once(timeout_sec=0.05)
    assert SliderFile(path, "").load(DEFAULTS) == {"warmth": 0.2}
    executor.shutdown()


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "{",
            "[]",
            "7",
            "\udcff",
            '{"spec": ""}',
            '{"spec": "", "sliders": {"warmth": 0.5}}',
        ),
        '{"spec": "", "sliders": {"warmth": [2.0, 0.8]}}',
        '{"spec": "", "sliders": {"warmth": [NaN, 0.8]}}',
        "[" * 100_000,
    ],
)
def test_a_damaged_file_is_set_aside_with_a_sentence_and_the_defaults_stand(
    start, tmp_path, caplog, text
):
    path = tmp_path / "sliders.json"
    path.write_bytes(text.encode(errors="surrogateescape"))
    node, kept = start()
    assert kept.open(path, "", DEFAULTS) == {} and parameters.sliders(node) == DEFAULTS
    (aside,) = tmp_path.iterdir()
    assert aside.name.startswith("sliders.json.corrupt-")
    assert f"{path} cannot be read" in caplog.text and str(aside) in caplog.text
    parameters.set_sliders(node, {"warmth": 0.3})
    kept.close()
    assert json.loads(path.read_text())["sliders"] == {"warmth": [0.3, DEFAULTS["warmth"]]}


def test_a_folder_that_cannot_be_written_costs_a_sentence_and_no_slider(start, tmp_path, caplog):
    (tmp_path / "sliders.json.new").mkdir()
    node, kept = start()
    kept.open(tmp_path / "sliders.json", "", DEFAULTS)
    parameters.set_sliders(node, {"warmth": 0.3})
    kept.close()
    assert "where the sliders stand is not kept" in caplog.text
    assert parameters.sliders(node)["warmth"] == 0.3
