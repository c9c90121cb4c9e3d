# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""The governance heads and their file, `governance.safetensors`.

A head is a small network that reads final hidden states and writes nothing back: the model is the
same with it and without. The file is of one model and says which; every tensor is float32, and the
JSON under `clara_governance` in its metadata has all that is no tensor. The brain reads it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from clara_training.atomic import atomic_file
from clara_training.errors import GovernanceError

FILE = "governance.safetensors"
METADATA = "clara_governance"
VERSION = 1
HEADS = ("policy", "memory", "trace")
_LEAST_SCALE = 1e-4


class Head(nn.Module):  # type: ignore[misc]
    """A perceptron, SiLU between its layers and nothing after the last; its input is standardised.

    `sizes` are the widths from input to output. It maps (..., sizes[0]) to (..., sizes[-1]).
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, sizes: list[int], dropout: float = 0.0) -> None:
        super().__init__()
        pairs = pairwise(sizes)
        self.layers = nn.ModuleList(nn.Linear(before, after) for before, after in pairs)
        self.dropout = dropout
        self.register_buffer("mean", torch.zeros(sizes[0]))
        self.register_buffer("scale", torch.ones(sizes[0]))

    def standardise(self, inputs: Tensor) -> None:
        """Set mean and scale to those of inputs (n, in)."""
        self.mean.copy_(inputs.mean(0))
        self.scale.copy_(inputs.std(0).clamp_min(_LEAST_SCALE))

    def forward(self, x: Tensor) -> Tensor:
        """Map (..., in) to (..., out)."""
        x = (x - self.mean) / self.scale
        for number, layer in enumerate(self.layers):
            if number:
                x = F.dropout(F.silu(x), self.dropout, self.training)
            x = layer(x)
        return x


@dataclass
class Governance:
    """The heads of one model; one that could not be made is not among them.

    `said` has what belongs to each head beside its weights: for policy `labels`, `temperature` and
    `threshold`; for memory `size` and `threshold`; for trace `inputs` and `threshold`, in nats.
    """

    model_sha256: str
    width: int
    heads: dict[str, Head]
    said: dict[str, dict[str, Any]]
    metrics: dict[str, Any]

    def policy(self, mean_state: Tensor) -> Tensor:
        """Probabilities of the labels, (..., C), from mean states of spans (..., width)."""
        logits: Tensor = self.heads["policy"](mean_state) / self.said["policy"]["temperature"]
        return logits.softmax(-1)

    def memory(self, mean_state: Tensor) -> Tensor:
        """Embeddings of length 1, (..., E), from mean states of spans (..., width)."""
        return F.normalize(self.heads["memory"](mean_state), dim=-1)

    def trace(self, state: Tensor, entropy: Tensor | None = None) -> Tensor:
        """Return expected nats of the next token, (...), from states (..., width).

        `entropy` (...) is in nats. Raises GovernanceError where it is wanted and missing.
        """
        if "entropy" in self.said["trace"]["inputs"]:
            if entropy is None:
                raise GovernanceError("this trace head wants the entropy of each token as well")
            state = torch.cat((state, entropy[..., None]), dim=-1)
        return F.softplus(self.heads["trace"](state)[..., 0])


def write_governance(path: Path, governance: Governance) -> None:
    """Write the file; it is there whole or not at all. Raises StorageError."""
    from safetensors.torch import save

    tensors: dict[str, Tensor] = {}
    for name, head in governance.heads.items():
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
    with atomic_file(path) as part:
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
            {name: _head(name, tensors) for name in names},
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


def _head(name: str, tensors: Mapping[str, Tensor]) -> Head:
    count = sum(key.startswith(f"{name}.") and key.endswith(".weight") for key in tensors)
    weights = [tensors[f"{name}.{number}.weight"] for number in range(count)]
    head = Head([weights[0].shape[1], *(weight.shape[0] for weight in weights)])
    state = {
        f"layers.{n}.{part}": tensors[f"{name}.{n}.{part}"]
        for n in range(count)
        for part in ("weight", "bias")
    }
    head.load_state_dict({**state, **{k: tensors[f"{name}.{k}"] for k in ("mean", "scale")}})
    head.eval()
    return head
