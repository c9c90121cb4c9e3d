# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""LoRA adapters on the real model: loaded, scaled and unloaded while it runs."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from clara_brain.adapters import Adapters, PersonalityBy
from clara_brain.decoding import Completion
from clara_brain.engine import Engine, Request
from clara_brain.errors import AdapterError
from clara_brain.gguf import GgufHeader
from clara_brain.lora import LoadedAdapter, canonical
from clara_brain.model_info import merged_strengths
from clara_brain.prompt import ChatPrompt
from clara_brain.sampler import SamplerSettings
from clara_brain.settings import EngineSettings
from clara_brain.together import read_together
from conftest import write_adapter

GREEDY = SamplerSettings(0.0, 1.0, 0, 0.0, 1.0, 0)


def ask(engine: Engine, scale: float, text: str = "What is tea?") -> Completion:
    return engine.complete(request(scale, text))


def request(scale: float, text: str, tokens: int = 16) -> Request:
    prompt = ChatPrompt("You are Clara.", text)
    return Request(prompt, GREEDY, tokens, adapters=canonical({"warmth": scale}))


@pytest.fixture(scope="module")
def adapted(model: Path, adapter: Path):
    engine = Engine(model, EngineSettings(n_ctx=512, slots=3, n_threads=1))
    engine.load_adapter("warmth", adapter).result(30)
    yield engine
    engine.close()


def test_an_adapter_changes_the_words_and_none_does_not(adapted, model):
    bare = Engine(model, EngineSettings(n_ctx=512, slots=1, n_threads=1))
    try:
        plain = ask(bare, 0.0).text
    finally:
        bare.close()
    assert ask(adapted, 0.0).text == plain
    assert ask(adapted, 1.0).text != plain


def test_no_turn_goes_on_from_what_was_evaluated_under_another_scale(adapted):
    texts = [ask(adapted, scale).text for scale in (0.0, 1.0, 0.5)]
    again = [ask(adapted, scale) for scale in (0.0, 1.0, 0.5)]
    assert [each.text for each in again] == texts
    # Each scale has a sequence of its own, and finds it again.
    assert all(each.cached_tokens == each.prompt_tokens - 1 for each in again)
    fresh = ask(adapted, 0.75)
    assert fresh.cached_tokens == 0


def test_turns_under_different_scales_at_once_do_not_mix(adapted):
    texts = [ask(adapted, scale, "Who was Newton?").text for scale in (0.0, 1.0)]
    done = [threading.Event(), threading.Event()]
    got: list[Completion] = [Completion(), Completion()]

    def finish(place: int, completion: Completion) -> None:
        got[place] = completion
        done[place].set()

    for place, scale in enumerate((0.0, 1.0)):
        adapted.submit(
            request(scale, "Who was Newton?"),
            lambda delta: None,
            lambda completion, place=place: finish(place, completion),
        )
    assert all(each.wait(30) for each in done)
    assert [each.text for each in got] == texts


def test_an_adapter_in_force_is_not_unloaded_under_a_reply(adapted, tmp_path):
    write_adapter(tmp_path / "other.gguf", seed=2)
    adapted.load_adapter("other", tmp_path / "other.gguf").result(30)
    assert [each.name for each in adapted.adapters().result(30)] == ["other", "warmth"]
    started, ended = threading.Event(), threading.Event()
    long = Request(ChatPrompt("", "Tell a long story."), GREEDY, 400, adapters=(("other", 0.5),))
    ticket = adapted.submit(long, lambda _: started.set(), lambda _: ended.set())
    assert started.wait(30)
    with pytest.raises(AdapterError, match="under way"):
        adapted.unload_adapter("other").result(30)
    ticket.cancel()
    # Nor under one that waits until others are done.
    begun = threading.Semaphore(0)
    bare = replace(long, adapters=())
    others = [adapted.submit(bare, lambda _: begun.release(), print) for _ in range(3)]
    assert all(begun.acquire(timeout=30) for _ in range(30))
    waiting = adapted.submit(long, print, print)
    with pytest.raises(AdapterError, match="under way"):
        adapted.unload_adapter("other").result(30)
    for each in (waiting, *others):
        each.cancel()
    assert ended.wait(10)
    adapted.unload_adapter("other").result(30)
    error = adapted.complete(long).error
    assert isinstance(error, AdapterError) and "other" in str(error)


def test_a_wrong_adapter_is_a_sentence(adapted, model, tmp_path):
    def refusal(name: str, path: Path) -> str:
        with pytest.raises(AdapterError) as caught:
            adapted.load_adapter(name, path).result(30)
        return str(caught.value)

    assert "No such file" in refusal("x", tmp_path / "missing.gguf")
    assert "not an adapter" in refusal("x", model)
    assert "already" in refusal("warmth", tmp_path / "any.gguf")
    write_adapter(tmp_path / "wide.gguf", seed=1, width=640)
    assert "made for another model" in refusal("x", tmp_path / "wide.gguf")
    write_adapter(tmp_path / "other.gguf", seed=1, architecture="qwen2")
    assert "made for another model" in refusal("x", tmp_path / "other.gguf")
    whole = (tmp_path / "wide.gguf").read_bytes()
    (tmp_path / "cut.gguf").write_bytes(whole[: len(whole) // 2])
    assert "cut.gguf" in refusal("x", tmp_path / "cut.gguf")
    with pytest.raises(AdapterError, match="no adapter named 'x'"):
        adapted.unload_adapter("x").result(30)


def test_a_saved_cache_is_given_up_when_an_adapter_of_that_name_is_another(model, tmp_path):
    settings = EngineSettings(n_ctx=512, slots=1, n_threads=1, cache_path=tmp_path / "kv")
    file = tmp_path / "warmth.gguf"
    text = "What is tea made of, and how do people in different countries like to drink it best?"

    def talk(seed: int) -> Completion:
        write_adapter(file, seed)
        engine = Engine(model, settings)
        try:
            engine.load_adapter("warmth", file).result(30)
            return engine.complete(request(1.0, text * 3, 4))
        finally:
            engine.close()

    assert talk(1).cached_tokens == 0
    assert talk(2).cached_tokens == 0


def test_a_saved_cache_serves_the_same_adapter_again(model, adapter, tmp_path):
    settings = EngineSettings(n_ctx=512, slots=1, n_threads=1, cache_path=tmp_path / "kv")
    cached = []
    for _ in range(2):
        engine = Engine(model, settings)
        engine.load_adapter("warmth", adapter).result(30)
        cached.append(engine.complete(request(1.0, "What is tea? " * 30, 4)).cached_tokens)
        engine.close()
    assert cached[0] == 0 < cached[1]


def test_of_a_merged_model_a_slider_adds_only_what_is_not_in_it_yet(adapted):
    header = GgufHeader(3, 0, 0, {"clara.strength.warmth": 0.8, "clara.strength.zeal": 0.5})
    adapters = Adapters(adapted, merged_strengths(header))
    for name in ("warmth", "formal"):
        adapters.added(LoadedAdapter(name, Path(f"{name}.gguf"), "", ""), 0.0)
    sliders = {"warmth": 0.9, "formal": 0.4}
    assert adapters.in_force(sliders, PersonalityBy.ADAPTERS) == (("formal", 0.4), ("warmth", 0.1))
    sliders["warmth"] = 0.8
    assert adapters.in_force(sliders, PersonalityBy.ADAPTERS) == (("formal", 0.4),)
    sliders["warmth"] = 0.0
    assert adapters.in_force(sliders, PersonalityBy.BOTH) == (("formal", 0.4), ("warmth", -0.8))


def together(**changed: object) -> dict:
    """Two adapters that cost 9 and 16, and nothing more together; the model bears 16."""
    document = {
        "format": 1,
        "limit": 16.0,
        "names": ["warmth", "formal"],
        "costs": [[9.0, 0.0], [0.0, 16.0]],
        "inputs": {"adapter warmth": "w", "adapter formal": "f", "base": "b"},
    }
    return {**document, **changed}


def bounded(folder: Path, engine: Engine | None = None, merged: dict | None = None) -> Adapters:
    adapters = Adapters(engine, merged)
    for name in ("warmth", "formal"):
        adapters.added(LoadedAdapter(name, Path(f"{name}.gguf"), "", "", name[0]), 0.0)
    found = read_together(folder)
    assert found is not None
    adapters.bound_together(found)
    return adapters


def test_sliders_that_ask_for_more_than_the_model_bears_share_what_it_does(tmp_path):
    (tmp_path / "together.json").write_text(json.dumps(together()))
    adapters = bounded(tmp_path)
    by = PersonalityBy.ADAPTERS
    alone = {"warmth": 1.0, "formal": 0.0}
    assert adapters.share(alone, by) == 1.0
    assert adapters.in_force(alone, by) == (("warmth", 1.0),)
    both = {"warmth": 1.0, "formal": 1.0}  # 25
    assert adapters.share(both, by) == pytest.approx(0.8)
    assert adapters.in_force(both, by) == (("formal", 0.8), ("warmth", 0.8))
    # What the prompt speaks for takes nothing away.
    assert adapters.share(both, PersonalityBy.PROMPT) == 1.0
    # Of a model that was merged within the bound, sliders where they began add nothing.
    merged = bounded(tmp_path, merged={"warmth": 0.8, "formal": 0.8})
    assert merged.in_force(both, by) == ()
    assert merged.in_force(alone, by) == (("formal", -0.8), ("warmth", 0.2))


def test_a_bound_that_was_measured_of_other_adapters_is_refused(tmp_path):
    inputs = {"adapter warmth": "another", "adapter formal": "f"}
    (tmp_path / "together.json").write_text(json.dumps(together(inputs=inputs)))
    with pytest.raises(AdapterError, match=r"'warmth' .*is not the one .*clara-train merge"):
        bounded(tmp_path)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        json.dumps(together(format=2)),
        json.dumps(together(limit=0)),
        json.dumps(together(limit=float("nan"))),
        json.dumps(together(limit="4 or so")),
        json.dumps(together(costs=[[1.0]])),
        json.dumps(together(costs=[[1.0, None], [0.0, 1.0]])),
        json.dumps(together(names=["warmth", "warmth"])),
        json.dumps(together(inputs={})),
        "[" * 100_000,
    ],
)
def test_a_damaged_bound_is_a_sentence(tmp_path, text):
    (tmp_path / "together.json").write_text(text)
    with pytest.raises(AdapterError) as caught:
        read_together(tmp_path)
    assert "together.json" in str(caught.value) and "\n" not in str(caught.value)


def test_without_the_file_nothing_is_bounded(tmp_path):
    assert read_together(tmp_path) is None
