# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Tiny models with random weights and a tokenizer trained on a few lines, made in a second."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
)

CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content']"
    " + '<|im_end|>' + '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
TEXT = (
    "The robot carries the red cup to the kitchen table and waits for the next task.",
    "Good morning! I'm glad that you're here; shall we begin with 12 or 345 small steps?",
    "She said: the café is open from 8 to 17, isn't it?  Yes, it is -- and it's warm.",
    "Please hand me the lantern, the kettle, the spanner and the long green rope.",
)
VOCAB = 384


def tokenizer(*, byte_fallback: bool = False, adds_bos: bool = False) -> PreTrainedTokenizerFast:
    """Byte-level BPE as GPT-2's, or BPE with byte fallback as Llama 2's.

    With `adds_bos` a text gets one, as of Llama's tokenizers.
    """
    if byte_fallback:
        made = Tokenizer(models.BPE(byte_fallback=True, unk_token="<unk>", fuse_unk=True))
        from tokenizers import normalizers

        made.normalizer = normalizers.Sequence(
            [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
        )
        made.decoder = decoders.Sequence(
            [
                decoders.Replace("▁", " "),
                decoders.ByteFallback(),
                decoders.Fuse(),
                decoders.Strip(" ", 1, 0),
            ]
        )
        special = ["<unk>", "<s>", "</s>", "<|im_start|>", "<|im_end|>"]
        trainer = trainers.BpeTrainer(
            vocab_size=VOCAB,
            special_tokens=[*special, *(f"<0x{byte:02X}>" for byte in range(256))],
            max_token_length=8,
        )
    else:
        made = Tokenizer(models.BPE())
        made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        made.decoder = decoders.ByteLevel()
        special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
        trainer = trainers.BpeTrainer(
            vocab_size=VOCAB,
            special_tokens=special,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        )
    made.train_from_iterator(TEXT, trainer)
    if byte_fallback:
        # The bytes are ordinary tokens, not special ones.
        import json

        document = json.loads(made.to_str())
        document["added_tokens"] = [
            each for each in document["added_tokens"] if each["content"] in special
        ]
        made = Tokenizer.from_str(json.dumps(document))
    bos = "<s>" if byte_fallback else "<|im_start|>"
    if adds_bos:
        made.post_processor = processors.TemplateProcessing(
            single=f"{bos} $A",
            pair=f"{bos} $A {bos} $B",
            special_tokens=[(bos, made.token_to_id(bos))],
        )
    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=made,
        bos_token=bos,
        eos_token="<|im_end|>",
        pad_token="<|im_end|>",
        unk_token="<unk>" if byte_fallback else "<|endoftext|>",
    )
    wrapped.chat_template = CHATML
    return wrapped


def llama(**changes: Any) -> LlamaForCausalLM:
    """Two layers, grouped-query attention; the same weights every time."""
    torch.manual_seed(7)
    settings: dict[str, Any] = {
        "vocab_size": VOCAB,
        "hidden_size": 64,
        "intermediate_size": 96,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 512,
        "initializer_range": 0.1,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "pad_token_id": 2,
        **changes,
    }
    return LlamaForCausalLM(LlamaConfig(**settings)).eval()


def gpt2(*, n_positions: int = 512) -> GPT2LMHeadModel:
    """Two layers; the same weights every time."""
    torch.manual_seed(7)
    config = GPT2Config(
        vocab_size=VOCAB,
        n_embd=64,
        n_layer=2,
        n_head=4,
        n_positions=n_positions,
        initializer_range=0.1,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=2,
    )
    return GPT2LMHeadModel(config).eval()


def save(model: Any, folder: Path, tokens: Any | None = None) -> Path:
    """Save a model with a tokenizer as a transformers folder."""
    model.save_pretrained(folder)
    (tokens or tokenizer()).save_pretrained(folder)
    return folder


def lora(model: Any, folder: Path, *, seed: int, rank: int = 4, targets: Any = None) -> Any:
    """Save an untrained LoRA adapter whose B is random, not zero; return the peft model."""
    from peft import LoraConfig, get_peft_model

    config = LoraConfig(
        r=rank, lora_alpha=2 * rank, target_modules=targets or "all-linear", task_type="CAUSAL_LM"
    )
    wrapped = get_peft_model(model, config)
    torch.manual_seed(seed)
    for name, parameter in wrapped.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.1)
    wrapped.eval().save_pretrained(folder)
    return wrapped


def phi3_tokenizer(folder: Path) -> Path:
    """Save a tokenizer like Phi-3's: control tokens take the white space behind them.

    `<|end|>`, which ends a turn, is a control token, but has no name as EOS has.
    """
    import json

    tokenizer(byte_fallback=True).save_pretrained(folder)
    path = folder / "tokenizer.json"
    text = path.read_text()
    for token, of_phi3 in (("<|im_start|>", "<|user|>"), ("<|im_end|>", "<|end|>")):
        text = text.replace(token, of_phi3)
    document = json.loads(text)
    # The last token that merges made is of Phi-3's own, without which llama.cpp loads none.
    document["model"]["merges"].pop()
    vocab = document["model"]["vocab"]
    last = max(vocab, key=lambda text: vocab[text])
    vocab["<|endoftext|>"] = vocab.pop(last)
    end = {"id": vocab["<|endoftext|>"], "content": "<|endoftext|>"}
    document["added_tokens"].append({**document["added_tokens"][0], **end})
    for token in document["added_tokens"]:
        token["rstrip"] = token["content"] in ("<|user|>", "<|end|>", "</s>")
    path.write_text(json.dumps(document))
    path = folder / "tokenizer_config.json"
    config = json.loads(path.read_text())
    config.update(eos_token="</s>", pad_token="</s>")
    config.pop("added_tokens_decoder", None)
    path.write_text(json.dumps(config))
    (folder / "chat_template.jinja").write_text(
        "{% for m in messages %}{{ '<|user|>\n' + m['content'] + '<|end|>\n' }}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<|user|>\n' }}{% else %}{{ eos_token }}{% endif %}"
    )
    return folder
