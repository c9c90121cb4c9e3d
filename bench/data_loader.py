#!/usr/bin/env python3
# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""How fast rows come from the shards, against what a model takes, and how fast tokens are made.

One thread makes batches as the trainer does: rows by number, from memory-mapped shards, stacked.
What a model takes is that of SIM-ONE `tiny` measured here on as many threads, and of the large
sizes on an H100, of which only the upper bound of the design document is known. The tokenizer is
measured on the held-out books, against one of characters: length of sequences and speed; with
`--bits`, two small models are trained for equally many bytes, for bits per byte.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from clara_training.allocator import keep_memory
from clara_training.corpus import TOKENIZER, CorpusSettings, make_corpus
from clara_training.pretrain_checkpoint import Progress
from clara_training.pretrain_loop import Execution, PretrainSettings, fit
from clara_training.pretrain_optimizer import new_optimizer
from clara_training.pretrain_step import Compute, gradients
from clara_training.scratch import KINDS, new_model
from clara_training.shards import HELD_OUT, TRAIN, Rows, TokenStream, read_corpus
from clara_training.simone import SimoneConfig
from clara_training.tokenizer import load_tokenizer
from report import report, summary
from small_trainings import HELD_OUT_BOOKS, WORK

SMALL = SimoneConfig(layers=4, width=128, heads=2, kv_heads=2, inner=384)
# Tokens a second, the upper ends of docs' bounds for one H100: SIM-ONE of 109 M and 341 M.
H100 = {"base": 664_000, "large": 216_000}


def loader(corpus: Path, context: int, batch: int) -> dict[str, Any]:
    """Measure batches of rows, of several epochs' worth of cuts."""
    rows = Rows(TokenStream(corpus, TRAIN), context, 0)
    seconds = []
    for number in range(300):
        start = time.perf_counter()
        np.stack([rows.row(number * batch + place) for place in range(batch)])
        seconds.append((time.perf_counter() - start) / batch)
    return {"row_seconds": summary(seconds), "rows_per_second": 1 / statistics.median(seconds)}


def appetite(corpus: Path, context: int, batch: int) -> float:
    """Return the rows a second that SIM-ONE `tiny` takes here."""
    vocabulary = int(read_corpus(corpus)["vocab_size"])
    model = new_model("simone", "tiny", vocabulary, context)
    optimizer = new_optimizer(model, PretrainSettings())
    rows = Rows(TokenStream(corpus, TRAIN), context, 0)
    compute, progress = Compute(model, "cpu"), Progress(rows_at_once=batch)
    seconds = []
    for number in range(6):
        found = np.stack([rows.row(number * batch + place) for place in range(batch)])
        start = time.perf_counter()
        gradients(compute, found, progress)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        seconds.append(time.perf_counter() - start)
    return batch / statistics.median(seconds[1:])


def tokens_per_second(corpus: Path) -> float:
    """Return how many tokens the tokenizer makes in a second, with all threads."""
    tokenizer = load_tokenizer(corpus / TOKENIZER)
    stream = TokenStream(corpus, HELD_OUT)
    tokens = stream.slice(0, len(stream))
    texts = tokenizer.decode_batch([each.tolist() for each in np.array_split(tokens, 256)])
    start = time.perf_counter()
    made = sum(len(each.ids) for each in tokenizer.encode_batch(texts))
    return made / (time.perf_counter() - start)


def bits(corpus: Path, steps: int) -> float:
    """Return held-out bits per byte of a small SIM-ONE after so many steps of 8 rows of 256."""
    KINDS["simone"].SIZES["bench"] = SMALL
    model = new_model("simone", "bench", int(read_corpus(corpus)["vocab_size"]), 256)
    settings = PretrainSettings(
        **{"batch_size": 8, "num_epochs": 1, "max_steps": steps, "evaluations": 1},
        learning_rate=3e-3,
    )
    progress = Progress()
    fit(
        *(model, new_optimizer(model, settings), Rows(TokenStream(corpus, TRAIN), 256, 0)),
        *(TokenStream(corpus, HELD_OUT), settings, Execution(), progress),
        **{"report": lambda record: None, "keep": lambda best, due: None},
    )
    assert progress.best is not None
    return progress.best


def main() -> None:
    """Measure, print, and write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=WORK, help="keeps the corpora")
    parser.add_argument("--vocabulary", type=int, default=8192)
    parser.add_argument("--context", type=int, default=512)
    parser.add_argument("--rows", type=int, default=16)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--bits", type=int, default=0, metavar="STEPS", help="train, for bits")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    keep_memory()
    corpus = options.work / f"loader-{options.vocabulary}"
    make_corpus(None, corpus, CorpusSettings(options.vocabulary, HELD_OUT_BOOKS))
    found = loader(corpus, options.context, options.rows)
    speed = found["rows_per_second"]
    here = appetite(corpus, options.context, options.rows)
    rows = {
        "loader": f"{speed:.0f} rows/s, {speed * options.context / 1e6:.1f} M tokens/s",
        "  against SIM-ONE tiny on this CPU": f"{speed / here:.0f} times ({here:.2f} rows/s)",
    }
    for size, tokens in H100.items():
        ratio = speed * options.context / tokens
        rows[f"  against the bound of {size} on an H100"] = f"{ratio:.0f} times (not measured)"
    words = {
        **read_corpus(corpus)["tokenizer"],
        "tokens_per_second": round(tokens_per_second(corpus)),
    }
    rows["tokenizer"] = f"{words['tokens_per_second'] / 1e6:.2f} M tokens/s, all threads"
    rows["  characters a token, held out"] = f"{words['characters_per_token']:.2f}"
    rows["  tokens, and characters"] = (
        f"{words['held_out_tokens']}, {words['held_out_characters']}"
    )
    figures: dict[str, Any] = {
        **{name: getattr(options, name) for name in ("vocabulary", "context", "rows", "threads")},
        **{**found, "model_rows_per_second": here, "tokenizer": words},
    }
    if options.bits:
        single = options.work / "loader-260"
        make_corpus(None, single, CorpusSettings(260, HELD_OUT_BOOKS))
        length = len(TokenStream(single, TRAIN)) / len(TokenStream(corpus, TRAIN))
        steps = {"BPE": options.bits, "bytes": round(options.bits * length)}
        for name, folder in (("BPE", corpus), ("bytes", single)):
            figures[f"bits_{name}"] = bits(folder, steps[name])
            rows[f"bits per byte, {name}"] = f"{figures[f'bits_{name}']:.4f}, {steps[name]} steps"
        figures["steps"] = steps
    report("data_loader", "Rows and tokens", rows, figures)


if __name__ == "__main__":
    main()
