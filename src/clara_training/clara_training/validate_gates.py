# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""What a run must reach, judged on what was measured.

- Each GGUF is as true to the model as its quantisation must be.
- Each trait's adapter raises its margin, and more of it never means less of the trait.
- The merged model moved towards the traits that the spec asks much of.
- Ordinary English has not become much harder.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

MUCH = 0.5  # the strength from which on the merged model must have moved
WORST_PERPLEXITY_RATIO = 1.5
_SLACK = 0.02  # of a curve's whole rise, by which a step may fall without being called a fall


@dataclass(frozen=True)
class Verdict:
    """One gate."""

    name: str
    passed: bool
    detail: str

    def as_json(self) -> dict[str, Any]:
        """Return it for the file."""
        return asdict(self)


def gates(result: Mapping[str, Any]) -> list[Verdict]:
    """Judge what `validate_run` measured."""
    return [*_fidelity(result), *_traits(result), *_general(result)]


def rises(curve: list[float]) -> bool:
    """Tell whether a curve goes up, and never down by more than rounding."""
    whole = curve[-1] - curve[0]
    steps = pairwise(curve)
    return whole > 0 and all(after - before >= -_SLACK * whole for before, after in steps)


def _fidelity(result: Mapping[str, Any]) -> Iterator[Verdict]:
    for name, found in result["fidelity"].items():
        detail = (
            f"{found['quantization']}: KL {found['kl']:.2e}, same likeliest token"
            f" {found['same_top']:.1%}, perplexity x {found['perplexity_ratio']:.4f}"
        )
        if found["faults"]:
            detail += f"; {'; '.join(found['faults'])}"
        yield Verdict(f"fidelity of {name}", not found["faults"], detail)


def _traits(result: Mapping[str, Any]) -> Iterator[Verdict]:
    strengths = result["spec"]["personality"]
    for name, found in result["traits"].items():
        curve = [point["mean"] for point in found["curve"]]
        shown = ", ".join(f"{value:+.2f}" for value in curve)
        yield Verdict(f"slider {name}", rises(curve), f"margin from 0 to 1: {shown}")
        if strengths[name] >= MUCH:
            before, after = found["base"]["mean"], found["merged"]["mean"]
            yield Verdict(
                f"merged {name}",
                after > before,
                f"margin {before:+.2f} before, {after:+.2f} after, at strength {strengths[name]}",
            )


def _general(result: Mapping[str, Any]) -> Iterator[Verdict]:
    found = result["general"]
    yield Verdict(
        "general text",
        found["ratio"] <= WORST_PERPLEXITY_RATIO,
        f"perplexity {found['base']:.1f} before, {found['merged']:.1f} after"
        f" (x {found['ratio']:.3f}, at most {WORST_PERPLEXITY_RATIO})",
    )
