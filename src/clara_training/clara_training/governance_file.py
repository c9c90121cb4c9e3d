# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""The file of a model's governance heads, `governance.safetensors`, which the brain reads.

It is of one model and says which; every tensor is float32, and the JSON under `clara_governance`
in its metadata has all that is no tensor.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from clara_training.errors import GovernanceError
from clara_training.governance_heads import (
    Embedded,
    Head,
    MemoryHead,
    SpanHead,
    Spans,
    expected_nats,
)
from clara_training.manifest import product_file

GOVERNANCE_FILE = "governance.safetensors"
METADATA = "clara_governance"
VERSION = 2
HEADS = ("policy", "memory", "trace")


@dataclass
class Governance:
    """The heads of one model; one that could not be made is not among them.

    `said` has what belongs to each head beside its weights: for policy `labels`, `temperature`,
    `threshold` and `saturation`; for memory `size`, `threshold`, `saturation` and `mix`; for trace
    `threshold`, in nats.
    """

    model_sha256: str
    width: int
    heads: dict[str, Head | SpanHead]
    said: dict[str, dict[str, Any]]
    metrics: dict[str, Any]

    def policy(self, spans: Spans) -> Tensor:
        """Probabilities of the labels, (N, C), of spans."""
        logits: Tensor = self.heads["policy"](spans) / self.said["policy"]["temperature"]
        return logits.softmax(-1)

    def memory(self, spans: Spans) -> Embedded:
        """Embeddings of length 1 of spans."""
        head = self.heads["memory"]
        assert isinstance(head, MemoryHead)
        return head.embed(spans)

    def trace(self, state: Tensor, entropy: Tensor) -> Tensor:
        """Return expected nats of the next token, (...), from states (..., width).

        `entropy` (...) is in nats.
        """
        return expected_nats(
            self.heads["trace"](torch.cat((state, entropy[..., None]), dim=-1))[..., 0], entropy
        )


def write_governance(path: Path, governance: Governance) -> None:
    """Write the file; it is there whole or not at all. Raises StorageError."""
    from safetensors.torch import save

    tensors: dict[str, Tensor] = {}
    for name, head in governance.heads.items():
        if isinstance(head, SpanHead):
            tensors |= {f"{name}.table": head.table, f"{name}.token_weight": head.weight}
            head = head.states
        tensors |= {f"{name}.mean": head.mean, f"{name}.scale": head.scale}
        for number, layer in enumerate(head.layers):
            tensors[f"{name}.{number}.weight"] = layer.weight
            tensors[f"{name}.{number}.bias"] = layer.bias
    document = {
        "version": VERSION,
        "model_sha256": governance.model_sha256,
        "width": governance.width,
        **{name: governance.said[name] for name in governance.heads},
        "metrics": governance.metrics,
    }
    whole = {name: each.detach().cpu().float().contiguous() for name, each in tensors.items()}
    # One line without NaN, for other languages read it too.
    written = json.dumps(document, allow_nan=False)
    with product_file(path) as part:
        part.write_bytes(save(whole, metadata={METADATA: written}))


def read_governance(path: Path) -> Governance:
    """Read what `write_governance` wrote. Raises GovernanceError."""
    from safetensors import safe_open

    try:
        with safe_open(path, framework="pt") as file:
            document = json.loads((file.metadata() or {})[METADATA])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        if document["version"] != VERSION:
            raise GovernanceError(
                f"{path} is of format {document['version']}, and this version of Clara knows"
                f" {VERSION}: make it again with clara-train governance"
            )
        names = [name for name in HEADS if name in document]
        return Governance(
            document["model_sha256"],
            document["width"],
            {name: _head(name, document[name], tensors) for name in names},
            {name: document[name] for name in names},
            document["metrics"],
        )
    except FileNotFoundError:
        raise GovernanceError(
            f"{path} is not there: make it with clara-train governance {path.parent}"
        ) from None
    except GovernanceError:
        raise
    except Exception as error:  # safetensors has no error of its own for a cut-off file
        raise GovernanceError(
            f"{path} is damaged ({type(error).__name__}: {error}): remove it and make it again"
            f" with clara-train governance {path.parent}"
        ) from error


def _head(name: str, said: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> Head | SpanHead:
    count = sum(key.startswith(f"{name}.") and key.endswith(".weight") for key in tensors)
    weights = [tensors[f"{name}.{number}.weight"] for number in range(count)]
    sizes = [weights[0].shape[1], *(weight.shape[0] for weight in weights)]
    state = {
        f"layers.{n}.{part}": tensors[f"{name}.{n}.{part}"]
        for n in range(count)
        for part in ("weight", "bias")
    } | {part: tensors[f"{name}.{part}"] for part in ("mean", "scale")}
    if name == "trace":
        head = Head(sizes)
        head.load_state_dict(state)
        head.eval()
        return head
    table = tensors[f"{name}.table"]
    span = (MemoryHead if name == "memory" else SpanHead)(sizes, len(table))
    span.states.load_state_dict(state)
    with torch.no_grad():
        span.table.copy_(table)
        span.log_weight.copy_(tensors[f"{name}.token_weight"].log())
        span.log_saturation.fill_(math.log(said["saturation"]))
        if isinstance(span, MemoryHead):
            span.log_mix.copy_(torch.tensor(said["mix"]).log())
    span.eval()
    return span
