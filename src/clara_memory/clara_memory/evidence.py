# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""How much a resemblance between two names says: decades of evidence against chance.

- Evidence is -log10 of the share of unrelated pairs that are at least as alike. The shares were
  counted over 1,962 names of everyday things; `bench/chance_resemblance.py` prints them again.
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
MISTAKES = 0.03  # share of unknown fillers that may be taken for a known one
LEAST_CHOICE = 10  # fillers that chance chooses from at least: what is asked is no accident

# Similarity, and -log10 of the share of unrelated pairs that reach it.
_SPELLING = (
    (0.0, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0),
    (0.0, 0.5, 1.2, 1.8, 2.3, 3.0, 3.7, 4.3, 6.0, SAME),
)
_MEANING = (
    (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0),
    (0.2, 1.1, 1.8, 2.3, 2.6, 2.9, 3.2, 3.5, 4.1, 5.2, 7.0),
)
# One slip of the pen is likelier than chance's way to be as near, three are less likely; what was
# never seen has relatives among what was, so meaning counts a little less. Chosen so that at most
# 5 % of unknown things are taken for known ones (`bench/memory_accuracy.py --seed 2`).
_BY_EDITS = ((0.0, 1.0, 2.0, 3.0, 10.0), (0.0, 0.7, -0.1, -0.9, -6.5))
_RELATIVES = 0.2
_NUMBERS = re.compile(r"\d+")

Decades = NDArray[np.float32]


def of_spelling(cue: str, names: list[str]) -> tuple[Decades, Decades]:
    """Return decades of evidence that `cue` is a misspelling of each name, shape (n,) twice.

    The first is for ranking names; the second, for believing one, also asks whether a slip of the
    pen would look like this. Numbers are names: `cup 21` is no misspelling of `cup 12`.
    """
    alike = process.cdist([cue], names, scorer=OSA.normalized_similarity, dtype=np.float32)[0]
    decades: Decades = np.interp(alike, *_SPELLING).astype(np.float32)
    numbers = _NUMBERS.findall(cue)
    near = np.flatnonzero(decades >= FLOOR)
    decades[[place for place in near if _NUMBERS.findall(names[place]) != numbers]] = 0.0
    longer = np.maximum(len(cue), [len(name) for name in names])
    edits = np.rint((1.0 - alike) * longer)
    belief: Decades = np.maximum(decades + np.interp(edits, *_BY_EDITS), 0.0).astype(np.float32)
    return decades, np.where(decades > 0, belief, np.float32(0.0))


def of_meaning(cosines: NDArray[np.float32]) -> tuple[Decades, Decades]:
    """Return decades of evidence for cosines between embeddings, for ranking and for believing."""
    decades: Decades = np.interp(cosines, *_MEANING).astype(np.float32)
    return decades, np.maximum(decades - np.float32(_RELATIVES), np.float32(0.0))


def together(spelling: Decades, meaning: Decades) -> Decades:
    """Return the evidence of both, same shape."""
    both: Decades = np.maximum(spelling, meaning) + np.float32(0.5) * np.minimum(spelling, meaning)
    return both


def believable(decades: float, choice: int, looks: int = 1) -> bool:
    """Whether chance hardly ever (MISTAKES) offers so good a resemblance among `choice` fillers.

    `looks`: in how many ways they were compared.
    """
    chances = max(choice, LEAST_CHOICE) * looks
    return bool(chances * 10.0**-decades <= MISTAKES)
