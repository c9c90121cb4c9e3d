# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""What outlives a turn, over real DDS: conversations, cache, order; and the model's services."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from world import World

from clara_interfaces.msg import Sampling
from clara_interfaces.srv import (
    Embed,
    GetModelInfo,
    GetPersonality,
    GetSession,
    ListSessions,
    ResetSession,
    SetPersonality,
    Tokenize,
)


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("state")


@pytest.fixture(scope="module")
def world(domain: int, state: Path) -> Iterator[World]:
    world = World(state_path=state, memory_policy="never", max_sessions=3, preempt=False)
    world.until(lambda: world.state() == "active")
    yield world
    world.close()


def set_preempt(world: World, value: bool) -> None:
    from rcl_interfaces.msg import Parameter, ParameterValue
    from rcl_interfaces.srv import SetParameters

    given = Parameter(name="preempt", value=ParameterValue(type=1, bool_value=value))
    world.call(SetParameters, "brain/set_parameters", parameters=[given])


def test_turns_of_one_conversation_are_taken_in_order(world):
    first = world.send("Count to three.", session_id="order", max_tokens=30)
    second = world.send("And now backwards.", session_id="order", max_tokens=6)
    results = [world.wait(goal.get_result_async(), 30).result for goal in (first, second)]
    assert [each.error_code for each in results] == [0, 0]
    # The second prompt held the whole first exchange.
    assert results[1].usage.prompt_tokens > (
        results[0].usage.prompt_tokens + results[0].usage.completion_tokens
    )
    kept = world.call(GetSession, "session/get", session_id="order").exchanges
    assert [each.user for each in kept] == ["Count to three.", "And now backwards."]


def test_a_new_turn_cancels_the_one_before_where_that_is_wanted(world):
    set_preempt(world, True)
    try:
        pieces: list = []
        endless = Sampling(grammar="root ::= [a-z ] root")
        first = world.send("Tell.", pieces, session_id="pre", max_tokens=1500, sampling=endless)
        world.until(lambda: pieces)
        second = world.ask("Stop that.", session_id="pre").result
        ended = world.wait(first.get_result_async(), 5).result
        assert second.error_code == 0 and ended.error_code == ended.CANCELED
    finally:
        set_preempt(world, False)


def test_a_reply_follows_a_json_schema_or_says_that_it_does_not(world):
    schema = {
        "type": "object",
        "properties": {"color": {"enum": ["red", "green"]}, "count": {"type": "integer"}},
        "required": ["color", "count"],
        "additionalProperties": False,
    }
    asked = Sampling(json_schema=json.dumps(schema), temperature=0.0)
    result = world.ask("Describe three red apples.", sampling=asked, max_tokens=60).result
    assert result.error_code == 0, result.error_msg
    assert json.loads(result.text)["color"] in ("red", "green")
    cut = world.ask("Describe three red apples.", sampling=asked, max_tokens=3).result
    assert cut.error_code == cut.SCHEMA_MISMATCH and "max_tokens" in cut.error_msg
    for bad, word in (
        ("{", "line 1"),
        ('{"type": "nonsense"}', "no JSON schema"),
        ('{"$schema": 5}', "$schema"),
        ('{"$ref": "http://example.org/x"}', "no grammar"),
    ):
        refused = world.ask("x", sampling=Sampling(json_schema=bad)).result
        assert refused.error_code == refused.INVALID_REQUEST and word in refused.error_msg


def test_others_are_answered_while_a_schema_that_takes_seconds_is_read(world):
    long = Sampling(json_schema=json.dumps({"anyOf": [{}] * 16_000}))  # 64,000 characters
    client = world.node.create_client(Tokenize, "tokenize")
    world.until(client.service_is_ready)
    asked = world.send("Yes or no?", sampling=long, max_tokens=4)
    ended = asked.get_result_async()
    times = []
    while not ended.done():
        began = time.monotonic()
        world.wait(client.call_async(Tokenize.Request(text="Hello")))
        times.append(time.monotonic() - began)
    world.node.destroy_client(client)
    assert ended.result().result.error_code == 0, ended.result().result.error_msg
    assert len(times) > 20 and statistics.median(times) <= 0.05, times
    assert max(times) < sum(times) / 2  # nobody waited for most of it


def test_a_turn_whose_schema_is_being_read_can_be_canceled_and_holds_up_no_other(world):
    long = Sampling(json_schema=json.dumps({"anyOf": [{}] * 16_000}))
    asked = [world.send("Yes or no?", sampling=long, max_tokens=4) for _ in range(3)]
    for goal in asked:
        world.wait(goal.cancel_goal_async())
    ended = [world.wait(goal.get_result_async()).result for goal in asked]
    assert {each.error_code for each in ended} == {ended[0].CANCELED}
    yes = Sampling(json_schema='{"const": true}')
    assert world.ask("Yes or no?", sampling=yes).result.text == "true"


def test_tokens_can_be_ruled_out_or_discouraged(world):
    tokens = world.call(Tokenize, "tokenize", text="Hello").tokens
    assert len(tokens) == 1
    greedy = Sampling(temperature=0.0, repeat_penalty=1.0)
    plain = world.ask("Say hello.", sampling=greedy, max_tokens=1).result.text
    token = world.call(Tokenize, "tokenize", text=plain).tokens[0]
    ruled = Sampling(
        temperature=0.0, repeat_penalty=1.0, bias_tokens=[token], bias_values=[float("-inf")]
    )
    assert world.ask("Say hello.", sampling=ruled, max_tokens=1).result.text != plain
    for sampling, word in (
        (Sampling(bias_tokens=[1]), "bias_values"),
        (Sampling(bias_tokens=[10_000_000], bias_values=[1.0]), "10000000"),
        (Sampling(bias_tokens=[1], bias_values=[float("nan")]), "logit_bias"),
        (Sampling(bias_tokens=[1], bias_values=[float("inf")]), "logit_bias"),
        (Sampling(presence_penalty=5.0), "presence_penalty"),
        (Sampling(frequency_penalty=float("nan")), "frequency_penalty"),
    ):
        refused = world.ask("x", sampling=sampling).result
        assert refused.error_code == refused.INVALID_REQUEST and word in refused.error_msg


def test_texts_are_embedded_one_vector_each(world):
    answer = world.call(Embed, "embed", texts=["a cup of tea", "the moon"])
    assert answer.error_code == 0 and len(answer.values) == 2 * answer.dimensions > 0
    first = answer.values[: answer.dimensions]
    assert sum(value * value for value in first) == pytest.approx(1.0, abs=1e-4)
    for texts in ([], [" "], ["x"] * 65):
        refused = world.call(Embed, "embed", texts=texts)
        assert refused.error_code == refused.INVALID_REQUEST and not refused.values


def test_conversations_their_cache_and_the_sliders_outlive_the_process(domain, state):
    before = World(namespace="/other", state_path=state, memory_policy="never", n_ctx=1024)
    try:
        before.until(lambda: before.state() == "active")
        before.call(SetPersonality, "personality/set", names=["warmth"], values=[0.25])
        text = "Remember this list: " + ", ".join(f"item number {n}" for n in range(40))
        before.ask(text, session_id="kept")
        said = before.call(GetSession, "session/get", session_id="kept").exchanges
    finally:
        before.close()
    after = World(namespace="/other", state_path=state, memory_policy="never", n_ctx=1024)
    try:
        after.until(lambda: after.state() == "active")
        assert after.call(GetSession, "session/get", session_id="kept").exchanges == said
        result = after.ask("Thank you.", session_id="kept").result
        assert result.usage.cached_tokens > 0.7 * result.usage.prompt_tokens
        traits = after.call(GetPersonality, "personality/get").traits
        assert {each.name: each.value for each in traits}["warmth"] == 0.25
    finally:
        after.close()


def test_a_conversation_that_was_reset_is_nowhere_on_the_disk(domain, tmp_path):
    world = World(namespace="/reset", state_path=tmp_path, memory_policy="never", n_ctx=1024)
    try:
        world.until(lambda: world.state() == "active")
        text = "Remember this list: " + ", ".join(f"item number {n}" for n in range(40))
        assert world.ask(text, session_id="s").result.error_code == 0
        assert world.call(ResetSession, "session/reset", session_id="s").turns == 1
    finally:
        world.close()
    folder = tmp_path / "reset.brain"
    assert json.loads((folder / "kv" / "index.json").read_text())["sequences"] == []
    files = [each.read_bytes() for each in folder.rglob("*") if each.is_file()]
    assert not any(b"item number 7" in content for content in files)


def test_no_more_conversations_are_kept_than_the_cap(world):
    for name in ("a", "b", "c", "d"):
        world.ask("Hello!", session_id=name, max_tokens=2)
    kept = world.call(ListSessions, "session/list").sessions
    assert [each.session_id for each in kept] == ["d", "c", "b"]
    gone = world.call(GetSession, "session/get", session_id="a")
    assert gone.error_code == gone.SESSION_NOT_FOUND


def test_another_model_is_taken_in_by_configuring_again(world, tmp_path):
    from rcl_interfaces.msg import Parameter, ParameterValue
    from rcl_interfaces.srv import SetParameters

    info = world.call(GetModelInfo, "model/info")
    other = tmp_path / "other.gguf"
    other.symlink_to(info.path)

    def use(path: str) -> None:
        given = Parameter(name="model", value=ParameterValue(type=4, string_value=path))
        world.call(SetParameters, "brain/set_parameters", parameters=[given])

    assert world.transition(4) and world.transition(2)
    use("/nowhere.gguf")
    assert not world.transition(1) and world.state() == "unconfigured"
    use(str(other))
    assert world.transition(1) and world.transition(3)
    assert world.call(GetModelInfo, "model/info").path == str(other)
    assert world.ask("Hello!").result.error_code == 0
