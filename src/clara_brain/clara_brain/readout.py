# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""What the governance heads read in one completion: its class, where it is unsure, its embedding.

Everything is read at the end of the completion, from the hidden states that the decodes left
beside the KV cache. All that the reply's read-outs need was evaluated for this completion, so they
are the same whatever of the prompt was cached.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from clara_brain.governance import Floats, Governance


@dataclass(frozen=True)
class Readout:
    """What the heads say of a completion; a head that is not there leaves its part empty.

    `policy` is one of `labels`, or empty when none has enough probability; it is read from the
    mean state of `policy_tokens` tokens of the reply. `trace_nats` are expected nats of each
    generated token, whose text begins at the character of the reply in `trace_offsets`; from
    `unsure` on a token counts as unsure. `said` and `replied` are embeddings of the user's words
    and of the reply, vectors of length 1; from a dot product of `similar` on two spans are alike.
    """

    policy: str = ""
    labels: tuple[str, ...] = ()
    probabilities: tuple[float, ...] = ()
    policy_tokens: int = 0
    trace_offsets: tuple[int, ...] = ()
    trace_nats: tuple[float, ...] = ()
    unsure: float = 0.0
    said: Floats | None = None
    replied: Floats | None = None
    similar: float = 0.0


@dataclass
class Reading:
    """Gathers what the heads need of a completion while it is generated.

    The prompt has `prompt_tokens`; those in `words` are the user's own words.
    """

    heads: Governance
    prompt_tokens: int
    words: range
    offsets: list[int] = field(default_factory=list)
    entropies: list[float] = field(default_factory=list)

    @property
    def takes_entropy(self) -> bool:
        """Whether `add` needs the entropy."""
        return self.heads.trace is not None and self.heads.trace.takes_entropy

    def add(self, offset: int, entropy: float) -> None:
        """Note a generated token: where its text begins, and the entropy that it came from."""
        self.offsets.append(offset)
        self.entropies.append(entropy)

    def finish(self, states: Floats, held: int, characters: int) -> Readout:
        """Run the heads. `states` (n, width) is filled for the first `held` tokens.

        `characters` is the length of the reply, which a stop string may have cut.
        """
        heads, begin = self.heads, self.prompt_tokens
        offsets = [min(offset, characters) for offset in self.offsets]
        said = replied = None
        # The token that was chosen last is mostly not evaluated: no state has read it.
        shown = sum(offset < characters for offset in offsets)
        reply = _mean(states[begin : min(held, begin + shown)])
        policy = ""
        probabilities: tuple[float, ...] = ()
        if heads.policy and reply is not None:
            found = heads.policy.probabilities(reply)
            probabilities = tuple(map(float, found))
            if found.max() >= heads.policy.threshold:
                policy = heads.policy.labels[int(found.argmax())]
        nats: tuple[float, ...] = ()
        if heads.trace and offsets:
            # The state before a token is what it was foretold from.
            before = states[begin - 1 : begin - 1 + len(offsets)]
            entropies = np.asarray(self.entropies, np.float32)
            nats = tuple(map(float, heads.trace.nats(before, entropies)))
        if heads.memory:
            words = _mean(states[self.words.start : self.words.stop])
            said = None if words is None else heads.memory.embed(words)
            replied = None if reply is None else heads.memory.embed(reply)
        return Readout(
            policy=policy,
            labels=heads.policy.labels if probabilities and heads.policy else (),
            probabilities=probabilities,
            policy_tokens=max(0, min(held - begin, shown)) if probabilities else 0,
            trace_offsets=tuple(offsets) if nats else (),
            trace_nats=nats,
            unsure=heads.trace.unsure if nats and heads.trace else 0.0,
            said=said,
            replied=replied,
            similar=heads.memory.threshold if heads.memory else 0.0,
        )


def _mean(states: Floats) -> Floats | None:
    """Mean state of a span, None when it is empty or a state is not known.

    The states of tokens that an earlier run evaluated are not: only their KV cache was kept.
    """
    if not len(states):
        return None
    mean = np.asarray(states.mean(axis=0, dtype=np.float64), np.float32)
    return mean if np.isfinite(mean).all() else None
