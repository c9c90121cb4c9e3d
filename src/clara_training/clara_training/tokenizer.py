# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""The tokenizer of the models trained from scratch: byte-level BPE with GPT-2's splitting rules.

- Any text can be written with it, for the 256 bytes are tokens, and llama.cpp reads it just so:
  nothing but merges is used where added tokens could be, for those two look for added tokens in
  different orders. Only of letters that came with Unicode 16, and only where the corpus has taught
  merges of them, llama.cpp may think differently.
- Quality seeds, words that a model is to see whole, are single tokens alone and after a space. If
  the corpus did not make them so, merges of the lowest rank do, in the place of its rarest.
- `<|endoftext|>` begins every document.
- What the library keeps of a text while it works on it is a hundred times as large as the text, so
  it is given pieces.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from clara_training import packages
from clara_training.corpus_read import SPECIAL
from clara_training.errors import CorpusError, StorageError, first_line

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from tokenizers import Tokenizer

VOCAB_SIZE = 32_000
QUALITY_SEEDS = (
    *("wisdom", "understanding", "knowledge", "truth", "counsel", "justice", "mercy", "grace"),
    *("faith", "hope", "love", "peace", "patience", "kindness", "covenant", "righteousness"),
)
END = SPECIAL[0]
TOKENIZER_FILE = "tokenizer.json"
_BYTES = 256
_PIECE = 1 << 16  # characters, and as many more as there is no cut in
_AT_ONCE = 1 << 20  # characters
# Where words end whatever surrounds them: behind a newline, before a space, between two of them.
_CUT = re.compile(r"(?<=\S\n)(?=\S)|(?<=\S)(?= \S)")
Merge = tuple[str, str]


def train_tokenizer(
    texts: Sequence[str],
    vocab_size: int | None = None,
    seeds: Iterable[str] = QUALITY_SEEDS,
) -> Tokenizer:
    """Train a tokenizer of `vocab_size` entries; None: VOCAB_SIZE, or what the texts support.

    A text supports an entry that it has at least twice. Seeds that no text contains are left out:
    their embeddings would never be trained. With the least size, 260, the tokens are bytes and
    there are no seeds. Raises CorpusError when the texts do not support so many entries, or a seed
    is not one word.
    """
    tokenizers = packages.load("tokenizers", "the tokenizer")
    least = len(SPECIAL) + _BYTES + 1  # llama.cpp refuses a vocabulary without a merge
    if vocab_size is not None and vocab_size < least:
        raise CorpusError(
            f"a vocabulary of {vocab_size} is too small: the 256 bytes, the special tokens and"
            f" one merge are {least} entries"
        )
    if vocab_size == least:
        seeds = ()  # little but bytes: what a vocabulary is measured against
    seeds = [seed for seed in dict.fromkeys(seeds) if any(seed in text for text in texts)]
    spelled = [letters for seed in seeds for letters in _spellings(seed)]
    alphabet, merges = _learn(texts, vocab_size or VOCAB_SIZE)
    supported = len(_vocabulary(alphabet, merges))
    advised = max(supported // 256 * 256, least)  # multiples of 256 quantise best
    vocab_size = vocab_size or (VOCAB_SIZE if supported >= VOCAB_SIZE else advised)
    if supported < vocab_size:
        raise CorpusError(
            f"the corpus supports a vocabulary of {supported} entries, not of {vocab_size}: take"
            f" --vocab_size {advised} or a larger corpus"
        )
    kept = len(merges)
    while True:
        all_merges = with_seeds(merges[:kept], spelled)
        vocabulary = _vocabulary(alphabet, all_merges)
        if len(vocabulary) <= vocab_size:
            break
        kept -= len(vocabulary) - vocab_size
        if kept < 0:
            raise CorpusError(
                f"a vocabulary of {vocab_size} has no room for {len(seeds)} quality seeds: take a"
                f" larger one, fewer seeds, or --vocab_size {least} for little but bytes"
            )
    # Where the last merge that had to go made room for two, more of the learned ones fit again.
    for pair in merges[kept:]:
        if len(vocabulary) == vocab_size:
            break
        if "".join(pair) not in vocabulary and all(part in vocabulary for part in pair):
            all_merges.append(pair)
            vocabulary["".join(pair)] = len(vocabulary)
    made = tokenizers.Tokenizer(tokenizers.models.BPE(vocab=vocabulary, merges=all_merges))
    made.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = tokenizers.decoders.ByteLevel()
    made.add_special_tokens(list(SPECIAL))
    found: Tokenizer = made
    return found


def with_seeds(merges: Sequence[Merge], spelled: Iterable[Sequence[str]]) -> list[Merge]:
    """Return the merges, and after them those that make each spelling one token.

    As they rank below all others, they change nothing before a word is in its last parts.
    """
    found = list(merges)
    ranks = {pair: rank for rank, pair in enumerate(found)}
    for letters in spelled:
        parts = merged(letters, ranks)
        while len(parts) > 1:
            pair = (parts[0], parts[1])
            ranks[pair] = len(found)
            found.append(pair)
            parts = merged(letters, ranks)
    return found


def merged(letters: Sequence[str], ranks: dict[Merge, int]) -> list[str]:
    """Return what BPE makes of a word: the pair of the lowest rank is joined, until none is."""
    parts = list(letters)
    while True:
        pairs = [(ranks.get(pair, -1), at) for at, pair in enumerate(pairwise(parts))]
        known = [each for each in pairs if each[0] >= 0]
        if not known:
            return parts
        _, at = min(known)
        parts[at : at + 2] = [parts[at] + parts[at + 1]]


def pieces(text: str, size: int = _PIECE) -> Iterator[str]:
    """Cut a text where the splitting rules do anyway: the tokens of the pieces are the text's."""
    start = 0
    while cut := _CUT.search(text, start + size):
        yield text[start : cut.start()]
        start = cut.start()
    yield text[start:]


def encoded(tokenizer: Tokenizer, texts: Iterable[str]) -> Iterator[NDArray[np.uint32]]:
    """Yield the tokens of each text, (n,), with `<|endoftext|>`, which is 0, before them."""
    last, document = 0, [np.zeros(1, np.uint32)]
    for group in _groups(texts):
        found = tokenizer.encode_batch_fast([piece for _, piece in group])
        for (number, _), each in zip(group, found, strict=True):
            if number != last:
                yield np.concatenate(document)
                last, document = number, document[:1]
            document.append(np.array(each.ids, np.uint32))
    if len(document) > 1:
        yield np.concatenate(document)


def _groups(texts: Iterable[str]) -> Iterator[list[tuple[int, str]]]:
    """Yield the pieces of texts, with the texts' numbers, about _AT_ONCE characters at a time."""
    group: list[tuple[int, str]] = []
    size = 0
    for number, text in enumerate(texts):
        for piece in pieces(text):
            group.append((number, piece))
            size += len(piece)
            if size >= _AT_ONCE:
                yield group
                group, size = [], 0
    if group:
        yield group


def save_tokenizer(tokenizer: Tokenizer, folder: Path, context: int = 1024) -> None:
    """Save a tokenizer as transformers and the GGUF exporter read it. Raises StorageError."""
    transformers = packages.load("transformers", "the tokenizer")
    wrapped = transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=END,
        eos_token=END,
        pad_token=END,
        model_max_length=context,
    )
    try:
        wrapped.save_pretrained(folder)
    except OSError:
        raise
    except Exception as error:  # the library raises plain Exceptions
        raise StorageError(
            f"the tokenizer cannot be written to {folder}: {first_line(error)}"
        ) from error


def load_tokenizer(folder: Path) -> Tokenizer:
    """Load the tokenizer of a corpus or a model. Raises CorpusError."""
    tokenizers = packages.load("tokenizers", "the tokenizer")
    path = folder / TOKENIZER_FILE
    try:
        found: Tokenizer = tokenizers.Tokenizer.from_file(str(path))
        return found
    except Exception as error:  # the library raises plain Exceptions
        raise CorpusError(f"the tokenizer {path} cannot be read: {error}") from error


def byte_lengths(tokenizer: Tokenizer) -> NDArray[np.int64]:
    """Return of how many bytes of text each token is, (V,); the special ones are of none."""
    lengths = np.zeros(tokenizer.get_vocab_size(), np.int64)
    for token, number in tokenizer.get_vocab().items():
        if token not in SPECIAL:
            lengths[number] = len(token)  # spelled with a letter for each byte
    return lengths


def _learn(texts: Sequence[str], vocab_size: int) -> tuple[list[str], list[Merge]]:
    """Return the 256 bytes as BPE spells them, and the merges, most frequent first."""
    import json

    tokenizers = packages.load("tokenizers", "the tokenizer")
    made = tokenizers.Tokenizer(tokenizers.models.BPE())
    made.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet())
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=vocab_size - len(SPECIAL),
        min_frequency=2,
        initial_alphabet=alphabet,
        show_progress=False,
    )
    made.train_from_iterator((piece for text in texts for piece in pieces(text)), trainer)
    merges: list[Any] = json.loads(made.to_str())["model"]["merges"]
    return alphabet, [(pair[0], pair[1]) for pair in merges]


def _vocabulary(alphabet: Sequence[str], merges: Iterable[Merge]) -> dict[str, int]:
    tokens = dict.fromkeys((*SPECIAL, *alphabet, *(first + second for first, second in merges)))
    return {token: number for number, token in enumerate(tokens)}


def _spellings(seed: str) -> list[list[str]]:
    """Return a seed as BPE's letters, alone and after a space. Raises CorpusError."""
    tokenizers = packages.load("tokenizers", "the tokenizer")
    rules = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    spelled = []
    for text in (f" {seed}", seed):
        words = [letters for letters, _ in rules.pre_tokenize_str(text)]
        if len(words) != 1:
            raise CorpusError(
                f"the quality seed {seed!r} cannot be a single token: it is {len(words)} words to"
                " the tokenizer; give each as a seed of its own"
            )
        spelled.append(list(words[0]))
    return spelled
