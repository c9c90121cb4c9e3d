# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""What a model that was trained from scratch has learned, in figures.

- Held-out text: perplexity of a token, bits per byte (which no tokenizer changes), of each book.
- Recall: a passage's first tokens are given; how much of the rest comes back, exactly and by edit
  similarity (1 - Levenshtein distance / length), against trigrams and against another passage.
- Reference: under which of several documents' beginnings a passage is the likeliest.
- Coherence: whether the passage that follows is told from others of the text by how much more
  likely it is after this one than by itself (pointwise mutual information, nats a token).
- Repetition of what it writes: distinct-n (Li et al. 2016), the share of n-grams that are
  different; rep-n (Welleck et al. 2020), the share that a text has already had.

Everything but the first is asked of the GGUF in llama.cpp: it is what ships.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from clara_training import packages
from clara_training.errors import ValidationError
from clara_training.gguf_scores import GgufScores
from clara_training.passages import Passage, Texts, Trigrams
from clara_training.tokenizer import byte_lengths

CUE, EXACT, REST = 8, 8, 24  # tokens: given, that must be right to be exact, that are compared
REFERENCES, FOLLOWERS = 8, 4  # candidates, the right one among them


@dataclass(frozen=True)
class Mean:
    """A mean with its standard error over `count` passages."""

    value: float
    error: float
    count: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Mean:
        """Return the mean of values. Raises ValidationError when there are none."""
        if not values:
            raise ValidationError("there is too little text to measure this on")
        spread = statistics.stdev(values) / math.sqrt(len(values)) if len(values) > 1 else 0.0
        return cls(statistics.fmean(values), spread, len(values))


def held_out_text(model: Any, texts: Texts, tokenizer: Any, most: int) -> dict[str, Any]:
    """Measure a PyTorch model, where it is, on held-out documents, about `most` tokens at most.

    Each token is predicted with the tokens of its document before it, from the begin of a piece of
    `context` tokens on. Where there are more, every so manieth piece is measured.
    """
    torch = packages.load("torch", "judging held-out text")
    context, device = model.config.context, next(model.parameters()).device
    pieces = [
        (book, at, min(at + context + 1, end))
        for book, (start, end) in zip(texts.books, texts.places, strict=True)
        for at in range(start, end - 1, context)
    ]
    every = max(1, -(-len(texts.stream) // most))
    lengths = byte_lengths(tokenizer)
    books: dict[str, list[float]] = {}
    for book, start, end in pieces[::every]:
        tokens = texts.stream.slice(start, end)
        piece = torch.from_numpy(tokens).to(device)
        with torch.inference_mode():
            log_p = model(piece[None, :-1])[0].float().log_softmax(-1)
        nats = -float(log_p.gather(1, piece[1:, None]).sum())
        of_book = books.setdefault(book, [0.0, 0.0, 0.0])
        for at, value in enumerate((nats, len(tokens) - 1, int(lengths[tokens[1:]].sum()))):
            of_book[at] += value
    totals = np.sum(list(books.values()), axis=0)
    return {
        **_of_text(*totals.tolist()),
        "books": {name: _of_text(*figures) for name, figures in sorted(books.items())},
    }


def _of_text(nats: float, tokens: float, size: float) -> dict[str, float]:
    return {
        "bits_per_byte": nats / math.log(2) / max(size, 1.0),
        "perplexity": math.exp(nats / max(tokens, 1.0)),
        "tokens": int(tokens),
        "bytes": int(size),
    }


def without_order(train: Texts, held_out: Texts, vocabulary: int) -> float:
    """Return the held-out bits per byte of a model that knows only how frequent each token is.

    Frequencies are the training text's, plus one.
    """
    counts = np.ones(vocabulary)
    for start in range(0, len(train.stream), _AT_ONCE):
        part = train.stream.slice(start, min(start + _AT_ONCE, len(train.stream)))
        counts += np.bincount(part, minlength=vocabulary)
    tokens = held_out.stream.slice(0, len(held_out.stream))
    bits = -np.log2(counts[tokens] / counts.sum())[tokens != 0]
    return float(bits.sum() / held_out.stream.bytes)


_AT_ONCE = 1 << 22


def recall(
    model: GgufScores,
    passages: Sequence[Passage],
    trigrams: Trigrams,
    tokenizer: Any,
) -> dict[str, Any]:
    """Measure how much of passages comes back from their beginnings, at temperature 0."""
    similarity = packages.load("rapidfuzz.distance", "judging recall").Levenshtein
    passages = [each for each in passages if len(each.tokens) >= CUE + EXACT]
    found: dict[str, list[tuple[float, float]]] = {"model": [], "trigrams": [], "another": []}
    shown = []
    for number, passage in enumerate(passages):
        cue, rest = passage.tokens[:CUE], passage.tokens[CUE : CUE + REST]
        other = passages[(number + 1) % len(passages)].tokens[CUE : CUE + REST]
        written = {
            "model": model.generate((0, *cue), len(rest)),
            "trigrams": trigrams.generate(cue, len(rest)),
            "another": list(other[: len(rest)]),
        }
        if len(passages) == 1:
            del written["another"]
        wanted = tokenizer.decode(list(rest))
        for name, tokens in written.items():
            exact = float(tuple(tokens[:EXACT]) == rest[:EXACT])
            text = tokenizer.decode(tokens)
            found[name].append((exact, similarity.normalized_similarity(text, wanted)))
        if number < _SHOWN:
            texts = [tokenizer.decode(list(each)) for each in (cue, rest, written["model"])]
            shown.append(dict(zip(("given", "wanted", "written"), texts, strict=True)))
    return {
        **{
            name: {
                "exact": vars(Mean.of([exact for exact, _ in pairs])),
                "similarity": vars(Mean.of([alike for _, alike in pairs])),
            }
            for name, pairs in found.items()
            if pairs
        },
        "shown": shown,
    }


_SHOWN = 4


def references(model: GgufScores, passages: Sequence[Passage], seed: int = 0) -> dict[str, Any]:
    """Measure how often a passage is likeliest after the beginning of its own document.

    The others are of other books where there are any, all different, and no longer than the model
    can read with the passage. Chance is one in as many.
    """
    draw = np.random.default_rng([seed, 1])
    right: list[float] = []
    chance: list[float] = []
    for passage in passages:
        others = list(
            dict.fromkeys(each.reference for each in passages if each.book != passage.book)
        ) or list(
            dict.fromkeys(
                each.reference for each in passages if each.reference != passage.reference
            )
        )
        room = model.positions - len(passage.tokens)
        others = [each for each in others if len(each) <= room]
        if not others:
            continue
        chosen = draw.permutation(len(others))[: REFERENCES - 1].tolist()
        candidates = [passage.reference, *(others[at] for at in chosen)]
        scores = [model.log_probabilities(each, [passage.tokens])[0] for each in candidates]
        right.append(float(scores[0] > max(scores[1:])))
        chance.append(1 / len(candidates))
    if not right:
        return {}
    return {"accuracy": vars(Mean.of(right)), "chance": statistics.fmean(chance)}


def coherence(model: GgufScores, passages: Sequence[Passage], seed: int = 0) -> dict[str, Any]:
    """Measure how often what follows a passage is told from what follows others.

    What the model cannot read with the passage is not asked about.
    """
    draw = np.random.default_rng([seed, 2])
    passages = [each for each in passages if each.following]
    if len(passages) < FOLLOWERS:
        return {}
    right: list[float] = []
    gains: list[float] = []
    for number, passage in enumerate(passages):
        room = model.positions - 1 - len(passage.tokens)
        others = [
            at
            for at in draw.permutation(len(passages)).tolist()
            if at != number and len(passages[at].following) <= room
        ]
        if len(others) < FOLLOWERS - 1 or len(passage.following) > room:
            continue
        candidates = [
            passage.following,
            *(passages[at].following for at in others[: FOLLOWERS - 1]),
        ]
        after = model.log_probabilities((0, *passage.tokens), candidates)
        alone = model.log_probabilities((0,), candidates)
        gain = [
            (one - two) / len(each)
            for one, two, each in zip(after, alone, candidates, strict=True)
        ]
        right.append(float(gain[0] > max(gain[1:])))
        gains.append(gain[0])
    if not right:
        return {}
    return {
        "accuracy": vars(Mean.of(right)),
        "chance": 1 / FOLLOWERS,
        "gain_nats_per_token": vars(Mean.of(gains)),
    }


def repetition(texts: Sequence[Sequence[int]]) -> dict[str, float]:
    """Return distinct-1 and -2 over all texts, and rep-4, the mean over them."""
    again = []
    for text in texts:
        grams = _grams(text, 4)
        if grams:
            again.append(1 - len(set(grams)) / len(grams))
    return {
        **{f"distinct_{n}": _distinct(texts, n) for n in (1, 2)},
        "rep_4": statistics.fmean(again) if again else 0.0,
    }


def _distinct(texts: Sequence[Sequence[int]], n: int) -> float:
    grams = [gram for text in texts for gram in _grams(text, n)]
    return len(set(grams)) / max(1, len(grams))


def _grams(text: Sequence[int], n: int) -> list[tuple[int, ...]]:
    return [tuple(text[at : at + n]) for at in range(len(text) - n + 1)]
