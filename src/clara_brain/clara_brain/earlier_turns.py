# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""What was said earlier in a conversation and is close to what is said now, by the memory head.

Turns that no longer fit into the context keep their embeddings, and the close ones come back into
the prompt: inside a fence, as data, cleaned as facts from memory are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from clara_brain.cleaning import cleaned
from clara_brain.readout import Embedding
from clara_brain.span_vector import SpanVector, similarities

# Of some 500 numbers at most each, a megabyte.
MOST_SPANS = 512
_MOST_HITS = 5
_MOST_RECALLED = 3
_LONGEST_RECALLED = 240


@dataclass(frozen=True)
class Span:
    """What one side said in a turn, counted from 0."""

    turn: int
    by_clara: bool
    text: str
    embedding: SpanVector


@dataclass(frozen=True)
class Hit:
    """A span close to what was said; `recalled` when it came back into the prompt."""

    span: Span
    similarity: float
    recalled: bool = False


def hits(
    spans: Sequence[Span], said: Embedding | None, recalled: Sequence[Span] = ()
) -> list[Hit]:
    """Return the spans that are close to what was said, best first.

    Those in `recalled` are marked, and there in any case.
    """
    if said is None or not spans:
        return []
    close = similarities([span.embedding for span in spans], said.vector)
    again = {id(span) for span in recalled}
    found = [
        Hit(spans[place], float(close[place]), id(spans[place]) in again)
        for place in np.argsort(-close, kind="stable")
        if close[place] >= said.similar
    ]
    return [hit for place, hit in enumerate(found) if place < _MOST_HITS or hit.recalled]


def to_recall(spans: Sequence[Span], said: Embedding | None, first_kept: int) -> list[Span]:
    """Return close spans of turns before `first_kept`, which the history no longer has."""
    forgotten = [span for span in spans if span.turn < first_kept]
    return [hit.span for hit in hits(forgotten, said)[:_MOST_RECALLED]]


def with_recalled(
    text: str, recalled: Iterable[Span], neutralise: Callable[[str], str], *, fenced: bool = True
) -> str:
    """Set what was said earlier before a text, oldest first, inside a fence.

    Without the fence it is only the words: for a model that continues a text.
    """
    lines = []
    for number, span in enumerate(sorted(recalled, key=lambda each: each.turn), start=1):
        words = cleaned(span.text, _LONGEST_RECALLED, neutralise)
        who = "You said" if span.by_clara else "I said"
        lines.append(f"[{number}] {who}: {words}" if fenced else words)
    if not lines:
        return text
    return "\n".join(["<earlier>", *lines, "</earlier>", text] if fenced else [*lines, text])
