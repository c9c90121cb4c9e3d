#!/usr/bin/env python3
# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Decoding the exported 109 M SIM-ONE on the CPU, against what the memory's bandwidth allows.

A token needs every weight once, so bandwidth over the bytes of the weights is the roof. Bandwidth
is that of reading a buffer as large as the file, with as many threads, by the quickest of three
plain loops (xor of integers, BLAS dot product, maximum), measured between the rounds of decoding.
The weights are random, which changes no speed; the tied embeddings are read as the output layer.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import gguf
import numpy as np
from clara_training.corpus import SAMPLE
from clara_training.corpus_read import Cleaning, read_folder
from clara_training.decoder import count
from clara_training.export_gguf import write_model
from clara_training.gguf_scores import GgufScores
from clara_training.scratch import new_model, save_model
from clara_training.tokenizer import save_tokenizer, train_tokenizer
from report import report, summary

from clara_training import quantize

VOCABULARY, CONTEXT = 32_000, 1024
LOOPS: dict[str, Callable[[np.ndarray], object]] = {
    "xor": lambda part: np.bitwise_xor.reduce(part),
    "dot": lambda part: np.dot(part.view(np.float32), part.view(np.float32)),
    "maximum": lambda part: part.max(),
}


def export(folder: Path, size: str) -> tuple[dict[str, Path], int]:
    """Write a SIM-ONE with its first weights as f16 and Q8_0; return them and its parameters."""
    texts = [each.text for each in read_folder(SAMPLE, Cleaning())]
    save_tokenizer(train_tokenizer(texts, 384), folder / "tokenizer")
    model = new_model("simone", size, VOCABULARY, CONTEXT)
    (folder / "model").mkdir()
    save_model(model, folder / "model", folder / "tokenizer")
    half, eight = folder / "f16.gguf", folder / "q8_0.gguf"
    write_model(folder / "model", half)
    quantize.quantise(half, eight, "Q8_0")
    return {"f16": half, "Q8_0": eight}, count(model)


def weights_of(path: Path) -> int:
    """Return the bytes of all tensors of a GGUF."""
    return sum(int(each.n_bytes) for each in gguf.GGUFReader(path).tensors)


def bandwidth(buffer: np.ndarray, pool: ThreadPoolExecutor, threads: int) -> float:
    """Return bytes a second of reading a buffer once, by the quickest loop, the best of three."""
    parts = np.array_split(buffer, threads)
    best = 0.0
    for loop in LOOPS.values():
        for _ in range(3):
            start = time.perf_counter()
            list(pool.map(loop, parts))
            best = max(best, buffer.nbytes / (time.perf_counter() - start))
    return best


def decode(scores: GgufScores, tokens: int) -> float:
    """Return the tokens a second of decoding one at a time."""
    scores.logits([0])
    start = time.perf_counter()
    for place in range(1, tokens + 1):
        scores.step(place % VOCABULARY, place)
    return tokens / (time.perf_counter() - start)


def main() -> None:
    """Measure, print, and write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", default="base", help="of SIM-ONE; base has 109 M parameters")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--tokens", type=int, default=48, help="of a round")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    rows: dict[str, str] = {}
    figures: dict[str, object] = vars(options).copy()
    with (
        tempfile.TemporaryDirectory() as folder,
        ThreadPoolExecutor(options.threads) as pool,
    ):
        files, parameters = export(Path(folder), options.size)
        rows["model"] = f"SIM-ONE {options.size}, {parameters / 1e6:.1f} M parameters"
        figures["parameters"] = parameters
        for kind, path in files.items():
            size = weights_of(path)
            # Random, so that no page is shared with another.
            buffer = np.random.default_rng(0).integers(0, 1 << 30, size // 8, dtype=np.int64)
            speeds: list[float] = []
            reads: list[float] = []
            with GgufScores(path, n_ctx=256, threads=options.threads) as scores:
                decode(scores, 8)
                for _ in range(options.rounds):
                    reads.append(bandwidth(buffer, pool, options.threads))
                    speeds.append(decode(scores, options.tokens))
            del buffer
            shares = [one * size / read for one, read in zip(speeds, reads, strict=True)]
            rows[f"{kind}, weights"] = f"{size / 1e6:.1f} MB"
            rows[f"{kind}, read bandwidth"] = f"{statistics.median(reads) / 1e9:.2f} GB/s"
            rows[f"{kind}, decoding"] = f"{statistics.median(speeds):.1f} tokens/s"
            rows[f"{kind}, of the roof"] = f"{statistics.median(shares):.1%}"
            figures[f"{kind}_bytes"] = size
            figures[f"{kind}_tokens_per_second"] = summary(speeds)
            figures[f"{kind}_bandwidth"] = summary(reads)
            figures[f"{kind}_share_of_roof"] = summary(shares)
    title = f"Decoding against the read bandwidth, {options.threads} threads"
    report("decode_roof", title, rows, figures)


if __name__ == "__main__":
    main()
