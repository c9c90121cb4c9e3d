# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""The stage governance: a finished model in, `governance.safetensors` beside its GGUF out.

Three heads read the model's final hidden states and change nothing in it: policy (the class of a
passage), memory (an embedding that finds a span's context) and trace (the expected loss of the
next token). Each is measured on text it was not fitted to, against baselines; one that does not
beat all of them stays in the file and is marked `"useful": false`, and the brain leaves it alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from clara_training.allocator import keep_memory
from clara_training.errors import GovernanceError, ManifestError
from clara_training.governance_file import GOVERNANCE_FILE, HEADS, Governance, write_governance
from clara_training.governance_fit import FitSettings
from clara_training.governance_labels import label_documents, read_labels
from clara_training.governance_memory import fit_memory
from clara_training.governance_metrics import Estimate, json_of
from clara_training.governance_policy import fit_policy
from clara_training.governance_states import StatesSettings, read_states
from clara_training.governance_trace import fit_trace
from clara_training.manifest import is_done, read_manifest, sha256_of, write_manifest
from clara_training.pretrain_checkpoint import BEST
from clara_training.pretrain_device import check_device, exact_products
from clara_training.run_lock import alone
from clara_training.scratch import load_model
from clara_training.shards import CORPUS_FILE
from clara_training.stages import Tell

STAGE = "governance"
STATES = "governance-states"


def _folder(run: Path) -> Path:
    """Return the folder of a run, of which the model's own may have been given."""
    return run.parent if (run / "config.json").exists() else run


@alone("governance", folder=lambda run, *_, **__: _folder(run))
def make_heads(
    run: Path,
    corpus: Path | None = None,
    *,
    labels: Path | None = None,
    states: StatesSettings | None = None,
    settings: FitSettings | None = None,
    device: str = "cpu",
    tell: Tell = lambda sentence: None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Path:
    """Fit and judge the heads of a trained model; return their file. What is done is not redone.

    Args:
        run: the folder that the model was trained in, with `best_model` in it.
        corpus: what it was trained on; None: as the run's manifest says, or `corpus` in `run`.
        labels: JSON with the class of books or documents; None: those of heads of this model that
            are there, else see `governance_labels`.
        states: which text the heads learn from.
        settings: how they are fitted and judged.
        device: that the model runs on.
        tell: is told what was done.
        progress: is told how many spans are read, of how many.

    Raises GovernanceError, CorpusError, PretrainError, RunInUse, StorageError.
    """
    states, settings = states or StatesSettings(), settings or FitSettings()
    run = _folder(run)
    try:
        manifest = read_manifest(run / BEST)
    except ManifestError as error:
        raise GovernanceError(
            f"there is no finished model in {run} to make heads for ({error}): train it with"
            " clara-train simone, which goes on where it stopped"
        ) from error
    corpus = _corpus_of(run, corpus, manifest)
    path = run / GOVERNANCE_FILE
    inputs = {"model": str(manifest["sha256"]), "corpus": str(manifest["settings"]["corpus"])}
    if labels is not None:
        read_labels(labels)
        inputs["labels"] = sha256_of(labels)
    elif before := _labelled(path):
        if before["inputs"] == {**inputs, "labels": before["inputs"]["labels"]}:
            tell(f"{path} is there already, with classes of your own: --labels makes it anew")
            return path
        tell(f"{path} had classes of your own, and --labels does not give them: it is made anew")
    chosen = {**asdict(settings), "states": asdict(states)}
    if is_done(path, STAGE, inputs, chosen):
        tell(f"{path} is there already")
        return path
    if sha256_of(corpus) != inputs["corpus"]:
        raise GovernanceError(
            f"{run / BEST} was not trained on the corpus {corpus}: give the one that it was"
            " trained on with --data_dir"
        )
    check_device(device)
    began = time.perf_counter()
    if device == "cpu":
        keep_memory()
    with exact_products():
        model = load_model(run / BEST).to(device)
        read = read_states(
            *(model, inputs["model"], corpus, inputs["corpus"], run / STATES),
            *(states, device, progress),
        )
        classes, origin = label_documents(read.sources, labels)
        seconds = {"states": time.perf_counter() - began}
        found: dict[str, Any] = {}
        left_out = {}
        for name, fit in (
            ("policy", lambda: fit_policy(read, classes, settings, device)),
            ("memory", lambda: fit_memory(read, settings, device)),
            ("trace", lambda: fit_trace(read, settings, device)),
        ):
            tell(f"{name}: is fitted and judged")
            began = time.perf_counter()
            made = fit()
            seconds[name] = time.perf_counter() - began
            if isinstance(made, str):
                left_out[name] = made
                tell(made)
            else:
                found[name] = made
    if not found:
        raise GovernanceError(
            f"no governance head can be made of {corpus}: {'; '.join(left_out.values())}"
        )
    figures = {name: json_of(found[name].metrics) for name in found}
    if "policy" in figures:
        figures["policy"]["classes_from"] = origin
    governance = Governance(
        inputs["model"],
        int(model.config.width),
        {name: each.head for name, each in found.items()},
        {name: each.said for name, each in found.items()},
        {name: _short(each) for name, each in figures.items()},
    )
    write_governance(path, governance)
    trained = float(manifest["metrics"].get("seconds", 0.0))
    write_manifest(
        path,
        STAGE,
        inputs,
        chosen,
        {
            **figures,
            "left_out": left_out,
            "seconds": {name: round(each, 2) for name, each in seconds.items()},
            "share_of_training": round(sum(seconds.values()) / trained, 4) if trained else None,
            "states_bytes": sum(each.stat().st_size for each in (run / STATES).iterdir()),
        },
    )
    tell(
        f"{path}: {', '.join(found)}; {path.stat().st_size / 1e3:.0f} kB, made in"
        f" {sum(seconds.values()):.0f} s"
    )
    return path


def verdicts(metrics: Mapping[str, Any]) -> list[tuple[str, str, str, str, str]]:
    """Return rows for people, of a manifest's metrics: head, metric, value, baseline, verdict.

    A head has a row for each of its baselines.
    """
    rows = []
    for name in HEADS:
        if name not in metrics:
            continue
        of = metrics[name]
        for number, (baseline, value) in enumerate(of["baselines"].items()):
            gain = Estimate(**of["gain"][baseline])
            better = gain.low > 0
            rows.append(
                (
                    name if not number else "",
                    of["metric"] if not number else "",
                    str(Estimate(**of["value"])) if not number else "",
                    f"{baseline} {Estimate(**value)}",
                    f"{'better' if better else 'not better'} than {baseline}:"
                    f" {gain.value:+.3f} [{gain.low:+.3f}, {gain.high:+.3f}]",
                )
            )
    return rows


def _short(figures: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out what only the report draws: the brain keeps these figures in memory."""
    return {name: each for name, each in figures.items() if not name.startswith("reliability")}


def _corpus_of(run: Path, given: Path | None, manifest: Mapping[str, Any]) -> Path:
    known = manifest["metrics"].get("corpus_folder")
    places = [given] if given else [*([run / known] if known else []), run / "corpus"]
    # A folder of text was made into a corpus within the run.
    for place in [*places, run / "corpus"]:
        if (place / CORPUS_FILE).exists():
            return place
    raise GovernanceError(
        f"the corpus that {run / BEST} was trained on is not at {places[0]}: give it with"
        " --data_dir"
    )


def _labelled(path: Path) -> dict[str, Any] | None:
    """Return the manifest of heads that are there, whole, and know the user's own classes."""
    try:
        manifest = read_manifest(path)
        inputs, settings = manifest["inputs"], manifest["settings"]
    except (ManifestError, KeyError):
        return None
    own = "labels" in inputs and is_done(path, STAGE, inputs, settings)
    return manifest if own else None
