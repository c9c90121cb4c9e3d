# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""What MVLM and SIM-ONE share: attention, the KV cache, documents in a row, weights on disk.

- Rows are packed with whole and cut documents; `documents_in` makes attention and positions begin
  anew at each boundary, so that no text sees another one.
- On disk a model is a folder of transformers (config.json, model.safetensors), in fp32: what
  trains here opens there, and the other way round.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from clara_training.errors import PretrainError
from clara_training.varlen import varlen_attention

CONFIG, WEIGHTS = "config.json", "model.safetensors"
_INITIAL_STD = 0.02


@dataclass(frozen=True)
class Documents:
    """Where the documents of packed rows are: positions (B, T) in them, and who sees whom.

    `mask` is (B, 1, T, T), true where a token (row) sees another (column); None where each row is
    one document, for plain causal attention is quicker. `bounds` is there in its place for a GPU's
    variable-length attention: where each document of the rows, end to end, begins, and the end.
    """

    positions: Tensor
    mask: Tensor | None
    bounds: Tensor | None = None  # (documents + 1,), int32


def documents_in(tokens: Tensor, boundary: int = 0, *, varlen: bool = False) -> Documents:
    """Find the documents in rows of tokens (B, T), each begun by the token `boundary`.

    With `varlen`, for `varlen_attention`.
    """
    begins = tokens == boundary
    places = torch.arange(tokens.shape[1], device=tokens.device)
    if not bool(begins[:, 1:].any()):
        return Documents(places.expand_as(tokens), None)
    starts = torch.where(begins, places, 0).cummax(dim=1).values
    if varlen:
        begun = (starts == places).flatten().nonzero().flatten()
        bounds = F.pad(begun, (0, 1), value=tokens.numel()).int()
        # Their number changes from step to step: a compiled model is not to be compiled for each.
        torch._dynamo.maybe_mark_dynamic(bounds, 0)
        return Documents(places - starts, None, bounds)
    same = starts[:, :, None] == starts[:, None, :]
    causal = places[:, None] >= places[None, :]
    return Documents(places - starts, (same & causal)[:, None])


@dataclass
class KVCache:
    """The keys and values of what a model has read, for generation."""

    layers: list[tuple[Tensor, Tensor]] = field(default_factory=list)  # (B, heads, T, size)
    length: int = 0

    def extend(self, layer: int, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """Add the keys and values of new tokens and return all of the layer's."""
        if layer == len(self.layers):
            self.layers.append((k, v))
        else:
            old_k, old_v = self.layers[layer]
            self.layers[layer] = (torch.cat((old_k, k), 2), torch.cat((old_v, v), 2))
        return self.layers[layer]


def positions_of(
    tokens: Tensor, documents: Documents | None, cache: KVCache | None, context: int
) -> Tensor:
    """Return the position of each token, (B, T) or (1, T). Raises PretrainError past `context`."""
    if documents is not None:
        return documents.positions
    past = cache.length if cache else 0
    if past + tokens.shape[1] > context:
        raise PretrainError(
            f"a text of {past + tokens.shape[1]} tokens does not fit into the model's context of"
            f" {context}"
        )
    return torch.arange(past, past + tokens.shape[1], device=tokens.device)[None]


def attend(q: Tensor, k: Tensor, v: Tensor, documents: Documents | None) -> Tensor:
    """Causal attention: q (B, heads, T, size), k and v (B, kv heads, S, size), S >= T."""
    if documents is not None and documents.bounds is not None:
        rows, _, tokens, _ = q.shape
        q, k, v = (each.transpose(1, 2).flatten(0, 1) for each in (q, k, v))
        mixed = varlen_attention(q, k, v, documents.bounds, tokens)
        return mixed.unflatten(0, (rows, tokens)).transpose(1, 2)
    mask = documents.mask if documents else None
    new, seen = q.shape[2], k.shape[2]
    if mask is None and 1 < new < seen:
        mask = torch.ones(new, seen, dtype=torch.bool, device=q.device).tril(seen - new)
    return F.scaled_dot_product_attention(
        q, k, v, mask, is_causal=mask is None and new == seen, enable_gqa=q.shape[1] != k.shape[1]
    )


def nll_sum(logits: Tensor, targets: Tensor) -> Tensor:
    """Sum of the negative log-likelihoods, in nats: logits (B, T, V), targets (B, T)."""
    return F.cross_entropy(logits.flatten(0, 1).float(), targets.flatten(), reduction="sum")


def nll_of_tokens(logits: Tensor, targets: Tensor) -> Tensor:
    """Negative log-likelihood of each token, (B, T), in nats: logits (B, T, V), targets (B, T)."""
    nll = F.cross_entropy(logits.flatten(0, 1).float(), targets.flatten(), reduction="none")
    return nll.view(targets.shape).clone()  # FSDP2 warns of modules that return views


class Layer(nn.Module):  # type: ignore[misc]
    """A block of a decoder, from (B, T, width) to the same shape.

    With `recompute`, training keeps its input alone and computes what is within once more for the
    gradients (Chen et al., arXiv:1604.06174): less memory, one more forward, the same result.
    """

    recompute = False

    def forward(self, x: Tensor, *beside: Any) -> Tensor:
        """Map (B, T, width) to the same shape."""
        if not (self.recompute and self.training and torch.is_grad_enabled()):
            return self.through(x, *beside)
        out: Tensor = checkpoint(
            self.through, x, *beside, use_reentrant=False, preserve_rng_state=False
        )
        return out

    def through(self, x: Tensor, *beside: Any) -> Tensor:
        """Compute it."""
        raise NotImplementedError


class LanguageModel(nn.Module):  # type: ignore[misc]
    """A decoder that has `states` and `logits`: logits, or with targets the sum of their NLL."""

    def forward(
        self,
        tokens: Tensor,
        targets: Tensor | None = None,
        documents: Documents | None = None,
        cache: KVCache | None = None,
        *,
        each: bool = False,
    ) -> Any:
        """Read tokens (B, T): logits (B, T, V), or with targets (B, T) a sum of nats, ().

        With `each`, the nats of each target, (B, T), and the states after the last norm,
        (B, T, width).
        """
        states = self.states(tokens, documents, cache)
        if targets is None:
            return self.logits(states)
        nats = self.loss(states, targets, each)
        return (nats, states) if each else nats

    def loss(self, states: Tensor, targets: Tensor, each: bool) -> Tensor:
        """Nats of targets (B, T) by states (B, T, width): (B, T) with `each`, else their sum."""
        logits = self.logits(states)
        return nll_of_tokens(logits, targets) if each else nll_sum(logits, targets)

    def compile_for(self, device: str) -> None:
        """Let PyTorch compile it. On a GPU a layer, which serves for all of them, and the loss.

        There the whole is no quicker to run, and takes ten times as long to compile. On a CPU it
        is a few per cent quicker.
        """
        if not device.startswith("cuda"):
            self.compile()
            return
        for module in self.modules():
            if isinstance(module, Layer):
                module.compile()
        self.loss = torch.compile(self.loss)  # type: ignore[method-assign]

    def recompute_layers(self) -> None:
        """Let training take less memory and more time from now on, as `Layer` says."""
        for module in self.modules():
            if isinstance(module, Layer):
                module.recompute = True

    def states(
        self, tokens: Tensor, documents: Documents | None = None, cache: KVCache | None = None
    ) -> Tensor:
        """Read tokens (B, T): final hidden states after the last norm, (B, T, width)."""
        raise NotImplementedError

    def logits(self, states: Tensor) -> Tensor:
        """Logits of the next token, (..., V), from final hidden states (..., width)."""
        raise NotImplementedError


def initialise(model: nn.Module, residual: tuple[str, ...], layers: int) -> None:
    """Draw first weights as GPT-2's: N(0, 0.02), and less for what adds to the residual stream."""
    for name, parameter in model.named_parameters():
        if parameter.ndim < 2:
            continue
        scale = (2 * layers) ** -0.5 if name.endswith(residual) else 1.0
        nn.init.normal_(parameter, std=_INITIAL_STD * scale)


def count(model: nn.Module) -> int:
    """Return the number of parameters, tied ones once."""
    return sum(parameter.numel() for parameter in model.parameters())


def write_weights(folder: Path, config: dict[str, Any], state: dict[str, Tensor]) -> None:
    """Write a folder of transformers; fp32, contiguous, on the CPU."""
    from safetensors.torch import save

    (folder / CONFIG).write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    whole = {name: tensor.detach().cpu().float().contiguous() for name, tensor in state.items()}
    # Through memory, for safetensors' own writer turns a full disk into an error of its own.
    (folder / WEIGHTS).write_bytes(save(whole, metadata={"format": "pt"}))


def read_weights(folder: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Read what `write_weights` wrote. Raises PretrainError."""
    from safetensors.torch import load_file

    try:
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        return config, load_file(folder / WEIGHTS)
    except FileNotFoundError as error:
        raise PretrainError(
            f"there is no model in {folder}: {error.filename or WEIGHTS} is not there"
        ) from error
    except Exception as error:  # safetensors has no error of its own for a cut-off file
        raise PretrainError(
            f"the model in {folder} is damaged ({error}): take an earlier one, or train it again"
        ) from error
