# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Governance heads beside a real llama.cpp, on a tiny model with random weights."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path

import llama_cpp
import numpy as np
import pytest
from clara_brain.backend import Request
from clara_brain.decoding import Completion, Stop
from clara_brain.engine import Engine
from clara_brain.errors import GovernanceError
from clara_brain.prompt import RawPrompt
from clara_brain.readout import Readout
from clara_brain.sampler import SamplerSettings
from clara_brain.settings import EngineSettings
from clara_brain.span_vector import similarities
from tiny_model import LABELS, MEMORY, POLICY, WIDTH, heads, write_heads

from clara_brain import gguf, governance_file

GREEDY = SamplerSettings(0.0, 1.0, 0, 0.0, 1.0, seed=0)
SETTINGS = EngineSettings(n_ctx=512, slots=3, n_batch=64, n_threads=1, queue_size=8)
WORDS = "the second part of it"
PROMPT = f"A first part, and then {WORDS}"


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_heads(tmp_path_factory.mktemp("heads") / governance_file.FILE_NAME, *heads())


@pytest.fixture(scope="module")
def plain(tiny: Path) -> Iterator[Plain]:
    plain = Plain(tiny)
    yield plain
    plain.close()


@pytest.fixture(scope="module")
def served(tiny: Path, file: Path) -> Iterator[Engine]:
    engine = Engine(tiny, SETTINGS, file)
    yield engine
    engine.close()


def raw(text: str = PROMPT, tokens: int = 10) -> Request:
    return Request(RawPrompt(text), GREEDY, tokens, read=True)


def readout(completion: Completion) -> Readout:
    assert completion.error is None and completion.readout is not None
    return completion.readout


class Plain:
    """The same computed the plain way: one token after the other, heads written out."""

    def __init__(self, model: Path) -> None:
        params = llama_cpp.llama_model_default_params()
        self.model = llama_cpp.llama_model_load_from_file(str(model).encode(), params)
        self.vocab = llama_cpp.llama_model_get_vocab(self.model)
        params = llama_cpp.llama_context_default_params()
        params.n_ctx = params.n_batch = params.n_ubatch = 512
        params.n_threads = params.n_threads_batch = 1
        params.n_outputs_max_per_seq = 0
        params.embeddings = True
        params.pooling_type = llama_cpp.LLAMA_POOLING_TYPE_NONE
        self.context = llama_cpp.llama_init_from_model(self.model, params)
        self.tensors = heads()[1]

    def close(self) -> None:
        llama_cpp.llama_free(self.context)
        llama_cpp.llama_model_free(self.model)

    def tokenize(self, text: str, add_special: bool) -> list[int]:
        tokens = (llama_cpp.llama_token * 512)()
        data = text.encode()
        count = llama_cpp.llama_tokenize(
            self.vocab, data, len(data), tokens, 512, add_special, False
        )
        return list(tokens[:count])

    def states(self, tokens: list[int]) -> tuple[np.ndarray, np.ndarray]:
        """Return the states (n, width) and logits (n, vocabulary) of all tokens."""
        llama_cpp.llama_memory_clear(llama_cpp.llama_get_memory(self.context), True)
        array = (llama_cpp.llama_token * len(tokens))(*tokens)  # the batch only points to it
        batch = llama_cpp.llama_batch_get_one(array, len(tokens))
        assert llama_cpp.llama_decode(self.context, batch) == 0
        words = llama_cpp.llama_vocab_n_tokens(self.vocab)
        states = [
            llama_cpp.llama_get_embeddings_ith(self.context, place)[:WIDTH]
            for place in range(len(tokens))
        ]
        logits = [
            np.ctypeslib.as_array(
                llama_cpp.llama_get_logits_ith(self.context, place), (words,)
            ).astype(np.float64)
            for place in range(len(tokens))
        ]
        return np.array(states), np.array(logits)

    def reply(self, prompt: str, count: int) -> tuple[list[int], list[int]]:
        tokens = self.tokenize(prompt, add_special=True)
        reply: list[int] = []
        while len(reply) < count:
            reply.append(int(self.states(tokens + reply)[1][-1].argmax()))
        return tokens, reply

    def head(self, name: str, inputs: np.ndarray) -> np.ndarray:
        values = inputs.astype(np.float64)
        if f"{name}.mean" in self.tensors:
            values = (values - self.tensors[f"{name}.mean"]) / self.tensors[f"{name}.scale"]
        for layer in range(9):
            if layer and f"{name}.{layer}.weight" in self.tensors:
                values = values / (1 + np.exp(-values))
            if f"{name}.{layer}.weight" not in self.tensors:
                return values
            weight = self.tensors[f"{name}.{layer}.weight"]
            values = values @ weight.T + self.tensors[f"{name}.{layer}.bias"]
        raise AssertionError

    def nats(self, inputs: np.ndarray) -> np.ndarray:
        """Return what trace expects of states with their entropies, (n, WIDTH + 1)."""
        given = self.head("trace", inputs)[:, 0] + np.log(np.expm1(inputs[:, -1]))
        return np.log1p(np.exp(given))

    def terms(self, name: str, tokens: list[int], saturation: float) -> np.ndarray:
        """Return what each token of the vocabulary counts in a span, of length 1."""
        weight = self.tensors[f"{name}.token_weight"].astype(np.float64)
        counts = np.bincount(tokens, minlength=len(weight))
        terms = weight * counts / (counts + saturation)
        return terms / np.linalg.norm(terms)


def entropy(logits: np.ndarray) -> np.ndarray:
    logits = logits - logits.max(-1, keepdims=True)
    logs = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    return -(np.exp(logs) * logs).sum(-1)


def test_what_the_heads_read_is_what_a_plain_computation_gives(served, plain):
    read = readout(served.complete(raw()))
    tokens, reply = plain.reply(PROMPT, 10)
    states, logits = plain.states(tokens + reply)
    begin = len(tokens)

    # The last token is chosen and not evaluated: nine states have read the reply.
    logit = plain.head("policy", states[begin : begin + 9].mean(0))
    logit += plain.terms("policy", reply[:9], 2.0) @ plain.tensors["policy.table"]
    logit /= 1.5
    probabilities = np.exp(logit) / np.exp(logit).sum()
    assert read.labels == tuple(LABELS) and read.policy_tokens == 9
    np.testing.assert_allclose(read.probabilities, probabilities, rtol=1e-3)
    likely = LABELS[probabilities.argmax()] if probabilities.max() >= 0.4 else ""
    assert read.policy == likely

    before = slice(begin - 1, begin + 9)
    inputs = np.concatenate([states[before], entropy(logits[before])[:, None]], axis=1)
    nats = plain.nats(inputs)
    np.testing.assert_allclose(read.trace_nats, nats, rtol=1e-3, atol=1e-4)


def test_the_memory_head_reads_a_text_by_itself_behind_a_beginning_of_text(served, plain):
    begin = llama_cpp.llama_vocab_bos(plain.vocab)
    for text in (WORDS, f"{WORDS} <|im_end|>", "word after word " * 100):
        embedding = served.embed_span(text).result(20)
        tokens = plain.tokenize(text.replace("<|im_end|>", " "), add_special=False)
        tokens = tokens[: min(128, SETTINGS.n_batch - 1)]
        states, _ = plain.states([begin, *tokens])
        terms = plain.terms("memory", tokens, 3.0)
        parts = terms @ plain.tensors["memory.table"], plain.head("memory", states[1:].mean(0))
        dense = [
            np.sqrt(share) * part / np.linalg.norm(part)
            for share, part in zip((0.4, 0.3), parts, strict=True)
        ]
        wanted = np.concatenate((terms, *dense)) / np.sqrt(1.7)
        found = np.zeros(len(terms))
        found[embedding.vector.tokens] = embedding.vector.weights
        np.testing.assert_allclose(
            np.concatenate((found, embedding.vector.dense)), wanted, atol=1e-3
        )
        assert similarities([embedding.vector], embedding.vector) == pytest.approx(1.0)
        assert embedding.similar == pytest.approx(0.2)
    assert served.embed_span("").result(20) is None


def test_reading_a_text_does_not_disturb_a_reply_under_way(served):
    alone = served.complete(raw("Undisturbed " + PROMPT, tokens=40))
    done, read = Future(), []
    served.submit(
        raw("Undisturbed " + PROMPT, tokens=40),
        lambda delta: read.append(served.embed_span(delta)),
        done.set_result,
    )
    assert done.result(20).text == alone.text and len(read) > 1
    np.testing.assert_allclose(
        readout(done.result()).trace_nats, readout(alone).trace_nats, atol=1e-3
    )


def test_no_heads_no_read_outs_and_no_states_are_asked_of_llama_cpp(tiny):
    engine = Engine(tiny, SETTINGS)
    try:
        completion = engine.complete(raw())
        assert completion.completion_tokens and completion.readout is None
        assert engine.readouts == "" and engine.no_heads == ""
        assert engine.embed_span(WORDS).result(20) is None
        runtime = engine._runtime
        assert not llama_cpp.llama_get_embeddings(runtime._context) and not runtime._reader
        assert all(slot.states is None for slot in runtime.cache._slots)
    finally:
        engine.close()


def test_a_request_that_wants_no_read_outs_gets_none(served):
    assert served.complete(Request(RawPrompt(PROMPT), GREEDY, 4)).readout is None


@pytest.mark.parametrize("stop", [(), ("e",), ("an", "\n")])
def test_the_places_of_the_trace_join_up_with_the_text(served, stop):
    for seed in range(12):
        sampling = SamplerSettings(1.8, 1.0, 0, 0.0, 1.0, seed=seed)
        completion = served.complete(Request(RawPrompt("So"), sampling, 24, stop, read=True))
        read, text = readout(completion), completion.text
        assert len(read.trace_offsets) == len(read.trace_nats) == completion.completion_tokens
        ends = [*read.trace_offsets[1:], len(text)]
        assert read.trace_offsets[0] == 0 and list(read.trace_offsets) == sorted(
            read.trace_offsets
        )
        pieces = [text[a:b] for a, b in zip(read.trace_offsets, ends, strict=True)]
        assert "".join(pieces) == text
        if stop and completion.stop is Stop.STRING:
            assert read.policy_tokens <= sum(offset < len(text) for offset in read.trace_offsets)


def test_a_character_of_several_tokens_is_the_text_of_the_last_one(served):
    characters = served.tokenize("\U0001f98a").result()
    assert len(characters) > 1
    bias = tuple((token, 1000.0) for token in characters[:1])
    sampling = SamplerSettings(0.0, 1.0, 0, 0.0, 1.0, seed=0, logit_bias=bias)
    completion = served.complete(Request(RawPrompt("So"), sampling, 3, read=True))
    # Three first bytes and never a second: each is U+FFFD as soon as the next one shows it, and
    # the last one is left out.
    assert completion.text == "\ufffd" * 2
    assert readout(completion).trace_offsets == (0, 0, 1)


def test_read_outs_are_the_same_whatever_is_cached(served):
    first = served.complete(raw("Twice " + PROMPT))
    again = served.complete(raw("Twice " + PROMPT))
    assert first.text == again.text and again.cached_tokens == again.prompt_tokens - 1
    for name in ("probabilities", "trace_nats"):
        np.testing.assert_allclose(
            getattr(readout(first), name), getattr(readout(again), name), atol=1e-4
        )


def test_conversations_decoded_at_once_do_not_mix_their_states(served):
    texts = [f"{name} {PROMPT}" for name in ("Alpha", "A much longer beginning of it all:", "C")]
    alone = [readout(served.complete(raw(text))) for text in texts]
    done: list[Future[Completion]] = []
    for text in texts:
        done.append(Future())
        served.submit(raw(f"{text}"), lambda delta: None, done[-1].set_result)
    together = [readout(each.result(20)) for each in done]
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_allclose(one.probabilities, other.probabilities, atol=1e-3)
        np.testing.assert_allclose(one.trace_nats, other.trace_nats, atol=1e-2)
    assert not np.allclose(together[0].probabilities, together[1].probabilities, atol=1e-2)


def test_guessed_tokens_leave_no_trace_of_their_own(tiny, file, plain):
    guessing = Engine(tiny, EngineSettings(n_ctx=512, slots=1, n_threads=1, lookup=4), file)
    try:
        request = raw("go on and on, go on and on, go on and on, go on and on, go on", 24)
        completion = guessing.complete(request)
        tokens, reply = plain.reply(request.prompt.text, 24)
        states, logits = plain.states(tokens + reply)
        before = slice(len(tokens) - 1, len(tokens) + 23)
        inputs = np.concatenate([states[before], entropy(logits[before])[:, None]], axis=1)
        nats = plain.nats(inputs)
        np.testing.assert_allclose(readout(completion).trace_nats, nats, rtol=1e-2, atol=1e-3)
    finally:
        guessing.close()


def _changed(**changes):
    document, tensors = heads()
    for name, value in changes.items():
        if name in document:
            document[name] = value
        elif value is None:
            del tensors[name.replace("__", ".")]
        else:
            tensors[name.replace("__", ".")] = value
    return document, tensors


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"version": 1}, "has format 1, this Clara knows 2"),
        ({"model_sha256": "6" * 64}, "has the heads of model 666666666666, but the loaded one is"),
        ({"model_sha256": None}, "does not say of which model it is"),
        ({"width": 32}, "is for hidden states of width 32, but the model's have 64"),
        ({"policy": POLICY | {"temperature": 0}}, "policy.temperature must be more than 0, not 0"),
        ({"policy": POLICY | {"labels": ["law"]}}, "two or more"),
        ({"policy": 3}, "policy is no JSON object"),
        ({"memory": MEMORY | {"size": 17}}, "shape [16, 64], not [17, 64]"),
        ({"memory": MEMORY | {"threshold": "x"}}, "memory.threshold must be a number"),
        ({"memory": MEMORY | {"mix": 0.3}}, "memory.mix must be two numbers, not 0.3"),
        ({"memory": MEMORY | {"mix": [0.3, -1]}}, "memory.mix must be more than 0, not -1"),
        ({"memory": MEMORY | {"saturation": None}}, "memory.saturation must be a number"),
        ({"policy__table": np.ones((9, 3), np.float32)}, "shape [9, 3], not [49152, 3]"),
        ({"memory__token_weight": np.zeros(49152, np.float32)}, "not more than 0"),
        ({"memory__token_weight": None}, "tensor memory.token_weight is missing"),
        ({"trace": {"threshold": "x"}}, "trace.threshold must be a number"),
        ({"trace__0__weight": np.ones((24, 64), np.float32)}, "shape [24, 64], not [24, 65]"),
        ({"policy__1__bias": None}, "tensor policy.1.bias is missing"),
        ({"policy__0__weight": None}, "tensor policy.0.weight is missing"),
        ({"trace__scale": np.zeros(65, np.float32)}, "not more than 0"),
        ({"trace__scale": None}, "tensor trace.scale is missing"),
        ({"memory__0__bias": np.full(16, np.nan, np.float32)}, "not finite"),
        ({"memory__0__bias": np.zeros(16, np.float16)}, "has the type float16, not float32"),
    ],
)
def test_heads_that_do_not_fit_are_one_sentence(tiny, tmp_path, changes, said):
    path = write_heads(tmp_path / "heads.safetensors", *_changed(**changes))
    with pytest.raises(GovernanceError) as caught:
        governance_file.load(path, gguf.read_header(tiny))
    assert said in str(caught.value) and str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_broken_file_is_one_sentence_and_the_model_is_served_without(tiny, file, tmp_path):
    whole = file.read_bytes()
    broken = tmp_path / "broken.safetensors"
    for content in (b"", b"no tensors", whole[:100], whole[:-100], whole[:8] + b"x" * 400):
        broken.write_bytes(content)
        with pytest.raises(GovernanceError, match="is damaged or no safetensors file"):
            governance_file.load(broken, gguf.read_header(tiny))
    engine = Engine(tiny, SETTINGS, broken)
    try:
        assert "is damaged" in engine.no_heads and engine.readouts == engine.no_heads
        completion = engine.complete(raw())
        assert completion.error is None and completion.readout is None
        assert engine.model_info().no_heads == engine.no_heads
    finally:
        engine.close()
    with pytest.raises(GovernanceError, match=r"cannot be read"):
        governance_file.load(tmp_path / "absent.safetensors", gguf.read_header(tiny))


def test_a_model_that_does_not_say_which_it_is_gets_no_heads(tiny, file):
    header = gguf.read_header(tiny)
    metadata = {name: header.metadata[name] for name in header.metadata if "clara" not in name}
    with pytest.raises(GovernanceError, match="the loaded one is one that does not say"):
        governance_file.load(file, replace(header, metadata=metadata))
    del header.metadata["llama.vocab_size"]
    with pytest.raises(GovernanceError, match="does not say how many tokens it has"):
        governance_file.load(file, header)


def test_a_head_that_did_not_beat_its_baseline_is_not_run_and_this_is_said(tiny, tmp_path):
    metrics = {"policy": {"useful": False}, "memory": {"useful": True, "recall": {"at_1": 0.5}}}
    path = write_heads(tmp_path / "heads.safetensors", *heads(metrics=metrics))
    engine = Engine(tiny, SETTINGS, path)
    try:
        assert engine.heads.heads == ("memory", "trace") and engine.heads.unused == ("policy",)
        assert "not better than their baseline and not run: policy" in engine.readouts
        assert ("memory.recall.at_1", "0.5") in engine.heads.metrics
        read = readout(engine.complete(raw()))
        assert not read.labels and not read.policy and read.trace_nats
        assert engine.embed_span(WORDS).result(20) is not None
    finally:
        engine.close()


def test_such_a_head_is_run_where_that_is_asked_for_and_this_is_said(tiny, tmp_path):
    metrics = {"policy": {"useful": False}, "trace": {"useful": True}}
    path = write_heads(tmp_path / "heads.safetensors", *heads(metrics=metrics))
    engine = Engine(tiny, SETTINGS, path, unproven_heads=True)
    try:
        assert engine.heads.heads == ("policy", "memory", "trace")
        assert engine.heads.unproven == ("policy",) and engine.heads.unused == ()
        assert "run though not better than their baseline: policy" in engine.readouts
        assert "not run" not in engine.readouts
        read = readout(engine.complete(raw()))
        assert len(read.labels) and read.trace_nats
    finally:
        engine.close()


def test_safetensors_is_only_read_where_heads_are_and_never_brings_torch(tiny, file):
    script = (
        "import sys; from clara_brain import engine, gguf, governance_file;"
        "assert 'safetensors' not in sys.modules;"
        f"header = gguf.read_header({str(tiny)!r});"
        f"governance_file.load(governance_file.Path({str(file)!r}), header);"
        "assert 'torch' not in sys.modules"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def test_the_command_joins_neighbouring_unsure_tokens_and_says_the_rest_in_a_line_each():
    from clara_brain import cli_text
    from clara_interfaces.msg import ConversationHit, Governance

    read = Governance(
        policy="",
        policy_labels=["law", "poetry"],
        policy_probabilities=[0.25, 0.75],
        trace_offsets=[0, 1, 5, 7, 11, 11],
        trace_nats=[1.0, 4.0, 5.0, 0.5, 6.0, 6.0],
        trace_unsure=4.0,
        hits=[ConversationHit(turn=3, by_clara=True, text="a\n\x1b[31mcup", similarity=0.5)],
    )
    assert cli_text.unsure("I saw a big cat", read) == ["saw a", "cat"]
    assert cli_text.governance("I saw a big cat", read) == [
        "policy: unsure (poetry 75%, law 25%)",
        "trace: unsure of 4 of 6 tokens: saw a | cat",
        "close (0.50): in turn 3 I said: a [31mcup",
    ]
    assert cli_text.governance("I", Governance()) == []
