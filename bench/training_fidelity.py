#!/usr/bin/env python3
# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""How true each quantisation is to the model in f32, with and without an importance matrix.

Judged on the general text that ships with clara_training; the matrix is gathered on conversations
of the starter data, so the two have nothing in common.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from clara_training.base import find_base, load_model, load_tokenizer
from clara_training.chat_encoding import encode
from clara_training.examples import conversation, split
from clara_training.export_gguf import write_model
from clara_training.fidelity import GATES, compare
from clara_training.machine import use_threads
from clara_training.spec import DOMAINS, TRAITS
from clara_training.starter import starter_examples
from clara_training.validate import general_texts
from report import report

from clara_training import imatrix, quantize

WINDOW = 256


def calibration(tokenizer: object, tokens: int) -> list[list[int]]:
    """Conversations of all dimensions, none of them held out, end to end."""
    found: list[int] = []
    learned = [split(starter_examples(name, name in TRAITS))[0] for name in (*TRAITS, *DOMAINS)]
    for place in range(max(map(len, learned))):
        for examples in learned:
            if place < len(examples) and len(found) < tokens:
                found += encode(tokenizer, *conversation(examples[place])).ids
    return [found[at : at + WINDOW] for at in range(0, len(found), WINDOW)]


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base", default="smollm2", help="model: smollm2, or a folder")
    parser.add_argument("--tokens", type=int, default=1536, help="of general text")
    parser.add_argument("--calibration", type=int, default=8192, help="tokens for the matrix")
    parser.add_argument("--threads", type=int, default=0)
    options = parser.parse_args()
    use_threads(options.threads or None)
    base = find_base(options.base)
    tokenizer, model = load_tokenizer(base), load_model(base, "cpu")
    texts = general_texts(tokenizer, options.tokens)
    rows: dict[str, str] = {}
    figures: dict[str, object] = {"model": options.base, "tokens": sum(map(len, texts))}
    divergence: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as place:
        half = Path(place, "f16.gguf")
        write_model(base.folder, half)
        imatrix.save(
            Path(place, "imatrix.gguf"),
            imatrix.gather(model, calibration(tokenizer, options.calibration)),
        )
        matrix = imatrix.load(Path(place, "imatrix.gguf"))
        cases = [
            (f"{kind}{said}", kind, weights)
            for kind in quantize.KINDS
            for said, weights in (("", None), (", importance matrix", matrix))
            if weights is None or kind in quantize.WEIGHTED
        ]
        for label, kind, weights in cases:
            path = half
            fallbacks = 0
            if kind != "F16":
                path = Path(place, "quantised.gguf")
                made = quantize.quantise(half, path, kind, weights, threads=options.threads)
                fallbacks = len(made.fallbacks)
            found = compare(model, path, texts, threads=options.threads)
            divergence[label] = found.kl
            verdict = "passes" if not found.faults(kind) else "FAILS"
            rows[label] = (
                f"KL {found.kl:.2e} (at most {GATES[kind].kl:g}), same top {found.same_top:.1%},"
                f" perplexity {found.perplexity:.2f} (model {found.reference_perplexity:.2f}),"
                f" {path.stat().st_size / 1e6:.0f} MB, {fallbacks} fallbacks: {verdict}"
            )
            figures[label] = {
                **found.as_json(),
                "bytes": path.stat().st_size,
                "fallbacks": fallbacks,
                "faults": found.faults(kind),
            }
    less = 1 - divergence["Q4_K_M, importance matrix"] / divergence["Q4_K_M"]
    rows["the matrix lowers KL by"] = f"{less:.0%}"
    figures["matrix_lowers_kl_by"] = less
    report("training_fidelity", "Fidelity of GGUF files to the model in f32", rows, figures)


if __name__ == "__main__":
    main()
