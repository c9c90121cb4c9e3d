# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""The tokenizer writes any text, sees quality seeds whole, and llama.cpp reads as it does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from clara_training.corpus import SAMPLE
from clara_training.errors import CorpusError
from clara_training.export_gguf import write_model
from clara_training.gguf_scores import GgufScores
from clara_training.tokenizer import load_tokenizer, save_tokenizer, train_tokenizer
from hypothesis import example, given, settings
from hypothesis import strategies as st
from transformers import GPT2Config, GPT2LMHeadModel

TEXTS = [path.read_text() for path in sorted(SAMPLE.glob("*.txt"))]
SEEDS = ("kindness", "mercy", "Almighty", "threshingfloor", "Tarshish")
VOCAB = 512


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model with the tokenizer, in the format of transformers."""
    folder = tmp_path_factory.mktemp("model")
    torch.manual_seed(0)
    config = GPT2Config(vocab_size=VOCAB, n_embd=32, n_layer=1, n_head=2, n_positions=64)
    GPT2LMHeadModel(config).save_pretrained(folder)
    save_tokenizer(train_tokenizer(TEXTS, VOCAB, SEEDS), folder)
    return folder


@pytest.fixture(scope="module")
def in_llama_cpp(folder: Path) -> Iterator[GgufScores]:
    path = folder / "model.gguf"
    write_model(folder, path)
    with GgufScores(path, vocab_only=True) as model:
        yield model


def test_quality_seeds_are_single_tokens_and_the_vocabulary_is_full(folder: Path) -> None:
    tokenizer = load_tokenizer(folder)
    assert tokenizer.get_vocab_size() == VOCAB
    for seed in SEEDS:
        for text in (seed, f" {seed}"):
            assert len(tokenizer.encode(text).ids) == 1, text
            assert tokenizer.decode(tokenizer.encode(text).ids) == text
    plain = train_tokenizer(TEXTS, VOCAB, ())
    assert len(plain.encode("threshingfloor").ids) > 1


def test_a_seed_that_no_text_has_costs_no_entry() -> None:
    tokenizer = train_tokenizer(TEXTS, VOCAB, ("chrysanthemum",))
    assert tokenizer.get_vocab() == train_tokenizer(TEXTS, VOCAB, ()).get_vocab()


def test_a_seed_of_two_words_is_a_sentence() -> None:
    with pytest.raises(CorpusError, match="'mighty men' cannot be a single token: it is 2 words"):
        train_tokenizer([*TEXTS, "mighty men"], VOCAB, ("mighty men",))


def test_without_a_size_the_vocabulary_is_what_the_text_supports() -> None:
    size = train_tokenizer(TEXTS).get_vocab_size()
    assert size % 256 == 0
    with pytest.raises(CorpusError, match=rf"supports a vocabulary of .* --vocab_size {size} or"):
        train_tokenizer(TEXTS, 32_000)


# Everything that people, and broken programs, write: any code point, and what is known to be hard.
HARD = st.sampled_from(
    [
        *(
            "'s",
            "'LL",
            "\u2019t",
            " \n",
            "\r\n",
            "\t",
            "\x00",
            "\x1b[0m",
            "\x85",
            "\u2028",
            "\u3000",
        ),
        *(
            "e\u0301\u0323",
            "\u0928\u093f",
            "ﷺ",
            "👩‍🔬",
            "🇩🇪",
            "\ufe0f",
            "\U000e0041",
            "٣",
            "²",
            "½",
        ),
        *("<|endoftext|>", "<|im_start|>", "<|", "0" * 50, "a" * 300, " " * 40, "=" * 33),
        *("kindness", " mercy", "the LORD", "threshingfloor"),
    ]
)
TEXT = st.lists(st.one_of(HARD, st.text(max_size=12), st.characters(codec="utf-8")), max_size=8)


@settings(max_examples=400, deadline=None, derandomize=True)
@given(TEXT.map("".join))
@example("".join(map(chr, range(0x250))))
@example("x" * 5000 + "1" * 5000)
def test_llama_cpp_reads_every_text_as_the_tokenizer_does(
    in_llama_cpp: GgufScores, folder: Path, text: str
) -> None:
    if not hasattr(in_llama_cpp, "oracle"):
        in_llama_cpp.oracle = load_tokenizer(folder)
    ids = in_llama_cpp.oracle.encode(text).ids
    assert in_llama_cpp.tokens(text) == ids
    assert in_llama_cpp.oracle.decode(ids, skip_special_tokens=False) == text
