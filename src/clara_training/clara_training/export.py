# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""The stage export: what a run has merged, as files for the robot.

- `clara.gguf`, quantised (and `clara-f16.gguf`, which it is made of): the merged model.
- `base.gguf` and `adapters/<name>.gguf`: the base model, quantised in the same way, and each
  adapter, for sliders that move.
- `Modelfile` for Ollama, and `manifest.json` with where everything came from.

The brain finds `adapters/` beside either model. The merged one says in its metadata how much of
each dimension is in it already (`clara.strength.<name>`), so that a slider adds only the rest.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from clara_training import __version__, adapters_gguf, imatrix, packages, quantize
from clara_training.atomic import atomic_json
from clara_training.base import Base, find_base
from clara_training.errors import ExportError, ManifestError
from clara_training.examples import conversation, split
from clara_training.export_check import check_tokens
from clara_training.export_families import window_sentence
from clara_training.export_gguf import Lineage, read_config, write_model
from clara_training.export_unused import set_aside
from clara_training.lora import load_examples
from clara_training.machine import use_threads
from clara_training.manifest import (
    code_sha256,
    is_done,
    product_file,
    read_manifest,
    sha256_of,
    write_manifest,
)
from clara_training.merge_check import base_of
from clara_training.merge_config import MergeSettings, strengths
from clara_training.modelfile import write_modelfile
from clara_training.origins import check_merged
from clara_training.run_lock import alone
from clara_training.spec import Spec
from clara_training.stages import Tell

STAGE = "export"
SYSTEM = "You are Clara, the voice and mind of a robot."
STRENGTH = "clara.strength."
BASE_MATRIX = "base-imatrix.gguf"
CALIBRATION_TOKENS = 8192
_TEXT_TOKENS = 256


@dataclass(frozen=True)
class ExportSettings:
    """How a run is exported. `quantization` "auto" is Q4_K_M, or Q8_0 where rows do not fit."""

    quantization: str = "auto"
    use_imatrix: bool = True
    collapsed: bool = False
    threads: int = 0


@alone("export")
def export_run(
    run: Path,
    spec: Spec,
    settings: ExportSettings | None = None,
    *,
    base: str = "",
    dimensions: Sequence[str] = (),
    tell: Tell = lambda sentence: None,
) -> dict[str, Path]:
    """Export a run; return the products by name. What is done already is not done again.

    Args:
        run: the run's folder, with `merged/` and `adapters/`.
        spec: what it was made for.
        settings: how.
        base: another base model than the spec's.
        dimensions: only these; all where empty.
        tell: is told what was done.

    Raises SpecError, ExportError, BaseModelError, RunInUse, StorageError, MissingPackage.
    """
    settings = settings or ExportSettings()
    for name in dimensions:
        spec.require(name)
    use_threads(settings.threads or None)
    merged = run / "merged"
    if not (merged / "config.json").is_file():
        raise ExportError(f"{merged} is not there: run clara-train merge --run {run} first")
    names = list(dimensions or spec.dimensions)
    found = find_base(base or spec.base_model)
    _check_origins(run, names, found)
    check_merged(run, spec)
    lineage = _lineage(run, spec, found, names)
    if sentence := window_sentence(found.name, found.config):
        tell(sentence)
    half = run / "clara-f16.gguf"
    inputs = {"merged": sha256_of(merged)}
    origin = {key: value for key, value in lineage.items() if not key.startswith("clara.code")}
    if not _there(half, inputs, {"lineage": origin}, tell):
        parameters = write_model(merged, half, lineage=lineage)
        check_tokens(half, _tokenizer(merged))
        _done(half, inputs, {"lineage": origin}, {"parameters": parameters}, tell)
    kind = settings.quantization
    kind = quantize.choose(half) if kind == "auto" else kind
    if kind not in quantize.KINDS:
        raise ExportError(
            f"{kind!r} is no quantisation known here; there are auto, {', '.join(quantize.KINDS)}"
        )
    matrix = base_matrix = None
    if kind in quantize.WEIGHTED and settings.use_imatrix:
        # Both, over the same texts: the two files are compared, and only the training may differ.
        learned = _Learned(run, spec, names, found.context)
        matrix = _importance(run / "imatrix.gguf", merged, inputs, learned, tell)
        of_base = {"base": found.sha256()}
        base_matrix = _importance(run / BASE_MATRIX, found.folder, of_base, learned, tell)
    model = run / "clara.gguf"
    _quantised(half, model, kind, matrix, settings.threads, tell)
    products = {"model": model, "f16": half}
    products["base"] = _base(run, found, kind, base_matrix, settings.threads, tell)
    products.update(_adapters(run, found, names, tell))
    set_aside(run / "adapters", spec.dimensions, found.sha256(), tell)
    if settings.collapsed:
        products["collapsed"] = _collapsed(run, spec, names, tell)
    products.update(_modelfile(run, model, tell))
    _write_run_manifest(run, lineage, products)
    return products


def _check_origins(run: Path, names: Sequence[str], base: Base) -> None:
    """Raise ExportError unless the merged model and the adapters are there and of this base."""
    base_sha256 = base.sha256()
    for folder in (run / "merged", *(run / "adapters" / name for name in names)):
        if not folder.is_dir():
            raise ExportError(f"the adapter {folder} is not there: run clara-train lora first")
        made_with = base_of(folder)
        if made_with and made_with[1] != base_sha256:
            raise ExportError(
                f"{folder} was made with another base model ({made_with[0]}) than {base.name} is"
                " now: name its own with --base, or train and merge again"
            )


def _lineage(run: Path, spec: Spec, base: Base, names: Sequence[str]) -> Lineage:
    """Return the metadata that say where the merged model came from."""
    lineage: dict[str, str | float | int | bool] = {
        "general.name": "Clara",
        "general.finetune": "clara",
        "general.base_model.count": 1,
        "general.base_model.0.name": base.title,
        "clara.base_sha256": base.sha256(),
        "clara.merge_method": spec.merge_method,
        "clara.code_version": __version__,
        "clara.code_sha256": code_sha256(),
    }
    try:
        merge = read_manifest(run / "merged")
        lineage["clara.merged_sha256"] = merge["sha256"]
        lineage["clara.merge_method"] = str(merge["settings"].get("method", spec.merge_method))
    except ManifestError:
        lineage["clara.merged_sha256"] = sha256_of(run / "merged")
    lineage |= {f"{STRENGTH}{name}": much for name, much in _strengths(run, spec, names).items()}
    for name in names:
        folder = run / "adapters" / name
        try:
            manifest = read_manifest(folder)
        except ManifestError:
            continue
        lineage[f"clara.adapter_sha256.{name}"] = manifest["sha256"]
        lineage[f"clara.data_sha256.{name}"] = manifest["inputs"].get("data", "")
    return lineage


def _strengths(run: Path, spec: Spec, names: Sequence[str]) -> dict[str, float]:
    """Return how much of each dimension the merged model has: 0 of what was not merged.

    Where it has all at one share, for the model bears no more, live sliders at the same strengths
    have nothing to add.
    """
    try:
        manifest = read_manifest(run / "merged")
    except ManifestError:
        return {name: spec.weights[name] for name in names}
    made = manifest["settings"]
    settings = MergeSettings(made["method"], scale=made["scale"], normalize=made["normalize"])
    share = float(manifest["metrics"].get("live_share", 1.0))
    merged = strengths(settings, made["weights"])
    return dict.fromkeys(names, 0.0) | {name: share * much for name, much in merged.items()}


class _Learned(NamedTuple):
    """What an importance matrix is gathered on: the data of a run's dimensions."""

    run: Path
    spec: Spec
    names: Sequence[str]
    context: int | None  # of the base


def _importance(
    path: Path, folder: Path, inputs: Mapping[str, str], learned: _Learned, tell: Tell
) -> Path:
    """Make the importance matrix of the model in a folder."""
    run, spec, names, context = learned
    data = {f"data {name}": load_examples(run, spec, name)[1] for name in names}
    inputs = {**inputs, **data}
    settings = {"tokens": CALIBRATION_TOKENS, "dimensions": list(names)}
    if _there(path, inputs, settings, tell):
        return path
    torch = packages.load("torch", "the importance matrix")
    transformers = packages.load("transformers", "the importance matrix")
    texts = calibration_texts(run, spec, names, _tokenizer(run / "merged"), context)
    # Half precision, which a merge may have been written in, is hundreds of times slower on a CPU.
    model = transformers.AutoModelForCausalLM.from_pretrained(
        folder, dtype=torch.float32, local_files_only=True
    )
    imatrix.save(path, imatrix.gather(model, texts))
    _done(path, inputs, settings, {"texts": len(texts), "tokens": sum(map(len, texts))}, tell)
    return path


def calibration_texts(
    run: Path,
    spec: Spec,
    names: Sequence[str],
    tokenizer: Any,
    context: int | None = None,
) -> list[list[int]]:
    """Return what the importance matrix is gathered on: conversations that were learned from.

    As many of each dimension, none held out, in token lists of one length, that a model of this
    context can read.
    """
    from clara_training.chat_encoding import encode

    tokens: list[int] = []
    learned = [split(load_examples(run, spec, name)[0])[0] for name in names]
    for place in range(max(map(len, learned), default=0)):
        for examples in learned:
            if place < len(examples) and len(tokens) < CALIBRATION_TOKENS:
                example = examples[place]
                said = conversation(example)
                tokens += encode(tokenizer, *said, before=example.before).ids
    size = min(_TEXT_TOKENS, context or _TEXT_TOKENS)
    return [tokens[at : at + size] for at in range(0, len(tokens), size)]


def _quantised(
    source: Path, path: Path, kind: str, matrix: Path | None, threads: int, tell: Tell
) -> None:
    inputs = {"f16": sha256_of(source)}
    if matrix is not None:
        inputs["imatrix"] = sha256_of(matrix)
    if _there(path, inputs, {"quantization": kind}, tell):
        return
    metrics: dict[str, Any] = {"bytes": source.stat().st_size, "fallbacks": []}
    if kind == "F16":
        with product_file(path) as part:
            shutil.copyfile(source, part)
    else:
        weights = imatrix.load(matrix) if matrix is not None else None
        made = quantize.quantise(source, path, kind, weights, threads=threads)
        metrics = {
            "bytes": made.bytes,
            "bits_per_weight": made.bits_per_weight,
            "fallbacks": list(made.fallbacks),
        }
        tell(f"{path.name}: {made.sentence()}")
    _done(path, inputs, {"quantization": kind}, metrics, lambda sentence: None)


def _base(run: Path, base: Base, kind: str, matrix: Path | None, threads: int, tell: Tell) -> Path:
    path = run / "base.gguf"
    inputs = {"base": base.sha256()}
    if matrix is not None:
        inputs["imatrix"] = sha256_of(matrix)
    if _there(path, inputs, {"quantization": kind}, tell):
        return path
    lineage = {"general.name": base.title, "clara.base_sha256": inputs["base"]}
    half = run / ".base-f16.gguf"
    try:
        write_model(base.folder, half, lineage=lineage)
        check_tokens(half, _tokenizer(base.folder))
        if kind == "F16":
            with product_file(path) as part:
                shutil.copyfile(half, part)
        else:
            weights = imatrix.load(matrix) if matrix is not None else None
            quantize.quantise(half, path, kind, weights, threads=threads)
    finally:
        half.unlink(missing_ok=True)
    _done(path, inputs, {"quantization": kind}, {"bytes": path.stat().st_size}, tell)
    return path


def _adapters(run: Path, base: Base, names: Sequence[str], tell: Tell) -> dict[str, Path]:
    config = read_config(base.folder)
    made = {}
    for name in names:
        folder, path = run / "adapters" / name, run / "adapters" / f"{name}.gguf"
        inputs = {"adapter": sha256_of(folder), "base": base.sha256()}
        if not _there(path, inputs, {"outtype": "f16"}, tell):
            lineage = {
                "clara.adapter_sha256": inputs["adapter"],
                "clara.base_sha256": inputs["base"],
            }
            rank = adapters_gguf.write_adapter(
                folder, config, path, base=base.title, lineage=lineage
            )
            _done(path, inputs, {"outtype": "f16"}, {"rank": rank}, tell)
        made[f"adapter {name}"] = path
    return made


def _collapsed(run: Path, spec: Spec, names: Sequence[str], tell: Tell) -> Path:
    path = run / "collapsed.gguf"
    merged = _strengths(run, spec, names)
    weights = {run / "adapters" / f"{name}.gguf": merged[name] for name in names}
    inputs = {source.stem: sha256_of(source) for source in weights}
    settings = {"weights": {source.stem: weight for source, weight in weights.items()}}
    if not _there(path, inputs, settings, tell):
        rank = adapters_gguf.collapse(weights, path)
        _done(path, inputs, settings, {"rank": rank}, tell)
    return path


def _modelfile(run: Path, model: Path, tell: Tell) -> dict[str, Path]:
    """Write the Modelfile where the chat template can be said in Ollama's language."""
    path = run / "Modelfile"
    try:
        write_modelfile(path, model.name, _tokenizer(run / "merged"), system=SYSTEM)
    except ExportError as error:
        # The robot does without. One of an earlier export would be of another template.
        path.unlink(missing_ok=True)
        tell(f"no {path.name} for Ollama: {error}")
        return {}
    return {path.name: path}


def _write_run_manifest(run: Path, lineage: Lineage, products: Mapping[str, Path]) -> None:
    files = {}
    for path in products.values():
        if path.suffix == ".gguf":
            manifest = read_manifest(path)
            files[path.relative_to(run).as_posix()] = {
                key: manifest[key] for key in ("sha256", "inputs", "settings", "metrics")
            }
    atomic_json(run / "manifest.json", {"format": 1, "lineage": dict(lineage), "files": files})


def _tokenizer(folder: Path) -> Any:
    transformers = packages.load("transformers", "export")
    return transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True)


def _there(path: Path, inputs: Mapping[str, str], settings: Mapping[str, Any], tell: Tell) -> bool:
    if is_done(path, STAGE, inputs, settings):
        tell(f"{path.name} is there already")
        return True
    return False


def _done(
    path: Path,
    inputs: Mapping[str, str],
    settings: Mapping[str, Any],
    metrics: Mapping[str, Any],
    tell: Tell,
) -> None:
    write_manifest(path, STAGE, inputs, settings, metrics)
    tell(f"{path.name}: {path.stat().st_size / 1e6:.1f} MB")
