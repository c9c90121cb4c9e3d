# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Read-outs over real DDS: the result of a chat, `reply`, model/info, diagnostics, the command."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tiny_model import LABELS, MEMORY, POLICY, heads, write_heads
from world import World


@pytest.fixture(scope="module")
def model(tiny: Path) -> Path:
    document = heads(policy=POLICY | {"threshold": 0.0}, memory=MEMORY | {"threshold": -1.0})
    write_heads(tiny.parent / "governance.safetensors", *document)
    return tiny


@pytest.fixture(scope="module")
def world(domain: int, model: Path) -> Iterator[World]:
    with World(model=model, memory_policy="never") as world:
        world.until(lambda: world.state() == "active")
        yield world


def health(world: World) -> object:
    from diagnostic_msgs.msg import DiagnosticArray

    heard: list = []
    kind = world.node.create_subscription(DiagnosticArray, "/diagnostics", heard.append, 10)
    world.until(lambda: heard)
    world.node.destroy_subscription(kind)
    return heard[-1].status[0]


def test_a_chat_and_a_reply_carry_what_the_heads_read(world):
    from clara_interfaces.msg import Utterance

    first = world.ask("The cup is red.", session_id="s").result
    read = first.governance
    assert first.error_code == 0, first.error_msg
    assert read.policy in LABELS and read.policy_labels == LABELS
    assert sum(read.policy_probabilities) == pytest.approx(1.0, abs=1e-5)
    assert 0 < read.policy_tokens <= first.usage.completion_tokens
    assert len(read.trace_nats) == len(read.trace_offsets) == first.usage.completion_tokens
    assert read.trace_unsure > 0 and not read.hits
    hits = world.ask("Which cup?", session_id="s").result.governance.hits
    assert {(hit.turn, hit.by_clara) for hit in hits} == {(0, False), (0, True)}
    assert "The cup is red." in [hit.text for hit in hits] and not any(h.recalled for h in hits)

    world.until(lambda: world.say.get_subscription_count())
    world.say.publish(Utterance(request_id="r", text="Hello"))
    world.until(lambda: world.replies)
    assert world.replies[-1].governance.policy_labels == LABELS


def test_model_info_and_diagnostics_say_which_heads_there_are(world, model):
    from clara_interfaces.srv import GetModelInfo

    info = world.call(GetModelInfo, "model/info")
    assert info.governance_path == str(model.parent / "governance.safetensors")
    assert list(info.governance_heads) == ["policy", "memory", "trace"]
    figures = {pair.key: pair.value for pair in info.governance_metrics}
    assert figures["policy.accuracy"] == "0.8125" and not info.governance_error
    status = health(world)
    values = {pair.key: pair.value for pair in status.values}
    assert status.message == "active" and "policy, memory, trace" in values["governance"]


def test_the_command_prints_them(world):
    run = [sys.executable, "-c", "from clara_brain.cli import main; main()", "ask", "Hello"]
    run += ["--max-tokens", "6", "--temperature", "0"]
    said = subprocess.run([*run, "--json"], capture_output=True, text=True, check=True, timeout=30)
    read = json.loads(said.stdout)["governance"]
    assert read["policy_labels"] == LABELS and len(read["trace_nats"]) == 6
    said = subprocess.run(
        [*run, "--verbose", "--plain"], capture_output=True, text=True, check=True, timeout=30
    )
    assert f"policy: {read['policy']}" in said.stderr and "of 6 tokens" in said.stderr


def configured_anew(world: World, **parameters: str | bool) -> None:
    """Set parameters, and let the node read them."""
    from lifecycle_msgs.msg import Transition
    from rcl_interfaces.srv import SetParameters
    from rclpy.parameter import Parameter

    given = [Parameter(name, value=each).to_parameter_msg() for name, each in parameters.items()]
    answer = world.call(SetParameters, "brain/set_parameters", parameters=given)
    assert all(each.successful for each in answer.results)
    for number in (Transition.TRANSITION_DEACTIVATE, Transition.TRANSITION_CLEANUP):
        assert world.transition(number)
    for number in (Transition.TRANSITION_CONFIGURE, Transition.TRANSITION_ACTIVATE):
        assert world.transition(number)


def test_heads_behind_their_baselines_are_run_only_when_asked_for(world, model):
    from clara_interfaces.srv import GetModelInfo

    document = heads(metrics={"policy": {"useful": False}})
    behind = write_heads(model.parent / "behind.safetensors", *document)
    configured_anew(world, governance_path=str(behind))
    info = world.call(GetModelInfo, "model/info")
    assert (list(info.governance_unused), list(info.governance_unproven)) == (["policy"], [])
    assert not world.ask("Hello").result.governance.policy_labels

    configured_anew(world, governance_unproven=True)
    info = world.call(GetModelInfo, "model/info")
    assert (list(info.governance_unused), list(info.governance_unproven)) == ([], ["policy"])
    assert world.ask("Hello").result.governance.policy_labels == LABELS
    values = {pair.key: pair.value for pair in health(world).values}
    assert "run though not better than their baseline: policy" in values["governance"]


def test_heads_of_another_model_are_said_and_the_model_is_served_without(world, model):
    from clara_interfaces.srv import GetModelInfo

    other = write_heads(model.parent / "other.safetensors", *heads(model_sha256="6" * 64))
    configured_anew(world, governance_path=str(other))
    result = world.ask("Hello").result
    assert result.error_code == 0 and result.text
    assert not result.governance.policy_labels and not len(result.governance.trace_nats)
    info = world.call(GetModelInfo, "model/info")
    assert "has the heads of model 666666666666" in info.governance_error
    assert not info.governance_path
    status = health(world)
    values = {pair.key: pair.value for pair in status.values}
    assert status.level == status.WARN and status.message == "active, without read-outs"
    assert values["governance"] == info.governance_error
