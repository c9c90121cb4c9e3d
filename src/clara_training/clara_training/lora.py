# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Train one LoRA adapter for each trait and domain of a spec (Hu et al., arXiv:2106.09685).

A trait's adapter learns to answer as the examples' `high` replies do, a domain's to answer its
questions. The base model is loaded once; what is done already is not done again, and what was
interrupted goes on where it stopped.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from clara_training import packages
from clara_training.atomic import atomic_folder
from clara_training.base import Base, default_device, find_base, load_model, load_tokenizer
from clara_training.errors import DataError, LoraError
from clara_training.examples import Example, file_name, load_knowledge, load_trait
from clara_training.machine import memory_left, use_threads
from clara_training.manifest import (
    BASE_NAME,
    is_done,
    read_manifest,
    sha256_of,
    write_manifest,
)
from clara_training.run_lock import alone
from clara_training.spec import Spec
from clara_training.weight_files import ADAPTER

if TYPE_CHECKING:
    from clara_training.lora_lessons import Lessons

STAGE = "lora"
ROW_TOKENS = {"DOCUMENTS": 2048, "VARLEN": 16384, "BLOCKS": 2048, "PADDED": 0}
_FEWEST_ROW_TOKENS = 256
_ROW_BYTES = 3e9  # of activations, on a CPU
_SHARE_PACKED = 0.25  # of the memory that is left, on a CPU, for weights packed beside themselves

# What happened: the dimension, and a record of figures or of a `note`.
Report = Callable[[str, dict[str, Any]], None]


@dataclass(frozen=True)
class LoraSettings:
    """How adapters are trained. What stands under `how` changes speed, not the result."""

    rank: int = 16
    alpha: int = 32
    targets: tuple[str, ...] = ()  # layers that get an adapter, by the end of their name; (): all
    dropout: float = 0.0
    epochs: int = 3
    batch_size: int = 4
    accumulation: int = 4
    learning_rate: float | None = None  # None: by the base's width, see `usual_rate`
    warmup: float = 0.05
    weight_decay: float = 0.0
    contrast: float = 0.0  # weight of ORPO's term, traits only
    anchor: float = 0.0  # weight of what is to stay as it was, see lora_lessons
    evaluations: int = 2  # on held-out examples, in each epoch
    patience: int = 2  # evaluations without a new best before training stops; 0: never
    held_out_examples: int = 64  # at most
    examples: int | None = None  # at most, of those to learn from
    max_steps: int | None = None
    max_length: int = 1024  # tokens of an example
    system: str = ""  # of examples that have none of their own
    loss_on: Literal["all", "last"] = "all"  # replies of a domain's conversation
    four_bit: bool = False
    seed: int = 0
    how: LoraExecution = field(default_factory=lambda: LoraExecution())

    def as_manifest(self, base: Base) -> dict[str, Any]:
        """Return what decides the product, for its manifest, and what the base was called."""
        return {BASE_NAME: base.name, **self.chosen()}

    def chosen(self) -> dict[str, Any]:
        """Return what decides the product, beside its inputs."""
        chosen = {name: value for name, value in asdict(self).items() if name != "how"}
        # As it was before there was a choice: those adapters are done.
        if not self.targets:
            del chosen["targets"]
        if self.loss_on == "all":
            del chosen["loss_on"]
        return chosen


@dataclass(frozen=True)
class LoraExecution:
    """How the computing is done."""

    device: str | None = None  # "cpu", "cuda"; None: cuda where there is one
    threads: int | None = None  # of the CPU; None: the cores that are not busy
    packing: bool = True
    row_tokens: int | None = None  # of a packed micro-batch
    recompute: bool = False  # gradient checkpointing from the start
    checkpoint_seconds: float = 30.0


@dataclass(frozen=True)
class Adapter:
    """A finished adapter."""

    dimension: str
    folder: Path
    metrics: dict[str, Any]
    was_there: bool = False


@alone("lora")
def train_adapters(
    run: Path,
    spec: Spec,
    settings: LoraSettings,
    *,
    dimensions: Sequence[str] = (),
    base: str = "",
    report: Report | None = None,
) -> list[Adapter]:
    """Train the adapters of a run and return them, in the spec's order.

    Args:
        run: the run's folder, with `data/` filled.
        spec: what is to be trained.
        settings: how.
        dimensions: only these; all where empty.
        base: another base model than the spec's.
        report: is told of every step.

    Raises SpecError, DataError, BaseModelError, LoraError, RunInUse, StorageError, MissingPackage.
    Adapters that were finished before stay.
    """
    if os.environ.get("RANK", "0") != "0":  # of torchrun's; one of them speaks
        report = None
    report = report or _silence
    for name in dimensions:
        spec.require(name)
    names = [name for name in spec.dimensions if not dimensions or name in dimensions]
    # All data first: an error in the last file shall not come after hours of training.
    data = {name: load_examples(run, spec, name) for name in names}
    found = find_base(base or spec.base_model)
    base_sha256 = found.sha256()
    adapters: dict[str, Adapter] = {}
    missing = []
    for name in names:
        folder = run / "adapters" / name
        inputs = {"data": data[name][1], "base": base_sha256}
        if is_done(folder, STAGE, inputs, settings.as_manifest(found)):
            metrics = read_manifest(folder)["metrics"]
            adapters[name] = Adapter(name, folder, metrics, was_there=True)
            report(name, {"note": "is there already"})
        else:
            missing.append(name)
    if missing:
        from clara_training.allocator import release_memory
        from clara_training.ranks import join_ranks

        use_threads(settings.how.threads)
        with join_ranks(settings.how.device or default_device()) as ranks:
            room = _Room(found, settings, ranks)
            # All encoded first, too: one that is too long is not found hours later.
            lessons = {name: room.lessons(name, data[name][0]) for name in missing}
            for name in missing:
                inputs = {"data": data[name][1], "base": base_sha256}
                adapters[name] = room.train(name, lessons.pop(name), run, inputs, report)
            del room
        release_memory()
    return [adapters[name] for name in names]


def load_examples(run: Path, spec: Spec, name: str) -> tuple[list[Example], str]:
    """Return a dimension's examples and the hash of their file. Raises DataError."""
    path = run / "data" / file_name(name, spec.is_trait(name))
    examples: list[Example] = [*(load_trait if spec.is_trait(name) else load_knowledge)(path)]
    wrong = sorted({example.dimension for example in examples} - {name})
    if wrong:
        raise DataError(f"{path} is for {name!r}, but has examples of {wrong[0]!r}")
    return examples, sha256_of(path)


def row_tokens(layout: Any, config: Any) -> int:
    """Return how many tokens a row best has: a block mask costs the square of it.

    On a CPU a row's activations take 3 GB at most: about 4 bytes · layers · (8 · hidden size + 3 ·
    intermediate size) a token, in fp32; 1024 tokens of TinyLlama are as much.
    """
    most = ROW_TOKENS[layout.name]
    if layout.name != "DOCUMENTS":
        return most
    config = config.get_text_config()
    between = getattr(config, "intermediate_size", None)
    if not isinstance(between, int):  # GPT-2's, or one for each layer
        between = 4 * config.hidden_size
    a_token = 4 * config.num_hidden_layers * (8 * config.hidden_size + 3 * between)
    return max(_FEWEST_ROW_TOKENS, min(most, int(_ROW_BYTES / a_token)))


def usual_rate(config: Any) -> float:
    """Return the learning rate that suits a base: 5e-4 · (2000 / hidden size) ^ p.

    p is 0.781, for Qwen 0.0775; the rank does not matter (Schulman et al., LoRA Without Regret,
    2025, as fitted in the tinker-cookbook). 1.3e-3 for SmolLM2-135M, 4.9e-4 for TinyLlama.
    """
    power = 0.0775 if "qwen" in str(config.model_type) else 0.781
    return float(5e-4 * (2000 / config.hidden_size) ** power)


def _silence(dimension: str, record: dict[str, Any]) -> None:
    pass


class _Room:
    """A loaded base model, and what is trained on it, one after the other."""

    def __init__(self, base: Base, settings: LoraSettings, ranks: Any) -> None:
        self._base = base
        self._settings = settings
        self._ranks = ranks
        self._tokenizer = load_tokenizer(base)
        self._model = load_model(base, ranks.device, four_bit=settings.four_bit)
        check_targets(self._model, settings.targets, base.name)

    def train(
        self,
        name: str,
        lessons: Lessons,
        run: Path,
        inputs: dict[str, str],
        report: Report,
    ) -> Adapter:
        from clara_training.allocator import keep_memory
        from clara_training.fused_layers import fuse_layers
        from clara_training.lora_checkpoint import CheckpointFile
        from clara_training.lora_linear import fuse, pack
        from clara_training.lora_loop import fit
        from clara_training.lora_step import MemoryBudget, anchored
        from clara_training.packing import choose_layout

        settings, ranks = self._settings, self._ranks
        learned, held = lessons.learned, lessons.held
        adapter, config = self._attach()
        try:
            model = adapter.get_base_model()
            layout = choose_layout(
                model, ranks.device, settings.max_length, packing=settings.how.packing
            )
            fuse(model)
            fuse_layers(model)
            if ranks.device == "cpu":
                keep_memory()
                packed = pack(model, _SHARE_PACKED * memory_left() / ranks.world)
                note = f"{packed / 1e9:.1f} GB of frozen weights packed beside themselves"
                report(name, {"note": note if packed else "frozen weights are not packed"})
            rows = row_tokens(layout, model.config)
            budget = MemoryBudget(
                settings.how.row_tokens or rows, settings.batch_size, settings.how.recompute
            )
            for note in lessons.notes(self._longest()):
                report(name, {"note": note})
            report(name, {"note": f"{ranks.device}: {layout.value}; {budget}"})
            loop = self._loop_settings()
            checkpoint = CheckpointFile(
                run / "checkpoints" / f"{name}.pt",
                repr((sorted(inputs.items()), settings.chosen(), ranks.world)),
                settings.how.checkpoint_seconds,
            )
            # The new adapter does nothing yet: what is measured now is the base.
            anchors = anchored(model, lessons.anchors, layout, ranks.device, budget)
            standing = fit(
                *(model, learned, held, layout, budget, loop, ranks, checkpoint),
                lambda record: report(name, record),
                anchors,
            )
            metrics = {
                "examples": lessons.examples[0],
                "held_out_examples": lessons.examples[1],
                "shortened_conversations": lessons.shortened,
                "exchanges_left_out": lessons.left_out,
                "steps": standing.step,
                "best_step": standing.best_step,
                "stopped_early": standing.stopped_early,
                "loss": standing.last_loss,
                "held_out_loss_before": standing.first_held_out,
                "held_out_loss": standing.best_held_out,
                "tokens": standing.tokens,
                "seconds": standing.seconds,
                "learning_rate": loop.learning_rate,
                "layout": layout.name.lower(),
                "row_tokens": budget.tokens,
                "recompute": budget.recompute,
            }
            folder = run / "adapters" / name
            if ranks.leads:
                save_adapter(adapter, config, folder)
                manifest_settings = settings.as_manifest(self._base)
                write_manifest(folder, STAGE, inputs, manifest_settings, metrics)
                checkpoint.remove()
            ranks.wait()
            return Adapter(name, folder, metrics)
        finally:
            self._model = adapter.unload()
            self._model.requires_grad_(False)

    def _attach(self) -> tuple[Any, Any]:
        """Return the base model with a new adapter, drawn from the seed, and its configuration."""
        peft = packages.load("peft", "training adapters")
        torch = packages.load("torch", "training adapters")
        settings = self._settings
        config = peft.LoraConfig(
            r=settings.rank,
            lora_alpha=settings.alpha,
            lora_dropout=settings.dropout,
            target_modules=list(settings.targets) or "all-linear",
            task_type="CAUSAL_LM",
        )
        torch.manual_seed(settings.seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # of transformers, at peft
            adapter = peft.get_peft_model(self._model, config)
        config.base_model_name_or_path = self._base.name  # peft has put the folder there
        return adapter, config

    def lessons(self, name: str, examples: list[Example]) -> Lessons:
        """Return what there is to learn. Raises DataError for too few and too long examples."""
        from clara_training.lora_lessons import lessons_of

        return lessons_of(name, examples, self._tokenizer, self._settings, self._longest())

    def _longest(self) -> int:
        """Return how many tokens of an example are learned from."""
        most = self._settings.max_length
        # What is beyond its positions, a base cannot read.
        return min(most, self._base.context or most)

    def _loop_settings(self) -> Any:
        from clara_training.lora_loop import LoopSettings

        settings = self._settings
        return LoopSettings(
            epochs=settings.epochs,
            step_examples=settings.batch_size * settings.accumulation,
            max_steps=settings.max_steps,
            learning_rate=settings.learning_rate
            or usual_rate(self._model.config.get_text_config()),
            warmup=settings.warmup,
            weight_decay=settings.weight_decay,
            contrast=settings.contrast,
            anchor=settings.anchor,
            evaluations=settings.evaluations,
            patience=settings.patience,
            seed=settings.seed,
        )


def check_targets(model: Any, targets: Sequence[str], name: str) -> None:
    """Raise LoraError unless each target is a linear layer of the model, which is not its head."""
    torch = packages.load("torch", "training adapters")
    transformers = packages.load("transformers", "training adapters")
    kinds = (torch.nn.Linear, transformers.pytorch_utils.Conv1D)
    head = model.get_output_embeddings()
    there = [
        module
        for module, layer in model.named_modules()
        if isinstance(layer, kinds) and layer is not head
    ]
    for target in targets:
        if not any(each == target or each.endswith(f".{target}") for each in there):
            known = sorted({each.rpartition(".")[2] for each in there})
            raise LoraError(f"{name} has no layer {target!r} to adapt; it has {', '.join(known)}")


def save_adapter(adapter: Any, config: Any, folder: Path) -> None:
    """Write an adapter as peft reads it, in float32. Raises StorageError, LoraError."""
    peft = packages.load("peft", "saving an adapter")
    safetensors = packages.load("safetensors.torch", "saving an adapter")
    state = peft.get_peft_model_state_dict(adapter, save_embedding_layers=False)
    tensors = {name: tensor.float().cpu().contiguous() for name, tensor in state.items()}
    if not tensors:
        raise LoraError("the base model has no linear layers that an adapter could be put on")
    config.inference_mode = True
    config.target_modules = sorted(config.target_modules)
    with atomic_folder(folder) as partial:
        # Through memory, for safetensors' own writer has an error of its own for a full disk.
        (partial / ADAPTER).write_bytes(safetensors.save(tensors, {"format": "pt"}))
        config.save_pretrained(partial)
