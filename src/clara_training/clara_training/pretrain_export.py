# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""A model that was trained from scratch, as files for the robot.

`<kind>-f16.gguf`, `<kind>.gguf` (Q8_0) and `<kind>-Q4_K_M.gguf` beside `best_model/`, and
`history.json`, the curve of its training. The files say that the model continues a text
(`clara.continues_text`), so that the brain shows it no persona and no examples.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from clara_training import imatrix, packages, quantize
from clara_training.atomic import atomic_json
from clara_training.errors import ManifestError, PretrainError
from clara_training.export_check import check_tokens
from clara_training.export_gguf import write_model
from clara_training.manifest import code_sha256, is_done, read_manifest, write_manifest
from clara_training.run_lock import alone
from clara_training.shards import CORPUS_FILE, TRAIN, TokenStream
from clara_training.stages import Tell

EXPORT = "pretrain-export"
NAMES = {"mvlm": "MVLM", "simone": "SIM-ONE"}
HISTORY = "history.json"
CALIBRATION_TOKENS = 8192
_TEXT_TOKENS = 256


def files_of(run: Path, kind: str) -> dict[str, Path]:
    """Return where the GGUFs of a run are, by quantisation."""
    return {
        "F16": run / f"{kind}-f16.gguf",
        "Q8_0": run / f"{kind}.gguf",
        "Q4_K_M": run / f"{kind}-Q4_K_M.gguf",
    }


@alone("export", folder=lambda model, **_: model.parent)
def export(
    model: Path, *, device: str = "cpu", tell: Tell = lambda sentence: None
) -> dict[str, Path]:
    """Write the GGUFs and `history.json` beside a trained model's folder; return the GGUFs.

    What is done already is not done again. Where the corpus is at hand, Q4_K_M is made with an
    importance matrix of the text that was learned, which the model reads on `device`. Raises
    ExportError, RunInUse, StorageError, ManifestError, MissingPackage.
    """
    manifest = read_manifest(model)
    figures, origin = manifest["metrics"], manifest["settings"]
    kind = str(figures["kind"])
    files = files_of(model.parent, kind)
    inputs = {"model": str(manifest["sha256"])}
    lineage: dict[str, str | float | int | bool] = {
        "general.name": NAMES[kind],
        "clara.model": kind,
        "clara.continues_text": True,
        "clara.model_sha256": inputs["model"],
        "clara.corpus_sha256": str(origin["corpus"]),
        "clara.held_out_bits_per_byte": float(figures["best"]),
        "clara.code_sha256": code_sha256(),
    }
    half = files["F16"]
    if not is_done(half, EXPORT, inputs, {"kind": "F16"}):
        write_model(model, half, lineage=lineage)
        transformers = packages.load("transformers", "export")
        check_tokens(half, transformers.AutoTokenizer.from_pretrained(model))
        write_manifest(half, EXPORT, inputs, {"kind": "F16"}, {})
    if not is_done(files["Q8_0"], EXPORT, inputs, {"kind": "Q8_0"}):
        made = quantize.quantise(half, files["Q8_0"], "Q8_0")
        write_manifest(files["Q8_0"], EXPORT, inputs, {"kind": "Q8_0"}, {"bytes": made.bytes})
    _quarter(model, manifest, half, files["Q4_K_M"], inputs, device, tell)
    atomic_json(
        model.parent / HISTORY,
        {
            **{"format": 1, "kind": kind, "model_sha256": inputs["model"]},
            "evaluations": figures.get("history", []),
        },
    )
    sizes = ", ".join(f"{name} {path.stat().st_size / 1e6:.1f} MB" for name, path in files.items())
    tell(f"{files['Q8_0']}: {sizes}")
    return files


def _quarter(
    model: Path,
    manifest: Mapping[str, Any],
    half: Path,
    path: Path,
    inputs: Mapping[str, str],
    device: str,
    tell: Tell,
) -> None:
    settings = {"kind": "Q4_K_M", "calibration_tokens": CALIBRATION_TOKENS}
    if is_done(path, EXPORT, inputs, settings):
        return
    corpus = corpus_of(model.parent, manifest)
    matrix = None
    if corpus is not None:
        transformers = packages.load("transformers", "the importance matrix")
        loaded = transformers.AutoModelForCausalLM.from_pretrained(model, local_files_only=True)
        texts = _calibration(corpus, int(manifest["settings"]["context"]))
        sums = imatrix.gather(loaded.to(device), texts)
        matrix = {name: (total / count).astype("float32") for name, (total, count) in sums.items()}
    else:
        tell(f"{path.name} is made without an importance matrix, for the corpus is not there")
    made = quantize.quantise(half, path, "Q4_K_M", matrix)
    if made.fallbacks:
        tell(made.sentence())
    metrics = {
        "bytes": made.bytes,
        "fallbacks": list(made.fallbacks),
        "importance_matrix": matrix is not None,
    }
    write_manifest(path, EXPORT, inputs, settings, metrics)


def corpus_of(run: Path, manifest: Mapping[str, Any], given: Path | None = None) -> Path | None:
    """Return the corpus that a run was trained on: the given one, or where it was; else None.

    Raises PretrainError when the given one is none.
    """
    if given is not None and not (given / CORPUS_FILE).exists():
        raise PretrainError(f"{given} is not a corpus: make one with clara-train corpus")
    known = manifest["metrics"].get("corpus_folder")
    places = [run / known] if known else []
    for place in [given] if given else [*places, run / "corpus"]:
        if (place / CORPUS_FILE).exists():
            return place.resolve()
    return None


def _calibration(corpus: Path, context: int) -> list[list[int]]:
    """Return pieces from all over the text that was learned, each of up to 256 tokens."""
    stream = TokenStream(corpus, TRAIN)
    length = min(_TEXT_TOKENS, context, len(stream))
    count = max(1, min(CALIBRATION_TOKENS // length, len(stream) // length))
    step = len(stream) // count
    return [stream.slice(at * step, at * step + length).tolist() for at in range(count)]


def trained_manifest(run: Path) -> dict[str, Any]:
    """Read what is said of the model that a run trained. Raises PretrainError."""
    try:
        return read_manifest(run / "best_model")
    except ManifestError as error:
        raise PretrainError(
            f"there is no finished model in {run} ({error}): run clara-train mvlm or simone with"
            f" --output_dir {run}; it goes on where it stopped"
        ) from error
