# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""The file of a model's governance heads, `governance.safetensors`, which clara_training writes.

It lies beside the GGUF and is of that model alone, so everything is checked against the GGUF
before anything is run. A head that was not certain to beat its baselines on held-out text is run
only where that is asked for.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from clara_brain.errors import GovernanceError
from clara_brain.gguf import GgufHeader
from clara_brain.governance import HEADS, Governance, Head, Memory, Policy, Terms, Trace
from clara_brain.span_vector import Floats

FILE_NAME = "governance.safetensors"
VERSION = 2
MODEL_HASH = "clara.model_sha256"  # in the GGUF, as clara-train export writes it
# From so many expected nats on a token is shown as unsure, where the file does not say: as unsure
# as among e^4, about 55, equally likely tokens.
UNSURE_NATS = 4.0
_METADATA = "clara_governance"


def beside(model: Path) -> Path | None:
    """Find the heads beside a model; None where there are none."""
    path = model.parent / FILE_NAME
    return path if path.is_file() else None


def load(path: Path, model: GgufHeader, *, unproven: bool = False) -> Governance:
    """Read the heads of a model; with `unproven`, those behind their baselines are to be run, too.

    Raises GovernanceError with one sentence.
    """
    document, tensors = _contents(path)
    try:
        _check_model(document, model, path)
        metrics = _mapping(document.get("metrics", {}), "metrics")
        behind = tuple(
            name
            for name in HEADS
            if name in document and _mapping(metrics.get(name, {}), name).get("useful") is False
        )
        sizes = int(document["width"]), _vocabulary(model)
        found: dict[str, Any] = {}
        for name, make in (("policy", _policy), ("memory", _memory), ("trace", _trace)):
            if name in document:
                # One that is not run is checked all the same: the file is whole, or it is not.
                made = make(_mapping(document[name], name), tensors, sizes)
                found[name] = made if unproven or name not in behind else None
    except _Fault as fault:
        raise GovernanceError(f"{path} cannot be used: {fault}; export it again") from None
    if not found:
        raise GovernanceError(f"{path} has none of the heads {', '.join(HEADS)}; export it again")
    return Governance(
        path=path,
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        width=sizes[0],
        policy=found.get("policy"),
        memory=found.get("memory"),
        trace=found.get("trace"),
        metrics=tuple(_flat(metrics)),
        behind=behind,
    )


class _Fault(Exception):
    """Something in the file is not as it should be."""


def _contents(path: Path) -> tuple[dict[str, Any], dict[str, Floats]]:
    try:
        from safetensors import SafetensorError, safe_open
    except ImportError as error:
        raise GovernanceError(
            f"{path} cannot be read without the package safetensors: run 'pip install safetensors'"
        ) from error
    try:
        with safe_open(str(path), framework="np") as file:
            written = (file.metadata() or {}).get(_METADATA)
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except OSError as error:
        reason = error.strerror or str(error)
        raise GovernanceError(f"{path} cannot be read: {reason}") from error
    except (SafetensorError, ValueError, TypeError) as error:
        raise GovernanceError(
            f"{path} is damaged or no safetensors file ({error}); copy or export it again"
        ) from error
    if written is None:
        raise GovernanceError(
            f"{path} has no governance heads: its metadata has no {_METADATA!r}; export it again"
        )
    try:
        document = json.loads(written)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise GovernanceError(
            f"{path} is damaged: {_METADATA!r} is no JSON object; export it again"
        )
    return document, tensors


def _check_model(document: Mapping[str, Any], model: GgufHeader, path: Path) -> None:
    version = document.get("version")
    if version != VERSION:
        raise GovernanceError(
            f"{path} has format {version!r}, this Clara knows {VERSION}: update clara_brain, or"
            " export the heads again"
        )
    theirs, ours = document.get("model_sha256"), model.metadata.get(MODEL_HASH)
    if not theirs:
        raise _Fault("it does not say of which model it is (model_sha256)")
    if theirs != ours:
        of = f"model {str(ours)[:12]}" if ours else "one that does not say which it is"
        raise GovernanceError(
            f"{path} has the heads of model {str(theirs)[:12]}, but the loaded one is {of}: put"
            " the file of this model beside it, or set governance_path"
        )
    width = model.metadata.get(f"{model.architecture}.embedding_length")
    if document.get("width") != width:
        raise GovernanceError(
            f"{path} is for hidden states of width {document.get('width')!r}, but the model's"
            f" have {width}: put the file of this model beside it, or set governance_path"
        )


def _vocabulary(model: GgufHeader) -> int:
    """Return how many tokens a model has."""
    key = f"{model.architecture}.vocab_size"
    if not isinstance(model.metadata.get(key), int):
        raise _Fault(f"the model's file does not say how many tokens it has ({key})")
    return int(model.metadata[key])


def _policy(
    said: Mapping[str, Any], tensors: Mapping[str, Floats], sizes: tuple[int, int]
) -> Policy:
    labels = said.get("labels")
    if not isinstance(labels, list) or not all(isinstance(each, str) and each for each in labels):
        raise _Fault("policy.labels is no list of names")
    if len(set(labels)) != len(labels) or len(labels) < 2:
        raise _Fault(f"policy.labels must be two or more different names, not {labels}")
    temperature = _positive(said, "policy", "temperature")
    head = _head("policy", tensors, sizes[0], len(labels))
    terms = _terms("policy", said, tensors, sizes[1], len(labels))
    return Policy(head, terms, tuple(labels), temperature, _number(said, "policy", "threshold"))


def _memory(
    said: Mapping[str, Any], tensors: Mapping[str, Floats], sizes: tuple[int, int]
) -> Memory:
    size = said.get("size")
    if not isinstance(size, int) or size < 1:
        raise _Fault(f"memory.size must be a whole number, 1 or more, not {size!r}")
    mix = said.get("mix")
    if not isinstance(mix, list) or len(mix) != 2:
        raise _Fault(f"memory.mix must be two numbers, not {mix!r}")
    shares = [_positive({"mix": each}, "memory", "mix") for each in mix]
    head = _head("memory", tensors, sizes[0], size)
    terms = _terms("memory", said, tensors, sizes[1], size)
    threshold = _number(said, "memory", "threshold")
    return Memory(head, terms, (shares[0], shares[1]), threshold)


def _terms(
    name: str,
    said: Mapping[str, Any],
    tensors: Mapping[str, Floats],
    vocabulary: int,
    outputs: int,
) -> Terms:
    weight, table = _tensor(tensors, f"{name}.token_weight"), _tensor(tensors, f"{name}.table")
    _check_shape(weight, f"{name}.token_weight", (vocabulary,))
    _check_shape(table, f"{name}.table", (vocabulary, outputs))
    if not (weight > 0).all():
        raise _Fault(f"tensor {name}.token_weight has values that are not more than 0")
    return Terms(weight, table, _positive(said, name, "saturation"))


def _trace(
    said: Mapping[str, Any], tensors: Mapping[str, Floats], sizes: tuple[int, int]
) -> Trace:
    head = _head("trace", tensors, sizes[0] + 1, 1)
    return Trace(head, _number(said, "trace", "threshold") if "threshold" in said else UNSURE_NATS)


def _head(name: str, tensors: Mapping[str, Floats], inputs: int, outputs: int) -> Head:
    count = sum(1 for each in tensors if each.startswith(f"{name}.") and each.endswith(".weight"))
    if not count:
        raise _Fault(f"head {name!r} has no layers")
    layers = []
    size = inputs
    for layer in range(count):
        weight = _tensor(tensors, f"{name}.{layer}.weight")
        out = outputs if layer == count - 1 else len(weight)
        _check_shape(weight, f"{name}.{layer}.weight", (out, size))
        bias = _tensor(tensors, f"{name}.{layer}.bias")
        _check_shape(bias, f"{name}.{layer}.bias", (out,))
        layers.append((weight, bias))
        size = out
    given = [f"{name}.{each}" in tensors for each in ("mean", "scale")]
    if not any(given):
        return Head(tuple(layers), np.zeros(inputs, np.float32), np.ones(inputs, np.float32))
    mean, scale = (_tensor(tensors, f"{name}.{each}") for each in ("mean", "scale"))
    for each, what in ((mean, "mean"), (scale, "scale")):
        _check_shape(each, f"{name}.{what}", (inputs,))
    if not (scale > 0).all():
        raise _Fault(f"tensor {name}.scale has values that are not more than 0")
    return Head(tuple(layers), mean, scale)


def _tensor(tensors: Mapping[str, Floats], name: str) -> Floats:
    if name not in tensors:
        raise _Fault(f"tensor {name} is missing")
    tensor = tensors[name]
    if tensor.dtype != np.float32:
        raise _Fault(f"tensor {name} has the type {tensor.dtype}, not float32")
    if not np.isfinite(tensor).all():
        raise _Fault(f"tensor {name} has values that are not finite")
    return tensor


def _check_shape(tensor: Floats, name: str, shape: tuple[int, ...]) -> None:
    if tensor.shape != shape:
        raise _Fault(f"tensor {name} has the shape {list(tensor.shape)}, not {list(shape)}")


def _mapping(value: Any, name: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise _Fault(f"{name} is no JSON object")
    return value


def _number(said: Mapping[str, Any], head: str, name: str) -> float:
    value = said.get(name)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise _Fault(f"{head}.{name} must be a number, not {value!r}")
    return float(value)


def _positive(said: Mapping[str, Any], head: str, name: str) -> float:
    value = _number(said, head, name)
    if value <= 0:
        raise _Fault(f"{head}.{name} must be more than 0, not {value:g}")
    return value


def _flat(metrics: Any, prefix: str = "") -> list[tuple[str, str]]:
    """Return nested figures as pairs of a dotted name and a short value."""
    if not isinstance(metrics, dict):
        short = f"{metrics:.4g}" if isinstance(metrics, float) else json.dumps(metrics)
        return [(prefix, short)]
    pairs = []
    for name, value in metrics.items():
        pairs += _flat(value, f"{prefix}.{name}" if prefix else str(name))
    return pairs
