# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Token shards: what a corpus is trained from, memory-mapped, of any size.

`<split>-00000.bin`, ... are little-endian token ids, uint16 where the vocabulary allows it, else
uint32; `<split>.documents.npy` has the place of each document's first token, which is always
`<|endoftext|>`, and `<split>.sources.json` the book and source of each. `corpus.json` says how
many there are of everything. Rows for training are a pure function of seed, epoch and number, so
that a resumed run sees what the killed one would have seen.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from clara_training.errors import CorpusError

if TYPE_CHECKING:
    from numpy.typing import NDArray

FORMAT = 1
CORPUS_FILE = "corpus.json"
TRAIN, HELD_OUT = "train", "held_out"
SHARD_TOKENS = 1 << 26


def write_shards(
    folder: Path,
    split: str,
    documents: Iterable[Sequence[int] | NDArray[np.uint32]],
    vocab_size: int,
    shard_tokens: int = SHARD_TOKENS,
) -> dict[str, Any]:
    """Write the documents of a split, each begun by its boundary; return their counts.

    A document is never spread over two shards.
    """
    kind = np.dtype("<u2" if vocab_size <= 1 << 16 else "<u4")
    starts: list[int] = []
    sizes: list[int] = []
    total = 0
    file = None
    for tokens in documents:
        if file is None or (sizes[-1] and sizes[-1] + len(tokens) > shard_tokens):
            if file is not None:
                file.close()
            file = (folder / f"{split}-{len(sizes):05d}.bin").open("wb")
            sizes.append(0)
        file.write(np.asarray(tokens, dtype=kind).tobytes())
        starts.append(total)
        total += len(tokens)
        sizes[-1] += len(tokens)
    if file is not None:
        file.close()
    np.save(folder / f"{split}.documents.npy", np.asarray(starts, dtype=np.uint64))
    return {"tokens": total, "documents": len(starts), "shards": sizes, "dtype": kind.str[1:]}


def write_sources(folder: Path, split: str, sources: Sequence[tuple[str, str]]) -> None:
    """Write the book and the source of each document of a split."""
    text = json.dumps([list(each) for each in sources], ensure_ascii=False)
    (folder / f"{split}.sources.json").write_text(text + "\n", encoding="utf-8")


def read_sources(folder: Path, split: str) -> list[tuple[str, str]]:
    """Return the book and the source of each document of a split. Raises CorpusError.

    The source is a file's path below the folder of text, or as `engKJV2006eb Ruth 1`.
    """
    path = folder / f"{split}.sources.json"
    try:
        return [(str(book), str(source)) for book, source in json.loads(path.read_bytes())]
    except FileNotFoundError:
        raise CorpusError(
            f"the corpus {folder} was made by an earlier version, and does not say which book each"
            " document is of: make it again with clara-train corpus"
        ) from None
    except (OSError, ValueError, TypeError) as error:
        raise CorpusError(f"{path} cannot be read ({error}); make the corpus again") from error


def read_corpus(folder: Path) -> dict[str, Any]:
    """Read corpus.json. Raises CorpusError."""
    path = folder / CORPUS_FILE
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise CorpusError(
            f"{folder} is not a corpus: {CORPUS_FILE} is not there; make one with clara-train"
            " corpus"
        ) from None
    except (OSError, ValueError) as error:
        raise CorpusError(f"{path} cannot be read ({error}); make the corpus again") from error
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise CorpusError(f"{path} is not of format {FORMAT}: make the corpus again")
    return found


class TokenStream:
    """The tokens of one split, one after the other. Raises CorpusError when a shard is damaged."""

    def __init__(self, folder: Path, split: str) -> None:
        self.folder = folder
        counts = read_corpus(folder)["splits"][split]
        kind = np.dtype(f"<{counts['dtype']}")
        self._shards = []
        for number, size in enumerate(counts["shards"]):
            path = folder / f"{split}-{number:05d}.bin"
            there = path.stat().st_size if path.exists() else 0
            if there != size * kind.itemsize:
                raise CorpusError(
                    f"the shard {path} has {there} bytes, not {size * kind.itemsize}: make the"
                    " corpus again"
                )
            self._shards.append(np.memmap(path, dtype=kind, mode="r"))
        self._ends = np.cumsum([0, *counts["shards"]])
        self.bytes: int = counts["bytes"]  # of the text that the tokens stand for

    def __len__(self) -> int:
        return int(self._ends[-1])

    def slice(self, start: int, stop: int) -> NDArray[np.int64]:
        """Return tokens [start, stop), (stop - start,) int64."""
        parts = []
        shard = int(np.searchsorted(self._ends, start, side="right")) - 1
        while start < stop:
            begin, end = int(self._ends[shard]), int(self._ends[shard + 1])
            parts.append(self._shards[shard][start - begin : min(stop, end) - begin])
            start, shard = end, shard + 1
        return np.concatenate(parts).astype(np.int64)


class Rows:
    """The rows of `context` + 1 tokens that a stream is cut into, in an order for each epoch.

    Rows share their last and first token, so every token is a target once. The cuts move from
    epoch to epoch.
    """

    def __init__(self, stream: TokenStream, context: int, seed: int = 0) -> None:
        self._stream, self.context, self._seed = stream, context, seed
        # One row less than there is room for, for the moving cuts.
        self.count = (len(stream) - 1) // context - 1
        if self.count < 1:
            raise CorpusError(
                f"the corpus has {len(stream)} tokens to train on, too few for a context of"
                f" {context}: take a smaller --context or more text"
            )
        self._epoch = -1

    def row(self, number: int) -> NDArray[np.int64]:
        """Return the row with this number, counted over all epochs, (context + 1,)."""
        epoch, place = divmod(number, self.count)
        if epoch != self._epoch:
            draw = np.random.Generator(np.random.PCG64([self._seed, epoch]))
            self._order = draw.permutation(self.count)
            self._shift = int(draw.integers(0, self.context))
            self._epoch = epoch
        start = self._shift + int(self._order[place]) * self.context
        return self._stream.slice(start, start + self.context + 1)


def windows(stream: TokenStream, context: int) -> Iterable[NDArray[np.int64]]:
    """Yield all of a stream in rows of up to `context` + 1 tokens, in order."""
    for start in range(0, len(stream) - 1, context):
        yield stream.slice(start, min(start + context + 1, len(stream)))
