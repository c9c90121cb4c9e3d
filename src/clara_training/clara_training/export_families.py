# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""How each family of models goes into a GGUF: its hyperparameters, and its tensors' layout.

In RoPE, llama.cpp turns neighbouring pairs of a head where transformers turns halves, so the rows
of Llama's Q and K are reordered (Qwen and Phi-3 are read as they are); GPT-2's linear layers are
stored transposed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from clara_training import packages
from clara_training.errors import ExportError

if TYPE_CHECKING:
    import torch
    from gguf import GGUFWriter

Config = Mapping[str, Any]
_CONV1D = (".c_attn.weight", ".c_proj.weight", ".c_fc.weight")
_BUFFERS = (".attn.bias", ".attn.masked_bias", ".rotary_emb.inv_freq")


@dataclass(frozen=True)
class Family:
    """What llama.cpp calls the architecture, and what has to be done to get there.

    `parameters` writes the hyperparameters of a config; `pairs_of_heads` says that Q and K are
    reordered; `conv1d` says that linear layers are (in, out).
    """

    arch: str
    parameters: Callable[[GGUFWriter, Config], None]
    pairs_of_heads: bool = False
    conv1d: bool = False

    def transposed(self, name: str) -> bool:
        """Tell whether a tensor is stored as (in, out)."""
        return self.conv1d and name.endswith(_CONV1D)

    def layout(self, name: str, tensor: torch.Tensor, config: Config) -> torch.Tensor:
        """Return a tensor of the model as llama.cpp wants it."""
        if self.transposed(name):
            return tensor.T.contiguous()
        return self.rows(name, tensor, config)

    def rows(self, name: str, tensor: torch.Tensor, config: Config) -> torch.Tensor:
        """Reorder the output rows where RoPE needs it; the B of a LoRA has the same rows."""
        if not self.pairs_of_heads or tensor.ndim == 0:
            return tensor
        for part, key in (("q_proj", "num_attention_heads"), ("k_proj", "num_key_value_heads")):
            if name.endswith((f"{part}.weight", f"{part}.bias")):
                heads = config.get(key) or config["num_attention_heads"]
                rows = tensor.shape[0]
                return (
                    tensor.reshape(heads, 2, rows // heads // 2, *tensor.shape[1:])
                    .swapaxes(1, 2)
                    .reshape(tensor.shape)
                )
        return tensor


def family(config: Config) -> Family:
    """Find the family of a transformers config. Raises ExportError when it has none here."""
    names = config.get("architectures") or ["nothing"]
    if names[0] not in FAMILIES:
        raise ExportError(
            f"models of the kind {names[0]} cannot be exported to GGUF here; these can:"
            f" {', '.join(FAMILIES)}. llama.cpp's convert_hf_to_gguf.py knows more"
        )
    return FAMILIES[names[0]]


def kept(name: str, config: Config) -> bool:
    """Tell whether a tensor of the folder belongs into the GGUF."""
    tied = config.get("tie_word_embeddings", config.get("model_type") == "gpt2")
    return not name.endswith(_BUFFERS) and not (tied and name == "lm_head.weight")


def rope_frequencies(config: Config) -> torch.Tensor | None:
    """Return Llama 3's factors of the RoPE frequencies, (head_dim / 2,) f32; None without them.

    As transformers computes them for rope_type "llama3".
    """
    rope = _rope(config)
    if rope.get("rope_type") != "llama3":
        return None
    torch = packages.load("torch", "export")
    size = _head_size(config)
    base = rope.get("rope_theta", 10000.0)
    turns = 1.0 / (base ** (torch.arange(0, size, 2, dtype=torch.float32) / size))
    factor, context = rope.get("factor", 8.0), rope["original_max_position_embeddings"]
    low, high = rope.get("low_freq_factor", 1.0), rope.get("high_freq_factor", 4.0)
    factors = []
    for turn in turns:
        length = 2 * math.pi / turn
        if length < context / high:
            factors.append(1.0)
        elif length > context / low:
            factors.append(factor)
        else:
            smooth = (context / length - low) / (high - low)
            factors.append(1 / ((1 - smooth) / factor + smooth))
    return torch.tensor(factors, dtype=torch.float32)


def window(config: Config) -> int | None:
    """Return how many tokens attention looks back in some layer; None where it sees all.

    llama.cpp computes full attention for every family here: up to so many tokens it is the same.
    """
    size = config.get("sliding_window")
    if not size or size >= config["max_position_embeddings"]:
        return None
    if kinds := config.get("layer_types"):
        return int(size) if "sliding_attention" in kinds else None
    if config.get("model_type") in ("qwen2", "qwen3"):
        full = config.get("max_window_layers", 28)
        if not config.get("use_sliding_window") or full >= config["num_hidden_layers"]:
            return None
    return int(size)


def window_sentence(name: str, config: Config) -> str:
    """Say what the window of a model comes to in its GGUF; nothing where it has none."""
    size = window(config)
    if size is None:
        return ""
    return (
        f"{name} looks back {size} tokens (sliding window), where llama.cpp looks back to the"
        f" beginning: the robot's context is {size} tokens at most, where both agree"
    )


def _rope(config: Config) -> Mapping[str, Any]:
    rope = dict(config.get("rope_parameters") or config.get("rope_scaling") or {})
    rope.setdefault("rope_type", rope.get("type", "default"))
    if config.get("rope_theta") is not None:
        rope.setdefault("rope_theta", config["rope_theta"])
    return rope


def _head_size(config: Config) -> int:
    return int(config.get("head_dim") or config["hidden_size"] // config["num_attention_heads"])


def _sizes(writer: GGUFWriter, config: Config) -> None:
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_context_length(window(config) or config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config.get("num_key_value_heads") or config["num_attention_heads"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    if config.get("hidden_act", "silu") != "silu":
        raise ExportError(
            f"the model uses the activation {config['hidden_act']!r}, but llama.cpp computes"
            " 'silu' for its kind"
        )


def _decoder(writer: GGUFWriter, config: Config) -> None:
    """Llama, Mistral, Qwen 2 and 3."""
    _sizes(writer, config)
    rope = _rope(config)
    kind = rope["rope_type"]
    if kind in ("linear", "yarn"):
        gguf = packages.load("gguf", "export")
        writer.add_rope_scaling_type(gguf.RopeScalingType(kind))
        writer.add_rope_scaling_factor(rope["factor"])
        if kind == "yarn":
            writer.add_rope_scaling_orig_ctx_len(rope["original_max_position_embeddings"])
    elif kind not in ("default", "llama3"):
        raise ExportError(f"RoPE scaling of the type {kind!r} cannot be exported here")
    writer.add_rope_freq_base(rope.get("rope_theta", 10000.0))
    if config.get("head_dim"):
        writer.add_key_length(config["head_dim"])
        writer.add_value_length(config["head_dim"])


def _qwen3(writer: GGUFWriter, config: Config) -> None:
    if config.get("attention_bias"):
        raise ExportError(
            "the model is a Qwen 3 with biases in its attention (attention_bias), which llama.cpp"
            " has no place for: take one without"
        )
    _decoder(writer, config)


def _llama(writer: GGUFWriter, config: Config) -> None:
    _decoder(writer, config)
    writer.add_vocab_size(config["vocab_size"])
    writer.add_rope_dimension_count(_head_size(config))


def _phi3(writer: GGUFWriter, config: Config) -> None:
    _sizes(writer, config)
    rope = _rope(config)
    if rope.get("long_factor"):
        raise ExportError("Phi-3 with a long-context RoPE (long_factor) cannot be exported here")
    context = config.get("original_max_position_embeddings") or config["max_position_embeddings"]
    writer.add_rope_scaling_orig_ctx_len(context)
    share = rope.get("partial_rotary_factor") or config.get("partial_rotary_factor") or 1.0
    writer.add_rope_dimension_count(
        int(share * config["hidden_size"]) // config["num_attention_heads"]
    )
    writer.add_rope_freq_base(rope.get("rope_theta", 10000.0))
    writer.add_sliding_window(config.get("sliding_window") or 0)


def _gpt2(writer: GGUFWriter, config: Config) -> None:
    inner = config.get("n_inner") or 4 * config["n_embd"]
    writer.add_block_count(config["n_layer"])
    writer.add_context_length(config["n_positions"])
    writer.add_embedding_length(config["n_embd"])
    writer.add_feed_forward_length(inner)
    writer.add_head_count(config["n_head"])
    writer.add_layer_norm_eps(config["layer_norm_epsilon"])
    if config.get("activation_function", "gelu_new") not in ("gelu_new", "gelu_pytorch_tanh"):
        raise ExportError(
            f"the model uses the activation {config['activation_function']!r}, but llama.cpp"
            " computes 'gelu_new' for GPT-2"
        )


FAMILIES = {
    "LlamaForCausalLM": Family("llama", _llama, pairs_of_heads=True),
    "MistralForCausalLM": Family("llama", _llama, pairs_of_heads=True),
    "Qwen2ForCausalLM": Family("qwen2", _decoder),
    "Qwen3ForCausalLM": Family("qwen3", _qwen3),
    "Phi3ForCausalLM": Family("phi3", _phi3),
    "GPT2LMHeadModel": Family("gpt2", _gpt2, conv1d=True),
}
