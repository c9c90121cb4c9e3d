# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""The models that are trained from scratch, by name and size, and as folders on disk.

A folder is one of transformers, with its tokenizer; the kind of a model is seen from its config.
"""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import torch

from clara_training import mvlm, simone
from clara_training.decoder import count, read_weights, write_weights
from clara_training.errors import PretrainError, first_line

Model = Any  # mvlm.Mvlm or simone.Simone
KINDS: dict[str, ModuleType] = {"mvlm": mvlm, "simone": simone}
_CLASSES = {"mvlm": mvlm.Mvlm, "simone": simone.Simone}
_ARCHITECTURES = {"GPT2LMHeadModel": "mvlm", "LlamaForCausalLM": "simone"}
_TOKENIZER = ("tokenizer.json", "tokenizer_config.json")
CHAT_TEMPLATE = "chat_template.jinja"  # where transformers keeps it
# For models that continue a text: it begins as a document does, what was said follows one after
# the other without roles, and system messages are left out.
PLAIN_TEMPLATE = (
    "{{ bos_token }}"
    "{% for message in messages if message['role'] != 'system' %}"
    "{% if message['role'] == 'user' %}"
    "{% if not loop.first %}{{ '\n' }}{% endif %}{{ message['content'] | trim }}"
    "{% else %}{{ message['content'] }}{% endif %}"
    "{% endfor %}"
)


def new_model(
    kind: str, size: str, vocab_size: int, context: int, *, tied: bool = True, seed: int = 0
) -> Model:
    """Return a model of a size with its first weights. Raises PretrainError."""
    sizes = KINDS[kind].SIZES
    if size not in sizes:
        raise PretrainError(f"{size!r} is no size of {kind}; there are {', '.join(sizes)}")
    changes: dict[str, Any] = {"vocab_size": vocab_size, "context": context}
    if kind == "simone":
        changes["tied"] = tied
    elif not tied:
        raise PretrainError("the embeddings of mvlm are always tied, as GPT-2's are")
    torch.manual_seed(seed)
    return _CLASSES[kind](replace(sizes[size], **changes))


def save_model(model: Model, folder: Path, tokenizer: Path) -> None:
    """Write a model into a folder, with the tokenizer that is in another. Raises OSError."""
    write_weights(folder, *KINDS[model.config.kind].to_transformers(model))
    for name in _TOKENIZER:
        shutil.copyfile(tokenizer / name, folder / name)
    (folder / CHAT_TEMPLATE).write_text(PLAIN_TEMPLATE, encoding="utf-8")


def load_model(folder: Path) -> Model:
    """Load a model from its folder, in fp32 on the CPU. Raises PretrainError."""
    config, state = read_weights(folder)
    architecture = (config.get("architectures") or ["nothing"])[0]
    if architecture not in _ARCHITECTURES:
        raise PretrainError(
            f"{folder} holds a {architecture}, which is neither MVLM nor SIM-ONE: it has to be a"
            f" {' or a '.join(_ARCHITECTURES)}"
        )
    try:
        return KINDS[_ARCHITECTURES[architecture]].from_transformers(config, state)
    except (KeyError, RuntimeError) as error:
        raise PretrainError(
            f"the weights in {folder} do not fit its config.json ({first_line(error)}): take an"
            " earlier one, or train it again"
        ) from error


def flops_per_token(model: Model) -> float:
    """Return the floating-point operations of training on one token (PaLM, appendix B).

    6 for each parameter of a matrix product and 12 · layers · width · context for attention, half
    of which is masked and not counted.
    """
    config = model.config
    looked_up = config.vocab_size * config.width if not getattr(config, "tied", True) else 0
    if config.kind == "mvlm":
        looked_up += config.context * config.width
    products = count(model) - looked_up
    return float(6 * products + 6 * config.layers * config.width * config.context)
