# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""MVLM: GPT-2 (Radford et al. 2019), the plain model that SIM-ONE is measured against.

- learned positions, LayerNorm before attention and MLP, GELU (tanh), tied embeddings;
- no dropout: on a corpus of this size early stopping is what keeps it from memorising;
- parameters have GPT-2's names, so that transformers' GPT2LMHeadModel differs by transposes only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from clara_training.decoder import (
    Documents,
    KVCache,
    LanguageModel,
    Layer,
    attend,
    initialise,
    positions_of,
)
from clara_training.products import Linear, linear


@dataclass(frozen=True)
class MvlmConfig:
    """The shape of a model. Rows are multiples of 256, so that every quantisation fits."""

    vocab_size: int = 32_000
    context: int = 1024  # tokens
    layers: int = 12
    width: int = 768
    heads: int = 12

    @property
    def kind(self) -> str:
        """Name of the command that trains it."""
        return "mvlm"


# Parameters at a vocabulary of 32,000 and a context of 1,024: `decoder.count` of each.
SIZES = {
    "tiny": MvlmConfig(layers=4, width=256, heads=4),  # 12 M
    "small": MvlmConfig(layers=8, width=512, heads=8),  # 42 M
    "base": MvlmConfig(),  # 110 M
    "large": MvlmConfig(layers=24, width=1024, heads=16),  # 336 M
}


class Attention(nn.Module):  # type: ignore[misc]
    """Attention of all heads."""

    def __init__(self, config: MvlmConfig, layer: int) -> None:
        super().__init__()
        self.layer, self.heads = layer, config.heads
        self.c_attn = Linear(config.width, 3 * config.width)
        self.c_proj = Linear(config.width, config.width)

    def forward(self, x: Tensor, documents: Documents | None, cache: KVCache | None) -> Tensor:
        """Map (B, T, width) to the same shape."""
        batch, time, width = x.shape
        parts = self.c_attn(x).view(batch, time, 3, self.heads, width // self.heads)
        q, k, v = parts.permute(2, 0, 3, 1, 4)  # each (B, heads, T, size)
        if cache is not None:
            k, v = cache.extend(self.layer, k, v)
        y = attend(q, k, v, documents)
        out: Tensor = self.c_proj(y.transpose(1, 2).reshape(batch, time, width))
        return out


class Mlp(nn.Module):  # type: ignore[misc]
    """Four times as wide inside."""

    def __init__(self, config: MvlmConfig) -> None:
        super().__init__()
        self.c_fc = Linear(config.width, 4 * config.width)
        self.c_proj = Linear(4 * config.width, config.width)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, T, width) to the same shape."""
        out: Tensor = self.c_proj(F.gelu(self.c_fc(x), approximate="tanh"))
        return out


class Block(Layer):
    """Attention and MLP, each added to the residual stream."""

    def __init__(self, config: MvlmConfig, layer: int) -> None:
        super().__init__()
        self.ln_1 = nn.LayerNorm(config.width)
        self.attn = Attention(config, layer)
        self.ln_2 = nn.LayerNorm(config.width)
        self.mlp = Mlp(config)

    def through(self, x: Tensor, documents: Documents | None, cache: KVCache | None) -> Tensor:
        """Map (B, T, width) to the same shape."""
        x = x + self.attn(self.ln_1(x), documents, cache)
        out: Tensor = x + self.mlp(self.ln_2(x))
        return out


class Mvlm(LanguageModel):
    """The model: final hidden states of tokens, and logits of the next token from them."""

    def __init__(self, config: MvlmConfig) -> None:
        super().__init__()
        self.config = config
        self.wte = nn.Embedding(config.vocab_size, config.width)
        self.wpe = nn.Embedding(config.context, config.width)
        self.h = nn.ModuleList(Block(config, layer) for layer in range(config.layers))
        self.ln_f = nn.LayerNorm(config.width)
        initialise(self, ("c_proj.weight",), config.layers)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.zeros_(module.bias)

    @property
    def input_embedding(self) -> Tensor:
        """Return the embeddings of tokens, (V, width)."""
        return self.wte.weight

    def states(
        self, tokens: Tensor, documents: Documents | None = None, cache: KVCache | None = None
    ) -> Tensor:
        """Read tokens (B, T): final hidden states after the last norm, (B, T, width)."""
        x = self.wte(tokens) + self.wpe(
            positions_of(tokens, documents, cache, self.config.context)
        )
        for block in self.h:
            x = block(x, documents, cache)
        if cache is not None:
            cache.length += tokens.shape[1]
        states: Tensor = self.ln_f(x)
        return states

    def logits(self, states: Tensor) -> Tensor:
        """Logits of the next token, (..., V), from final hidden states (..., width)."""
        return linear(states, self.wte.weight)


def to_transformers(model: Mvlm) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Return config and weights of the GPT2LMHeadModel that computes the same."""
    config = model.config
    state = {
        f"transformer.{name}": tensor.T if _transposed(name) else tensor
        for name, tensor in model.state_dict().items()
    }
    return {
        "architectures": ["GPT2LMHeadModel"],
        "model_type": "gpt2",
        "vocab_size": config.vocab_size,
        "n_positions": config.context,
        "n_embd": config.width,
        "n_layer": config.layers,
        "n_head": config.heads,
        "activation_function": "gelu_new",
        "layer_norm_epsilon": 1e-5,
        "tie_word_embeddings": True,
        "bos_token_id": 0,
        "eos_token_id": 0,
        **dict.fromkeys(("attn_pdrop", "embd_pdrop", "resid_pdrop"), 0.0),
        "dtype": "float32",
    }, state


def from_transformers(config: dict[str, Any], state: dict[str, Tensor]) -> Mvlm:
    """Return the model of a GPT2LMHeadModel's config and weights."""
    model = Mvlm(
        MvlmConfig(
            vocab_size=config["vocab_size"],
            context=config["n_positions"],
            layers=config["n_layer"],
            width=config["n_embd"],
            heads=config["n_head"],
        )
    )
    own = {}
    for name, tensor in state.items():
        short = name.removeprefix("transformer.")
        if short != "lm_head.weight":
            own[short] = tensor.T if _transposed(short) else tensor
    with torch.no_grad():
        model.load_state_dict(own)
    return model


def _transposed(name: str) -> bool:
    return name.endswith(("c_attn.weight", "c_proj.weight", "c_fc.weight"))
