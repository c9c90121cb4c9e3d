# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Whether a run's products are of one another: the merge of the adapters, the GGUFs of the merge.

Each stage may be called alone, and one in the middle be forgotten; the next would then tell of
what is not in the model. A folder that no stage made has no manifest, and is taken as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from clara_training.errors import ExportError, ManifestError, ValidationError
from clara_training.manifest import read_manifest, sha256_of
from clara_training.spec import Spec

_ADAPTER = "adapter "  # what the inputs of a merge are called


def check_merged(run: Path, spec: Spec) -> None:
    """Raise ExportError unless the merge is of the adapters as they are, at the spec's strengths.

    A dimension that was left out of it is in no conflict with either.
    """
    try:
        manifest = read_manifest(run / "merged")
    except ManifestError:
        return
    for name, sha256 in manifest["inputs"].items():
        folder = run / "adapters" / name.removeprefix(_ADAPTER)
        if name.startswith(_ADAPTER) and folder.is_dir() and sha256_of(folder) != sha256:
            raise ExportError(
                f"{folder} is not the adapter that was merged any more: run clara-train merge"
                f" --run {run} first"
            )
    for name, merged in manifest["settings"].get("weights", {}).items():
        wanted = spec.weights.get(name, merged)
        if wanted != merged:
            raise ExportError(
                f"{name} was merged at {merged:g}, and {spec.path} asks for {wanted:g}: run"
                f" clara-train merge --run {run} first, or name the spec of the merge with --spec"
            )


def check_exported(run: Path, names: Sequence[str]) -> None:
    """Raise ValidationError unless the GGUFs are of the merge and the adapters as they are."""
    sources = {
        "clara-f16.gguf": ("merged", run / "merged"),
        "clara.gguf": ("f16", run / "clara-f16.gguf"),
    }
    for name in names:
        sources[f"adapters/{name}.gguf"] = ("adapter", run / "adapters" / name)
    for product, (called, source) in sources.items():
        try:
            made_from = read_manifest(run / product)["inputs"].get(called)
        except ManifestError:
            continue
        if source.exists() and made_from != sha256_of(source):
            raise ValidationError(
                f"{run / product} was made from another {source.name} than is there: run"
                f" clara-train export --run {run} first"
            )
