# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""The backend on a server, with servers that fail in every way that servers fail."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from email.utils import formatdate
from pathlib import Path

import pytest
from clara_brain.backend import Request
from clara_brain.decoding import Completion, Stop
from clara_brain.errors import (
    AdapterError,
    BackendError,
    ContextOverflow,
    InvalidRequest,
    ModelError,
    ShuttingDown,
)
from clara_brain.openai_backend import OpenAIBackend
from clara_brain.prompt import ChatPrompt, Exchange
from clara_brain.reply_guard import NoPromise
from clara_brain.sampler import SamplerSettings
from clara_brain.settings import EngineSettings, ServerSettings
from faulty_server import (
    DONE,
    GOOD,
    USAGE,
    Scene,
    Server,
    events,
    hang_up,
    said,
    silence,
    status,
)

from clara_brain import served_model

GREEDY = SamplerSettings(0.0, 1.0, 0, 0.0, 1.0, 0)
HELLO = Request(ChatPrompt("You are Clara.", "Hello!"), GREEDY, 12)


@pytest.fixture
def reach(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., OpenAIBackend]]:
    """Return a function that makes a backend; they are closed after the test."""
    monkeypatch.delenv("CLARA_SERVER_KEY", raising=False)
    # A proxy that the environment names must not see what is said to the robot.
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    made: list[OpenAIBackend] = []

    def make(server: Server | str, **settings: object) -> OpenAIBackend:
        url = server if isinstance(server, str) else server.url
        engine = EngineSettings(n_ctx=1024, slots=2, queue_size=2)
        made.append(OpenAIBackend(ServerSettings(url, **settings), engine))
        return made[-1]

    yield make
    for backend in made:
        backend.close()


def failure(
    reach: Callable[..., OpenAIBackend], *scenes: Scene, tries: int = 1, **settings: object
) -> Completion:
    with Server(*scenes) as server:
        completion = reach(server, **settings).complete(HELLO)
        assert len(server.seen) == tries
    assert completion.stop is Stop.ERROR
    return completion


def test_a_reply_needs_no_more_than_the_plain_api(reach):
    with Server(GOOD) as server:
        backend = reach(server)
        completion = backend.complete(HELLO)
    assert (completion.text, completion.stop) == ("Hello", Stop.END)
    assert (completion.prompt_tokens, completion.completion_tokens) == (7, 2)
    path, body = server.seen[0]
    assert path == "/v1/chat/completions" and body["model"] == "m" and body["max_tokens"] == 12
    assert [each["role"] for each in body["messages"]] == ["system", "user"]
    assert not {"grammar", "top_k", "lora", "cache_prompt", "timings_per_token"} & set(body)


def test_what_a_model_thinks_is_no_part_of_its_reply(reach):
    aside = {"choices": [{"delta": {"content": "", "reasoning_content": "They greet me."}}]}
    thought = [said("<thi"), said("nk>They greet me.</"), said("think>\n\nHel"), said("lo")]
    with Server(events(aside, *thought, said("", "stop"), USAGE, DONE)) as server:
        deltas: list[str] = []
        completion = reach(server).complete(HELLO, deltas.append)
        assert completion.text == "".join(deltas) == "Hello" and completion.stop is Stop.END


def test_a_busy_server_is_asked_again_when_it_says(reach):
    busy = status(429, {"error": {"message": "slow down"}}, Retry_After="0.6")
    with Server(busy, hang_up, GOOD) as server:
        start = time.monotonic()
        assert reach(server).complete(HELLO).text == "Hello"
        # The wait that was asked for, and then twice as long as before.
        assert 0.6 + 1.2 <= time.monotonic() - start < 6
        assert len(server.seen) == 3


def test_a_server_that_stays_busy_is_given_up(reach):
    completion = failure(reach, status(503, {"error": {"message": "Loading model"}}), tries=4)
    assert isinstance(completion.error, BackendError)
    assert "too busy or not ready (503: Loading model)" in str(completion.error)


def test_a_wait_of_an_hour_is_not_waited_for(reach):
    for wait in ("3600", formatdate(time.time() + 3600, usegmt=True)):
        completion = failure(reach, status(429, {"detail": "quota"}, Retry_After=wait))
        assert "429: quota" in str(completion.error)


@pytest.mark.parametrize(
    ("scene", "kind", "words"),
    [
        (status(400, {"error": {"message": "bad top_p"}}), InvalidRequest, "refused the request"),
        (status(404, "<h1>Not\nFound</h1>"), BackendError, "check server_url and server_model"),
        (status(403, {"error": "no"}), BackendError, "CLARA_SERVER_KEY or server_key_file"),
        (status(500, {"error": {"message": "boom"}}), BackendError, "failed (500: boom)"),
        (status(307, "", Location="http://x.invalid/"), BackendError, "set server_url"),
        (status(200, {"choices": []}), BackendError, "does not stream"),
        (events("data: {oops\n\n"), BackendError, "no event of the OpenAI API: '{oops'"),
        (events({"error": {"message": "out of memory"}}), BackendError, "out of memory"),
        (
            status(400, {"error": {"message": "too long", "code": "context_length_exceeded"}}),
            ContextOverflow,
            "too long",
        ),
    ],
)
def test_what_a_server_refuses_is_told_in_a_sentence_and_not_tried_again(
    reach, scene, kind, words
):
    error = failure(reach, scene).error
    assert type(error) is kind and words in str(error) and "\n" not in str(error)


def test_a_stream_that_is_cut_keeps_what_came(reach):
    for then, words in (("cut", "broke off in the middle"), ("end", "ended the stream in the")):
        completion = failure(reach, events(said("Hel"), said("lo"), then=then))
        assert isinstance(completion.error, BackendError) and words in str(completion.error)
        assert completion.text == "Hello" and completion.completion_tokens == 2


def test_what_no_server_should_say_does_no_harm(reach):
    odd: list[object] = [
        {"choices": [None], "usage": "many"},
        {"choices": {"0": 1}, "timings": [1]},
        {"choices": [{"delta": {"content": 7}, "finish_reason": None}]},
        {"choices": [{"delta": None, "text": None}], "usage": {"completion_tokens": -5}},
        'data: {"choices": [{"delta": {"content": "a\\ud800\\u0000b"}}]}\n\n',
        {"choices": [], "usage": {"prompt_tokens": 10**30, "completion_tokens": True}},
        said("", "because"),
    ]
    with Server(events(*odd, DONE)) as server:
        completion = reach(server).complete(HELLO)
    assert completion.error is None and completion.stop is Stop.END
    assert completion.text == "a?\ufffdb" and completion.completion_tokens == 1
    assert completion.prompt_tokens < 2**32


def test_a_stream_may_end_without_its_last_mark(reach):
    with Server(events(said("Hi", "length"), USAGE)) as server:
        completion = reach(server).complete(HELLO)
    assert (completion.text, completion.stop, completion.error) == ("Hi", Stop.LENGTH, None)


def test_a_server_that_falls_silent_is_given_up(reach):
    completion = failure(reach, silence, server_timeout_s=0.3)
    assert "did not answer within 0.3 s" in str(completion.error)
    completion = failure(reach, events(said("Hel"), then="stall"), server_timeout_s=0.3)
    assert "fell silent in the middle" in str(completion.error) and completion.text == "Hel"


def test_a_cancel_or_a_deadline_does_not_wait_for_a_silent_server(reach):
    with Server(silence) as server:
        backend = reach(server)
        done: list[Completion] = []
        ticket = backend.submit(HELLO, print, done.append)
        await_that(lambda: server.seen)
        ticket.cancel()
        await_that(lambda: done, 0.5)
        assert done[0].stop is Stop.CANCELED
        start = time.monotonic()
        late = Request(HELLO.prompt, GREEDY, 12, deadline=start + 0.3)
        assert backend.complete(late).stop is Stop.DEADLINE
        assert 0.3 <= time.monotonic() - start < 1.0


def test_a_request_that_is_cancelled_at_once_is_answered(reach):
    with Server(silence) as server:
        backend = reach(server)
        done: list[Completion] = []
        for _ in range(3):
            backend.submit(HELLO, print, done.append).cancel()
        await_that(lambda: len(done) == 3)
        assert {each.stop for each in done} == {Stop.CANCELED}
        assert all(each.queued > 0 for each in done)
        assert (backend.figures().queued, backend.figures().running) == (0, 0)


def test_closing_ends_everything_and_leaves_no_thread(reach):
    with Server(silence) as server:
        backend = reach(server)
        done: list[Completion] = []
        for _ in range(4):
            backend.submit(HELLO, print, done.append)
        start = time.monotonic()
        backend.close()
        backend.close()
        assert time.monotonic() - start < 1.0
        assert len(done) == 4 and all(isinstance(each.error, ShuttingDown) for each in done)
        assert "openai" not in [thread.name for thread in threading.enumerate()]
        with pytest.raises(ShuttingDown):
            backend.submit(HELLO, print, print)
        with pytest.raises(ShuttingDown):
            backend.embed("x").result()


def test_a_server_that_starts_a_little_later_is_found(reach):
    with Server(GOOD) as taken:
        port = taken.server_port
    late: list[Server] = []

    def start() -> None:
        late.append(Server(GOOD, port=port).__enter__())

    timer = threading.Timer(0.5, start)
    timer.start()
    try:
        assert reach(f"http://127.0.0.1:{port}/v1/").complete(HELLO).text == "Hello"
    finally:
        timer.join()
        late[0].__exit__()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"server_url": "http://127.0.0.1:1"}, "cannot be reached: Connection refused"),
        ({"server_url": "http://robot.invalid"}, "there is no host of this name"),
        ({"server_url": "robot:8080"}, "server_url must be like http://host:8080"),
        ({"server_url": "http://ada:secret@robot:80"}, "must have no password in it"),
        ({"server_url": "http://robot:port"}, "is not a URL"),
        ({"server_model": "gpt"}, "has no model named 'gpt'; it has m"),
        ({"server_key_file": "/nowhere/key"}, "cannot be read: No such file"),
    ],
)
def test_a_server_that_cannot_be_used_is_told_in_a_sentence(reach, settings, words):
    with Server(GOOD) as server, pytest.raises(ModelError) as error:
        reach(settings.pop("server_url", server.url), **settings)
    assert words in str(error.value) and "secret" not in str(error.value)


def test_a_server_that_accepts_and_says_nothing_is_told_soon(reach, monkeypatch):
    monkeypatch.setattr(served_model, "_LONGEST_LOOK_S", 0.3)
    with Server(GOOD) as server, pytest.raises(ModelError, match=r"within 0\.3 s what it serves"):
        server.mute = True
        reach(server)


def test_a_slider_moves_its_own_adapter_on_a_server_that_was_started_again(reach):
    with Server(GOOD, models=[{"id": "m", "owned_by": "llamacpp"}]) as server:

        def start(*names: str) -> None:
            listed = [{"id": place, "path": f"{name}.gguf"} for place, name in enumerate(names)]
            server.documents = {"/props": {}, "/lora-adapters": listed}

        def scales(*adapters: tuple[str, float]) -> dict[int, float]:
            request = Request(HELLO.prompt, GREEDY, 12, adapters=adapters)
            assert backend.complete(request).error is None
            return {each["id"]: each["scale"] for each in server.seen[-1][1]["lora"]}

        start("warmth", "dialect")
        backend = reach(server)
        assert scales(("warmth", 0.8)) == {0: 0.8, 1: 0.0}
        start("dialect", "warmth")
        assert scales(("warmth", 0.8)) == {0: 0.0, 1: 0.8}
        start("dialect")
        assert scales() == {0: 0.0}
        error = backend.complete(Request(HELLO.prompt, GREEDY, 12, adapters=(("warmth", 0.8),)))
        assert isinstance(error.error, AdapterError) and "other adapters (dialect)" in str(
            error.error
        )


def test_a_server_without_tls_is_told_from_one_that_is_down(reach):
    with Server(GOOD) as server, pytest.raises(ModelError, match="may have to be http://"):
        reach(server.url.replace("http", "https"))


def test_which_model_is_meant_must_be_clear(reach):
    for models, words in (
        ([], "serves no model"),
        ([{"id": "a"}, {"id": "b"}], "several models: set server_model to one of a, b"),
        ({}, "does not speak the OpenAI API"),
    ):
        with Server(GOOD) as server, pytest.raises(ModelError, match=words):
            server.models = models
            reach(server)
    with Server(GOOD, models=[{"id": "a"}, {"id": "b"}]) as server:
        reach(server, server_model="b").complete(HELLO)
        assert server.seen[0][1]["model"] == "b"


def test_the_key_is_sent_and_seen_nowhere_else(reach, monkeypatch, caplog, tmp_path):
    caplog.set_level(logging.DEBUG)
    file = tmp_path / "key"
    file.write_text("sk-from-a-file\n")
    monkeypatch.setenv("CLARA_SERVER_KEY", "sk-from-the-environment")
    for settings, key in (({}, "sk-from-the-env"), ({"server_key_file": str(file)}, "sk-from-a")):
        with Server(GOOD) as server, pytest.raises(ModelError) as error:
            server.refused_key = True
            reach(server, **settings)
        # This server shows in its answer what it got.
        assert "wrong: Bearer ***" in str(error.value) and key not in str(error.value)
    with Server(GOOD) as server:
        reach(server).complete(HELLO)
    assert "sk-from" not in caplog.text
    file.write_text("two\nlines")
    with Server(GOOD) as server, pytest.raises(ModelError, match="in one line of ASCII"):
        reach(server, server_key_file=str(file))


def test_a_server_without_grammars_refuses_them_but_takes_a_schema(reach):
    with Server(GOOD) as server:
        backend = reach(server)
        assert "takes no grammar" in backend.refuse_grammar()
        sampling = SamplerSettings(0.0, 1.0, 0, 0.0, 1.0, 0, grammar='root ::= "a"')
        refused = backend.complete(Request(HELLO.prompt, sampling, 12))
        assert isinstance(refused.error, InvalidRequest) and not server.seen
        schema = SamplerSettings(
            0.0, 1.0, 0, 0.0, 1.0, 0, grammar="root ::= object", json_schema='{"type": "object"}'
        )
        assert backend.complete(Request(HELLO.prompt, schema, 12)).error is None
        form = server.seen[0][1]["response_format"]
        assert form["json_schema"]["schema"] == {"type": "object"}
        with pytest.raises(BackendError, match="does not tell tokens"):
            backend.tokenize("hello").result()
        with pytest.raises(AdapterError, match="llama-server --lora FILE"):
            backend.load_adapter("warmth", Path("x.gguf")).result()


def test_a_server_that_cuts_prompts_in_silence_never_gets_one_too_long(reach):
    turn = Exchange("Tell me about the sea, please.", "The sea is wide, and deep, and blue. " * 8)
    with Server(GOOD) as server:
        backend = reach(server)
        prompt = ChatPrompt("You are Clara.", "And the moon?", (turn,) * 20)
        completion = backend.complete(Request(prompt, GREEDY, 100))
        messages = server.seen[0][1]["messages"]
        assert 0 < completion.dropped_turns < 20
        assert len(messages) == 2 + 2 * (20 - completion.dropped_turns)
        assert messages[0]["role"] == "system" and messages[-1]["content"] == "And the moon?"
        assert sum(len(each["content"]) for each in messages) < 1024 * 4
        long = ChatPrompt("You are Clara.", "word " * 2000)
        error = backend.complete(Request(long, GREEDY, 100)).error
        assert isinstance(error, ContextOverflow) and "the context has 1024" in str(error)
        # The rate that English text has tells nothing of these.
        long = ChatPrompt("You are Clara.", "猫が窓を開けた。" * 150)
        assert isinstance(backend.complete(Request(long, GREEDY, 100)).error, ContextOverflow)


def test_a_prompt_that_the_server_finds_too_long_is_shortened_and_sent_again(reach):
    long = status(400, {"error": {"message": "maximum context length is 1024 tokens"}})
    turn = Exchange("Tell me about the sea.", "The sea is wide. " * 8)
    models = [{"id": "m", "owned_by": "vllm", "max_model_len": 1024}]
    # What is held back of a reply is held back of the one that comes in the end.
    promise = said("<think>They ask.</think>Sure, I will open"), said(" the window.", "stop"), DONE
    with Server(long, long, events(*promise), models=models) as server:
        backend = reach(server)
        assert backend.n_ctx == 1024
        prompt = ChatPrompt("You are Clara.", "And the moon?", (turn,) * 10)
        no_promise = NoPromise("open", "I cannot.")
        completion = backend.complete(Request(prompt, GREEDY, 2000, no_promise=no_promise))
        assert completion.text == "I cannot." and completion.dropped_turns > 0
        lengths = [len(body["messages"]) for _, body in server.seen]
        assert lengths == sorted(lengths, reverse=True) and lengths[-1] < lengths[0]
        # A reply may only be as long as the context has room for.
        assert all(body["max_tokens"] < 1024 for _, body in server.seen)


def await_that(condition: Callable[[], object], limit: float = 5.0) -> None:
    end = time.monotonic() + limit
    while not condition():
        assert time.monotonic() < end, "the condition did not come true in time"
        time.sleep(0.005)
