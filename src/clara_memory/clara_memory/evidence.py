# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""How much a resemblance between two names says: decades of evidence against chance.

- Evidence is -log10 of the share of unrelated pairs that are at least as alike. The shares were
  counted over 1,968 names of everyday things; `bench/chance_resemblance.py` prints them again.
- Spelling: optimal string alignment (a swap of neighbours is one edit) over the longer length.
- Meaning: cosine of the embeddings. Both together count max + min / 2: they are not independent.
"""

import re

import numpy as np
from numpy.typing import NDArray
from rapidfuzz import process
from rapidfuzz.distance import OSA

SAME = 8.0  # decades that stand for the very same symbol
INFLECTED = 6.0
FLOOR = 1.5  # below this a resemblance is not worth a look
MISTAKES = 0.05  # share of unknown fillers that may be taken for a known one
LEAST_CHOICE = 10  # how many fillers chance chooses from at least, where that many are known

# Similarity, and -log10 of the share of unrelated pairs that reach it.
_SPELLING = (
    (0.0, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0),
    (0.0, 0.5, 1.2, 1.8, 2.3, 3.0, 3.7, 4.3, 6.0, SAME),
)
_MEANING = (
    (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0),
    (0.2, 1.1, 1.8, 2.3, 2.6, 2.9, 3.2, 3.5, 4.1, 5.2, 7.0),
)
_NUMBERS = re.compile(r"\d+")

Decades = NDArray[np.float32]


def of_spelling(cue: str, names: list[str]) -> Decades:
    """Return decades of evidence that `cue` is a misspelling of each name, shape (n,).

    Numbers are names: `cup 21` is no misspelling of `cup 12`, however alike they look.
    """
    alike = process.cdist([cue], names, scorer=OSA.normalized_similarity, dtype=np.float32)[0]
    decades: Decades = np.interp(alike, *_SPELLING).astype(np.float32)
    numbers = _NUMBERS.findall(cue)
    near = np.flatnonzero(decades >= FLOOR)
    decades[[place for place in near if _NUMBERS.findall(names[place]) != numbers]] = 0.0
    return decades


def of_meaning(cosines: NDArray[np.float32]) -> Decades:
    """Return decades of evidence for cosines between embeddings, same shape."""
    decades: Decades = np.interp(cosines, *_MEANING).astype(np.float32)
    return decades


def together(spelling: Decades, meaning: Decades) -> Decades:
    """Return the evidence of both, same shape."""
    both: Decades = np.maximum(spelling, meaning) + np.minimum(spelling, meaning) / 2
    return both


def believable(decades: float, choice: int, known: int, looks: int = 1) -> bool:
    """Whether chance would offer so good a resemblance among `choice` fillers in < 5 % of cases.

    `known`: how many fillers the role has; `looks`: in how many ways they were compared.
    """
    chances = max(choice, min(known, LEAST_CHOICE)) * looks
    return bool(chances * 10.0**-decades <= MISTAKES)
