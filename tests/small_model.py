# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""A model of one layer whose words are bytes, and an adapter for it: nonsense, but at once.

Nodes that load it start quickly and answer in milliseconds, so that a test of what is around the
model takes no time for the model.
"""

from __future__ import annotations

from pathlib import Path

import gguf
import numpy as np

WIDTH, CONTEXT = 32, 2048
_SPECIAL = ["<unk>", "<s>", "</s>"]
_WORDS = [
    *_SPECIAL,
    *(f"<0x{byte:02X}>" for byte in range(256)),
    "▁",
    *"abcdefghijklmnopqrstuvwxyz",
]
_TEMPLATE = "{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}\n{% endfor %}assistant:"
_SQUARE = ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down")


def write_small_model(path: Path, seed: int = 0) -> None:
    """Write the GGUF file of the model."""
    chance = np.random.default_rng(seed)
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name("small")
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(1)
    writer.add_feed_forward_length(WIDTH)
    writer.add_head_count(2)
    writer.add_head_count_kv(2)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_tokenizer_model("llama")
    writer.add_token_list(_WORDS)
    writer.add_token_scores([0.0] * len(_WORDS))
    kinds = [gguf.TokenType.UNKNOWN, *[gguf.TokenType.CONTROL] * 2, *[gguf.TokenType.BYTE] * 256]
    writer.add_token_types([*kinds, *[gguf.TokenType.NORMAL] * (len(_WORDS) - len(kinds))])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_chat_template(_TEMPLATE)
    shapes = {f"blk.0.{name}.weight": (WIDTH, WIDTH) for name in _SQUARE}
    for name, shape in {"token_embd.weight": (len(_WORDS), WIDTH), **shapes}.items():
        weights = chance.normal(0.0, WIDTH**-0.5, shape)
        writer.add_tensor(name, weights.astype(np.float32))
    for name in ("output_norm", "blk.0.attn_norm", "blk.0.ffn_norm"):
        writer.add_tensor(f"{name}.weight", np.ones(WIDTH, np.float32))
    _close(writer)


def write_small_adapter(path: Path) -> None:
    """Write the GGUF file of a LoRA adapter for the model."""
    chance = np.random.default_rng(1)
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_type("adapter")
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", 2.0)
    for part, shape in (("a", (2, WIDTH)), ("b", (WIDTH, 2))):
        weights = chance.normal(0.0, 0.1, shape).astype(np.float32)
        writer.add_tensor(f"blk.0.attn_q.weight.lora_{part}", weights)
    _close(writer)


def _close(writer: gguf.GGUFWriter) -> None:
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
