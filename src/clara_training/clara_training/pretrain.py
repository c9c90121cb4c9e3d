# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""The stages mvlm and simone: a corpus in, a model trained from scratch and its GGUF out.

In the output folder: `corpus/` where text was given, `checkpoints/` while it trains, `best_model/`
(a folder of transformers that can be trained on), `<kind>-f16.gguf`, `<kind>.gguf` (Q8_0) and
`metrics/training.jsonl`. The same command goes on where it stopped.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from clara_training import packages, quantize
from clara_training.corpus import TOKENIZER, CorpusSettings, make_corpus
from clara_training.decoder import count
from clara_training.errors import PretrainError
from clara_training.export_check import check_tokens
from clara_training.export_gguf import write_model
from clara_training.lora_linear import keep_memory
from clara_training.manifest import code_sha256, is_done, read_manifest, sha256_of, write_manifest
from clara_training.pretrain_checkpoint import (
    BEST,
    CHECKPOINTS,
    Progress,
    State,
    differences,
    latest,
    read_state,
    write_checkpoint,
    write_state,
)
from clara_training.pretrain_loop import Execution, PretrainSettings, Report, fit, new_optimizer
from clara_training.scratch import new_model
from clara_training.shards import FILE, HELD_OUT, TRAIN, Rows, TokenStream, read_corpus

STAGE, EXPORT = "pretrain", "pretrain-export"
CONTEXT = 512
Tell = Callable[[str], None]


def pretrain(
    kind: str,
    data: Path | None,
    output: Path,
    settings: PretrainSettings | None = None,
    execution: Execution | None = None,
    *,
    size: str = "tiny",
    context: int = CONTEXT,
    vocab_size: int | None = None,
    tied: bool = True,
    resume_from: str = "",
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
        size: of the model, a name in SIZES.
        context: tokens of a row.
        vocab_size: of the tokenizer; None: what the corpus has, or supports.
        tied: whether input and output embeddings are the same (SIM-ONE).
        resume_from: a name in `output`, as best_model, or a path: go on from this one.
        tell: is told what was done.
        report: is given the figures of each step.

    Raises PretrainError, CorpusError, StorageError, MissingPackage.
    """
    settings, execution = settings or PretrainSettings(), execution or Execution()
    corpus = _corpus(data, output, vocab_size, tell)
    tokenizer = corpus / TOKENIZER
    rows = Rows(TokenStream(corpus, TRAIN), context, settings.seed)
    held_out = TokenStream(corpus, HELD_OUT)
    vocabulary = int(read_corpus(corpus)["vocab_size"])
    identity = {
        **asdict(settings),
        **{"kind": kind, "size": size, "context": context, "tied": tied},
        **{"vocab_size": vocabulary, "corpus": sha256_of(corpus)},
    }
    best, inputs = output / BEST, {"corpus": identity["corpus"]}
    if is_done(best, STAGE, inputs, {**identity, "resume_from": resume_from}):
        tell(f"{best} is there already")
        return best
    fresh = State(
        new_model(kind, size, vocabulary, context, tied=tied, seed=settings.seed),
        *({}, Progress(), identity),
    )
    state = _beginning(output, resume_from, tokenizer, fresh)
    state.identity = identity
    if execution.device == "cpu":
        keep_memory()
    model = state.model.to(execution.device)
    optimizer = new_optimizer(model, settings)
    if state.optimizer:
        optimizer.load_state_dict(state.optimizer)
        tell(f"goes on after step {state.progress.step}")
    tell(
        f"{kind} {size}: {count(model) / 1e6:.1f} M parameters, {rows.count} rows of {context}"
        f" tokens an epoch, {settings.total_steps(rows.count)} steps on {execution.device}"
    )

    def keep(is_best: bool) -> None:
        now = State(model, optimizer.state_dict(), state.progress, identity)
        if is_best:
            write_state(best, now, tokenizer)
        write_checkpoint(output, now, tokenizer)

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
        )
    except PretrainError as error:
        raise PretrainError(f"{error}. {_advice(output)}") from error
    if not (best / "config.json").exists():
        raise PretrainError(f"{best} is not there, for no step was left: take more --num_epochs")
    metrics = {**vars(state.progress), "parameters": count(model), "kind": kind}
    write_manifest(best, STAGE, inputs, {**identity, "resume_from": resume_from}, metrics)
    shutil.rmtree(output / CHECKPOINTS, ignore_errors=True)
    tell(
        f"{best}: {state.progress.best:.4f} held-out bits per byte at step"
        f" {state.progress.best_step} of {state.progress.step}"
    )
    return best


def export(model: Path, *, tell: Tell = lambda sentence: None) -> dict[str, Path]:
    """Write `<kind>-f16.gguf` and `<kind>.gguf` (Q8_0) beside a trained model's folder.

    Raises ExportError, StorageError, ManifestError, MissingPackage.
    """
    manifest = read_manifest(model)
    figures, origin = manifest["metrics"], manifest["settings"]
    kind = str(figures["kind"])
    half, eight = model.parent / f"{kind}-f16.gguf", model.parent / f"{kind}.gguf"
    inputs = {"model": str(manifest["sha256"])}
    lineage: dict[str, str | float | int | bool] = {
        "general.name": {"mvlm": "MVLM", "simone": "SIM-ONE"}[kind],
        "clara.model": kind,
        "clara.model_sha256": inputs["model"],
        "clara.corpus_sha256": str(origin["corpus"]),
        "clara.held_out_bits_per_byte": float(figures["best"]),
        "clara.code_sha256": code_sha256(),
    }
    if not is_done(half, EXPORT, inputs, {"kind": "F16"}):
        write_model(model, half, lineage=lineage)
        transformers = packages.load("transformers", "export")
        check_tokens(half, transformers.AutoTokenizer.from_pretrained(model))
        write_manifest(half, EXPORT, inputs, {"kind": "F16"}, {})
    if not is_done(eight, EXPORT, inputs, {"kind": "Q8_0"}):
        made = quantize.quantise(half, eight, "Q8_0")
        write_manifest(eight, EXPORT, inputs, {"kind": "Q8_0"}, {"bytes": made.bytes})
    tell(f"{eight}: {eight.stat().st_size / 1e6:.1f} MB; {half.name}, to quantise otherwise")
    return {"f16": half, "Q8_0": eight}


def _corpus(data: Path | None, output: Path, vocab_size: int | None, tell: Tell) -> Path:
    if data is None or not (data / FILE).exists():
        corpus = output / "corpus"
        make_corpus(data, corpus, CorpusSettings(vocab_size=vocab_size), tell=tell)
        return corpus
    size = int(read_corpus(data)["vocab_size"])
    if vocab_size is not None and vocab_size != size:
        raise PretrainError(
            f"the corpus {data} has a vocabulary of {size}, not of {vocab_size}: leave"
            " --vocab_size out, or make it again with clara-train corpus"
        )
    return data


def _beginning(output: Path, resume_from: str, tokenizer: Path, fresh: State) -> State:
    """Return where to begin: what is asked for, else the latest checkpoint, else `fresh`."""
    advice = "take the same settings, another --output_dir, or --resume_from best_model"
    if resume_from:
        choices = [output / resume_from, output / CHECKPOINTS / resume_from, Path(resume_from)]
        found = next((each for each in choices if each.is_dir()), None)
        if found is None:
            raise PretrainError(
                f"there is nothing to resume from at {choices[0]}, nor at {choices[2]}"
            )
        state = read_state(found, tokenizer)
        # The measure of best is another one for another corpus.
        if state.identity.get("corpus") != fresh.identity["corpus"]:
            state.progress.best = None
        state.progress.waited = 0
    elif found := latest(output):
        state = read_state(found, tokenizer)
        if state.identity != fresh.identity:
            raise PretrainError(
                f"{found} is of a training with other settings"
                f" ({differences(state.identity, fresh.identity)}): {advice}"
            )
    elif (output / BEST / "config.json").exists():
        raise PretrainError(
            f"{output / BEST} was trained with other settings, and is kept: {advice}"
        )
    else:
        return fresh
    if state.model.config != fresh.model.config:
        changed = differences(vars(state.model.config), vars(fresh.model.config))
        raise PretrainError(f"the model in {found} has another shape ({changed})")
    return state


def _advice(output: Path) -> str:
    kept = [output / BEST] if (output / BEST).exists() else []
    kept += [found] if (found := latest(output)) else []
    if not kept:
        return "No state was kept yet; begin again with a smaller --learning_rate"
    places = " and ".join(str(each) for each in kept)
    return f"Kept are {places}: go on from one with --resume_from and a smaller --learning_rate"
