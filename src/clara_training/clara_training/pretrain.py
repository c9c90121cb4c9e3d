# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""The stages mvlm and simone: a corpus in, a model trained from scratch out.

In the output folder: `corpus/` where text was given, `checkpoints/` while it trains, `best_model/`
(a folder of transformers that can be trained on) and `metrics/training.jsonl`; `pretrain_export`
adds the GGUFs. The same command goes on where it stopped.
"""

from __future__ import annotations

import copy
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from clara_training.allocator import keep_memory, release_memory
from clara_training.corpus import TOKENIZER, CorpusSettings, make_corpus
from clara_training.decoder import count
from clara_training.errors import PretrainError, StorageError, first_line, out_of_memory
from clara_training.manifest import is_done, sha256_of, write_manifest
from clara_training.names import Names
from clara_training.objectives import ACCURACY, LOSSES, SHORTEST, Objectives
from clara_training.pretrain_checkpoint import (
    BEST,
    CHECKPOINTS,
    Keeper,
    Progress,
    State,
    identity_in,
    identity_of,
    latest,
)
from clara_training.pretrain_device import choose_precision, prepare
from clara_training.pretrain_loop import Execution, PretrainSettings, Report, fit
from clara_training.pretrain_optimizer import new_optimizer
from clara_training.pretrain_resume import advice_after, beginning, step_rows, with_defaults
from clara_training.pretrain_sharding import refuse, shard, spread, whole
from clara_training.ranks import Ranks, join_ranks
from clara_training.run_lock import hold
from clara_training.scratch import Model, new_model
from clara_training.shards import CORPUS_FILE, HELD_OUT, TRAIN, Rows, TokenStream, read_corpus
from clara_training.stages import Tell
from clara_training.tokenizer import load_tokenizer
from clara_training.varlen import takes

STAGE = "pretrain"
# Size and tokens of a row where none are asked for: what a CPU, or a GPU, trains in minutes.
SHAPES = {"cpu": ("tiny", 512), "cuda": ("base", 1024)}
_LOOKED_AT = 4096  # rows


def pretrain(
    kind: str,
    data: Path | None,
    output: Path,
    settings: PretrainSettings | None = None,
    execution: Execution | None = None,
    *,
    size: str | None = None,
    context: int | None = None,
    vocab_size: int | None = None,
    tied: bool = True,
    resume_from: str = "",
    resumable: bool = True,
    check: Callable[[Path], None] = lambda corpus: None,
    tell: Tell = lambda sentence: None,
    report: Report = lambda record: None,
) -> Path:
    """Train a model and return the folder of the best. What is done already is not done again.

    Args:
        kind: "mvlm" or "simone".
        data: a corpus, a folder of text, or None for the Bible modules that are installed.
        output: the folder of everything that is made.
        settings: what is learned.
        execution: how it is computed.
        size: of the model, a name in SIZES; None: of SHAPES.
        context: tokens of a row; None: of SHAPES.
        vocab_size: of the tokenizer; None: what the corpus has, or supports.
        tied: whether input and output embeddings are the same (SIM-ONE).
        resume_from: a name in `output`, as best_model, or a path: go on from this one.
        resumable: whether who calls can say so, and is advised to.
        check: is given the corpus before anything is learned from it, and may raise.
        tell: is told what was done.
        report: is given the figures of each step.

    Raises PretrainError, CorpusError, RunInUse, StorageError, MissingPackage.
    """
    settings, execution = settings or PretrainSettings(), execution or Execution()
    if size is None or context is None:
        usual = _usual_shape(output, execution.device, tell)
        size, context = size or usual[0], context or usual[1]
    if said := prepare(execution.device, int(os.environ.get("WORLD_SIZE", "1"))):
        tell(said)
    with hold(output, kind, begins=True), join_ranks(execution.device) as ranks:
        execution = replace(execution, device=ranks.device)
        if not ranks.leads:
            tell, report = (lambda sentence: None), (lambda record: None)
        corpus = _corpus(data, output, vocab_size, tell, ranks)
        check(corpus)
        vocabulary = int(read_corpus(corpus)["vocab_size"])
        identity = {
            **asdict(settings),
            **{"kind": kind, "size": size, "context": context, "tied": tied},
            **{"vocab_size": vocabulary, "corpus": sha256_of(corpus), "resume_from": resume_from},
        }
        best, inputs = output / BEST, {"corpus": identity["corpus"]}
        if is_done(best, STAGE, inputs, identity):
            if ranks.leads:
                _remove_left_over(output, identity)
            tell(f"{best} is there already")
            return best
        fresh = State(
            new_model(kind, size, vocabulary, context, tied=tied, seed=settings.seed),
            *({}, Progress(), identity),
        )
        state = beginning(output, corpus / TOKENIZER, fresh, resumable)
        progress, before = state.progress, (state.progress.step, state.identity)
        with _room_on(ranks.device):
            _train(
                *(state, identity, corpus, output, settings, execution, ranks, resumable, tell),
                report,
            )
        ranks.wait()
        if progress.best is None or (
            before[0] == progress.step and with_defaults(before[1]) != identity
        ):
            raise PretrainError(
                f"there is no new {best}, for no step was left after step {progress.step}: take"
                " more --num_epochs or --max_steps"
            )
        if ranks.leads:
            metrics = {
                **vars(progress),
                **{"parameters": count(state.model), "kind": kind},
                # What comes after reads it too. Resolved, for `..` is not what it says in a link.
                "corpus_folder": os.path.relpath(corpus.resolve(), output.resolve()),
            }
            write_manifest(best, STAGE, inputs, identity, metrics)
            shutil.rmtree(output / CHECKPOINTS, ignore_errors=True)
        ranks.wait()
        tell(
            f"{best}: {progress.best:.4f} held-out bits per byte at step"
            f" {progress.best_step} of {progress.step}"
        )
        # What comes after it, in the same process or another, may want the GPU's memory.
        del state, fresh
        release_memory()
    return best


def _remove_left_over(output: Path, identity: dict[str, Any]) -> None:
    """Remove the checkpoints of a finished training that was killed before it could.

    Those of another one, which goes on from its model, are in use.
    """
    there = latest(output)
    if there is not None and with_defaults(identity_of(there)) == identity:
        shutil.rmtree(output / CHECKPOINTS, ignore_errors=True)


def _usual_shape(output: Path, device: str, tell: Tell) -> tuple[str, int]:
    """Return size and context where none are asked for: of the training in a folder, or usual."""
    usual = SHAPES["cuda" if device.startswith("cuda") else "cpu"]
    there = identity_in(output)
    found = there.get("size", usual[0]), there.get("context", usual[1])
    if found != usual:
        tell(f"--size {found[0]} and --context {found[1]}, as in {output}")
    return found


def _train(
    state: State,
    identity: dict[str, Any],
    corpus: Path,
    output: Path,
    settings: PretrainSettings,
    execution: Execution,
    ranks: Ranks,
    resumable: bool,
    tell: Tell,
    report: Report,
) -> None:
    """Train from a state on; `state.progress` and `state.model` are where it ended."""
    device, tokenizer = execution.device, corpus / TOKENIZER
    precision = choose_precision(execution.precision, device)
    sharded = ranks.world > 1 and execution.parallel == "fsdp2"
    if sharded:
        refuse(settings, precision.name)
    if settings.step_rows % ranks.world:
        raise PretrainError(
            f"a step of {settings.step_rows} rows cannot be shared by {ranks.world} processes:"
            " take a --batch_size that is a multiple of their number"
        )
    if device == "cpu":
        keep_memory()
    model = state.model.to(device)
    if sharded:
        # Gathered weights are written from a model of their own.
        state.model = copy.deepcopy(model).cpu()
        model = shard(model, ranks)
    rows = Rows(TokenStream(corpus, TRAIN), model.config.context, settings.seed)
    objectives = _objectives(settings, model, tokenizer)
    optimizer = new_optimizer(model, settings, objectives)
    _take_up(state, identity, optimizer, objectives, precision.scaler, sharded, tell)
    state.identity = identity
    beside = ", variable-length attention" if takes(device, precision.dtype) else ""
    beside += "".join(f", {name.replace('_', ' ')}" for name in settings.losses)
    tell(
        f"{model.config.kind}: {count(model) / 1e6:.1f} M parameters, {rows.count} rows of"
        f" {rows.context} tokens an epoch, {settings.total_steps(rows.count)} steps on"
        f" {f'{ranks.world} times ' if ranks.world > 1 else ''}{device} in {precision.name}"
        f"{f' by {execution.parallel}' if ranks.world > 1 else ''}{beside}"
    )

    if objectives is not None:
        _tell_of_missing(objectives, rows, settings, tell)
    keeper = Keeper(output, tokenizer)

    def keep(is_best: bool, due: bool) -> None:
        if not (is_best or due):
            return
        moments = optimizer.state_dict()
        if sharded:  # all processes take part
            moments, weights = whole(moments), whole(model.state_dict())
            state.model.load_state_dict(weights)
        if not ranks.leads:
            return
        kept: dict[str, Any] = {}
        if objectives is not None:
            kept["objectives"] = objectives.state_dict()
        if precision.scaler is not None:
            kept["scaler"] = precision.scaler.state_dict()
        now = State(state.model, moments, state.progress, identity, kept)
        if is_best:
            keeper.note_best(now)
        if due:
            keeper.write(now)

    held_out = TokenStream(corpus, HELD_OUT)
    try:
        fit(
            model,
            optimizer,
            rows,
            held_out,
            settings,
            execution,
            state.progress,
            report=report,
            keep=keep,
            objectives=objectives,
            precision=precision,
            ranks=ranks,
            sharded=sharded,
        )
    except StorageError:  # there is no room to keep anything in
        raise
    except PretrainError as error:
        keeper.flush()
        raise PretrainError(f"{error}. {advice_after(output, resumable)}") from error
    except BaseException:
        keeper.flush()
        raise


@contextmanager
def _room_on(device: str) -> Iterator[None]:
    """Say what to do where memory is short and smaller parts of a step are no answer."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not out_of_memory(error):
            raise
        raise PretrainError(
            f"the memory of {device} is full ({first_line(error)}): take a smaller --size or"
            " --context, or wait for what else fills it, and run the same command again"
        ) from error


def _objectives(settings: PretrainSettings, model: Model, tokenizer: Path) -> Objectives | None:
    """Return the losses that are switched on; None without any."""
    if not settings.losses:
        return None
    context = model.config.context
    if short := [name for name in settings.losses if context < SHORTEST[name]]:
        raise PretrainError(
            f"--{short[0]} needs a --context of at least {SHORTEST[short[0]]} tokens, not"
            f" {context}"
        )
    names = Names.of(load_tokenizer(tokenizer)) if ACCURACY in settings.losses else None
    made: Objectives = Objectives(
        *(settings.losses, settings.loss_weights, model.config.width, names, settings.seed)
    )
    made.to(next(model.parameters()).device)
    return made


def _tell_of_missing(
    objectives: Objectives, rows: Rows, settings: PretrainSettings, tell: Tell
) -> None:
    """Say which losses have no item in the rows of an epoch, or in as many as are looked at."""
    looked_at = min(rows.count, _LOOKED_AT)
    firsts = range(0, looked_at, settings.step_rows)
    steps = (range(at, min(at + settings.step_rows, looked_at)) for at in firsts)
    missing = objectives.without_items(np.stack([rows.row(at) for at in step]) for step in steps)
    for name in missing:
        tell(f"{name.replace('_', ' ')} has nothing to learn from in {looked_at} rows of the text")


def _take_up(
    state: State,
    identity: dict[str, Any],
    optimizer: Any,
    objectives: Objectives | None,
    scaler: Any,
    sharded: bool,
    tell: Tell,
) -> None:
    """Give optimiser, heads and scale the states of a checkpoint, where it has them."""
    if not state.optimizer:
        return
    before = with_defaults(state.identity)
    rows, rows_before = step_rows(identity), step_rows(before)
    counted = (
        f", counted in steps of {rows} rows, not {rows_before}" if rows != rows_before else ""
    )
    tell(f"goes on after step {state.progress.step}{counted}")
    other = [
        name
        for name in ("optimizer", *LOSSES, "loss_weights")
        if before.get(name) != identity[name]
    ]
    if other:
        tell(f"the optimiser begins anew, for {' and '.join(other)} changed")
        return
    # A state brings its hyperparameters along, and these may be others now.
    decays = [group["weight_decay"] for group in optimizer.param_groups]
    optimizer.load_state_dict(spread(state.optimizer, optimizer) if sharded else state.optimizer)
    for group, decay in zip(optimizer.param_groups, decays, strict=True):
        group["weight_decay"] = decay
    if objectives is not None:
        objectives.load_state_dict(state.beside["objectives"])
    if scaler is not None and "scaler" in state.beside:
        scaler.load_state_dict(state.beside["scaler"])


def _corpus(
    data: Path | None, output: Path, vocab_size: int | None, tell: Tell, ranks: Ranks
) -> Path:
    if data is None or not (data / CORPUS_FILE).exists():
        corpus = output / "corpus"
        if ranks.leads:
            make_corpus(data, corpus, CorpusSettings(vocab_size=vocab_size), tell=tell)
        ranks.wait()
        return corpus
    size = int(read_corpus(data)["vocab_size"])
    if vocab_size is not None and vocab_size != size:
        raise PretrainError(
            f"the corpus {data} has a vocabulary of {size}, not of {vocab_size}: leave"
            " --vocab_size out, or make it again with clara-train corpus"
        )
    return data
