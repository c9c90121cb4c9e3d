# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Both models from scratch, one after the other: trained, exported, judged, reported and packed.

In the output folder: `corpus/` where text was given, `mvlm/` and `simone/` as their own commands
make them, `report.html` with both side by side, and `clara-models.tar.gz` to download. Every stage
knows what is done already, so the same call goes on wherever it was killed.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from clara_training.atomic import atomic_json
from clara_training.bundle import Advance, write_bundle
from clara_training.corpus import CorpusSettings, make_corpus
from clara_training.errors import BundleError, CorpusError
from clara_training.governance_file import GOVERNANCE_FILE
from clara_training.manifest import is_done, sha256_of, write_manifest
from clara_training.pretrain import pretrain
from clara_training.pretrain_checkpoint import BEST, STATE
from clara_training.pretrain_export import HISTORY, export, files_of
from clara_training.pretrain_loop import Execution, PretrainSettings
from clara_training.report_scratch import write_scratch_report
from clara_training.run_lock import alone
from clara_training.shards import CORPUS_FILE
from clara_training.stages import Stages, Tell
from clara_training.validate_scratch import (
    RESULT,
    ScratchSettings,
    validate_scratch,
)

STAGE = "bundle"
KINDS = ("mvlm", "simone")
BUNDLE = "clara-models.tar.gz"
# For the kind that is trained, what is open meanwhile and is given the figures of each step.
Watch = Callable[[str], AbstractContextManager[Callable[[dict[str, Any]], None]]]


@dataclass(frozen=True)
class AllSettings:
    """What is made of both, and how."""

    training: PretrainSettings = field(default_factory=PretrainSettings)
    execution: Execution = field(default_factory=Execution)
    validation: ScratchSettings = field(default_factory=ScratchSettings)
    size: str | None = None  # None: of pretrain.SHAPES
    context: int | None = None
    vocab_size: int | None = None
    threads: int = 0


@dataclass(frozen=True)
class Finished:
    """What was made: files by name, what was found of each model, seconds of each stage."""

    products: dict[str, Path]
    validations: dict[str, dict[str, Any]]
    seconds: dict[str, float]


@alone("pretrain-all", begins=True, folder=lambda data, output, *_, **__: output)
def pretrain_all(
    data: Path | None,
    output: Path,
    settings: AllSettings | None = None,
    *,
    govern: Callable[[Path], None] | None = None,
    check: Callable[[Path], None] = lambda corpus: None,
    tell: Tell = lambda sentence: None,
    watch: Watch = lambda kind: nullcontext(lambda figures: None),
    advance: Advance = lambda size: None,
) -> Finished:
    """Make both models of a corpus or a folder of text; what is done is not done again.

    Args:
        data: a corpus, a folder of text, or None for the Bible modules that are installed.
        output: the folder of everything that is made.
        settings: what is made, and how.
        govern: makes the governance heads of SIM-ONE, in its folder.
        check: is given the corpus before anything is learned from it, and may raise.
        tell: is told what is done.
        watch: watches each of the trainings.
        advance: is told of the bytes that packing has read.

    Raises whatever a stage raises, after which the same call goes on.
    """
    settings = settings or AllSettings()
    stages = Stages(
        ["corpus", *KINDS, *(["governance"] if govern else []), "validate", "bundle"], tell
    )

    stages.begin("corpus")
    corpus = _corpus(data, output, settings, tell)
    check(corpus)
    for kind in KINDS:
        stages.begin(kind)
        with watch(kind) as note:
            best = pretrain(
                kind,
                corpus,
                output / kind,
                settings.training,
                settings.execution,
                size=settings.size,
                context=settings.context,
                resumable=False,
                tell=tell,
                report=note,
            )
        export(best, device=settings.execution.device, tell=tell)
    if govern:
        stages.begin("governance")
        govern(output / "simone")
    stages.begin("validate")
    validations = {
        kind: validate_scratch(
            output / kind,
            settings.validation,
            corpus=corpus,
            device=settings.execution.device,
            threads=settings.threads,
            tell=tell,
        )
        for kind in KINDS
    }
    report = write_scratch_report([output / kind for kind in KINDS], output / "report.html")
    stages.begin("bundle")
    bundle = pack(output, tell=tell, advance=advance)
    stages.end()
    atomic_json(output / "metrics" / "pretrain_all.json", {"seconds": stages.seconds})
    products = {"report": report, "bundle": bundle}
    products |= {kind: files_of(output / kind, kind)["Q8_0"] for kind in KINDS}
    return Finished(products, validations, stages.seconds)


def _corpus(data: Path | None, output: Path, settings: AllSettings, tell: Tell) -> Path:
    """Return the corpus, made once for both. Raises CorpusError."""
    if data is not None and (data / CORPUS_FILE).exists():
        if settings.vocab_size is not None:
            raise CorpusError(
                f"{data} is a corpus and has its vocabulary already: leave --vocab_size out, or"
                " make it again with clara-train corpus"
            )
        return data
    corpus = output / "corpus"
    make_corpus(data, corpus, CorpusSettings(vocab_size=settings.vocab_size), tell=tell)
    return corpus


def pack(
    output: Path, *, tell: Tell = lambda sentence: None, advance: Advance = lambda size: None
) -> Path:
    """Pack what was made of both models, and the report. Raises BundleError, StorageError."""
    path, files = output / BUNDLE, bundle_files(output)
    inputs = {name: sha256_of(file) for name, file in files.items()}
    if is_done(path, STAGE, inputs, {}):
        tell(f"{path} is there already")
        return path
    write_bundle(path, files, advance=advance)
    write_manifest(path, STAGE, inputs, {}, {"files": len(files)})
    size = sum(file.stat().st_size for file in files.values())
    tell(
        f"{path}: {len(files)} files, {size / 1e6:.1f} MB in {path.stat().st_size / 1e6:.1f} MB,"
        " read back and found right"
    )
    return path


def bundle_files(output: Path) -> dict[str, Path]:
    """Return what belongs into the bundle, by the names there: no optimiser, no checkpoints.

    Raises BundleError when something of it is not there.
    """
    if not all((output / kind / BEST).is_dir() for kind in KINDS):
        raise BundleError(
            f"{output} does not hold the models {' and '.join(KINDS)}: make them with clara-train"
            f" pretrain-all --output_dir {output}"
        )
    found = [output / "report.html"]
    for kind in KINDS:
        run = output / kind
        found += files_of(run, kind).values()
        found += [run / HISTORY, run / RESULT]
        found += [each for each in (run / GOVERNANCE_FILE,) if each.exists()]
        found += [
            path
            for path in sorted((run / BEST).iterdir())
            if path.is_file() and path.name != STATE and not path.name.startswith(".")
        ]
    if missing := [path for path in found if not path.is_file()]:
        raise BundleError(
            f"{missing[0]} is not there, and belongs into the bundle: run clara-train pretrain-all"
            f" --output_dir {output} again, which makes what is missing"
        )
    return {path.relative_to(output).as_posix(): path for path in found}
