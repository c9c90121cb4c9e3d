# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Where training from scratch stands, on disk: a model's folder with `training_state.pt` in it.

`checkpoints/step-<n>` is the latest and `best_model` the best by held-out bits per byte; both can
be opened as models and trained on. A checkpoint gets a name of its own and the older one goes only
then, so there is one whenever the process is killed. What is not in it is a pure function of seed
and step, so what goes on from it is bit by bit what would have been.
"""

from __future__ import annotations

import io
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from clara_training.atomic import atomic_folder
from clara_training.errors import PretrainError
from clara_training.manifest import sha256_of
from clara_training.scratch import Model, load_model, save_model
from clara_training.tokenizer import FILE as TOKENIZER

FORMAT = 1
BEST, CHECKPOINTS, STATE = "best_model", "checkpoints", "training_state.pt"


@dataclass
class Progress:
    """How far training has come, apart from weights and optimiser."""

    step: int = 0
    tokens: int = 0
    seconds: float = 0.0
    best: float | None = None  # held-out bits per byte
    best_step: int = 0
    waited: int = 0  # evaluations since the best
    rows_at_once: int = 0  # 0: as the settings say; less where memory was short
    recompute: bool = False  # activations, where memory was shorter still, or as asked for
    history: list[dict[str, float]] = field(default_factory=list)  # of each evaluation


@dataclass
class State:
    """What a checkpoint holds. `identity` says what is being trained from what, and how.

    `beside` are the states of what belongs to training alone: heads and weights of other losses,
    the scale of fp16.
    """

    model: Model
    optimizer: dict[str, Any]
    progress: Progress
    identity: dict[str, Any]
    beside: dict[str, Any] = field(default_factory=dict)


def write_state(folder: Path, state: State, tokenizer: Path) -> None:
    """Write a checkpoint as `folder`. Raises StorageError; what was there is untouched then."""
    buffer = io.BytesIO()
    content = {
        "format": FORMAT,
        "optimizer": state.optimizer,
        "progress": vars(state.progress),
        "identity": state.identity,
        "beside": state.beside,
    }
    torch.save(content, buffer)
    with atomic_folder(folder) as part:
        save_model(state.model, part, tokenizer)
        (part / STATE).write_bytes(buffer.getbuffer())


def write_checkpoint(output: Path, state: State, tokenizer: Path) -> Path:
    """Write the latest checkpoint of a training and remove the others. Raises StorageError."""
    folder = output / CHECKPOINTS / f"step-{state.progress.step:08d}"
    write_state(folder, state, tokenizer)
    for other in folder.parent.iterdir():
        if other != folder:
            shutil.rmtree(other, ignore_errors=True)
    return folder


def latest(output: Path) -> Path | None:
    """Return the folder of the latest checkpoint; None where there is none."""
    found = list((output / CHECKPOINTS).glob(f"step-*/{STATE}"))
    return max(found, key=lambda path: path.stat().st_mtime_ns).parent if found else None


def read_state(folder: Path, tokenizer: Path) -> State:
    """Read a checkpoint, or a bare model, of which training begins anew. Raises PretrainError.

    `tokenizer` is the folder of the one that the text was tokenised with.
    """
    theirs = folder / TOKENIZER
    if theirs.exists() and sha256_of(theirs) != sha256_of(tokenizer / TOKENIZER):
        raise PretrainError(
            f"{folder} was trained with another tokenizer than that of the corpus in"
            f" {tokenizer.parent}: its tokens would mean something else"
        )
    model = load_model(folder)
    path = folder / STATE
    if not path.exists():
        return State(model, {}, Progress(), {})
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        if content["format"] != FORMAT:
            raise PretrainError(f"{path} is of format {content['format']}, not {FORMAT}")
        progress = Progress(**content["progress"])
        kept = content["optimizer"], progress, content["identity"], content.get("beside", {})
        return State(model, *kept)
    except PretrainError:
        raise
    except Exception as error:  # damaged files make unpicklers raise anything
        raise PretrainError(
            f"the checkpoint {path} is damaged ({str(error).splitlines()[0]}): remove {folder} and"
            " go on from another with --resume_from, or begin anew"
        ) from error


def differences(one: Mapping[str, Any], other: Mapping[str, Any]) -> str:
    """Say in which values two identities differ, as `learning_rate 0.1, not 0.2`."""
    return ", ".join(
        f"{name} {one.get(name)}, not {other.get(name)}"
        for name in sorted({*one, *other})
        if one.get(name) != other.get(name)
    )
