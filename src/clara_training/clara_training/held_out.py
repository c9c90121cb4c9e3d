# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Which held-out text a model is measured on while it learns, and how often.

All of it where it is short; of more, rows from all over it, the same at each evaluation and in
each training. No evaluation takes much longer than what was learned since the last one, so that
it is the number of steps that bounds the time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from clara_training.corpus import TOKENIZER
from clara_training.shards import TokenStream
from clara_training.tokenizer import byte_lengths, load_tokenizer

MOST_TOKENS = 500_000  # that are measured, here and by validate
_QUICKER = 3  # times as quick as to learn from a token it is to measure on one


@dataclass(frozen=True)
class HeldOutRows:
    """Rows of a stream, each of `context` + 1 tokens from its start on; the last may be shorter.

    `tokens` are those that are predicted, and `bytes` of text is what they stand for.
    """

    stream: TokenStream
    context: int
    starts: Sequence[int]
    tokens: int
    bytes: int


def held_out_rows(stream: TokenStream, context: int, most: int = MOST_TOKENS) -> HeldOutRows:
    """Return the rows to measure on, of about `most` tokens at most. Raises CorpusError."""
    starts: Sequence[int] = range(0, len(stream) - 1, context)
    if len(stream) - 1 <= most:
        return HeldOutRows(stream, context, starts, len(stream) - 1, stream.bytes)
    count = max(1, most // context)
    starts = [starts[at * len(starts) // count] for at in range(count)]
    lengths = byte_lengths(load_tokenizer(stream.folder / TOKENIZER))
    tokens = size = 0
    for start in starts:
        predicted = stream.slice(start + 1, min(start + context + 1, len(stream)))
        tokens += len(predicted)
        size += int(lengths[predicted].sum())
    return HeldOutRows(stream, context, starts, tokens, size)


def steps_between(evaluations: int, total: int, measured: int, learned: int) -> int:
    """Return after how many steps to measure.

    Args:
        evaluations: how many there are to be, at most.
        total: the steps of the training.
        measured: tokens of an evaluation.
        learned: tokens of a step.
    """
    return max(1, total // max(1, evaluations), -(-measured // (_QUICKER * learned)))
