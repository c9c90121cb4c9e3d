# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""A Llama of two small layers with random weights, and governance heads with random weights."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import gguf
import numpy as np
from clara_brain.model_info import default_model
from safetensors.numpy import save_file

WIDTH, HIDDEN, LAYERS, HEADS = 64, 128, 2, 2
VOCABULARY = 49_152  # SmolLM2's
MODEL_HASH = "5" * 64
LABELS = ["law", "history", "poetry"]
POLICY = {"labels": LABELS, "temperature": 1.5, "threshold": 0.4, "saturation": 2.0}
MEMORY = {"size": 16, "threshold": 0.2, "saturation": 3.0, "mix": [0.4, 0.3]}


def write_model(path: Path, seed: int = 0, sha256: str = MODEL_HASH) -> Path:
    """Write a GGUF with SmolLM2's tokenizer and chat template, as clara-train exports one."""
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
    if sha256:
        writer.add_string("clara.model_sha256", sha256)
    for field in reader.fields.values():
        if field.name.startswith("tokenizer."):
            kind = field.types[0]
            item = field.types[-1] if kind == gguf.GGUFValueType.ARRAY else None
            writer.add_key_value(field.name, field.contents(), kind, item)
    words = len(reader.fields["tokenizer.ggml.tokens"].contents())
    assert words == VOCABULARY
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
    return path


def heads(**changes: Any) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Return the document and the tensors of a good file."""
    document = {
        "version": 2,
        "model_sha256": MODEL_HASH,
        "width": WIDTH,
        "policy": POLICY,
        "memory": MEMORY,
        "trace": {},
        "metrics": {"policy": {"accuracy": 0.8125, "useful": True}, "trace": {"ece": 0.05}},
    } | changes
    random = np.random.default_rng(3)
    tensors = {}
    for name, sizes in {
        "policy": (WIDTH, 32, len(LABELS)),
        "memory": (WIDTH, 16),
        "trace": (WIDTH + 1, 24, 24, 1),
    }.items():
        for layer, (size, out) in enumerate(pairwise(sizes)):
            tensors[f"{name}.{layer}.weight"] = random.normal(0, size**-0.5, (out, size))
            tensors[f"{name}.{layer}.bias"] = random.normal(0, 0.5, out)
    for name, out in (("policy", len(LABELS)), ("memory", 16)):
        tensors[f"{name}.token_weight"] = random.uniform(0.5, 3.0, VOCABULARY)
        tensors[f"{name}.table"] = random.normal(0, 1, (VOCABULARY, out))
    tensors["trace.mean"] = random.normal(0, 0.5, WIDTH + 1)
    tensors["trace.scale"] = random.uniform(0.5, 2.0, WIDTH + 1)
    return document, {name: each.astype(np.float32) for name, each in tensors.items()}


def write_heads(path: Path, document: Any, tensors: dict[str, np.ndarray]) -> Path:
    """Write a file of governance heads."""
    save_file(tensors, path, {"clara_governance": json.dumps(document)})
    return path
