# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""What the policy and the trace head read in one completion: its class, and where it is unsure.

Everything is read at the end of the completion, from its tokens and the hidden states that its
decodes left. All that is needed was evaluated for this completion, so the read-outs are the same
whatever of the prompt was cached.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from clara_brain.governance import Governance
from clara_brain.span_vector import Floats, SpanVector


@dataclass(frozen=True)
class Readout:
    """What the heads say of a completion; a head that is not there leaves its part empty.

    `policy` is one of `labels`, or empty when none has enough probability; it is read from
    `policy_tokens` tokens of the reply and their mean state. `trace_nats` are expected nats of
    each generated token, whose text begins at the character of the reply in `trace_offsets`; from
    `unsure` on a token counts as unsure.
    """

    policy: str = ""
    labels: tuple[str, ...] = ()
    probabilities: tuple[float, ...] = ()
    policy_tokens: int = 0
    trace_offsets: tuple[int, ...] = ()
    trace_nats: tuple[float, ...] = ()
    unsure: float = 0.0


@dataclass(frozen=True)
class Embedding:
    """What the memory head makes of a text; two are close from a cosine of `similar` on."""

    vector: SpanVector
    similar: float


@dataclass
class Reading:
    """Gathers what the heads need of a completion while it is generated."""

    heads: Governance
    prompt_tokens: int
    offsets: list[int] = field(default_factory=list)
    entropies: list[float] = field(default_factory=list)

    @property
    def takes_entropy(self) -> bool:
        """Whether `add` needs the entropy."""
        return self.heads.trace is not None

    def add(self, offset: int, entropy: float) -> None:
        """Note a generated token: where its text begins, and the entropy that it came from."""
        self.offsets.append(offset)
        self.entropies.append(entropy)

    def finish(self, tokens: Sequence[int], states: Floats, held: int, characters: int) -> Readout:
        """Run the heads on `tokens`, prompt and reply; `states` (n, width) has the first `held`.

        `characters` is the length of the reply, which a stop string may have cut.
        """
        heads, begin = self.heads, self.prompt_tokens
        offsets = [min(offset, characters) for offset in self.offsets]
        # The token that was chosen last is mostly not evaluated: no state has read it.
        shown = sum(offset < characters for offset in offsets)
        end = min(held, begin + shown)
        reply = states[begin:end]
        policy = ""
        probabilities: tuple[float, ...] = ()
        if heads.policy and len(reply):
            mean = np.asarray(reply.mean(axis=0, dtype=np.float64), np.float32)
            found = heads.policy.probabilities(mean, tokens[begin:end])
            probabilities = tuple(map(float, found))
            if found.max() >= heads.policy.threshold:
                policy = heads.policy.labels[int(found.argmax())]
        nats: tuple[float, ...] = ()
        if heads.trace and offsets:
            # The state before a token is what it was foretold from.
            before = states[begin - 1 : begin - 1 + len(offsets)]
            entropies = np.asarray(self.entropies, np.float32)
            nats = tuple(map(float, heads.trace.nats(before, entropies)))
        return Readout(
            policy=policy,
            labels=heads.policy.labels if probabilities and heads.policy else (),
            probabilities=probabilities,
            policy_tokens=len(reply) if probabilities else 0,
            trace_offsets=tuple(offsets) if nats else (),
            trace_nats=nats,
            unsure=heads.trace.unsure if nats and heads.trace else 0.0,
        )
