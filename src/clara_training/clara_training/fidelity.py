# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""How true a GGUF is to the model it was made from, and whether that is true enough.

Judged on the distribution of the next token against transformers in f32: mean KL divergence, how
often the likeliest token is the same, and perplexity. Never on greedy text, which a rounding error
can turn anywhere.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from clara_training import packages
from clara_training.errors import ValidationError
from clara_training.gguf_scores import GgufScores, log_softmax

_PIECE = 64  # positions whose distributions are compared at once: 64 x 150,000 f64 are 77 MB


@dataclass(frozen=True)
class Gate:
    """At most so much KL (nats), at least such a share of same tokens, at most such a ratio."""

    kl: float
    same_top: float
    perplexity_ratio: float


GATES = {
    "F16": Gate(1e-5, 0.99, 1.001),
    "Q8_0": Gate(1e-2, 0.92, 1.02),
    "Q6_K": Gate(1.5e-2, 0.90, 1.03),
    "Q5_K_M": Gate(3e-2, 0.86, 1.05),
    "Q4_K_M": Gate(0.07, 0.78, 1.10),
}


@dataclass(frozen=True)
class Fidelity:
    """What was found; `tokens` is how many next tokens were judged."""

    kl: float
    same_top: float
    perplexity: float
    reference_perplexity: float
    tokens: int

    @property
    def perplexity_ratio(self) -> float:
        """Perplexity of the GGUF over that of its model."""
        return self.perplexity / self.reference_perplexity

    def as_json(self) -> dict[str, float]:
        """Return all figures."""
        return {**asdict(self), "perplexity_ratio": self.perplexity_ratio}

    def faults(self, kind: str) -> list[str]:
        """Say in what it is not true enough for a quantisation; empty when it is."""
        gate = GATES[kind]
        found = []
        if not self.kl <= gate.kl:
            found.append(f"KL divergence is {self.kl:.2e}, at most {gate.kl:g} is allowed")
        if not self.same_top >= gate.same_top:
            found.append(
                f"the likeliest token is the same in {self.same_top:.1%}, at least"
                f" {gate.same_top:.0%} is asked"
            )
        if not self.perplexity_ratio <= gate.perplexity_ratio:
            found.append(
                f"perplexity is {self.perplexity_ratio:.4f} times the model's, at most"
                f" {gate.perplexity_ratio:g} is allowed"
            )
        return found


def compare(
    model: Any, path: Path, texts: Sequence[Sequence[int]], *, threads: int = 0
) -> Fidelity:
    """Compare a GGUF with the transformers model that it was made from, on token lists.

    Raises ValidationError when there is nothing to compare on, ExportError from llama.cpp.
    """
    torch = packages.load("torch", "judging fidelity")
    texts = [list(text) for text in texts if len(text) > 1]
    if not texts:
        raise ValidationError("fidelity needs a text of two tokens at least to be judged on")
    kl = same = ours = theirs = 0.0
    count = 0
    with GgufScores(path, n_ctx=max(map(len, texts)), threads=threads) as scores:
        for text in texts:
            with torch.inference_mode():
                given = torch.tensor([text], device=model.device)
                wanted = model(given).logits[0, :-1].float().cpu().numpy()
            found = scores.logits(text)[:-1]
            if found.shape != wanted.shape:
                raise ValidationError(
                    f"{path} has {found.shape[1]} tokens, but its model has {wanted.shape[1]}"
                )
            for begin in range(0, len(wanted), _PIECE):
                rows = slice(begin, begin + _PIECE)
                reference, judged = log_softmax(wanted[rows]), log_softmax(found[rows])
                kl += float((np.exp(reference) * (reference - judged)).sum())
                same += float((reference.argmax(-1) == judged.argmax(-1)).sum())
                following = text[begin + 1 : begin + 1 + len(reference)]
                places = np.arange(len(reference))
                theirs -= float(reference[places, following].sum())
                ours -= float(judged[places, following].sum())
            count += len(wanted)
    return Fidelity(
        kl=kl / count,
        same_top=same / count,
        perplexity=math.exp(ours / count),
        reference_perplexity=math.exp(theirs / count),
        tokens=count,
    )
