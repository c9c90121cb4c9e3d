# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Meaning for fillers: an embedder that gives like vectors to words that mean alike.

An embedder is any function from n texts to n vectors, shape (n, d). `wordllama_embedder` is the
one that comes with the extra `wordllama` (MIT, numpy only, no download, no torch); without it
memory works by spelling.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clara_memory.errors import MeaningUnavailable

Embedder = Callable[[Sequence[str]], NDArray[Any]]
MAX_MEANT = 20_000  # fillers of a role that get a vector; later ones are found by spelling only


def wordllama_embedder() -> Embedder:
    """Return the embedder of wordllama's own 256-dimensional model, which its wheel holds.

    Raises:
        MeaningUnavailable: wordllama is not installed, or not with its weights.
    """
    try:
        import wordllama
    except ImportError as error:
        raise MeaningUnavailable(
            f"meaning needs wordllama, which cannot be imported ({error}): pip install wordllama"
        ) from error
    try:
        # Its resolver looks below cache_dir for what the wheel has in the package's own folder.
        model = wordllama.WordLlama.load(
            cache_dir=Path(wordllama.__file__).parent, disable_download=True
        )
    except Exception as error:
        raise MeaningUnavailable(f"wordllama cannot load its model: {error}") from error

    def embed(texts: Sequence[str]) -> NDArray[Any]:
        vectors: NDArray[Any] = model.embed(list(texts))
        return vectors

    return embed


class Vectors:
    """Unit vectors of the fillers of one role, made when they are first needed."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self._rows: NDArray[np.float32] = np.zeros((0, 1), dtype=np.float32)

    def cosines(self, cue: str, names: Sequence[str]) -> NDArray[np.float32]:
        """Return the cosine of the cue to each name, shape (n,); empty names have 0.

        `names` may only grow between calls.
        """
        wanted = min(len(names), MAX_MEANT)
        if len(self._rows) < wanted:
            fresh = self._embed(names[len(self._rows) : wanted])
            known = self._rows if len(self._rows) else fresh[:0]
            self._rows = np.concatenate([known, fresh])
        found = np.zeros(len(names), dtype=np.float32)
        found[: len(self._rows)] = self._rows @ self._embed([cue])[0]
        return found

    def _embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        vectors = np.asarray(self._embedder([text or " " for text in texts]), dtype=np.float32)
        if vectors.ndim != 2 or len(vectors) != len(texts):
            raise MeaningUnavailable(
                f"the embedder gave an array of shape {vectors.shape} for {len(texts)} texts: "
                "(n, d) was expected"
            )
        vectors = np.nan_to_num(vectors)
        vectors[[not text for text in texts]] = 0.0
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        unit: NDArray[np.float32] = vectors / np.maximum(lengths, np.float32(1e-9))
        return unit
