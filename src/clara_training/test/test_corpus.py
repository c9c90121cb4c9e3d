# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""A corpus is clean, without duplicates, split by books, and its tokens are its text."""

from __future__ import annotations

import json
import re
import struct
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from clara_training.corpus import SAMPLE, CorpusSettings, choose_held_out, make_corpus
from clara_training.corpus_duplicates import duplicates
from clara_training.corpus_read import Cleaning, Document, read_folder, read_sword, sword_modules
from clara_training.errors import CorpusError
from clara_training.manifest import sha256_of
from clara_training.shards import (
    HELD_OUT,
    TRAIN,
    Rows,
    TokenStream,
    read_sources,
    windows,
    write_shards,
)
from clara_training.tokenizer import load_tokenizer

from clara_training import cli, corpus_duplicates

SMALL = CorpusSettings(vocab_size=512)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpus") / "made"
    make_corpus(SAMPLE, folder, SMALL)
    return folder


def write(folder: Path, **texts: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        (folder / f"{name}.txt").write_text(text, encoding="utf-8")
    return folder


def test_the_tokens_of_each_split_are_the_text_of_its_books(corpus: Path) -> None:
    tokenizer = load_tokenizer(corpus / "tokenizer")
    report = json.loads((corpus / "corpus.json").read_text())
    assert report["held_out_books"] == ["obadiah"]
    for split, books in ((TRAIN, ("jonah", "ruth")), (HELD_OUT, ("obadiah",))):
        stream = TokenStream(corpus, split)
        starts = np.load(corpus / f"{split}.documents.npy")
        tokens = stream.slice(0, len(stream))
        assert np.array_equal(np.flatnonzero(tokens == 0), starts)
        texts = [tokenizer.decode(list(part[1:])) for part in np.split(tokens, starts[1:])]
        assert texts == [(SAMPLE / f"{book}.txt").read_text().strip() for book in books]
        assert stream.bytes == sum(len(text.encode()) for text in texts)
        assert read_sources(corpus, split) == [(book, f"{book}.txt") for book in books]


def test_a_corpus_that_is_there_is_not_made_again_unless_something_changed(
    corpus: Path, tmp_path: Path
) -> None:
    source = write(tmp_path / "in", **{p.stem: p.read_text() for p in SAMPLE.glob("*.txt")})
    folder = tmp_path / "out"
    make_corpus(source, folder, SMALL)
    made = (folder / "corpus.json").stat().st_ino
    make_corpus(source, folder, SMALL)
    assert (folder / "corpus.json").stat().st_ino == made
    (source / "ruth.txt").write_text((SAMPLE / "ruth.txt").read_text() + "\nAmen.\n")
    make_corpus(source, folder, SMALL)
    assert (folder / "corpus.json").stat().st_ino != made


def test_rows_are_the_same_for_a_seed_and_every_token_is_a_target_once_an_epoch(
    corpus: Path,
) -> None:
    stream = TokenStream(corpus, TRAIN)
    rows, again = Rows(stream, 64, seed=3), Rows(stream, 64, seed=3)
    first = [rows.row(number) for number in range(2 * rows.count)]
    assert all(np.array_equal(row, again.row(number)) for number, row in enumerate(first))
    whole = stream.slice(0, len(stream))
    for epoch in (first[: rows.count], first[rows.count :]):
        targets = np.sort(np.concatenate([row[1:] for row in epoch]))
        starts = [
            at
            for at in range(64)
            if np.array_equal(np.sort(whole[at + 1 : at + 1 + rows.count * 64]), targets)
        ]
        assert starts
    assert not np.array_equal(first[0], first[rows.count])
    held = TokenStream(corpus, HELD_OUT)
    read = np.concatenate([row[1:] for row in windows(held, 50)])
    assert np.array_equal(read, held.slice(1, len(held)))


def test_shards_are_read_as_one_stream_and_a_damaged_one_is_a_sentence(tmp_path: Path) -> None:
    documents = [[0, *range(1, size)] for size in (5, 90_000, 3, 7, 1)]
    counts = write_shards(tmp_path, TRAIN, documents, 100_000, shard_tokens=10)
    assert counts["shards"] == [5, 90_000, 10, 1] and counts["dtype"] == "u4"
    report = {"format": 1, "splits": {TRAIN: {**counts, "bytes": 1}}}
    (tmp_path / "corpus.json").write_text(json.dumps(report))
    stream = TokenStream(tmp_path, TRAIN)
    flat = np.concatenate([np.array(each) for each in documents])
    for start, stop in ((0, len(flat)), (3, 8), (90_004, 90_016), (5, 6)):
        assert np.array_equal(stream.slice(start, stop), flat[start:stop])
    with (tmp_path / "train-00002.bin").open("ab") as file:
        file.truncate(11)
    with pytest.raises(CorpusError, match=r"train-00002.bin has 11 bytes, not 40: make the"):
        TokenStream(tmp_path, TRAIN)


def test_cleaning_keeps_the_words_and_counts_what_it_takes() -> None:
    cleaning = Cleaning()
    dirty = "\ufeffCafe\u0301\r\n\r\n\r\n\r\nzero\u200bwidth \x07bell<|endoftext|> \t\n\ufffd"
    assert cleaning.clean(dirty) == "Café\n\nzerowidth bell\n\ufffd"
    assert cleaning.removed["U+200B ZERO WIDTH SPACE"] == 1
    assert cleaning.removed["U+0007"] == cleaning.removed["special tokens"] == 1
    assert cleaning.odd == {"U+FFFD REPLACEMENT CHARACTER": 1}
    assert cleaning.clean("a\x0bb\x0cc\x85d\u2028e\u2029f\rg") == "a\nb\nc\nd\ne\nf\ng"
    assert cleaning.clean("<|endof<|end\u200boftext|>text|>in<|im_end|>side") == "inside"


HEADER = "The Project Gutenberg eBook of X\n\nTitle: X\n\n"
START, END = (f"*** {word} OF THE PROJECT GUTENBERG EBOOK X ***\n" for word in ("START", "END"))
LICENCE = "Updated editions ... electronic works of Project\nGutenberg.\n" + "terms\n" * 3000
LICENCE += "subscribe to hear about new\neBooks.\n"
OWN = "A line of my own, about a book of Project Gutenberg.\n" * 600


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        (f"{HEADER}{START}Text.\n{END}{LICENCE}", "Text."),
        (f"{HEADER}{START}Text.\n{END}{LICENCE}\n{HEADER}{START}More.\n{END}", "Text.\nMore."),
        (f"{HEADER}{START}Text.\n{END}{LICENCE[:900]}", "Text."),  # of another wording
        (f"{OWN}{HEADER}{START}Text.\n", f"{OWN}Text."),
        (f"Words.\n{START}Text.\n{END}Words.\n{START}More.", "Words.\nText.\nWords.\nMore."),
        (f"Text.\n{END}{LICENCE}{OWN}", f"Text.\n{OWN.strip()}"),
        (f"Text.\n{END}{OWN}", f"Text.\n{OWN.strip()}"),
        (f"Text.\n{END}{LICENCE}{OWN}{HEADER}{START}More.", f"Text.\n{OWN}More."),
        ("*** START OF THE SHOW ***\nText.", "*** START OF THE SHOW ***\nText."),
    ],
)
def test_around_a_book_of_project_gutenberg_only_what_is_theirs_is_taken_away(
    text: str, kept: str
) -> None:
    cleaning = Cleaning()
    found = cleaning.clean(text)
    assert re.sub(r"\n+", "\n", found) == kept
    taken = cleaning.removed["characters around books of Project Gutenberg"]
    assert len(text.strip()) - len(found) <= taken + 5 and taken <= len(text) - len(kept)


def test_duplicates_are_found_whatever_the_case_and_after_a_few_changes() -> None:
    words = (SAMPLE / "ruth.txt").read_text().split()
    text = " ".join(words)
    changed = " ".join("x" if place % 150 == 7 else word for place, word in enumerate(words))
    half = " ".join(words[: len(words) // 2])
    other = (SAMPLE / "jonah.txt").read_text()
    found = list(duplicates([text, other, text.upper(), changed, half, "Amen.", "amen"]))
    assert [(later, earlier) for later, earlier, _ in found] == [(2, 0), (3, 0), (6, 5)]
    assert found[0][2] == 1.0 and 0.8 < found[1][2] < 1.0


def test_of_pages_of_one_form_only_the_nearest_are_compared_word_by_word(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    draw = np.random.default_rng(0)
    form = [f"word{number}" for number in range(300)]
    pages = []
    for number in range(60):
        page = list(form)
        for place in draw.choice(300, 3 if number == 50 else 30, replace=False):
            page[place] = f"own{number}_{place}"
        pages.append(" ".join(page))
    pages.append(pages[50].replace("word7 ", "word8 "))
    compared = []
    exactly = corpus_duplicates._jaccard
    monkeypatch.setattr(
        corpus_duplicates, "_jaccard", lambda *two: compared.append(two) or exactly(*two)
    )
    assert [(later, earlier) for later, earlier, _ in duplicates(pages)] == [(60, 50)]
    assert len(compared) < 100  # of 1830 pairs


def test_what_is_held_out_is_not_in_the_training_text_under_another_name(tmp_path: Path) -> None:
    texts = {path.stem: path.read_text() for path in SAMPLE.glob("*.txt")}
    source = write(tmp_path / "in", **texts, a_copy=texts["obadiah"].upper(), b_copy=texts["ruth"])
    settings = CorpusSettings(vocab_size=400, held_out=("Obadiah",))
    report = make_corpus(source, tmp_path / "out", settings)
    assert report["splits"][TRAIN]["documents"] == 2
    assert report["splits"][HELD_OUT]["documents"] == 1
    assert report["duplicates"]["exact"] == 2
    assert "a_copy.txt = obadiah.txt (1.00)" in report["duplicates"]["first"]


def test_what_is_a_part_of_longer_text_to_train_on_is_not_measured_on(tmp_path: Path) -> None:
    texts = {path.stem: path.read_text() for path in SAMPLE.glob("*.txt")}
    source = write(tmp_path / "in", **texts, both=f"{texts['ruth']}\n\n{texts['obadiah']}")
    settings = CorpusSettings(vocab_size=400, held_out=("Obadiah", "Jonah"))
    said: list[str] = []
    report = make_corpus(source, tmp_path / "out", settings, tell=said.append)
    assert report["duplicates"]["first"] == ["obadiah.txt is in both.txt (1.00)"]
    assert report["duplicates"]["contained"] == report["splits"][HELD_OUT]["documents"] == 1
    assert "0 near-duplicates, 1 part of longer text in the other split;" in said[0]
    with pytest.raises(CorpusError, match=r"as well \(obadiah.txt is in both.txt \(1.00\)\)"):
        make_corpus(source, tmp_path / "2", CorpusSettings(vocab_size=400, held_out=("obadiah",)))


def test_what_is_a_part_of_held_out_text_is_not_trained_on(tmp_path: Path) -> None:
    texts = {path.stem: path.read_text() for path in SAMPLE.glob("*.txt")}
    source = write(tmp_path / "in", **texts, both=f"{texts['ruth']}\n\n{texts['obadiah']}")
    settings = CorpusSettings(vocab_size=400, held_out=("both",))
    report = make_corpus(source, tmp_path / "out", settings)
    assert report["splits"][TRAIN]["documents"] == 1
    assert sorted(report["duplicates"]["first"])[0].startswith("obadiah.txt is in both.txt (1.00)")


def test_of_books_of_all_sizes_about_a_twentieth_is_held_out(tmp_path: Path) -> None:
    def held(**sizes: int) -> set[str]:
        return choose_held_out([Document(name, "x" * size, name) for name, size in sizes.items()])

    assert held(big=50_000, small=1_000) == held(great=50_000, small=1_000) == {"small"}
    even = {f"b{number}": 10 for number in range(100)}
    assert 5 <= len(held(**even, huge=9_000) - {"huge"}) <= 100
    assert "huge" not in held(**even, huge=9_000)


def test_the_same_text_makes_the_same_corpus(tmp_path: Path) -> None:
    for name in ("1", "2"):
        make_corpus(SAMPLE, tmp_path / name, SMALL)
    assert sha256_of(tmp_path / "1") == sha256_of(tmp_path / "2")


def test_a_corpus_among_its_own_text_is_refused(tmp_path: Path) -> None:
    write(tmp_path, one="a text", other="another one")
    with pytest.raises(CorpusError, match="give --output_dir a folder beside it"):
        make_corpus(tmp_path, tmp_path / "runs" / "corpus", SMALL)
    (tmp_path / "in").mkdir()
    with pytest.raises(CorpusError, match=r"one.txt is a file: give --output_dir a folder"):
        make_corpus(tmp_path / "in", tmp_path / "one.txt", SMALL)


def zim(folder: Path, testament: str, entries: list[str]) -> None:
    """Write one testament of a zText module: two blocks."""
    folder.mkdir(parents=True, exist_ok=True)
    blocks: list[list[bytes]] = [[], []]
    index = []
    for number, entry in enumerate(entries):
        block = min(2 * number // len(entries), 1)
        data = entry.encode()
        index.append(struct.pack("<IIH", block, sum(map(len, blocks[block])), len(data)))
        blocks[block].append(data)
    packed = [zlib.compress(b"".join(parts)) for parts in blocks]
    places = [
        struct.pack("<III", sum(map(len, packed[:at])), len(packed[at]), 0) for at in range(2)
    ]
    (folder / f"{testament}.bzz").write_bytes(b"".join(packed))
    (folder / f"{testament}.bzs").write_bytes(b"".join(places))
    (folder / f"{testament}.bzv").write_bytes(b"".join(index))


def test_a_bible_in_swords_format_is_read_by_chapters_without_notes_and_marks(
    tmp_path: Path,
) -> None:
    module = tmp_path / "modules/texts/ztext/own"
    heading = (
        '<div canonical="true" osisID="Ps" type="book"/> <milestone n="Psalms" type="x-usfm-h"/>'
        ' <title level="1" type="main">The Psalms</title>'
    )
    entries = [
        "",
        heading,
        '<chapter n="1" osisID="Ps.1" sID="Ps.1"/> ',
        'Blessed is the <w lemma="strong:H0376">man</w> &amp; <note>1:1 a note</note>wife. ',
        '<div sID="g1" type="x-p"/> ¶ And he \\nd shall be.<chapter eID="Ps.1"/>',
        '<chapter n="2" osisID="Ps.2" sID="Ps.2"/>'
        '<title type="psalm" canonical="true">A Psalm of David.</title>',
        '<lg sID="1"/><l level="1" sID="2"/>Why do the heathen<l eID="2"/><l sID="3"/>rage?',
    ]
    zim(module, "ot", entries)
    found = list(read_sword(sword_modules(tmp_path), Cleaning()))
    assert [(each.book, each.text) for each in found] == [
        ("Psalms", "Psalms 1\n\nBlessed is the man & wife.\nAnd he shall be."),
        ("Psalms", "Psalms 2\n\nA Psalm of David.\nWhy do the heathen\nrage?"),
    ]
    (module / "ot.bzz").write_bytes(b"nothing")
    with pytest.raises(CorpusError, match=r"own is damaged .*: install it again"):
        list(read_sword(sword_modules(tmp_path), Cleaning()))


def test_files_that_are_not_text_are_left_out_and_named(tmp_path: Path) -> None:
    source = write(tmp_path / "in", good="words")
    (source / "image.txt").write_bytes(b"\x89PNG\0\0")
    (source / "latin.txt").write_bytes("Köln".encode("latin-1"))
    (source / "lost.txt").symlink_to(tmp_path / "nowhere")
    write(source / "notes.txt", within="in a folder of that name")
    (source / "wide.txt").write_bytes("Köln".encode("utf-16"))
    (source / "odd.txt").write_bytes("Köln".encode("utf-16")[:-1])
    for other in ("a.html", "b.html", "c.gz", "README", ".hidden"):
        (source / other).write_text("not read")
    cleaning = Cleaning()
    found = {each.source: each.text for each in read_folder(source, cleaning)}
    assert found == {
        "good.txt": "words",
        "notes.txt/within.txt": "in a folder of that name",
        "wide.txt": "Köln",
    }
    assert cleaning.not_text == [
        *("image.txt: binary", "latin.txt: not UTF-8 at byte 1", "lost.txt: a link to nothing"),
        "odd.txt: not UTF-16 at byte 8",
    ]
    assert cleaning.other_kinds == {".html": 2, ".gz": 1, "without an ending": 1}


def test_a_folder_behind_a_link_is_read_once_and_a_change_in_it_is_seen(tmp_path: Path) -> None:
    source = write(tmp_path / "in", near="here")
    far = write(tmp_path / "far", far="there")
    (source / "a").symlink_to(far)
    (source / "b").symlink_to(far)
    (far / "back").symlink_to(source)
    found = [each.source for each in read_folder(source, Cleaning())]
    assert found == ["a/far.txt", "near.txt"]
    before = sha256_of(source)
    write(far, far="here")
    assert sha256_of(source) != before
    (source / "far").mkdir()
    write(source / "far", far="there")
    (source / "0").symlink_to("far")
    found = [each.source for each in read_folder(source, Cleaning())]
    assert found == ["a/far.txt", "far/far.txt", "near.txt"]


def test_the_summary_names_eight_books_and_what_was_not_read(tmp_path: Path) -> None:
    texts = {f"b{number:02}": f"text {number} " * 9 for number in range(20)}
    source = write(tmp_path / "in", **texts)
    (source / "page.html").write_text("<p>")
    said: list[str] = []
    settings = CorpusSettings(260, held_out=tuple(list(texts)[:12]))
    report = make_corpus(source, tmp_path / "out", settings, tell=said.append)
    assert "held out (b00, b01, b02, b03, b04, b05, b06, b07 and 4 more);" in said[0]
    assert said[0].endswith("; not read: 1 .html") and report["not_read"] == {".html": 1}


@pytest.mark.parametrize(
    ("files", "arguments", "sentence"),
    [
        (None, (), "is not there: --data_dir names a folder of text"),
        ({}, (), "has no text in it"),
        ({"a.html": b"<p>"}, (), ".md are read (there are 1 .html)"),
        ({"a.txt": b" \n", "b.txt": b""}, (), "all files are empty"),
        ({"a.txt": b"\0\1\2"}, (), "(a.txt: binary)"),
        ({"a.txt": b"one text only"}, (), "has 1 book (a text file is a book, and"),
        ({"a.txt": b"x y", "b.txt": b"z"}, ("--held-out", "Nahum"), "there are a, b"),
        ({"a.txt": b"x y", "b.txt": b"z"}, ("--vocab_size", "300"), "supports a vocabulary of"),
        ({"a.txt": b"x y", "b.txt": b"z"}, ("--vocab_size", "5"), "of 5 is too small"),
    ],
)
def test_a_corpus_of_no_use_is_a_sentence_and_leaves_nothing_behind(
    tmp_path: Path, monkeypatch, capsys, files, arguments, sentence: str
) -> None:
    source, out = tmp_path / "in", tmp_path / "out"
    if files is not None:
        source.mkdir()
        for name, content in files.items():
            (source / name).write_bytes(content)
    command = ["clara-train", "corpus", "--data_dir", str(source), "--output_dir", str(out)]
    monkeypatch.setattr(sys, "argv", [*command, *arguments])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    err = capsys.readouterr().err
    assert stop.value.code == 1 and err.startswith("clara-train: ") and sentence in err
    assert err.count("\n") == 1 and not out.exists()


def test_a_folder_with_other_things_in_it_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "thesis.odt").write_text("years of work")
    with pytest.raises(CorpusError, match="is in use for something else"):
        make_corpus(SAMPLE, tmp_path, SMALL)
    assert (tmp_path / "thesis.odt").exists()
