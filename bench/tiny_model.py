#!/usr/bin/env python3
# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""A model of two small layers with random weights and SmolLM2's tokenizer: fast, and nothing else.

Its words mean nothing; what carries them can be measured at hundreds of pieces a second.
"""

from __future__ import annotations

from pathlib import Path

import gguf
import numpy as np
from clara_brain.model_info import default_model

WIDTH, HIDDEN, LAYERS, HEADS = 64, 128, 2, 2


def write_tiny_model(path: Path, seed: int = 0) -> None:
    """Write the GGUF file."""
    reader = gguf.GGUFReader(default_model())
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_context_length(2048)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(HIDDEN)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    for field in reader.fields.values():
        if field.name.startswith("tokenizer."):
            kind = field.types[0]
            item = field.types[-1] if kind == gguf.GGUFValueType.ARRAY else None
            writer.add_key_value(field.name, field.contents(), kind, item)
    words = len(reader.fields["tokenizer.ggml.tokens"].contents())
    writer.add_vocab_size(words)
    random = np.random.default_rng(seed)

    def add(name: str, *shape: int) -> None:
        weights = random.normal(0.0, WIDTH**-0.5, shape) if len(shape) > 1 else np.ones(shape)
        writer.add_tensor(name, weights.astype(np.float32))

    add("token_embd.weight", words, WIDTH)
    add("output_norm.weight", WIDTH)
    for layer in range(LAYERS):
        for name in ("attn_q", "attn_k", "attn_v", "attn_output"):
            add(f"blk.{layer}.{name}.weight", WIDTH, WIDTH)
        for name in ("ffn_gate", "ffn_up"):
            add(f"blk.{layer}.{name}.weight", HIDDEN, WIDTH)
        add(f"blk.{layer}.ffn_down.weight", WIDTH, HIDDEN)
        for name in ("attn_norm", "ffn_norm"):
            add(f"blk.{layer}.{name}.weight", WIDTH)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
