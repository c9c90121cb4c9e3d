# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Where a training from scratch begins: at its latest checkpoint, at one that is named, or anew.

A checkpoint that is found is only of use to the very training that wrote it; one that is named
may be trained on with other settings. Steps are counted in rows of the settings of now: what was
read is then not read again, and nothing is passed over.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from clara_training.errors import PretrainError
from clara_training.manifest import manifest_path
from clara_training.pretrain_checkpoint import (
    BEST,
    CHECKPOINTS,
    Progress,
    State,
    differences,
    latest,
    read_state,
)
from clara_training.pretrain_loop import PretrainSettings


def beginning(output: Path, tokenizer: Path, fresh: State, resumable: bool = True) -> State:
    """Return where to begin: the latest checkpoint, or what is to be resumed, else `fresh`.

    Raises PretrainError, which advises to resume if the caller can (`resumable`).
    """
    resume_from = str(fresh.identity["resume_from"])
    there = latest(output)
    if resume_from and there and (state := _same_run(there, tokenizer, fresh)):
        found = there  # a run that was itself resumed goes on where it was stopped
    elif resume_from:
        found = _to_resume(output, resume_from)
        state = read_state(found, tokenizer)
        # What was short of memory, or asked for, there is not here.
        state.progress.waited = state.progress.rows_at_once = 0
        state.progress.recompute = False
        count_in(state.progress, step_rows(fresh.identity), step_rows(state.identity))
    elif there:
        found = there
        state = read_state(found, tokenizer)
        if {**with_defaults(state.identity), "resume_from": ""} != fresh.identity:
            raise PretrainError(
                f"{found} is of a training with other settings{_named(state, fresh)}:"
                f" {_advice_with_others(resumable)}"
            )
    elif (output / BEST / "config.json").exists():
        # Without a manifest it is of a training that was killed before its first checkpoint.
        found = output / BEST
        state = read_state(found, tokenizer)
        done = manifest_path(found).exists()
        if with_defaults(state.identity) != fresh.identity:
            raise PretrainError(
                f"{found} was trained with other settings{_named(state, fresh)}, and is kept:"
                f" {_advice_with_others(resumable)}"
            )
        if done:
            raise PretrainError(
                f"{found} is finished, and is kept, but its manifest is not of these files:"
                f" {_advice_with_others(resumable)}"
            )
    else:
        return fresh
    if state.model.config != fresh.model.config:
        changed = differences(vars(state.model.config), vars(fresh.model.config))
        raise PretrainError(f"the model in {found} has another shape ({changed})")
    # The best so far is none where it is not here, or was measured on another corpus.
    here = output.resolve() in found.resolve().parents and (output / BEST / "config.json").exists()
    if not here or state.identity.get("corpus") != fresh.identity["corpus"]:
        state.progress.best = None
    return state


def with_defaults(identity: Mapping[str, Any]) -> dict[str, Any]:
    """Return an identity with what a checkpoint of an earlier version had no choice of."""
    return {**asdict(PretrainSettings()), "resume_from": "", **identity}


def step_rows(identity: Mapping[str, Any]) -> int:
    """Return the rows of a step of the optimiser of a training."""
    settings = with_defaults(identity)
    return int(settings["batch_size"] * settings["gradient_accumulation_steps"])


def count_in(progress: Progress, rows: int, before: int) -> None:
    """Count in steps of so many rows what was counted in steps of `before`."""
    progress.step = progress.step * before // rows
    progress.best_step = progress.best_step * before // rows
    for evaluation in progress.history:
        evaluation["step"] = evaluation["step"] * before // rows


def advice_after(output: Path, resumable: bool = True) -> str:
    """Say how to go on after a training has diverged."""
    kept = [output / BEST] if (output / BEST).exists() else []
    kept += [found] if (found := latest(output)) else []
    if not kept:
        return "No state was kept yet; begin again with a smaller --learning_rate"
    places = " and ".join(str(each) for each in kept)
    if not resumable:
        return (
            f"Kept are {places}: take a smaller --learning_rate and another --output_dir, or"
            f" remove {output}"
        )
    return f"Kept are {places}: go on from one with --resume_from and a smaller --learning_rate"


def _advice_with_others(resumable: bool) -> str:
    if resumable:
        return "take the same settings, another --output_dir, or --resume_from best_model"
    return "take the same settings, or another --output_dir"


def _named(state: State, fresh: State) -> str:
    return f" ({differences(with_defaults(state.identity), fresh.identity)})"


def _same_run(checkpoint: Path, tokenizer: Path, fresh: State) -> State | None:
    """Return a checkpoint that is of the very training that is asked for, else None."""
    try:
        state = read_state(checkpoint, tokenizer)
    except PretrainError:  # damaged, or of another corpus: what to resume from was said
        return None
    return state if with_defaults(state.identity) == fresh.identity else None


def _to_resume(output: Path, name: str) -> Path:
    """Return the folder that --resume_from names. Raises PretrainError."""
    choices = [output / name, output / CHECKPOINTS / name, Path(name)]
    found = next((each for each in choices if each.is_dir()), None)
    if found is None:
        raise PretrainError(
            f"there is nothing to resume from at {choices[0]}, nor at {choices[2]}"
        )
    return found
