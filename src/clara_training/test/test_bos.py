# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""A base whose tokenizer adds a BOS is trained and measured with the one that the robot adds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import tiny
from clara_training.base import Base
from clara_training.chat_encoding import encode
from clara_training.errors import ExportError
from clara_training.export_check import check_tokens
from clara_training.export_gguf import write_model
from clara_training.gguf_scores import GgufScores
from clara_training.validate import general_texts
from transformers import AutoTokenizer

from clara_training import merge_bound

USER = "Where is the red cup?"


def as_the_robot_does(model: GgufScores, tokens: Any, prompt: str) -> list[int]:
    """Tokenise as the brain does: with what the GGUF adds, but for a BOS that is there."""
    return model.tokens(prompt, add_special=not prompt.startswith(tokens.bos_token))


@pytest.mark.parametrize("byte_fallback", [False, True])
@pytest.mark.parametrize("adds_bos", [False, True])
def test_a_prompt_is_what_the_robots_engine_makes_of_it(
    byte_fallback: bool, adds_bos: bool, tmp_path: Path
) -> None:
    tokens = tiny.tokenizer(byte_fallback=byte_fallback, adds_bos=adds_bos)
    path = tmp_path / "model.gguf"
    write_model(tiny.save(tiny.llama(), tmp_path / "hf", tokens), path)
    check_tokens(path, tokens)
    turns = [{"role": "user", "content": USER}]
    prompt = tokens.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
    encoded = encode(tokens, USER, "It's on the kitchen table!")
    with GgufScores(path, vocab_only=True) as model:
        assert list(encoded.ids[: encoded.prompt]) == as_the_robot_does(model, tokens, prompt)
    # ChatML begins with the BOS of the byte-level one: there it is, and there is no second.
    begins = adds_bos or not byte_fallback
    assert (encoded.ids[0] == tokens.bos_token_id) is begins
    assert encoded.ids[1] != tokens.bos_token_id
    reply = tokens.decode(encoded.ids[encoded.prompt :])
    assert reply.strip() == "It's on the kitchen table!<|im_end|>"


def test_a_reply_ends_with_the_token_that_ends_a_turn_though_it_has_no_name(
    tmp_path: Path,
) -> None:
    tokens = AutoTokenizer.from_pretrained(tiny.phi3_tokenizer(tmp_path))
    assert "<|end|>" not in tokens.all_special_tokens
    encoded = encode(tokens, USER, "It's on the table.")
    assert tokens.decode(encoded.ids[encoded.prompt :]).endswith("the table.<|end|>")


def test_a_gguf_that_adds_no_bos_where_the_tokenizer_does_is_found_out(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    plain = tiny.tokenizer(byte_fallback=True)
    write_model(tiny.save(tiny.llama(), tmp_path / "hf", plain), path)
    with pytest.raises(ExportError, match="as the tokens"):
        check_tokens(path, tiny.tokenizer(byte_fallback=True, adds_bos=True))


def test_general_text_begins_as_the_engine_begins_it(tmp_path: Path) -> None:
    def read(adds_bos: bool) -> list[list[int]]:
        tokens = tiny.tokenizer(byte_fallback=True, adds_bos=adds_bos)
        base = Base("base", tiny.save(tiny.llama(), tmp_path / str(adds_bos), tokens))
        return [*general_texts(tokens, 600), *merge_bound._texts(base)]

    bos = tiny.tokenizer(byte_fallback=True).bos_token_id
    plain, begun = read(False), read(True)
    assert len(plain) == len(begun) > 10 and not any(bos in text for text in plain)
    for without, text in zip(plain, begun, strict=True):
        assert text[0] == bos and without[: len(text) - 1] == text[1:]


def test_no_text_is_longer_than_the_base_reads(tmp_path: Path) -> None:
    tokens = tiny.tokenizer(byte_fallback=True, adds_bos=True)
    for model in (tiny.llama(max_position_embeddings=96), tiny.gpt2(n_positions=96)):
        base = Base("base", tiny.save(model, tmp_path / type(model).__name__, tokens))
        assert base.context == 96
        for texts in (general_texts(tokens, 600, base.context), merge_bound._texts(base)):
            assert max(map(len, texts)) == 96
