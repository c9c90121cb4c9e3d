# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""The tokenizer writes any text, sees quality seeds whole, and llama.cpp reads as it does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from clara_training.corpus import SAMPLE
from clara_training.corpus_read import SPECIAL
from clara_training.errors import CorpusError
from clara_training.export_gguf import write_model
from clara_training.gguf_scores import GgufScores
from clara_training.tokenizer import (
    encoded,
    load_tokenizer,
    pieces,
    save_tokenizer,
    train_tokenizer,
)
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
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
def in_llama_cpp(folder: Path) -> Iterator[tuple[GgufScores, Any]]:
    path = folder / "model.gguf"
    write_model(folder, path)
    with GgufScores(path, vocab_only=True) as model:
        yield model, load_tokenizer(folder)


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


def test_the_least_vocabulary_is_bytes_and_a_fuller_one_has_room_for_the_seeds_or_says_so() -> (
    None
):
    tokenizer = train_tokenizer(TEXTS, 260)
    assert len(tokenizer.encode("wisdom").ids) == 6
    with pytest.raises(
        CorpusError, match=r"of 261 has no room for . quality seeds: take a larger"
    ):
        train_tokenizer(TEXTS, 261)


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


# What Unicode 16 added: the tokenizers library knows its letters and digits, llama.cpp not yet.
# (first, last), found by comparing all code points with the tokenizer below.
NEWER = (
    *((0x1C89, 0x1C8A), (0xA7CB, 0xA7CD), (0xA7DA, 0xA7DC), (0x105C0, 0x105F3)),
    *((0x10D40, 0x10D85), (0x10EC2, 0x10EC4), (0x11380, 0x113D3), (0x116D0, 0x116E3)),
    *((0x11BC0, 0x11BF9), (0x13460, 0x143FA), (0x16100, 0x16139), (0x16D40, 0x16D79)),
    *((0x18CFF, 0x18CFF), (0x1CCF0, 0x1CCF9), (0x1E5D0, 0x1E5FA)),
)


@pytest.fixture(scope="module")
def joining_all(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[GgufScores, Any]]:
    """A tokenizer that joins any two bytes of a word: wherever words end differently, it shows."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    pairs = [(one, other) for one in letters for other in letters]
    tokens = (*SPECIAL, *letters, *map("".join, pairs))
    model = models.BPE(vocab={token: at for at, token in enumerate(tokens)}, merges=pairs)
    made = Tokenizer(model)
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    made.add_special_tokens(list(SPECIAL))
    folder = tmp_path_factory.mktemp("pairs")
    config = GPT2Config(vocab_size=len(tokens), n_embd=4, n_layer=1, n_head=1, n_positions=8)
    GPT2LMHeadModel(config).save_pretrained(folder)
    save_tokenizer(made, folder)
    write_model(folder, folder / "model.gguf")
    with GgufScores(folder / "model.gguf", vocab_only=True) as loaded:
        yield loaded, load_tokenizer(folder)


@settings(max_examples=400, deadline=None, derandomize=True)
@given(TEXT.map("".join))
@example("".join(map(chr, range(0x250))))
@example("x" * 5000 + "1" * 5000)
def test_llama_cpp_reads_every_text_as_the_tokenizer_does(
    in_llama_cpp: tuple[GgufScores, Any], joining_all: tuple[GgufScores, Any], text: str
) -> None:
    assume(not any(first <= ord(c) <= last for c in text for first, last in NEWER))
    for model, tokenizer in (in_llama_cpp, joining_all):
        ids = tokenizer.encode(text).ids
        assert model.tokens(text) == ids
        assert tokenizer.decode(ids, skip_special_tokens=False) == text
        parts = list(pieces(text, 3))
        assert "".join(parts) == text
        assert [i for part in parts for i in tokenizer.encode(part).ids] == ids


def test_texts_are_read_in_pieces_of_a_size_that_fits_into_memory(folder: Path) -> None:
    tokenizer = load_tokenizer(folder)
    long = " ".join(TEXTS).replace(".", ".\n ") * 12
    assert len(long) > 2 * 65_536
    assert max(map(len, pieces(long))) < 65_536 + 100
    found = list(encoded(tokenizer, [*TEXTS, long, *TEXTS]))
    wanted = [[0, *tokenizer.encode(text).ids] for text in (*TEXTS, long, *TEXTS)]
    assert [each.tolist() for each in found] == wanted


def test_a_tokenizer_of_this_corpus_reads_even_the_newest_letters_alike(
    in_llama_cpp: tuple[GgufScores, Any],
) -> None:
    model, tokenizer = in_llama_cpp
    for first, last in NEWER:
        text = "".join(f"a{chr(c)}b 1{chr(c)}2 " for c in range(first, min(last, first + 99) + 1))
        assert model.tokens(text) == tokenizer.encode(text).ids
