# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""SIM-ONE: the modern model.

- rotary positions (Su et al. 2021), SwiGLU (Shazeer 2020), RMSNorm (Zhang & Sennrich 2019);
- grouped-query attention (Ainslie et al. 2023), no biases, embeddings tied or not;
- Q, K and V are one matrix product, and so are SwiGLU's gate and input: fewer, larger products.

It computes what transformers' LlamaForCausalLM computes with the same weights, to the last digits.
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
class SimoneConfig:
    """The shape of a model. Rows are multiples of 256, so that every quantisation fits."""

    vocab_size: int = 32_000
    context: int = 1024  # tokens
    layers: int = 12
    width: int = 768
    heads: int = 12
    kv_heads: int = 12
    inner: int = 2048  # of SwiGLU
    rope_base: float = 10_000.0
    norm_eps: float = 1e-5
    tied: bool = True

    @property
    def kind(self) -> str:
        """Name of the command that trains it."""
        return "simone"

    @property
    def head_size(self) -> int:
        """Width of a head."""
        return self.width // self.heads


# Parameters at a vocabulary of 32,000: `decoder.count` of each.
SIZES = {
    "tiny": SimoneConfig(layers=4, width=256, heads=4, kv_heads=4, inner=768),  # 12 M
    "small": SimoneConfig(layers=8, width=512, heads=8, kv_heads=4, inner=1536),  # 42 M
    "base": SimoneConfig(),  # 110 M
    "large": SimoneConfig(layers=24, width=1024, heads=16, kv_heads=16, inner=2816),  # 341 M
}


class Attention(nn.Module):  # type: ignore[misc]
    """Attention whose queries share keys and values in groups."""

    def __init__(self, config: SimoneConfig, layer: int) -> None:
        super().__init__()
        self.layer, self.size = layer, config.head_size
        self.split = [config.heads, config.kv_heads, config.kv_heads]
        self.qkv = Linear(config.width, sum(self.split) * self.size, bias=False)
        self.out = Linear(config.width, config.width, bias=False)

    def forward(
        self, x: Tensor, turn: Turn, documents: Documents | None, cache: KVCache | None
    ) -> Tensor:
        """Map (B, T, width) to the same shape."""
        batch, time, width = x.shape
        heads = self.qkv(x).view(batch, time, -1, self.size)
        turned, v = heads.split([sum(self.split[:2]), self.split[2]], dim=2)
        q, k = rotate(turned, turn).split(self.split[:2], dim=2)  # (B, T, heads, size)
        q, k, v = (each.transpose(1, 2) for each in (q, k, v))
        if cache is not None:
            k, v = cache.extend(self.layer, k, v)
        y = attend(q, k, v, documents)
        out: Tensor = self.out(y.transpose(1, 2).reshape(batch, time, width))
        return out


class Block(Layer):
    """Attention and SwiGLU, each added to the residual stream."""

    def __init__(self, config: SimoneConfig, layer: int) -> None:
        super().__init__()
        self.attention_norm = nn.RMSNorm(config.width, config.norm_eps)
        self.attention = Attention(config, layer)
        self.mlp_norm = nn.RMSNorm(config.width, config.norm_eps)
        self.gate_up = Linear(config.width, 2 * config.inner, bias=False)
        self.down = Linear(config.inner, config.width, bias=False)

    def through(
        self, x: Tensor, turn: Turn, documents: Documents | None, cache: KVCache | None
    ) -> Tensor:
        """Map (B, T, width) to the same shape."""
        x = x + self.attention(self.attention_norm(x), turn, documents, cache)
        gate, up = self.gate_up(self.mlp_norm(x)).chunk(2, dim=-1)
        out: Tensor = x + self.down(F.silu(gate) * up)
        return out


class Simone(LanguageModel):
    """The model: final hidden states of tokens, and logits of the next token from them."""

    cosines: Tensor
    sines: Tensor

    def __init__(self, config: SimoneConfig) -> None:
        super().__init__()
        self.config = config
        self.embed = nn.Embedding(config.vocab_size, config.width)
        self.layers = nn.ModuleList(Block(config, layer) for layer in range(config.layers))
        self.norm = nn.RMSNorm(config.width, config.norm_eps)
        self.head = None if config.tied else Linear(config.width, config.vocab_size, bias=False)
        turns = torch.arange(0, config.head_size, 2, dtype=torch.float32) / config.head_size
        angles = torch.outer(torch.arange(config.context).float(), config.rope_base**-turns)
        self.register_buffer("cosines", angles.cos(), persistent=False)  # (context, size / 2)
        self.register_buffer("sines", angles.sin(), persistent=False)
        initialise(self, ("out.weight", "down.weight"), config.layers)

    @property
    def input_embedding(self) -> Tensor:
        """Return the embeddings of tokens, (V, width)."""
        return self.embed.weight

    def states(
        self, tokens: Tensor, documents: Documents | None = None, cache: KVCache | None = None
    ) -> Tensor:
        """Read tokens (B, T): final hidden states after the last norm, (B, T, width)."""
        x = self.embed(tokens)
        places = positions_of(tokens, documents, cache, self.config.context)
        # Of each position, (B, T, 1, size / 2): the same for all heads.
        turn = (self.cosines[places][:, :, None], self.sines[places][:, :, None])
        for block in self.layers:
            x = block(x, turn, documents, cache)
        if cache is not None:
            cache.length += tokens.shape[1]
        states: Tensor = self.norm(x)
        return states

    def logits(self, states: Tensor) -> Tensor:
        """Logits of the next token, (..., V), from final hidden states (..., width)."""
        return linear(states, self.embed.weight if self.head is None else self.head.weight)


Turn = tuple[Tensor, Tensor]  # cosines and sines of each position


class Rotation(torch.autograd.Function):  # type: ignore[misc]
    """Turns pairs by angles; the gradient is turned back. It is half of the passes over memory."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, cosines: Tensor, sines: Tensor) -> Tensor:
        """Map (B, T, heads, size) to the same shape."""
        ctx.save_for_backward(cosines, sines)
        return _turned(x, cosines, sines, 1.0)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradient of x."""
        cosines, sines = ctx.saved_tensors
        return _turned(gradients[0], cosines, sines, -1.0), None, None


def _turned(x: Tensor, cosines: Tensor, sines: Tensor, sign: float) -> Tensor:
    y = torch.empty_like(x)
    (first, second), (a, b) = x.chunk(2, dim=-1), y.chunk(2, dim=-1)
    torch.mul(first, cosines, out=a).addcmul_(second, sines, value=-sign)
    torch.mul(second, cosines, out=b).addcmul_(first, sines, value=sign)
    return y


def rotate(x: Tensor, turn: Turn) -> Tensor:
    """Turn the pairs (i, i + size / 2) of each head by the position's angles."""
    cosines, sines = (each.to(x.dtype) for each in turn)
    if not torch.compiler.is_compiling():
        y: Tensor = Rotation.apply(x, cosines, sines)  # type: ignore[no-untyped-call]
        return y
    first, second = x.chunk(2, dim=-1)
    return torch.cat((first * cosines - second * sines, second * cosines + first * sines), dim=-1)


_NAMES = (
    ("attention_norm.weight", "input_layernorm.weight"),
    ("attention.out.weight", "self_attn.o_proj.weight"),
    ("mlp_norm.weight", "post_attention_layernorm.weight"),
    ("down.weight", "mlp.down_proj.weight"),
)
_JOINED = (
    ("attention.qkv.weight", [f"self_attn.{part}_proj.weight" for part in "qkv"]),
    ("gate_up.weight", ["mlp.gate_proj.weight", "mlp.up_proj.weight"]),
)
_OUTER = (("embed.weight", "model.embed_tokens.weight"), ("norm.weight", "model.norm.weight"))


def to_transformers(model: Simone) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Return config and weights of the LlamaForCausalLM that computes the same."""
    config, own = model.config, model.state_dict()
    state = {theirs: own[ours] for ours, theirs in _OUTER}
    if not config.tied:
        state["lm_head.weight"] = own["head.weight"]
    rows = [heads * config.head_size for heads in (config.heads, config.kv_heads, config.kv_heads)]
    for layer in range(config.layers):
        here, there = f"layers.{layer}.", f"model.layers.{layer}."
        state |= {there + theirs: own[here + ours] for ours, theirs in _NAMES}
        for (ours, parts), sizes in zip(_JOINED, (rows, [config.inner] * 2), strict=True):
            for theirs, part in zip(parts, own[here + ours].split(sizes), strict=True):
                state[there + theirs] = part
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": config.vocab_size,
        "max_position_embeddings": config.context,
        "hidden_size": config.width,
        "intermediate_size": config.inner,
        "num_hidden_layers": config.layers,
        "num_attention_heads": config.heads,
        "num_key_value_heads": config.kv_heads,
        "hidden_act": "silu",
        "rms_norm_eps": config.norm_eps,
        "rope_theta": config.rope_base,  # as transformers 4 has it; and as 5 has it:
        "rope_parameters": {"rope_type": "default", "rope_theta": config.rope_base},
        "tie_word_embeddings": config.tied,
        "bos_token_id": 0,
        "eos_token_id": 0,
        "dtype": "float32",
    }, state


def from_transformers(config: dict[str, Any], state: dict[str, Tensor]) -> Simone:
    """Return the model of a LlamaForCausalLM's config and weights."""
    rope = config.get("rope_parameters") or config
    model = Simone(
        SimoneConfig(
            vocab_size=config["vocab_size"],
            context=config["max_position_embeddings"],
            layers=config["num_hidden_layers"],
            width=config["hidden_size"],
            heads=config["num_attention_heads"],
            kv_heads=config["num_key_value_heads"],
            inner=config["intermediate_size"],
            rope_base=rope["rope_theta"],
            norm_eps=config["rms_norm_eps"],
            tied=config["tie_word_embeddings"],
        )
    )
    own = {ours: state[theirs] for ours, theirs in _OUTER}
    if not model.config.tied:
        own["head.weight"] = state["lm_head.weight"]
    for layer in range(model.config.layers):
        here, there = f"layers.{layer}.", f"model.layers.{layer}."
        own |= {here + ours: state[there + theirs] for ours, theirs in _NAMES}
        own |= {here + o: torch.cat([state[there + part] for part in p]) for o, p in _JOINED}
    model.load_state_dict(own)
    return model
