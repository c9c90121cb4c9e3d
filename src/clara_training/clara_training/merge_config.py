# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""What is merged, how, and what a weight of 0.8 comes to: for mergekit and in words.

A weight of a spec is a *strength*: 0.8 is 0.8 of what the adapter learned, however many others
there are. mergekit's linear and ties would divide by the sum of all weights; so `normalize` is
off, and linear gets the base as one more member. Interpolation (slerp, multislerp) knows shares
only.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from clara_training import packages
from clara_training.errors import MergeError
from clara_training.weight_files import ADAPTER_CONFIG

# `dare` of the research format, which mergekit does not have, is its dare_ties.
METHODS = (
    *("linear", "task_arithmetic", "ties", "dare_ties", "dare_linear"),
    *("slerp", "multislerp"),
)
SPARSE = ("ties", "dare_ties", "dare_linear")
SHARES = ("slerp", "multislerp")


@dataclass(frozen=True)
class Member:
    """An adapter, or a whole model of the base's shape, and its weight."""

    name: str
    folder: Path
    weight: float

    @property
    def is_adapter(self) -> bool:
        """Tell whether it is a peft adapter."""
        return (self.folder / ADAPTER_CONFIG).is_file()


@dataclass(frozen=True)
class MergeSettings:
    """How to merge. `engine` is direct, mergekit, or auto: direct where it knows the method."""

    method: str = "ties"
    density: float = 0.5  # share of each adapter's change that ties and dare keep
    scale: float = 1.0  # of the whole change
    normalize: bool = False  # weights as shares of their sum
    dtype: str = "float32"
    seed: int = 0  # of dare's choice
    engine: str = "auto"
    # How many times its perplexity general text may have; all of the change is made smaller to
    # keep to it (see merge_bound). None: whatever comes of it.
    perplexity_limit: float | None = None
    threads: int = 0  # of the CPU; 0: the cores that are not busy
    device: str | None = None  # that the limit is measured on; None: cuda where there is one

    def as_manifest(self) -> dict[str, Any]:
        """Return what decides the product."""
        settings = asdict(self)
        del settings["threads"], settings["device"]
        if self.method not in SPARSE:
            del settings["density"]
        if not self.method.startswith("dare"):
            del settings["seed"]
        if self.perplexity_limit is None:
            del settings["perplexity_limit"]
        return settings


def method_of(name: str) -> str:
    """Return mergekit's name of a method of a spec. Raises MergeError."""
    method = "dare_ties" if name == "dare" else name
    if method not in METHODS:
        raise MergeError(f"there is no merge method {name!r}; there are {', '.join(METHODS)}")
    return method


def check_settings(settings: MergeSettings, members: Sequence[Member]) -> None:
    """Raise MergeError for what the method cannot do with these members, or at all."""
    method_of(settings.method)
    if not members:
        raise MergeError("there is nothing to merge: no adapter has a weight above 0")
    if settings.method == "slerp" and len(members) > 2:
        names = ", ".join(member.name for member in members)
        raise MergeError(
            f"slerp goes from one model to another and takes two, but there are {len(members)} "
            f"({names}); choose two with --only, or take --method multislerp"
        )
    if settings.method == "multislerp" and len(members) < 2:
        raise MergeError("multislerp needs two adapters or more; for one, take slerp")
    total = sum(member.weight for member in members)
    by_shares = settings.normalize or (settings.method in SHARES and len(members) > 1)
    if by_shares and abs(total) < 1e-9:
        others = ", or leave out --normalize" if settings.normalize else ""
        raise MergeError(
            f"the weights sum to 0, and there are no shares of that: take others{others}"
        )
    if settings.method in SPARSE and not 0 < settings.density <= 1:
        raise MergeError(f"the density must be above 0 and at most 1, not {settings.density}")
    limit = settings.perplexity_limit
    if limit is not None and not 1 < limit < math.inf:
        raise MergeError(f"the perplexity limit must be above 1, not {limit}")


def strengths(settings: MergeSettings, weights: Mapping[str, float]) -> dict[str, float]:
    """Return the strength that a merge gives to each member, by the members' weights.

    slerp and multislerp give shares: of a chord, where they go along the arc.
    """
    total = sum(weights.values())
    if settings.method in SHARES:
        factor = 1.0 if len(weights) == 1 else 1 / total
    else:
        factor = settings.scale / total if settings.normalize else settings.scale
    return {name: factor * weight for name, weight in weights.items()}


def mergekit_config(
    settings: MergeSettings, members: Sequence[Member], base: Path
) -> dict[str, Any]:
    """Return the configuration that mergekit reads."""
    method, normalize = settings.method, settings.normalize
    config: dict[str, Any] = {"merge_method": method, "dtype": settings.dtype}
    sources = [(_reference(member, base), member.weight) for member in members]
    total = sum(member.weight for member in members)
    if method == "linear":
        # (1 - sum) base + sum of weight (base + change) = base + sum of weight change
        factor = settings.scale / total if normalize else settings.scale
        rest = 1 - factor * total
        config["models"] = [_weighted(_model(base), rest)] if abs(rest) > 1e-9 else []
        config["models"] += [_weighted(source, factor * weight) for source, weight in sources]
        config["parameters"] = {"normalize": False}
    elif method == "slerp":
        ends = [_model(base), sources[0][0]]
        share = members[0].weight
        if len(members) == 2:
            ends = [sources[0][0], sources[1][0]]
            share = members[1].weight / total
        config |= {"base_model": ends[0], "models": [{"model": end} for end in ends]}
        config["parameters"] = {"t": share}
    elif method == "multislerp":
        # Without base_model: the changes of what no adapter touched are all zero, and have no
        # direction to interpolate.
        config["models"] = [_weighted(source, weight) for source, weight in sources]
        config["parameters"] = {"normalize_weights": True}
    else:
        density = {"density": settings.density} if method in SPARSE else {}
        config["base_model"] = _model(base)
        config["models"] = [_weighted(source, weight, **density) for source, weight in sources]
        config["parameters"] = {"normalize": normalize, "lambda": settings.scale}
        if method.startswith("dare"):
            config["parameters"]["rescale"] = True
    return config


def explain(settings: MergeSettings, members: Sequence[Member]) -> list[str]:
    """Return what the method does with each weight, a sentence a line."""
    method = settings.method
    total = sum(member.weight for member in members)
    if method in SHARES:
        lines = [_EXPLANATIONS[method]]
        if method == "slerp" and len(members) == 1:
            (member,) = members
            return [
                *lines,
                f"{member.name} {member.weight:g}: the model is {member.weight:.0%} of the way "
                "from the base to it, which is its strength.",
            ]
        shares = [(member, member.weight / total) for member in members]
        return lines + [
            f"{member.name} {member.weight:g}: a share of {share:.0%}, {member.weight:g} of the "
            f"sum {total:g}; its strength falls with every other adapter."
            for member, share in shares
        ]
    lines = [_EXPLANATIONS[method].format(density=f"{settings.density:.0%}")]
    # What dare keeps is scaled up to the whole; what ties keeps is not.
    what = "what is kept of its change" if method == "ties" else "what it learned"
    found = strengths(settings, {member.name: member.weight for member in members})
    for member in members:
        strength = found[member.name]
        if settings.normalize:
            lines.append(
                f"{member.name} {member.weight:g}: divided by the sum of the weights {total:g}, "
                f"{strength:.3g} of {what}."
            )
        else:
            lines.append(f"{member.name} {member.weight:g}: {strength:.3g} of {what}.")
    return lines


def as_yaml(config: dict[str, Any], comments: Sequence[str]) -> str:
    """Return a configuration as a YAML file that mergekit-yaml reads as well."""
    yaml = packages.load("yaml", "merging")
    head = "".join(f"# {line}\n" for line in comments)
    return head + str(yaml.safe_dump(config, sort_keys=False))


_EXPLANATIONS = {
    "task_arithmetic": "task_arithmetic adds each adapter's change to the base, times its weight.",
    "linear": "linear is the weighted mean of models; with the base as one of them at 1 minus the "
    "sum of the weights, it adds each adapter's change to the base, times its weight.",
    "ties": "ties keeps the largest {density} of each adapter's change, and where adapters pull a "
    "number in opposite directions, only those on the stronger side.",
    "dare_ties": "dare_ties drops all but a random {density} of each adapter's change, scales up "
    "the rest to make up for it, and where adapters pull a number in opposite directions, keeps "
    "only those on the stronger side.",
    "dare_linear": "dare_linear drops all but a random {density} of each adapter's change, scales "
    "up the rest to make up for it, and adds them to the base, times their weights.",
    "slerp": "slerp goes along the arc from one model to another.",
    "multislerp": "multislerp is the mean of several models on a sphere.",
}


def _weighted(model: Any, weight: float, **more: float) -> dict[str, Any]:
    return {"model": model, "parameters": {"weight": weight, **more}}


def _reference(member: Member, base: Path) -> Any:
    if not member.is_adapter:
        return _model(member.folder)
    if _is_split(f"{base}{member.folder}"):
        return {"model": {"path": str(base)}, "lora": {"path": str(member.folder)}}
    return f"{base}+{member.folder}"


def _model(folder: Path) -> Any:
    return {"model": {"path": str(folder)}} if _is_split(str(folder)) else str(folder)


def _is_split(text: str) -> bool:
    """Tell whether mergekit would take a text apart, at a revision or an adapter."""
    return any(sign in text for sign in "+@")
