# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""What a model from scratch is judged by: passages that are sentences, in any script."""

from __future__ import annotations

from pathlib import Path

import pytest
from clara_training.corpus import CorpusSettings, make_corpus
from clara_training.passages import (
    LEAST,
    MOST,
    Texts,
    Trigrams,
    draw_passages,
    sentences,
)
from clara_training.shards import HELD_OUT, TRAIN
from clara_training.tokenizer import load_tokenizer
from scratch_world import sample_corpus


def test_passages_are_drawn_alike_for_everyone_and_fit(tmp_path: Path) -> None:
    corpus = sample_corpus(tmp_path)
    tokenizer = load_tokenizer(corpus / "tokenizer")
    texts = Texts(corpus, TRAIN)
    found = draw_passages(texts, tokenizer, 20)
    assert len(found) == 20 and found == draw_passages(texts, tokenizer, 20)
    assert found != draw_passages(texts, tokenizer, 20, seed=1)
    for each in found:
        assert LEAST <= len(each.tokens) <= MOST and each.book in {"jonah", "ruth", "obadiah"}
        assert tokenizer.decode(list(each.reference[1:])).strip().lower() == f"{each.book} 1"


def test_of_a_long_text_a_part_from_anywhere_is_read_and_no_sentence_of_it_is_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus = sample_corpus(tmp_path)
    tokenizer = load_tokenizer(corpus / "tokenizer")
    texts = Texts(corpus, TRAIN)
    begins: dict[str, list[float]] = {}
    monkeypatch.setattr("clara_training.passages._READ", 600)
    for seed in range(4):
        for each in draw_passages(texts, tokenizer, 12, seed):
            document = texts.tokens(texts.books.index(each.book))
            whole = tokenizer.decode(document[1:].tolist())
            said = tokenizer.decode(list(each.tokens))
            assert said in sentences(whole)
            assert each.reference[0] == 0 and whole.startswith(
                tokenizer.decode(list(each.reference[1:]))
            )
            begins.setdefault(f"{each.book} {seed}", []).append(whole.index(said))
    spread = [max(places) - min(places) for places in begins.values()]
    assert len(spread) > 4 and max(spread) < 600 * 4  # characters of a token
    assert max(map(max, begins.values())) > 3000


def test_trigrams_go_on_with_what_most_often_followed() -> None:
    tokens = [1, 2, 3, 1, 2, 3, 1, 2, 4, 9, 9, 9, 9, 9]
    trigrams = Trigrams(tokens, 10)
    assert trigrams.generate([1, 2], 4) == [3, 1, 2, 3]
    assert trigrams.generate([7, 4], 2) == [9, 9]  # by the last token alone
    assert trigrams.generate([7, 8], 1) == [9]  # by none
    assert Trigrams([5, 4, 5, 3, 5, 4, 5, 3], 10).generate([9, 5], 1) == [3]  # of two as frequent


WRAPPED = (
    "A traveller who came that way saw\nnothing but the river, and the far\nhills behind it. He"
    " waited for the\nevening, and then went on to where\nthe road ends.\n\nThe road\nends at the"
    " inn by the water, which\nwas shut; so he slept in the barn."
)
CHINESE = "第一句。第二句！“第三句？”他說：好。"  # noqa: RUF001
FULL_LINES = "今天天氣很好我們一起去山上走走看看風景\n" * 5 + "完"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("One. Two!\nThree: four", "One.|Two!|Three:|four"),
        (CHINESE, "第一句。|第二句！|“第三句？”|他說：|好。"),  # noqa: RUF001
        ("यह एक है।यह दो है॥ هل؟ نعم", "यह एक है।|यह दो है॥|هل؟|نعم"),
        (
            WRAPPED,
            "A traveller who came that way saw\nnothing but the river, and the far\nhills behind"
            " it.|He waited for the\nevening, and then went on to where\nthe road ends.|"
            "The road|"  # a line that had room for more
            "ends at the inn by the water, which\nwas shut;|so he slept in the barn.",
        ),
        (FULL_LINES, FULL_LINES),
        *(
            (verses, verses.replace("\n", "|"))
            for verses in (
                "Praise ye him\nall his angels, praise\nye him, all his hosts\nsun, moon\nstars",
                "床前明月光\n疑是地上霜\n舉頭望明月\n低頭思故鄉\n床前明月光\n疑是地上霜",
                "\n".join(("And it came to pass " * 9).strip() for _ in range(6)),
            )
        ),
    ],
)
def test_a_sentence_ends_at_a_stop_of_any_script_and_at_a_line_that_was_not_full(
    text: str, wanted: str
) -> None:
    assert sentences(text) == wanted.split("|")


def test_text_without_sentences_is_cut_evenly_and_too_short_a_text_gives_no_passage(
    tmp_path: Path,
) -> None:
    words = " ".join(f"word{number}" for number in range(400))
    source = tmp_path / "in"
    source.mkdir()
    for name, text in (("a", words), ("b", words[::-1]), ("short", "Amen."), ("c", "Not long.")):
        (source / f"{name}.txt").write_text(text)
    settings = CorpusSettings(vocab_size=300, held_out=("short",))
    make_corpus(source, tmp_path / "corpus", settings)
    tokenizer = load_tokenizer(tmp_path / "corpus" / "tokenizer")
    texts = Texts(tmp_path / "corpus", TRAIN)
    found = draw_passages(texts, tokenizer, 8)
    assert len(found) == 6 and {each.book for each in found} == {"a", "b"}
    for each in found:
        whole = texts.tokens(texts.books.index(each.book)).tolist()
        at = len(each.reference)
        assert list(each.reference) == whole[:at] and LEAST <= len(each.tokens) <= MOST
        assert " ".join(map(str, (*each.tokens, *each.following))) in " ".join(map(str, whole))
    assert draw_passages(Texts(tmp_path / "corpus", HELD_OUT), tokenizer, 8) == []
