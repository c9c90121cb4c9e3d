# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Several conversations on one set of weights, and what is kept of them between runs."""

from __future__ import annotations

import json
import resource
import shutil
import threading
import time
from pathlib import Path

import llama_cpp
import pytest
from clara_brain.decoding import Completion, Stop
from clara_brain.engine import Engine, Request
from clara_brain.llama_runtime import LlamaRuntime, Piece
from clara_brain.lookup import Lookup
from clara_brain.model_info import default_model
from clara_brain.prompt import ChatPrompt, Exchange
from clara_brain.sampler import SamplerSettings
from clara_brain.settings import EngineSettings
from tiny_model import write_model

GREEDY = SamplerSettings(0.0, 1.0, 0, 0.0, 1.0, 0)
PERSONA = "You are Clara, a kind and careful robot. " * 12
QUESTIONS = ("What is tea?", "What is a whale?", "Why is the sky blue?", "Who was Newton?")


class Turn:
    """A turn under way: when each of its pieces came, and what became of it."""

    def __init__(
        self, engine: Engine, text: str, tokens: int = 24, persona: str = "", session: str = ""
    ) -> None:
        self.times: list[float] = []
        self.done = threading.Event()
        self.completion = Completion()
        request = Request(ChatPrompt(persona, text), GREEDY, tokens, session=session)
        self.ticket = engine.submit(request, self._token, self._finish)

    def _token(self, delta: str) -> None:
        self.times.append(time.monotonic())

    def _finish(self, completion: Completion) -> None:
        self.completion = completion
        self.done.set()

    def wait(self) -> Completion:
        assert self.done.wait(60)
        return self.completion


def test_turns_at_once_say_what_each_says_alone(engine):
    alone = [Turn(engine, text).wait().text for text in QUESTIONS[:3]]
    together = [turn.wait().text for turn in [Turn(engine, text) for text in QUESTIONS[:3]]]
    assert together == alone


def test_a_short_turn_does_not_wait_for_a_long_one(engine):
    long = Turn(engine, "Tell a very long story.", 600)
    short = Turn(engine, "Hello!", 5)
    short.wait()
    assert not long.done.is_set()
    long.ticket.cancel()
    assert long.wait().stop is Stop.CANCELED


def test_a_long_prompt_does_not_hold_up_a_reply_under_way(engine):
    reply = Turn(engine, "Tell a very long story.", 600)
    while len(reply.times) < 5:
        assert not reply.done.wait(0.01)
    before = len(reply.times)
    long = Turn(engine, "word " * 700, 1)
    long.wait()
    during = len(reply.times) - before
    reply.ticket.cancel()
    reply.wait()
    # 700 tokens of prompt are 11 shares of 64, and each goes with a token of the reply.
    assert during >= 8


def test_a_turn_that_is_cancelled_leaves_the_others_as_they_were(engine):
    alone = Turn(engine, QUESTIONS[1], 40).wait().text
    kept = Turn(engine, QUESTIONS[1], 40)
    others = [Turn(engine, "word " * 300, 40), Turn(engine, "Tell a long story.", 400)]
    while len(kept.times) < 5:
        assert not kept.done.wait(0.01)
    for other in others:
        other.ticket.cancel()
    assert kept.wait().text == alone


def test_a_persona_is_evaluated_once_for_all_conversations(model: Path):
    engine = Engine(model, EngineSettings(n_ctx=512, slots=3, n_threads=1))
    try:
        first = Turn(engine, QUESTIONS[0], 4, PERSONA).wait()
        others = [Turn(engine, text, 4, PERSONA) for text in QUESTIONS[1:3]]
        assert first.cached_tokens == 0
        for other in others:
            assert other.wait().cached_tokens > 0.8 * other.completion.prompt_tokens
    finally:
        engine.close()


def test_what_was_evaluated_is_there_again_after_a_restart(model: Path, tmp_path: Path):
    settings = EngineSettings(n_ctx=512, slots=2, n_threads=1, cache_path=tmp_path / "kv")
    engine = Engine(model, settings)
    Turn(engine, QUESTIONS[0], 8, PERSONA).wait()
    first = Turn(engine, QUESTIONS[0], 8, PERSONA).wait()
    engine.close()
    assert (tmp_path / "kv" / "index.json").stat().st_mode & 0o077 == 0
    engine = Engine(model, settings)
    try:
        assert engine.figures().restored_sequences == 1
        again = Turn(engine, QUESTIONS[0], 8, PERSONA).wait()
        assert again.cached_tokens == again.prompt_tokens - 1
        assert again.text == first.text
    finally:
        engine.close()


@pytest.mark.parametrize("damage", ["truncated", "index", "format", "other model", "garbage"])
def test_a_saved_cache_that_is_not_ours_is_not_used(model: Path, tmp_path: Path, damage: str):
    folder = tmp_path / "kv"
    settings = EngineSettings(n_ctx=512, slots=1, n_threads=1, cache_path=folder)
    engine = Engine(model, settings)
    first = Turn(engine, QUESTIONS[0], 4, PERSONA).wait()
    engine.close()
    index, file = folder / "index.json", folder / "0.kv"
    document = json.loads(index.read_text())
    if damage == "truncated":
        file.write_bytes(file.read_bytes()[:5000])
    elif damage == "index":
        index.write_text("{")
    elif damage == "format":
        index.write_text(json.dumps({**document, "format": 99}))
    elif damage == "other model":
        index.write_text(json.dumps({**document, "identity": "another"}))
    else:
        file.write_bytes(bytes(file.stat().st_size))
    engine = Engine(model, settings)
    try:
        assert engine.figures().restored_sequences == 0
        again = Turn(engine, QUESTIONS[0], 4, PERSONA).wait()
        assert (again.cached_tokens, again.text) == (0, first.text) and first.text
    finally:
        engine.close()


def test_a_model_that_takes_the_place_of_another_does_not_go_on_from_its_cache(tmp_path: Path):
    path, settings = tmp_path / "clara.gguf", EngineSettings(n_ctx=512, cache_path=tmp_path / "kv")
    engine = Engine(write_model(path), settings)
    Turn(engine, QUESTIONS[0], 4, PERSONA).wait()
    write_model(tmp_path / "new.gguf", seed=1).replace(path)
    engine.close()
    assert (tmp_path / "kv" / "index.json").exists()
    engine = Engine(path, settings)
    engine.close()
    assert engine.figures().restored_sequences == 0


def test_a_cache_never_takes_more_room_on_disk_than_it_may(model: Path, tmp_path: Path):
    settings = EngineSettings(n_ctx=512, slots=2, n_threads=1, cache_path=tmp_path, cache_bytes=10)
    engine = Engine(model, settings)
    Turn(engine, QUESTIONS[0], 4, PERSONA).wait()
    engine.close()
    assert list(tmp_path.glob("*.kv")) == []


def test_a_cache_for_which_there_is_no_room_leaves_nothing_on_the_disk(
    tiny, tmp_path, monkeypatch
):
    engine = Engine(tiny, EngineSettings(n_ctx=512, cache_path=tmp_path))
    Turn(engine, QUESTIONS[0], 4, PERSONA).wait()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5000, hard))
    try:
        engine.close()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list(tmp_path.iterdir()) == []
    engine = Engine(tiny, EngineSettings(n_ctx=512, cache_path=tmp_path))
    Turn(engine, QUESTIONS[0], 4, PERSONA).wait()
    nearly_full = shutil.disk_usage(tmp_path)._replace(free=64 << 20)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: nearly_full)
    engine.close()
    assert list(tmp_path.glob("*.kv")) == []


def test_what_was_evaluated_for_a_conversation_goes_with_it_and_no_other(model, tmp_path):
    settings = EngineSettings(n_ctx=512, slots=2, n_threads=1, cache_path=tmp_path)
    said = {"a": "Tea comes in cups and in pots. " * 12, "b": "Whales swim in the cold sea. " * 12}
    engine = Engine(model, settings)
    for session, text in said.items():
        Turn(engine, text, 4, session=session).wait()
    engine.close()
    engine = Engine(model, settings)
    try:
        assert engine.figures().restored_sequences == 2
        engine.forget("a")
        engine.adapters().result(10)  # by then the worker has done what came before
        assert list(tmp_path.iterdir()) == []
        kept = Turn(engine, said["b"], 4, session="b").wait()
        assert kept.cached_tokens == kept.prompt_tokens - 1
        engine.close()
        (sequence,) = json.loads((tmp_path / "index.json").read_text())["sequences"]
        assert sequence["session"] == "b"
    finally:
        engine.close()


def test_a_reply_under_way_is_given_up_at_its_end_when_its_conversation_is_forgotten(model):
    engine = Engine(model, EngineSettings(n_ctx=512, slots=1, n_threads=1))
    try:
        turn = Turn(engine, QUESTIONS[0], 32, PERSONA, session="a")
        while not turn.times:
            assert not turn.done.wait(0.005)
        engine.forget("a")
        assert turn.wait().completion_tokens > 1 and turn.completion.error is None
        assert Turn(engine, QUESTIONS[0], 4, PERSONA, session="a").wait().cached_tokens == 0
    finally:
        engine.close()


def test_lookup_decoding_changes_nothing_but_the_number_of_steps(model: Path):
    text = "Repeat this: one two three four five six seven. one two three four five six seven."
    history = (Exchange(text, "one two three four five six seven. " * 4),)
    request = Request(ChatPrompt("", text, history), GREEDY, 48)
    texts, steps = [], []
    for lookup in (0, 6):
        engine = Engine(model, EngineSettings(n_ctx=512, slots=1, n_threads=1, lookup=lookup))
        texts.append(engine.complete(request).text)
        # The same again goes on from a cache that must not hold wrong guesses.
        texts.append(engine.complete(request).text)
        steps.append(engine._decoder._steps)
        engine.close()
    assert len(set(texts)) == 1
    assert steps[1] < 0.7 * steps[0]


def test_a_lookup_guesses_what_followed_before():
    lookup = Lookup([1, 2, 3, 4, 5, 9])
    assert lookup.guess([1, 2, 3, 4, 5, 9, 1, 2, 3], 2) == [4, 5]
    assert lookup.guess([1, 2, 3, 4, 5, 9, 1, 2, 3, 7], 2) == []


def test_embeddings_have_length_one_and_tell_subjects_apart(engine):
    texts = ("The cat sleeps on the mat.", "A kitten naps on the rug.", "GDP rose by 3 percent.")
    cat, kitten, economy = (engine.embed(text).result(30) for text in texts)
    assert sum(value * value for value in cat) == pytest.approx(1.0)
    likeness = [sum(a * b for a, b in zip(cat, other, strict=True)) for other in (kitten, economy)]
    assert likeness[0] > likeness[1]


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 0, 2, 1)])
def test_sequences_in_any_order_are_evaluated_in_one_go(order):
    runtime = LlamaRuntime(default_model(), EngineSettings(n_ctx=256, slots=4))
    try:
        slots = [runtime.cache.acquire([1, 2, 3], ())[0] for _ in order]
        for place in order:
            runtime.decode([Piece(slots[place], [1, 2, 3])])

        def reused() -> int:
            # A graph is used again only where a step has the same sequences as the one before.
            return llama_cpp.llama_perf_context(runtime._context).n_reused

        before = reused()
        for token in range(5, 11):
            runtime.decode([Piece(slots[place], [token]) for place in order])
        assert reused() - before == 5
    finally:
        runtime.close()
