# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""The node with its model on llama.cpp's own server, over real DDS and real HTTP."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from llama_server import serving
from world import World

DATA = Path(__file__).parent / "data"
KEY = "sesame"
CONFIGURE, CLEANUP, ACTIVATE, DEACTIVATE = 1, 2, 3, 4


class Bench:
    """A brain beside a server that can be stopped and started again in the same place."""

    def __init__(self, model: Path, adapter: Path, key_file: Path) -> None:
        self._server = ExitStack()
        self._model = model
        self._options = ("--key", KEY, "--adapter", str(adapter))
        self.url = ""
        self.start()
        self.world = World(
            backend="openai",
            server_url=self.url,
            server_key_file=key_file,
            skills=DATA / "skills.yaml",
        )

    def start(self) -> None:
        port = int(self.url.rsplit(":", 1)[1]) if self.url else 0
        self.url = self._server.enter_context(serving(self._model, *self._options, port=port))

    def stop(self) -> None:
        self._server.close()


@pytest.fixture(scope="module")
def bench(domain, model, adapter, tmp_path_factory) -> Iterator[Bench]:
    key_file = tmp_path_factory.mktemp("key") / "key"
    key_file.write_text(KEY)
    bench = Bench(model, adapter, key_file)
    try:
        world = bench.world
        world.until(lambda: world.state() == "active")
        # A client is found a moment after it found the server; until then it misses feedback.
        pieces: list = []
        while not pieces:
            world.ask("Hello!", pieces)
        yield bench
        # It stops in order also in the middle of a reply.
        pieces.clear()
        world.send_endless(pieces)
        world.until(lambda: pieces)
        world.close()
    finally:
        bench.stop()


@pytest.fixture
def world(bench: Bench) -> World:
    return bench.world


def test_a_chat_streams_through_the_server_and_its_conversation_goes_on(world):
    pieces: list = []
    result = world.ask("My name is Ada.", pieces, session_id="s", max_tokens=20).result
    assert result.error_code == 0, result.error_msg
    world.until(lambda: "".join(piece.delta for piece in pieces) == result.text)
    assert [piece.seq for piece in pieces] == list(range(len(pieces)))
    assert 0 < result.usage.completion_tokens <= 20 and result.timing.tokens_per_second > 0
    second = world.ask("What is my name?", session_id="s").result
    assert second.usage.prompt_tokens > result.usage.prompt_tokens
    assert second.usage.cached_tokens > second.usage.prompt_tokens // 2


def test_an_order_is_decided_in_a_grammar_on_the_server(world):
    from clara_interfaces.msg import SkillDecision

    world.requests.clear()
    result = world.ask("please pick up the cup").result
    assert [each.status for each in result.decisions] == [SkillDecision.REQUESTED]
    world.until(lambda: world.requests)
    assert world.requests[0].object == "cup"


def test_the_slider_moves_the_adapter_on_the_server(world):
    from clara_interfaces.srv import ListAdapters, LoadAdapter, SetPersonality

    for value in (0.0, 0.7):
        world.call(SetPersonality, "personality/set", names=["warmth"], values=[value])
        listed = world.call(ListAdapters, "adapter/list").adapters
        assert [(each.name, each.follows_slider) for each in listed] == [("warmth", True)]
        assert listed[0].scale == pytest.approx(value)
        result = world.ask("Who are you?").result
        assert [each.name for each in result.adapters] == ["warmth"] * bool(value)
    refused = world.call(LoadAdapter, "adapter/load", name="x", path="x.gguf", scale=1.0)
    assert refused.error_code == refused.ADAPTER_FAILED and "--lora" in refused.error_msg


def test_the_services_on_the_model_ask_the_server(bench, world):
    from clara_interfaces.srv import Embed, GetModelInfo, Tokenize

    info = world.call(GetModelInfo, "model/info")
    assert (info.name, info.backend) == ("smollm2", "llama.cpp server")
    assert info.path == f"{bench.url}/v1" and info.context_length == 1024
    assert len(world.call(Tokenize, "tokenize", text="hello there").tokens) == 2
    refused = world.call(Embed, "embed", texts=["hello"])
    assert refused.error_code == refused.BACKEND_FAILED and "--embeddings" in refused.error_msg


def test_services_answer_while_it_generates_and_a_cancel_is_quick(world):
    from clara_interfaces.srv import GetPersonality

    client = world.node.create_client(GetPersonality, "personality/get")
    world.until(client.service_is_ready)
    pieces: list = []
    goal = world.send_endless(pieces)
    world.until(lambda: pieces)
    times = []
    for _ in range(15):
        start = time.monotonic()
        world.wait(client.call_async(GetPersonality.Request()))
        times.append(time.monotonic() - start)
    assert statistics.median(times) <= 0.05
    world.wait(goal.cancel_goal_async())
    answer = world.wait(goal.get_result_async(), 3)
    assert answer.status == 5 and answer.result.error_code == answer.result.CANCELED
    assert answer.result.text.startswith(pieces[0].delta)


def test_a_server_that_goes_away_fails_turns_and_one_that_comes_back_takes_them(bench, world):
    from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus

    told: list = []
    world.node.create_subscription(
        DiagnosticArray, "/diagnostics", lambda message: told.append(message.status[0]), 10
    )
    pieces: list = []
    goal = world.send_endless(pieces)
    world.until(lambda: pieces)

    def figure(name: str) -> str:
        return next((pair.value for pair in told[-1].values if pair.key == name), "")

    world.until(lambda: told and (figure("queue_depth"), figure("generating")) == ("0", "1"))
    bench.stop()
    result = world.wait(goal.get_result_async(), 5).result
    assert result.error_code == result.BACKEND_FAILED and result.text
    assert "in the middle of the reply" in result.error_msg
    result = world.ask("Hello!").result
    assert result.error_code == result.BACKEND_FAILED
    assert "cannot be reached: Connection refused" in result.error_msg
    world.until(lambda: told and told[-1].level == DiagnosticStatus.WARN)
    assert "the last reply failed" in told[-1].message
    bench.start()
    assert world.ask("Hello!").result.error_code == 0
    world.until(lambda: told[-1].level == DiagnosticStatus.OK)


def test_configure_fails_without_the_server_and_succeeds_with_it(bench, world):
    from clara_interfaces.srv import GetModelInfo

    assert world.transition(DEACTIVATE) and world.transition(CLEANUP)
    bench.stop()
    assert not world.transition(CONFIGURE) and world.state() == "unconfigured"
    info = world.call(GetModelInfo, "model/info")
    assert info.error_code == info.NO_MODEL and "cannot be reached" in info.error_msg
    assert KEY not in info.error_msg
    bench.start()
    assert world.transition(CONFIGURE) and world.transition(ACTIVATE)
    assert world.ask("Hello!").result.error_code == 0
