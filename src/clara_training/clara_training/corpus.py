# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""The stage corpus: text in, clean and deduplicated token shards with their tokenizer out.

Whole books are held out, in all their translations, and what is held out is never in the training
text either: of two documents that are alike the held-out one is kept, and one that is a part of a
longer one of the other split is left out. The tokenizer is trained on the training text alone.
`corpus.json` is the report; it has no speed and no date, so the same text makes the same corpus.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from clara_training import packages
from clara_training.atomic import atomic_folder, atomic_json
from clara_training.corpus_duplicates import NEAR, contained, duplicates
from clara_training.corpus_read import (
    AROUND_BOOKS,
    SWORD,
    Cleaning,
    Document,
    named,
    read_folder,
    read_sword,
    sword_modules,
)
from clara_training.errors import CorpusError
from clara_training.manifest import is_done, sha256_of, write_manifest
from clara_training.shards import (
    CORPUS_FILE,
    FORMAT,
    HELD_OUT,
    TRAIN,
    TokenStream,
    read_corpus,
    write_shards,
    write_sources,
)
from clara_training.stages import Tell
from clara_training.tokenizer import QUALITY_SEEDS, encoded, save_tokenizer, train_tokenizer

if TYPE_CHECKING:
    from tokenizers import Tokenizer

STAGE = "corpus"
TOKENIZER = "tokenizer"
SAMPLE = Path(__file__).parent / "sample_corpus"  # three books of the King James Version
HELD_OUT_SHARE = 0.05
RARE = 10
_COUNTED = 1 << 24  # tokens


@dataclass(frozen=True)
class CorpusSettings:
    """How a corpus is made.

    Without a size, the vocabulary is VOCAB_SIZE or what the text supports; without books to hold
    out, some are chosen: about a twentieth of the text.
    """

    vocab_size: int | None = None
    held_out: tuple[str, ...] = ()
    quality_seeds: tuple[str, ...] = QUALITY_SEEDS
    near: float = NEAR


def make_corpus(
    source: Path | None,
    folder: Path,
    settings: CorpusSettings | None = None,
    *,
    tell: Tell = lambda sentence: None,
) -> dict[str, Any]:
    """Make a corpus in `folder` and return its report. One that is there is not made again.

    Args:
        source: a folder of text, or the root of SWORD modules; None: those that are installed.
        folder: becomes the corpus; what is there is replaced when the new one is whole.
        settings: how.
        tell: is told what was done.

    Raises CorpusError, StorageError, MissingPackage.
    """
    settings = settings or CorpusSettings()
    if source is not None and not source.is_dir():
        raise CorpusError(f"the folder {source} is not there: --data_dir names a folder of text")
    if source is not None and source.resolve() in folder.resolve().parents:
        raise CorpusError(
            f"{folder} lies in {source}, where all text is read, and what is written there would"
            " be too: give --output_dir a folder beside it"
        )
    if folder.is_file():
        raise CorpusError(f"{folder} is a file: give --output_dir a folder")
    if folder.exists() and any(folder.iterdir()) and not (folder / CORPUS_FILE).exists():
        raise CorpusError(f"{folder} is in use for something else: give --output_dir a new folder")
    modules = sword_modules(source or SWORD)
    if source is None and not modules:
        raise CorpusError(
            "there is no text to read: give --data_dir a folder of text, or install Debian's"
            " packages sword-text-kjv and sword-text-web"
        )
    inputs = {
        module.name: sha256_of(module) for module in (modules or ([source] if source else []))
    }
    if is_done(folder, STAGE, inputs, vars(settings)):
        tell(f"{folder} is there already")
        return read_corpus(folder)
    cleaning = Cleaning()
    documents = list(
        read_sword(modules, cleaning) if modules else read_folder(source or SWORD, cleaning)
    )
    if not documents:
        raise CorpusError(f"{source or SWORD} holds no text")
    held_out = choose_held_out(documents, settings.held_out)
    kept, left_out = without_duplicates(documents, held_out, settings.near)
    texts = {split: [each.text for each in group] for split, group in kept.items()}
    if not texts[TRAIN]:
        raise CorpusError("all of the text is held out or duplicate: nothing is left to train on")
    if not texts[HELD_OUT]:
        raise CorpusError(
            "all of the held-out text is in the text to train on as well"
            f" ({left_out['first'][0]}): leave that out, or hold out another book"
        )
    tokenizer = train_tokenizer(texts[TRAIN], settings.vocab_size, settings.quality_seeds)
    vocab_size = tokenizer.get_vocab_size()
    report: dict[str, Any] = {
        "format": FORMAT,
        "vocab_size": vocab_size,
        "books": len({each.book for each in documents}),
        "held_out_books": sorted(held_out),
        "documents": len(documents),
        "characters": sum(len(each.text) for each in documents),
        "duplicates": left_out,
        "removed": dict(cleaning.removed.most_common()),
        "odd_characters": dict(cleaning.odd.most_common()),
        "not_text": cleaning.not_text,
    }
    if cleaning.other_kinds:
        report["not_read"] = dict(cleaning.other_kinds.most_common())
    with atomic_folder(folder) as part:
        report["splits"] = {
            split: _write(part, split, texts[split], tokenizer, vocab_size)
            for split in (TRAIN, HELD_OUT)
        }
        for split, group in kept.items():
            write_sources(part, split, [(each.book, each.source) for each in group])
        atomic_json(part / CORPUS_FILE, report)
        save_tokenizer(tokenizer, part / TOKENIZER)
        report["tokenizer"] = compare_with_characters(report["splits"][HELD_OUT], texts)
        report["tokenizer"]["rare"] = _rare(part, vocab_size)
        atomic_json(part / CORPUS_FILE, report)
        write_manifest(part, STAGE, inputs, vars(settings), report["splits"])
    tell(summary(report))
    return report


def choose_held_out(documents: Sequence[Document], wanted: Sequence[str] = ()) -> set[str]:
    """Return the books to hold out: those wanted, else some, by a hash of their names.

    They are HELD_OUT_SHARE of the text, twice that at most; the smallest, if all are larger.
    Raises CorpusError when a wanted book is not there, or no book would be left.
    """
    sizes: Counter[str] = Counter()
    for document in documents:
        sizes[document.book] += len(document.text)
    by_name = {name.casefold(): name for name in sizes}
    unknown = [name for name in wanted if name.casefold() not in by_name]
    if unknown:
        raise CorpusError(
            f"the book {unknown[0]!r} cannot be held out, for it is not in the corpus; there are"
            f" {_first(sorted(sizes))}"
        )
    chosen = {by_name[name.casefold()] for name in wanted}
    if not chosen and len(sizes) > 1:
        share = HELD_OUT_SHARE * sizes.total()
        chosen, held = set(), 0
        for name in sorted(sizes, key=lambda name: hashlib.sha256(name.encode()).digest()):
            if held < share and held + sizes[name] <= 2 * share:
                chosen.add(name)
                held += sizes[name]
        chosen = chosen or {min(sizes, key=lambda name: (sizes[name], name))}
    if not chosen or len(chosen) == len(sizes):
        raise CorpusError(
            f"the corpus has {len(sizes)} book{'s' * (len(sizes) > 1)} (a text file is a book, and"
            " files of one name in several folders are the same one), and at least one must be"
            " left to train on and one to be measured on: divide the text into more files"
        )
    return chosen


def without_duplicates(
    documents: Sequence[Document], held_out: set[str], near: float
) -> tuple[dict[str, list[Document]], dict[str, Any]]:
    """Return the documents of each split, and what was left out.

    Of two that are alike the held-out one is kept. Of one that is a part of the other, the longer
    one is: to leave that out could be to leave out everything.
    """
    tqdm = packages.load("tqdm", "the corpus").tqdm
    order = sorted(range(len(documents)), key=lambda at: documents[at].book not in held_out)
    left_out: dict[int, tuple[int, float]] = {}
    texts = [documents[at].text for at in order]
    # Only where somebody looks on, and has to wait.
    bar = tqdm(texts, desc="duplicates", unit="document", disable=None, delay=2)
    for later, earlier, likeness in duplicates(bar, near):
        left_out[order[later]] = (order[earlier], likeness)
    kept: dict[str, list[Document]] = {TRAIN: [], HELD_OUT: []}
    for at, document in enumerate(documents):
        if at not in left_out:
            kept[HELD_OUT if document.book in held_out else TRAIN].append(document)
    exact = sum(likeness == 1.0 for _, likeness in left_out.values())
    pairs = [
        f"{documents[later].source} = {documents[earlier].source} ({likeness:.2f})"
        for later, (earlier, likeness) in sorted(left_out.items())
    ]
    parts: list[str] = []
    for split, other in ((TRAIN, HELD_OUT), (HELD_OUT, TRAIN)):
        some, wholes = kept[split], kept[other]
        found = {
            part: f"{some[part].source} is in {wholes[whole].source} ({share:.2f})"
            for part, whole, share in contained(
                [each.text for each in some], [each.text for each in wholes], near
            )
        }
        kept[split] = [each for at, each in enumerate(some) if at not in found]
        parts += found.values()
    return kept, {
        **{"exact": exact, "near": len(pairs) - exact, "contained": len(parts)},
        "first": [*parts, *pairs][:20],
    }


def compare_with_characters(
    held_out: dict[str, Any], texts: dict[str, list[str]]
) -> dict[str, float | int]:
    """Compare the tokenizer with one whose tokens are characters, by the held-out split."""
    tokens = held_out["tokens"] - held_out["documents"]  # without the boundaries
    characters = sum(map(len, texts[HELD_OUT]))
    return {
        "held_out_tokens": tokens,
        "held_out_characters": characters,
        "characters_per_token": round(characters / tokens, 3),
        "character_vocabulary": len(set().union(*texts[TRAIN])),
    }


def _rare(folder: Path, vocab_size: int) -> int:
    """Count the entries that the training text has fewer than RARE times: they learn little."""
    counts = np.zeros(vocab_size, dtype=np.int64)
    stream = TokenStream(folder, TRAIN)
    for start in range(0, len(stream), _COUNTED):
        part = stream.slice(start, min(start + _COUNTED, len(stream)))
        counts += np.bincount(part, minlength=vocab_size)
    return int((counts < RARE).sum())


def summary(report: dict[str, Any]) -> str:
    """Return the report as a sentence or two."""
    train, held = report["splits"][TRAIN], report["splits"][HELD_OUT]
    twice = report["duplicates"]
    words = report["tokenizer"]
    text = (
        f"{train['tokens']} tokens of {train['documents']} documents to train on,"
        f" {held['tokens']} held out ({_first(report['held_out_books'])}); left out:"
        f" {twice['exact']} duplicates, {twice['near']} near-duplicates"
        f"{_contained(twice)}; {words['characters_per_token']:.2f} characters per token,"
        f" {words['rare']} of {report['vocab_size']} entries occur fewer than {RARE} times"
    )
    if taken := report["removed"].get(AROUND_BOOKS):
        text += f"; removed: {taken} {AROUND_BOOKS}"
    if report["not_text"]:
        text += f"; {len(report['not_text'])} files are not UTF-8 text, as {report['not_text'][0]}"
    if "not_read" in report:
        text += f"; not read: {named(Counter(report['not_read']))}"
    return text


def _first(names: Sequence[str]) -> str:
    return ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")


def _contained(twice: dict[str, Any]) -> str:
    count = twice["contained"]
    if not count:
        return ""
    return f", {count} {'part' if count == 1 else 'parts'} of longer text in the other split"


def _write(
    folder: Path, split: str, texts: Sequence[str], tokenizer: Tokenizer, vocab_size: int
) -> dict[str, Any]:
    counts = write_shards(folder, split, encoded(tokenizer, texts), vocab_size)
    return {**counts, "bytes": sum(len(text.encode("utf-8")) for text in texts)}
