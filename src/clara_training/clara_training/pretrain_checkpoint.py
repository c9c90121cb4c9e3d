# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Where training from scratch stands, on disk: a model's folder with `training_state.pt` in it.

`checkpoints/step-<n>` is the latest and `best_model` the best by held-out bits per byte; both can
be opened as models and trained on. A checkpoint gets a name of its own and the older one goes only
then, so there is one whenever the process is killed. What is not in it is a pure function of seed
and step, so what goes on from it is bit by bit what would have been. To write one takes as long
as a hundred steps of a GPU: a new best is kept in memory until a checkpoint is due.
"""

from __future__ import annotations

import copy
import io
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from clara_training.atomic import atomic_folder
from clara_training.errors import ManifestError, PretrainError, first_line
from clara_training.manifest import read_manifest, sha256_of
from clara_training.pretrain_sharding import whole
from clara_training.scratch import Model, load_model, save_model
from clara_training.tokenizer import TOKENIZER_FILE

FORMAT = 1
_HASH = re.compile(r"[0-9a-f]{64}")
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


class Keeper:
    """Keeps the best state and the latest one of a training in its folder."""

    def __init__(self, output: Path, tokenizer: Path) -> None:
        self._output, self._tokenizer = output, tokenizer
        self._best: State | None = None  # of which the disk does not know yet
        self._spare: Model | None = None  # to copy the next best into

    def note_best(self, state: State) -> None:
        """Take a copy of the best state so far; it is written with the next one."""
        model = self._spare
        if model is None:
            with torch.device("meta"):
                model = type(state.model)(state.model.config)
            model = model.to_empty(device="cpu")
        model.load_state_dict(state.model.state_dict())
        best = State(
            *(model, whole(state.optimizer), copy.deepcopy(state.progress), state.identity),
            whole(state.beside),
        )
        # Whole at once: whatever interrupts this, what is kept is one moment's.
        self._spare, self._best = (self._best.model if self._best else None), best

    def write(self, state: State) -> None:
        """Write the best state, if it is a new one, and this one as the latest.

        Raises StorageError.
        """
        best, folder = self._best, self._output / BEST
        # The best comes first: a checkpoint that knows of it is not without it.
        if best is not None:
            write_state(folder, best, self._tokenizer)
        same = best is not None and best.progress.step == state.progress.step
        checkpoint = self._output / CHECKPOINTS / f"step-{state.progress.step:08d}"
        if same:
            _link(folder, checkpoint)
        else:
            write_state(checkpoint, state, self._tokenizer)
        if best is not None:
            self._spare, self._best = best.model, None
        for other in checkpoint.parent.iterdir():
            if other != checkpoint:
                shutil.rmtree(other, ignore_errors=True)

    def flush(self) -> None:
        """Write a best state that is not on the disk yet, as the latest too. StorageError."""
        if self._best is not None:
            self.write(self._best)


def _link(there: Path, folder: Path) -> None:
    """Make a folder of the files of another; they are on the disk once, where it can do that."""
    with atomic_folder(folder) as part:
        for file in there.iterdir():
            try:
                os.link(file, part / file.name)
            except OSError:  # a file system without links
                shutil.copyfile(file, part / file.name)


def latest(output: Path) -> Path | None:
    """Return the folder of the latest checkpoint; None where there is none."""
    found = list((output / CHECKPOINTS).glob(f"step-*/{STATE}"))
    return max(found, key=lambda path: path.stat().st_mtime_ns).parent if found else None


def read_state(folder: Path, tokenizer: Path) -> State:
    """Read a checkpoint, or a bare model, of which training begins anew. Raises PretrainError.

    `tokenizer` is the folder of the one that the text was tokenised with.
    """
    theirs = folder / TOKENIZER_FILE
    if theirs.exists() and sha256_of(theirs) != sha256_of(tokenizer / TOKENIZER_FILE):
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
            f"the checkpoint {path} is damaged ({first_line(error)}): remove {folder} and go on"
            " from another with --resume_from, or begin anew"
        ) from error


def identity_in(output: Path) -> dict[str, Any]:
    """Return the identity of the training in a folder, finished or under way; {} without any."""
    try:
        return dict(read_manifest(output / BEST)["settings"])
    except (ManifestError, KeyError, TypeError, ValueError):
        pass
    there = latest(output)
    return {} if there is None else identity_of(there)


def identity_of(checkpoint: Path) -> dict[str, Any]:
    """Return the identity of the training that a checkpoint is of; {} if it is damaged."""
    try:
        content = torch.load(checkpoint / STATE, map_location="cpu", weights_only=True, mmap=True)
        return dict(content["identity"])
    except Exception:  # damaged files make unpicklers raise anything; who trains on is told
        return {}


def differences(one: Mapping[str, Any], other: Mapping[str, Any]) -> str:
    """Say in which values two identities differ, as `learning_rate 0.1, not 0.2`."""

    def short(value: Any) -> str:
        text = str(value)
        return f"{text[:8]}..." if _HASH.fullmatch(text) else text

    return ", ".join(
        f"{name} {short(one.get(name))}, not {short(other.get(name))}"
        for name in sorted({*one, *other})
        if one.get(name) != other.get(name)
    )
