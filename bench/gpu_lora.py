#!/usr/bin/env python3
# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""LoRA on a GPU: Clara's loop against the Hugging Face Trainer, packed and padded.

A Llama of TinyLlama-1.1B's shape with random weights and random tokens, in bfloat16, rank 16 on
all linear layers; every way gets the same examples, as many in each step. The Trainer packs a step
into one row or into two, for its mask costs the square of a row, and the quicker one counts. It
runs on a machine that has only torch, transformers, peft and accelerate, from a checkout, with
nothing installed:

    python3 bench/gpu_lora.py

The last figure is a whole dimension: loading, 1,000 examples for 3 epochs, saving. Operations are
counted as 4 a weight and token (forward, and the gradient of the input), 6 for the adapter's own,
attention left out; the roof is a bfloat16 matrix product measured in the same run.
`--device cpu --tiny` only shows that it works.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "src" / "clara_training"))

import torch
from clara_training.chat_encoding import Encoded
from clara_training.fused_layers import fuse_layers
from clara_training.lora import row_tokens, save_adapter
from clara_training.lora_checkpoint import CheckpointFile
from clara_training.lora_linear import fuse
from clara_training.lora_loop import LoopSettings, fit
from clara_training.lora_step import Lesson, MemoryBudget
from clara_training.packing import Layout, choose_layout
from clara_training.ranks import Ranks
from peft import LoraConfig, get_peft_model
from transformers import (
    DataCollatorWithFlattening,
    LlamaConfig,
    LlamaForCausalLM,
    Trainer,
    TrainerCallback,
    TrainingArguments,
)

DATASHEET = 989e12  # dense bfloat16 operations a second of an H100 SXM or H200
TINYLLAMA = {
    "vocab_size": 32000,
    "hidden_size": 2048,
    "intermediate_size": 5632,
    "num_hidden_layers": 22,
    "num_attention_heads": 32,
    "num_key_value_heads": 4,
    "max_position_embeddings": 2048,
}
TINY = {
    "vocab_size": 512,
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 2048,
}


def make_examples(count: int, vocabulary: int, seed: int = 0) -> list[Encoded]:
    """Make examples with prompts of 20 to 100 tokens, and replies of 30 to 220, most short."""
    drawn = random.Random(seed)
    examples = []
    for _ in range(count):
        prompt = drawn.randint(20, 100)
        reply = int(drawn.triangular(30, 220, 60))
        ids = tuple(drawn.randrange(3, vocabulary) for _ in range(prompt + reply))
        examples.append(Encoded(ids, prompt))
    return examples


def make_model(shape: dict[str, int], device: str) -> tuple[Any, LoraConfig]:
    """Return a frozen model with a new adapter."""
    dtype = torch.float32 if device == "cpu" else torch.bfloat16
    torch.manual_seed(0)
    with torch.device(device):
        model = LlamaForCausalLM._from_config(LlamaConfig(**shape), dtype=dtype)
    model.config.use_cache = False
    model.requires_grad_(False)
    config = LoraConfig(r=16, lora_alpha=32, target_modules="all-linear", task_type="CAUSAL_LM")
    return get_peft_model(model, config), config


def synchronise(device: str) -> None:
    """Wait for the GPU."""
    if device != "cpu":
        torch.cuda.synchronize()


def clara(
    shape: dict[str, int],
    examples: list[Encoded],
    device: str,
    step_examples: int,
    steps: int | None,
    packing: bool,
    folder: Path,
) -> tuple[list[float], str]:
    """Train; return the seconds of each step, and the layout. Without `steps`, three epochs."""
    adapter, config = make_model(shape, device)
    model = adapter.get_base_model()
    layout = choose_layout(model, device, 1024, packing=packing)
    fuse(model)
    fuse_layers(model)
    limit = row_tokens(layout, model.config) if layout is not Layout.PADDED else 0
    budget = MemoryBudget(limit, step_examples)
    seconds: list[float] = []
    fit(
        *(model, [Lesson(example) for example in examples], [], layout, budget),
        LoopSettings(epochs=3, step_examples=step_examples, max_steps=steps, patience=0),
        Ranks(0, 1, device),
        CheckpointFile(folder / "checkpoint.pt", "bench", 1e9),
        lambda record: seconds.append(record["seconds"]) if "seconds" in record else None,
    )
    save_adapter(adapter, config, folder / "adapter")
    return seconds, f"{layout.value}; {budget}"


def hugging_face(
    shape: dict[str, int],
    examples: list[Encoded],
    device: str,
    step_examples: int,
    steps: int,
    packed: bool,
    rows: int,
    folder: Path,
) -> list[float]:
    """Train with transformers' Trainer, a step in so many parts; return the seconds of each."""
    adapter, _ = make_model(shape, device)
    data = [
        {
            "input_ids": list(example.ids),
            "labels": [-100] * example.prompt + list(example.ids[example.prompt :]),
        }
        for example in examples
    ]
    seconds: list[float] = []

    class Watch(TrainerCallback):
        """Times steps, data loading left out, as Clara's own loop does."""

        def on_step_begin(self, *_: Any, **__: Any) -> None:
            synchronise(device)
            self.start = time.perf_counter()

        def on_step_end(self, *_: Any, **__: Any) -> None:
            synchronise(device)
            seconds.append(time.perf_counter() - self.start)

    arguments = TrainingArguments(
        output_dir=str(folder / "trainer"),
        per_device_train_batch_size=step_examples // rows,
        gradient_accumulation_steps=rows,
        max_steps=steps,
        learning_rate=2e-4,
        bf16=device != "cpu",
        use_cpu=device == "cpu",
        optim="adamw_torch_fused" if device != "cpu" else "adamw_torch",
        report_to="none",
        save_strategy="no",
        logging_strategy="no",
        disable_tqdm=True,
        dataloader_num_workers=0,
    )
    Trainer(
        model=adapter,
        args=arguments,
        train_dataset=data,
        data_collator=DataCollatorWithFlattening() if packed else pad,
        callbacks=[Watch()],
    ).train()
    return seconds


def pad(rows: list[dict[str, list[int]]]) -> dict[str, torch.Tensor]:
    """Pad to the longest of a batch."""
    width = max(len(row["input_ids"]) for row in rows)
    return {
        "input_ids": torch.tensor([fill(row["input_ids"], width, 0) for row in rows]),
        "attention_mask": torch.tensor(
            [fill([1] * len(row["input_ids"]), width, 0) for row in rows]
        ),
        "labels": torch.tensor([fill(row["labels"], width, -100) for row in rows]),
    }


def fill(values: list[int], width: int, value: int) -> list[int]:
    """Return the values, and as many of `value` as make up the width."""
    return values + [value] * (width - len(values))


def roof(device: str, dtype: torch.dtype) -> float:
    """Return the operations a second of the best of some large matrix products."""
    size = 512 if device == "cpu" else 8192
    a = torch.randn(size, size, device=device, dtype=dtype)
    best = 0.0
    for _ in range(10):
        synchronise(device)
        start = time.perf_counter()
        _ = a @ a
        synchronise(device)
        best = max(best, 2 * size**3 / (time.perf_counter() - start))
    return best


def operations_a_token(shape: dict[str, int], reply_share: float) -> float:
    """Return what a token costs to train on, attention left out."""
    adapter, _ = make_model(shape, "meta")
    linear = adapters = 0
    for name, parameter in adapter.named_parameters():
        if "lora_" in name:
            adapters += parameter.numel()
        elif parameter.dim() == 2 and "embed_tokens" not in name and "lm_head" not in name:
            linear += parameter.numel()
    head = shape["vocab_size"] * shape["hidden_size"]
    return 4 * linear + 6 * adapters + 4 * head * reply_share


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--tiny", action="store_true", help="a tiny model, to try the script")
    parser.add_argument("--step-examples", type=int, default=64)
    parser.add_argument("--steps", type=int, default=20, help="of each way")
    parser.add_argument("--rounds", type=int, default=2, help="in which the ways take turns")
    parser.add_argument("--output", type=Path, default=ROOT / "bench/results/gpu_lora.json")
    options = parser.parse_args()
    if options.device == "cpu" and not options.tiny:
        sys.exit("gpu_lora.py: no CUDA GPU here; --tiny shows that the script works")
    warnings.simplefilter("ignore")
    device, shape = options.device, TINY if options.tiny else TINYLLAMA
    examples = make_examples(1000 if not options.tiny else 100, shape["vocab_size"])
    mean = statistics.mean(map(len, examples))
    reply_share = sum(e.reply_tokens for e in examples) / sum(map(len, examples))
    ways: dict[str, list[float]] = {}
    layouts: dict[str, str] = {}
    # The first steps of each way load kernels.
    left_out = min(5, options.steps // 2)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        common = (shape, examples, device, options.step_examples, options.steps)
        for _ in range(options.rounds):
            for name, packing in (("clara packed", True), ("clara padded", False)):
                seconds, layouts[name] = clara(*common, packing, folder)
                ways.setdefault(name, []).extend(seconds[left_out:])
            for name, packed, rows in (
                ("trainer packed", True, 1),
                ("trainer packed in two", True, 2),
                ("trainer padded", False, 1),
            ):
                seconds = hugging_face(*common, packed, rows, folder)
                ways.setdefault(name, []).extend(seconds[left_out:])
        synchronise(device)
        start = time.perf_counter()
        clara(shape, examples, device, 16, None, True, folder)
        synchronise(device)
        dimension = time.perf_counter() - start
    rates = {
        name: mean * options.step_examples / statistics.median(seconds)
        for name, seconds in ways.items()
    }
    packed_peer = max(rates["trainer packed"], rates["trainer packed in two"])
    measured_roof = roof(device, torch.float32 if device == "cpu" else torch.bfloat16)
    operations = operations_a_token(shape, reply_share) * rates["clara packed"]
    figures = {
        "device": torch.cuda.get_device_name() if device != "cpu" else "cpu",
        "torch": torch.__version__,
        "tokens_per_second": rates,
        "layouts": layouts,
        "against_trainer_packed": rates["clara packed"] / packed_peer,
        "against_trainer_padded": rates["clara packed"] / rates["trainer padded"],
        "operations_per_second": operations,
        "roof": measured_roof,
        "mfu_of_measured_roof": operations / measured_roof,
        "mfu_of_datasheet": operations / DATASHEET,
        "dimension_seconds": dimension,
        "dimension": f"{len(examples)} examples, 3 epochs, 16 a step",
    }
    print(json.dumps(figures, indent=2))
    options.output.parent.mkdir(exist_ok=True)
    options.output.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
