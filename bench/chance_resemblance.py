#!/usr/bin/env python3
# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""How alike unrelated names are by chance: what clara_memory.evidence has its tables from.

Pairs of names of different things among the LVIS categories with all their synonyms; the share of
pairs at least as alike, by spelling and, with wordllama, by meaning, and -log10 of that share.
"""

from __future__ import annotations

import math

import numpy as np
from clara_memory.meaning import wordllama_embedder
from rapidfuzz import process
from rapidfuzz.distance import OSA
from report import report
from vocabulary import things

from clara_memory import MemoryFault

LIKE = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]


def main() -> None:
    """Count and report."""
    known = things()
    names = [name for one in known for name in one]
    thing = np.repeat(np.arange(len(known)), [len(one) for one in known])
    unrelated = thing[:, None] != thing[None, :]
    tables = {
        "spelling": process.cdist(
            names, names, scorer=OSA.normalized_similarity, dtype=np.float32, workers=-1
        )
    }
    try:
        vectors = np.asarray(wordllama_embedder()(names), dtype=np.float32)
        vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)
        tables["meaning"] = vectors @ vectors.T
    except MemoryFault as error:
        print(error)
    rows = {"names": f"{len(names):,} of {len(known):,} things"}
    figures: dict[str, object] = {"names": len(names)}
    for kind, table in tables.items():
        pairs = table[unrelated]
        found = {}
        for like in LIKE:
            share = float((pairs >= like - 1e-6).mean())
            decades = -math.log10(share) if share else float("inf")
            rows[f"{kind} at least {like}"] = f"{share:.1e} of pairs, {decades:.1f} decades"
            found[str(like)] = share
        figures[kind] = found
    report("chance_resemblance", "Resemblance of unrelated names", rows, figures)


if __name__ == "__main__":
    main()
