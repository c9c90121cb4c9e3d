#!/usr/bin/env python3
# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""A LoRA step on the CPU: Clara's trainer and TRL's SFTTrainer in turns, and the GEMM roof.

Both train rank 16 on all linear layers of SmolLM2-135M, float32, on the same 16 examples of the
starter data in every step (4 at a time for TRL, packed rows for Clara), completion-only loss, no
recomputing of activations. The steps alternate in one process, so that what else the machine does
meets both. TRL is not part of Clara's environment; without it only Clara is measured:

    pip install trl==1.16.0

The roof is the best of several large float32 matrix products on the same threads, by MKL and by
oneDNN; the operations of a step (matrix products and causal attention, nothing computed twice) are
counted as it runs.
"""

from __future__ import annotations

import argparse
import copy
import importlib.util
import statistics
import tempfile
import time
import warnings
from typing import Any

import torch
from clara_training.allocator import keep_memory
from clara_training.base import find_base, load_model, load_tokenizer
from clara_training.chat_encoding import encode
from clara_training.examples import conversation
from clara_training.fused_layers import fuse_layers
from clara_training.lora import row_tokens
from clara_training.lora_linear import fuse, pack
from clara_training.lora_step import Lesson, MemoryBudget, Objective, accumulate
from clara_training.machine import memory_left
from clara_training.packing import choose_layout
from clara_training.products import has_product, product
from clara_training.starter import starter_examples
from report import report, summary
from torch.utils.flop_counter import FlopCounterMode

STEP = 16
RATE = 2e-4


def with_adapter(model: Any) -> Any:
    """Put a new adapter on a model."""
    from peft import LoraConfig, get_peft_model

    config = LoraConfig(
        r=16, lora_alpha=32, lora_dropout=0.0, target_modules="all-linear", task_type="CAUSAL_LM"
    )
    torch.manual_seed(0)
    return get_peft_model(model, config)


class Clara:
    """Steps of clara_training."""

    def __init__(self, model: Any, turns: list[tuple[str, str]], tokenizer: Any) -> None:
        self.model = with_adapter(model).get_base_model().train()
        self.parameters = [p for p in self.model.parameters() if p.requires_grad]
        self.optimizer = torch.optim.AdamW(self.parameters, lr=RATE, weight_decay=0.0, fused=True)
        self.lessons = [Lesson(encode(tokenizer, *turn)) for turn in turns]
        fuse(self.model)
        fuse_layers(self.model)
        keep_memory()
        pack(self.model, memory_left())
        self.layout = choose_layout(self.model, "cpu", 1024)
        self.tokens = sum(map(len, self.lessons))
        self.reply_tokens = sum(lesson.reply_tokens for lesson in self.lessons)

    def gradients(self) -> float:
        """Add the gradients of all lessons; return the sum of their tokens' losses."""
        objective = Objective(self.reply_tokens, len(self.lessons))
        budget = MemoryBudget(row_tokens(self.layout, self.model.config), 4)
        return accumulate(self.model, self.lessons, self.layout, "cpu", budget, objective)

    def step(self) -> float:
        """Train once on all lessons; return the loss."""
        nll = self.gradients()
        torch.nn.utils.clip_grad_norm_(self.parameters, 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return nll / self.reply_tokens


def timed(step: Any) -> tuple[float, Any]:
    """Return how many seconds a call takes, and what it returns."""
    start = time.perf_counter()
    result = step()
    return time.perf_counter() - start, result


def trl_in_turns(
    model: Any, turns: list[tuple[str, str]], tokenizer: Any, steps: int, between: Any
) -> tuple[list[float], list[float]]:
    """Run TRL's trainer; call `between` after each of its steps. Return seconds and losses."""
    from datasets import Dataset
    from transformers import TrainerCallback
    from trl import SFTConfig, SFTTrainer

    seconds: list[float] = []
    losses: list[float] = []

    class Watch(TrainerCallback):
        """Times each step from its first micro-batch to the optimiser's end."""

        def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            self.start = time.perf_counter()

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            seconds.append(time.perf_counter() - self.start)
            between()

        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
            if "loss" in (logs or {}):
                losses.append(logs["loss"])

    data = Dataset.from_list(
        [
            {
                "prompt": [{"role": "user", "content": user}],
                "completion": [{"role": "assistant", "content": reply}],
            }
            for user, reply in turns
        ]
    )
    with tempfile.TemporaryDirectory() as folder:
        config = SFTConfig(
            output_dir=folder,
            per_device_train_batch_size=4,
            gradient_accumulation_steps=STEP // 4,
            max_steps=steps,
            learning_rate=RATE,
            lr_scheduler_type="constant",
            gradient_checkpointing=False,
            completion_only_loss=True,
            max_length=1024,
            use_cpu=True,
            bf16=False,
            report_to="none",
            save_strategy="no",
            logging_steps=1,
            disable_tqdm=True,
        )
        trainer = SFTTrainer(
            model=with_adapter(model),
            args=config,
            train_dataset=data,
            processing_class=tokenizer,
            callbacks=[Watch()],
        )
        trainer.train()
    return seconds, losses


def gemm_roof(size: int = 2048, repeats: int = 8) -> float:
    """Return the float32 operations a second of the best of some matrix products."""
    a, b = torch.randn(size, size), torch.randn(size, size)
    ways = [lambda: a @ b, *([lambda: product(a, b)] if has_product(a) else [])]
    return max(2 * size**3 / timed(way)[0] for way in ways for _ in range(repeats))


def product_operations(rows: Any, weight: Any, *_: Any, **__: Any) -> int:
    """Return the operations of rows times the transpose of weight, of their shapes."""
    return int(2 * rows[0] * rows[1] * weight[0])


def added_operations(_: Any, a: Any, b: Any, *__: Any, **___: Any) -> int:
    """Return the operations of a product that is added to something, of its factors' shapes."""
    return int(2 * a[0] * a[1] * b[1])


def attention_operations(query: Any, *_: Any, **__: Any) -> int:
    """Return those of causal attention: two products of which half is computed."""
    batch, heads, tokens, width = query
    return int(2 * batch * heads * tokens**2 * width)


def attention_gradient_operations(_: Any, query: Any, *__: Any, **___: Any) -> int:
    """Return those of its gradient: four products of which half is computed."""
    return 2 * attention_operations(query)


# What PyTorch's counter does not know.
COUNTED = {
    torch.ops.mkldnn._linear_pointwise: product_operations,
    torch.ops.aten.addmm_: added_operations,
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: attention_operations,
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward: (
        attention_gradient_operations
    ),
}


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--steps", type=int, default=6, help="of each; the first is left out")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--base", default="smollm2")
    options = parser.parse_args()
    warnings.simplefilter("ignore", FutureWarning)
    torch.set_num_threads(options.threads)
    base = find_base(options.base)
    tokenizer = load_tokenizer(base)
    turns = [conversation(example) for example in starter_examples("warmth", True)[:STEP]]
    model = load_model(base, "cpu")
    theirs = copy.deepcopy(model)
    clara = Clara(model, turns, tokenizer)
    ours: list[float] = []
    our_losses: list[float] = []
    roofs: list[float] = []

    def our_step() -> None:
        roofs.append(gemm_roof(repeats=2))
        seconds, loss = timed(clara.step)
        ours.append(seconds)
        our_losses.append(loss)

    with FlopCounterMode(display=False, custom_mapping=COUNTED) as counter:
        clara.gradients()
    clara.optimizer.zero_grad(set_to_none=True)
    operations = counter.get_total_flops()
    rows: dict[str, str] = {}
    figures: dict[str, object] = {"threads": options.threads, "tokens": clara.tokens}
    if importlib.util.find_spec("trl"):
        seconds, losses = trl_in_turns(theirs, turns, tokenizer, options.steps, our_step)
        peer = seconds[1:]
        figures["trl_seconds"] = summary(peer)
        figures["trl_losses"] = losses
        rows["TRL's SFTTrainer"] = (
            f"{statistics.median(peer):.2f} s a step, "
            f"{clara.tokens / statistics.median(peer):.0f} tokens/s"
        )
    else:
        rows["TRL's SFTTrainer"] = "not installed"
        for _ in range(options.steps):
            our_step()
    measured = ours[1:]
    median, roof = statistics.median(measured), max(roofs)
    rate = operations / median
    rows["clara_training"] = f"{median:.2f} s a step, {clara.tokens / median:.0f} tokens/s"
    if "trl_seconds" in figures:
        ratio = statistics.median([a / b for a, b in zip(peer, measured, strict=True)])
        figures["speed_against_trl"] = ratio
        rows["as fast as TRL"] = f"{ratio:.2f} times"
        rows["first and last loss"] = (
            f"Clara {our_losses[0]:.4f} {our_losses[-1]:.4f}, TRL {losses[0]:.4f} {losses[-1]:.4f}"
        )
    rows["float32 GEMM roof"] = f"{roof / 1e9:.1f} GFLOP/s on {options.threads} threads"
    rows["of the roof"] = f"{rate / roof:.0%} ({rate / 1e9:.1f} GFLOP/s)"
    figures |= {
        "clara_seconds": summary(measured),
        "clara_losses": our_losses,
        "operations_a_step": operations,
        "gemm_roof": roof,
        "share_of_roof": rate / roof,
    }
    title = f"LoRA on SmolLM2-135M, {STEP} examples, {clara.tokens} tokens a step"
    report("training_lora", title, rows, figures)


if __name__ == "__main__":
    main()
