# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""The plots of a validation report, each as an SVG text to put into the page.

Text stays text (the page's own font draws it), and no font or script is fetched from anywhere.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from typing import Any

from clara_training import packages

_BEFORE, _ADAPTER, _AFTER = "#8d99ae", "#e09f3e", "#2a6f97"
_LINES = ("#2a6f97", "#e09f3e", "#9e2a2b", "#588157", "#7b5ea7", "#457b9d", "#bc6c25", "#606c38")


def trait_curves(traits: Mapping[str, Any]) -> str:
    """Draw each trait's margin against the scale of its adapter, and where the merge stands."""
    columns = min(4, max(1, len(traits)))
    rows = -(-len(traits) // columns)
    figure, axes = _axes(rows, columns, width=2.75 * columns, height=2.5 * rows)
    for axis, (name, found) in zip(axes, traits.items(), strict=False):
        weights = [point["weight"] for point in found["curve"]]
        means = [point["mean"] for point in found["curve"]]
        errors = [point["error"] for point in found["curve"]]
        axis.axhline(0, color="#bbbbbb", linewidth=0.8)
        axis.errorbar(
            *(weights, means, errors), color=_AFTER, marker="o", markersize=4, capsize=2, lw=1.8
        )
        axis.axhline(found["merged"]["mean"], color=_ADAPTER, linewidth=1.4, linestyle="--")
        axis.set_title(name, loc="left", fontweight="bold")
        axis.set_xlabel("scale of the adapter")
        axis.set_xticks(weights)
    for axis in axes[len(traits) :]:
        axis.set_visible(False)
    axes[0].set_ylabel("margin, nats a token")
    return _svg(figure, "Margin of each trait against the scale of its adapter")


def heat_map(leakage: Mapping[str, Mapping[str, float]]) -> str:
    """Draw what each adapter (row) does to each trait's margin (column)."""
    rows = list(leakage)
    columns = list(next(iter(leakage.values()), {}))
    values = [[leakage[row][column] for column in columns] for row in rows]
    most = max((abs(value) for row in values for value in row), default=1.0) or 1.0
    size = (1.9 + 1.05 * len(columns), 1.1 + 0.42 * len(rows))
    figure, axes = _axes(1, 1, width=size[0], height=size[1])
    axis = axes[0]
    edges = (range(len(columns) + 1), range(len(rows) + 1))
    axis.pcolormesh(*edges, values, cmap="RdBu", vmin=-most, vmax=most, edgecolors="white")
    axis.invert_yaxis()
    axis.set_xticks([place + 0.5 for place in range(len(columns))], columns)
    axis.set_yticks([place + 0.5 for place in range(len(rows))], rows)
    axis.xaxis.tick_top()
    axis.tick_params(length=0)
    for spine in axis.spines.values():
        spine.set_visible(False)
    for y, row in enumerate(values):
        for x, value in enumerate(row):
            shade = "white" if abs(value) > 0.6 * most else "#222222"
            axis.text(x + 0.5, y + 0.5, f"{value:+.2f}", ha="center", va="center", color=shade)
    return _svg(figure, "Change of each trait's margin under each adapter")


def losses(records: Sequence[Mapping[str, Any]]) -> str:
    """Draw the training loss (and the held-out loss, as points) of every dimension."""
    figure, axes = _axes(1, 1, width=7.5, height=3.2)
    axis = axes[0]
    names = list(dict.fromkeys(str(record["dimension"]) for record in records))
    for number, name in enumerate(names):
        own = [record for record in records if record["dimension"] == name]
        colour = _LINES[number % len(_LINES)]
        for key, style in (("loss", {"lw": 1.6}), ("held_out_loss", {"marker": "o", "lw": 0})):
            found = [(record["step"], record[key]) for record in own if record.get(key)]
            if found:
                label = name if key == "loss" else None
                axis.plot(*zip(*found, strict=True), color=colour, label=label, **style)
    axis.set_xlabel("step")
    axis.set_ylabel("loss, nats a token")
    axis.legend(frameon=False, ncols=2)
    return _svg(figure, "Training loss of each dimension")


def curves(lines: Mapping[str, Sequence[tuple[float, float]]], x: str, y: str) -> str:
    """Draw lines of points, each by its name."""
    figure, axes = _axes(1, 1, width=7.5, height=3.2)
    axis = axes[0]
    for number, (name, points) in enumerate(lines.items()):
        colour = _LINES[number % len(_LINES)]
        if points:
            axis.plot(*zip(*points, strict=True), color=colour, label=name, marker="o", ms=3)
    axis.set_xlabel(x)
    axis.set_ylabel(y)
    axis.legend(frameon=False)
    return _svg(figure, f"{y} against {x}")


def groups(values: Mapping[str, Mapping[str, float]], label: str) -> str:
    """Draw for each name a group of bars, one for each inner name, as shares of 1."""
    figure, axes = _axes(1, 1, width=max(4.2, 1.2 + 1.3 * len(values)), height=2.9)
    axis = axes[0]
    inner = list(dict.fromkeys(name for each in values.values() for name in each))
    width = 0.8 / max(1, len(inner))
    for number, name in enumerate(inner):
        places = [place - 0.4 + width * (number + 0.5) for place in range(len(values))]
        heights = [each.get(name, 0.0) for each in values.values()]
        colour = _LINES[number % len(_LINES)]
        axis.bar(places, heights, width=0.92 * width, color=colour, label=name)
    axis.set_xticks(range(len(values)), list(values))
    axis.set_ylabel(label)
    axis.legend(frameon=False, ncols=len(inner), loc="lower left", bbox_to_anchor=(0, 1))
    return _svg(figure, label)


def bars(values: Mapping[str, float], unit: str, title: str) -> str:
    """Draw one horizontal bar for each value, with the value written at its end."""
    figure, axes = _axes(1, 1, width=6.2, height=0.7 + 0.34 * len(values))
    axis = axes[0]
    names = list(values)[::-1]
    axis.barh(names, [values[name] for name in names], color=_AFTER, height=0.62)
    for place, name in enumerate(names):
        axis.text(values[name], place, f" {values[name]:.4g} {unit}", va="center", ha="left")
    axis.set_xlim(0, 1.2 * max(values.values(), default=1.0))
    axis.xaxis.set_visible(False)
    axis.tick_params(length=0)
    for spine in axis.spines.values():
        spine.set_visible(False)
    return _svg(figure, title)


def before_and_after(
    domains: Mapping[str, Any], key: str, label: str, *, percent: bool = False
) -> str:
    """Draw a figure of each domain for the base, its adapter and the merge."""
    figure, axes = _axes(1, 1, width=max(4.2, 1.2 + 1.2 * len(domains)), height=2.9)
    axis = axes[0]
    scale = 100.0 if percent else 1.0
    groups = (("base", _BEFORE), ("adapter", _ADAPTER), ("merged", _AFTER))
    for number, (group, colour) in enumerate(groups):
        heights = [scale * found[group][key] for found in domains.values()]
        places = [place + 0.27 * (number - 1) for place in range(len(heights))]
        axis.bar(places, heights, width=0.25, color=colour, label=group)
    axis.set_xticks(range(len(domains)), list(domains))
    axis.set_ylabel(label)
    if percent:
        axis.set_ylim(0, 100)
    axis.legend(frameon=False, ncols=3, loc="lower left", bbox_to_anchor=(0, 1))
    return _svg(figure, label)


def _axes(rows: int, columns: int, *, width: float, height: float) -> tuple[Any, list[Any]]:
    matplotlib = packages.load("matplotlib", "the report")
    matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "clara", "font.size": 9})
    figures = packages.load("matplotlib.figure", "the report")
    figure = figures.Figure(figsize=(width, height), layout="constrained")
    axes = list(figure.subplots(rows, columns, squeeze=False).flat)
    for axis in axes:
        axis.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _svg(figure: Any, title: str) -> str:
    """Return the figure as an SVG element that scales with the page and says what it shows."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r'(<svg [^>]*?)width="[^"]*" height="[^"]*"', r"\1", text, count=1)
    text = re.sub(r"<metadata>.*?</metadata>", "", text, count=1, flags=re.DOTALL)
    width = 96 * float(figure.get_size_inches()[0])
    opening = f'<svg role="img" aria-label="{title}" style="max-width:{width:.0f}px;width:100%"'
    return text.replace("<svg", opening, 1)
