# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Merge a run's adapters into the base model, by the spec's weights.

The configurations are written for people and for mergekit to read, whichever way it is then
computed. The merged folder has tokenizer and chat template of the base, and appears when it is
whole.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from clara_training.atomic import atomic_folder, atomic_json, atomic_text
from clara_training.base import Base, find_base
from clara_training.errors import AdapterError, MergeError
from clara_training.machine import use_threads
from clara_training.manifest import (
    BASE_NAME,
    is_done,
    read_manifest,
    sha256_of,
    write_manifest,
)
from clara_training.merge_bound import TOGETHER_FILE, Bound, find_bound, keep_within
from clara_training.merge_check import check_members
from clara_training.merge_config import (
    SHARES,
    Member,
    MergeSettings,
    as_yaml,
    check_settings,
    explain,
    mergekit_config,
    method_of,
    strengths,
)
from clara_training.run_lock import alone
from clara_training.spec import Spec
from clara_training.stages import Tell

STAGE = "merge"
ENGINES = ("auto", "direct", "mergekit")
DTYPES = ("float32", "bfloat16", "float16")
YAML = "clara_full_merge.yaml"
JSON = "clara_merge.json"
_TOKENIZER_FILES = (
    *("tokenizer.json", "tokenizer.model", "tokenizer_config.json", "special_tokens_map.json"),
    *("added_tokens.json", "merges.txt", "vocab.json", "vocab.txt", "chat_template.jinja"),
    *("chat_template.json", "generation_config.json"),
)


@dataclass(frozen=True)
class Merged:
    """The merged model."""

    folder: Path
    metrics: dict[str, Any]
    was_there: bool = False


@alone("merge")
def merge_adapters(
    run: Path,
    spec: Spec,
    settings: MergeSettings | None = None,
    *,
    dimensions: Sequence[str] = (),
    base: str = "",
    others: Mapping[str, float] | None = None,
    progress: Callable[[int, int], None] = lambda done, of: None,
    tell: Tell = lambda sentence: None,
) -> Merged:
    """Merge a run's adapters and return the model.

    Args:
        run: the run's folder, with `adapters/`.
        spec: the weights; those of 0 stay out.
        settings: how; the spec's method by default.
        dimensions: only these; all where empty.
        base: another base model than the spec's.
        others: more adapters, or whole models of the base's shape, by folder, with weights.
        progress: is told how many tensors are done, of how many; not by mergekit.
        tell: is told how much the model bears, where that is limited.

    Raises SpecError, BaseModelError, AdapterError, MergeError, RunInUse, StorageError,
    MissingPackage; what was there before is then as it was.
    """
    settings = settings or MergeSettings(method=spec.merge_method)
    settings = replace(settings, method=method_of(settings.method))
    members = members_of(run, spec, dimensions, others or {})
    check_settings(settings, members)
    found = find_base(base or spec.base_model)
    check_members(members, found)
    settings = replace(settings, engine=_engine(settings))
    inputs = {"base": found.sha256()}
    inputs |= {f"adapter {member.name}": sha256_of(member.folder) for member in members}
    weights = {member.name: member.weight for member in members}
    chosen = {BASE_NAME: found.name, "weights": weights, **settings.as_manifest()}
    folder = run / "merged"
    start = time.monotonic()
    use_threads(settings.threads or None)
    # Also of a merge that is there: what the robot keeps to may have been removed or damaged, or
    # be of another one. It is not measured again where it fits.
    bound = _bound(run, spec, settings, members, found, tell)
    if is_done(folder, STAGE, inputs, chosen):
        return Merged(folder, read_manifest(folder)["metrics"], was_there=True)
    metrics: dict[str, Any] = {}
    with atomic_folder(folder) as partial:
        if settings.engine == "direct":
            from clara_training.merge_direct import merge_weights

            metrics |= merge_weights(settings, members, found.folder, partial, progress)
        else:
            from clara_training.merge_mergekit import run_mergekit

            config = mergekit_config(settings, members, found.folder.resolve())
            run_mergekit(config, partial, settings.seed)
        if bound is not None:
            share = keep_within(partial, found.folder, bound.size)
            # What live sliders do at these strengths; the merge is theirs for linear methods.
            live_share = bound.share(strengths(settings, weights))
            metrics |= {"bound": bound.size, "share": share, "live_share": live_share}
            if "relative_change" in metrics:
                metrics["relative_change"] *= share
        _copy_rest(found, partial, settings.dtype)
    metrics["seconds"] = time.monotonic() - start
    # What was merged: mergekit makes the same of it, and what the weights come to is true.
    merged_at = replace(settings, scale=settings.scale * metrics.get("share", 1.0))
    write_configurations(run / "configs", merged_at, members, found)
    write_manifest(folder, STAGE, inputs, chosen, metrics)
    return Merged(folder, metrics)


def members_of(
    run: Path,
    spec: Spec,
    dimensions: Sequence[str] = (),
    others: Mapping[str, float] | None = None,
) -> list[Member]:
    """Return what is merged, in the spec's order, then what else was named. Raises SpecError."""
    for name in dimensions:
        spec.require(name)
    members = [
        Member(name, (run / "adapters" / name).resolve(), weight)
        for name, weight in spec.weights.items()
        if weight > 0 and (not dimensions or name in dimensions)
    ]
    for path, weight in (others or {}).items():
        members.append(Member(Path(path).name, Path(path).resolve(), weight))
    names = [member.name for member in members]
    for name in names:
        if names.count(name) > 1:
            raise MergeError(f"{name} is to be merged twice; name its folder otherwise")
    return members


def write_configurations(
    folder: Path, settings: MergeSettings, members: Sequence[Member], base: Base
) -> None:
    """Write mergekit's configuration, and all that was chosen. Raises StorageError."""
    lines = explain(settings, members)
    config = mergekit_config(settings, members, base.folder.resolve())
    atomic_text(folder / YAML, as_yaml(config, lines))
    document = {
        "base_model": base.name,
        "weights": {member.name: member.weight for member in members},
        **settings.as_manifest(),
        "meaning": lines,
        "mergekit": config,
    }
    atomic_json(folder / JSON, document)


def _bound(
    run: Path,
    spec: Spec,
    settings: MergeSettings,
    members: Sequence[Member],
    base: Base,
    tell: Tell,
) -> Bound | None:
    if settings.perplexity_limit is None or settings.method in SHARES:
        # Of an earlier merge; live sliders are not to keep what this one does not.
        (run / "adapters" / TOGETHER_FILE).unlink(missing_ok=True)
    if settings.perplexity_limit is None:
        return None
    if settings.method in SHARES:
        tell(f"{settings.method} goes between models and adds nothing up: it has no limit to keep")
        return None
    models = [member.name for member in members if not member.is_adapter]
    if models:
        raise MergeError(
            f"how much the model bears is measured for adapters, and {models[0]} is a whole"
            " model: merge with no limit (--perplexity-limit 0)"
        )
    limit, device = settings.perplexity_limit, settings.device
    beside = _beside(run, spec, members, base)
    return find_bound(
        run / "adapters", base, members, limit, beside=beside, device=device, tell=tell
    )


def _beside(run: Path, spec: Spec, members: Sequence[Member], base: Base) -> list[Member]:
    """Return the adapters of the spec that lie there, fit the base, and are not merged."""
    merged = {member.name for member in members}
    found = []
    for name in spec.dimensions:
        member = Member(name, (run / "adapters" / name).resolve(), 0.0)
        if name not in merged and member.is_adapter:
            with suppress(MergeError, AdapterError):
                check_members([member], base)
                found.append(member)
    return found


def _engine(settings: MergeSettings) -> str:
    from clara_training.merge_direct import METHODS

    if settings.engine == "direct" and settings.method not in METHODS:
        raise MergeError(
            f"{settings.method} is merged by mergekit; directly there are {', '.join(METHODS)}"
        )
    if settings.engine != "auto":
        return settings.engine
    return "direct" if settings.method in METHODS else "mergekit"


def _copy_rest(base: Base, folder: Path, dtype: str) -> None:
    """Add the base's tokenizer, chat template and configuration to the merged weights."""
    for name in _TOKENIZER_FILES:
        if (base.folder / name).is_file():
            shutil.copyfile(base.folder / name, folder / name)
    config = {**base.config, "dtype": dtype}
    for name in ("torch_dtype", "quantization_config", "_name_or_path"):
        config.pop(name, None)
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
