# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""A model that continues a text is shown the text, and nothing that it has not learned."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import gguf
import numpy as np
import pytest
from clara_brain.backend import Request
from clara_brain.chat_template import ChatTemplate, Message
from clara_brain.decoding import Stop
from clara_brain.earlier_turns import Span, with_recalled
from clara_brain.engine import Engine
from clara_brain.prompt import ChatPrompt, Exchange
from clara_brain.sampler import SamplerSettings
from clara_brain.settings import EngineSettings
from clara_brain.span_vector import SpanVector

PLAIN = (
    "{{ bos_token }}"
    "{% for message in messages if message['role'] != 'system' %}"
    "{% if message['role'] == 'user' %}"
    "{% if not loop.first %}{{ '\\n' }}{% endif %}{{ message['content'] | trim }}"
    "{% else %}{{ message['content'] }}{% endif %}"
    "{% endfor %}"
)
TRAINED, WIDTH = 128, 64
GREEDY = SamplerSettings(0.0, 1.0, 1, 0.0, 1.0, 0)


def write_gpt2(path: Path) -> None:
    """Write a GPT-2 of one small layer, bytes for tokens, as training from scratch exports one."""
    random = np.random.default_rng(0)
    writer = gguf.GGUFWriter(path, "gpt2")
    writer.add_context_length(TRAINED)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(1)
    writer.add_feed_forward_length(4 * WIDTH)
    writer.add_head_count(4)
    writer.add_layer_norm_eps(1e-5)
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    writer.add_bool("clara.continues_text", True)
    # GPT-2 spells bytes as printable characters; plain letters are enough here.
    letters = [chr(code) for code in range(33, 127)]
    tokens = ["<|endoftext|>", *letters, "Ġ", "Ċ", "ab"]
    kinds = [gguf.TokenType.CONTROL, *[gguf.TokenType.NORMAL] * (len(tokens) - 1)]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    writer.add_token_merges(["a b"])
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(0)
    writer.add_add_bos_token(False)
    writer.add_chat_template(PLAIN)

    def add(name: str, *shape: int) -> None:
        weights = random.normal(0.0, 0.3, shape) if len(shape) > 1 else np.ones(shape)
        writer.add_tensor(name, weights.astype(np.float32))

    add("token_embd.weight", len(tokens), WIDTH)
    add("position_embd.weight", TRAINED, WIDTH)
    for norm in ("output_norm", "blk.0.attn_norm", "blk.0.ffn_norm"):
        add(f"{norm}.weight", WIDTH)
        add(f"{norm}.bias", WIDTH)
    for name, out, into in (
        ("attn_qkv", 3 * WIDTH, WIDTH),
        ("attn_output", WIDTH, WIDTH),
        ("ffn_up", 4 * WIDTH, WIDTH),
        ("ffn_down", WIDTH, 4 * WIDTH),
    ):
        add(f"blk.0.{name}.weight", out, into)
        add(f"blk.0.{name}.bias", out)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


@pytest.fixture(scope="module")
def continuing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    path = tmp_path_factory.mktemp("models") / "mvlm.gguf"
    write_gpt2(path)
    engine = Engine(path, EngineSettings(n_ctx=2048, slots=2, n_threads=1))
    yield engine
    engine.close()


def test_turns_follow_one_another_and_the_system_prompt_is_left_out() -> None:
    template = ChatTemplate(PLAIN, "<|endoftext|>", continues_text=True)
    messages = [
        Message("system", "You are Clara."),
        Message("user", "And Ruth said "),
        Message("assistant", " unto her,"),
        Message("user", "Then"),
    ]
    assert template.render(messages) == "<|endoftext|>And Ruth said unto her,\nThen"


def test_earlier_words_come_back_as_words_alone() -> None:
    none = SpanVector(*(np.zeros(0, kind) for kind in (np.int32, np.float32, np.float32)))
    spans = [Span(3, True, "and he said", none), Span(1, False, "And Ruth", none)]
    assert with_recalled("Then", spans, str, fenced=False) == "And Ruth\nand he said\nThen"
    assert with_recalled("Then", [], str, fenced=False) == "Then"


def test_persona_changes_nothing_and_the_context_is_the_one_it_was_trained_with(
    continuing: Engine,
) -> None:
    assert continuing.continues_text and continuing.n_ctx == TRAINED

    def said(system: str, history: tuple[Exchange, ...] = ()) -> tuple[str, int]:
        prompt = ChatPrompt(system, "And Ruth said", history)
        done = continuing.complete(Request(prompt, GREEDY, 8))
        assert done.error is None
        return done.text, done.prompt_tokens

    assert said("You are Clara, the voice and mind of a robot.") == said("")
    _, tokens = said("", (Exchange("Before", " it"),))
    assert tokens == said("")[1] + len("Before it\n")


def test_a_reply_without_end_stops_where_the_positions_do(continuing: Engine) -> None:
    done = continuing.complete(Request(ChatPrompt("", "x" * 100), GREEDY, 1000))
    assert done.error is None and done.stop in (Stop.LENGTH, Stop.END)
    assert done.prompt_tokens + done.completion_tokens <= TRAINED
    # No context could be larger, and there is no persona to shorten.
    error = str(continuing.complete(Request(ChatPrompt("", "x" * 500), GREEDY, 100)).error)
    assert error.startswith("text has") and error.endswith("reply; shorten the text")
