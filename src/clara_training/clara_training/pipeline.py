# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""All stages in a row: from a spec to a model that the robot can load, and the proof that it is.

Each stage looks at its manifests and does only what is not done yet, so the same call goes on
after a kill, and a changed weight in the spec merges and measures anew but trains nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from clara_training.atomic import atomic_json
from clara_training.base import Base, default_device, find_base, load_tokenizer
from clara_training.data_missing import check_own, fill_from_starter
from clara_training.errors import SpecError
from clara_training.export import ExportSettings, export_run
from clara_training.export_ahead import check_exportable
from clara_training.lora import LoraSettings, train_adapters
from clara_training.merge import members_of, merge_adapters
from clara_training.merge_bound import LIMIT
from clara_training.merge_config import MergeSettings, check_settings, method_of
from clara_training.report import write_report
from clara_training.run_lock import alone
from clara_training.spec import Spec
from clara_training.stages import Stages, Tell
from clara_training.validate import ValidateSettings, held_out_cases, validate_run

# What a CPU does in under an hour with the embedded base and all eight dimensions.
CPU_EXAMPLES = 160
CPU_EPOCHS = 5
QUICK_EXAMPLES = 64
QUICK_STEPS = 8
# Without contrast, a small model learns from `high` replies what they have in common with `low`
# ones as well, and its preference between the two hardly moves.
CONTRAST = 1.0
# Without anchors, learning a domain makes every reply as dry as its answers are, and a trait costs
# general text more.
ANCHOR = 1.0

Record = Callable[[str, dict[str, Any]], None]


@dataclass(frozen=True)
class PipelineSettings:
    """How each stage is done. `perplexity_limit` is that of `MergeSettings`."""

    lora: LoraSettings = field(
        default_factory=lambda: LoraSettings(contrast=CONTRAST, anchor=ANCHOR)
    )
    perplexity_limit: float | None = LIMIT
    export: ExportSettings = field(default_factory=ExportSettings)
    validate: ValidateSettings = field(default_factory=ValidateSettings)


@dataclass(frozen=True)
class Finished:
    """The products by name, what was measured, and the seconds of each stage."""

    products: Mapping[str, Path]
    validation: Mapping[str, Any]
    seconds: Mapping[str, float]


def settings_for(device: str | None = None, *, quick: bool = False) -> PipelineSettings:
    """Return settings that suit a device ("cpu", "cuda"; None: what there is).

    On a CPU fewer examples are learned from; quick is for seeing it work, not for a good model.
    """
    settings = PipelineSettings()
    lora = settings.lora
    if (device or default_device()) == "cpu":
        lora = replace(lora, examples=CPU_EXAMPLES, epochs=CPU_EPOCHS)
    if not quick:
        return replace(settings, lora=lora)
    lora = replace(lora, examples=QUICK_EXAMPLES, max_steps=QUICK_STEPS)
    return replace(settings, lora=lora, validate=ValidateSettings.quick())


def chosen_spec(spec: Spec, names: Sequence[str], base: str = "") -> Spec:
    """Return the spec of some dimensions alone (all where there is no name), on a base model.

    Raises SpecError for names that it does not have.
    """
    for name in names:
        spec.require(name)
    if names:
        spec = replace(
            spec,
            personality={k: v for k, v in spec.personality.items() if k in names},
            expertise={k: v for k, v in spec.expertise.items() if k in names},
            descriptions={k: v for k, v in spec.descriptions.items() if k in names},
        )
    if not any(spec.weights.values()):
        raise SpecError(
            f"every strength in {spec.path} is 0: there is nothing to merge; set one above 0"
        )
    return replace(spec, base_model=base or spec.base_model)


@alone("run", begins=True)
def run_pipeline(
    run: Path,
    spec: Spec,
    settings: PipelineSettings | None = None,
    *,
    fill_data: Callable[[Spec], object] | None = None,
    tell: Tell = lambda sentence: None,
    record: Record = lambda dimension, figures: None,
) -> Finished:
    """Do all stages for a spec, as `chosen_spec` returns it.

    Args:
        run: the run's folder; what is in it already is used.
        spec: what is wanted.
        settings: how; `settings_for` this machine by default.
        fill_data: makes the data that are missing; by default from the starter data.
        tell: is told what is done.
        record: is told of every step of the training.

    Raises whatever a stage raises, after which the same call goes on.
    """
    settings = settings or settings_for()
    stages = Stages(("base", "data", "lora", "merge", "export", "validate"), tell)

    stages.begin("base")
    base = find_base(spec.base_model)
    tokenizer = load_tokenizer(base)
    _check_ahead(run, spec, base, tokenizer, settings)
    tell(f"{base.name}: {base.folder}")
    _write_spec(run, spec)
    stages.begin("data")
    check_own(spec, run, spec.dimensions)
    if fill_data is None:
        filled = fill_from_starter(spec, run, spec.dimensions, tell)
        tell(", ".join(f"{each.dimension} {each.after}" for each in filled))
    else:
        fill_data(spec)
    # A dimension with nothing held out cannot be validated: better said before it is trained.
    held_out_cases(run, spec, spec.dimensions, tokenizer, settings.validate.examples, base.context)
    stages.begin("lora")
    tell(plan(settings.lora))
    for adapter in train_adapters(run, spec, settings.lora, report=record):
        before, after = (
            adapter.metrics.get(key) for key in ("held_out_loss_before", "held_out_loss")
        )
        losses = f"held-out loss {before:.3f} -> {after:.3f}" if before and after else "trained"
        there = ", was there" if adapter.was_there else ""
        tell(f"{adapter.dimension}: {losses}{there}")
    stages.begin("merge")
    merged = merge_adapters(run, spec, _merge_settings(spec, settings), tell=tell)
    there = ", was there" if merged.was_there else ""
    count = len(members_of(run, spec))
    tell(f"{spec.merge_method} of {count} adapters: {merged.folder}{there}")
    stages.begin("export")
    products = dict(export_run(run, spec, settings.export, tell=tell))
    stages.begin("validate")
    validation = validate_run(run, spec, settings.validate, tell=tell)
    products["report"] = write_report(run)
    stages.end()
    atomic_json(run / "metrics" / "pipeline.json", {"seconds": stages.seconds})
    return Finished(products, validation, stages.seconds)


def _check_ahead(
    run: Path, spec: Spec, base: Base, tokenizer: Any, settings: PipelineSettings
) -> None:
    """Raise now what merge and export would raise after hours of training."""
    check_settings(_merge_settings(spec, settings), members_of(run, spec))
    check_exportable(base, tokenizer)


def _merge_settings(spec: Spec, settings: PipelineSettings) -> MergeSettings:
    return MergeSettings(
        method=method_of(spec.merge_method),
        perplexity_limit=settings.perplexity_limit,
        threads=settings.lora.how.threads or 0,
        device=settings.lora.how.device,
    )


def plan(lora: LoraSettings) -> str:
    """Say how much is trained."""
    count = f"at most {lora.examples} examples" if lora.examples else "all examples"
    steps = f", at most {lora.max_steps} steps" if lora.max_steps else ""
    return (
        f"rank {lora.rank}, {count} of each dimension, {lora.epochs} epochs{steps},"
        f" batches of {lora.batch_size * lora.accumulation}"
    )


def _write_spec(run: Path, spec: Spec) -> None:
    atomic_json(run / "spec.json", spec.as_document())
