# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""How a benchmark says what it found: a table on the terminal, and JSON with the machine."""

from __future__ import annotations

import json
import os
import platform
import statistics
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from rich.console import Console
from rich.table import Table

_PACKAGES = ("numpy", "llama-cpp-python", "rapidfuzz", "wordllama", "faiss-cpu", "usearch")
RESULTS = Path(__file__).resolve().parent / "results"


def percentile(values: Sequence[float], share: float) -> float:
    """Return the smallest value that at least `share` (0 to 1) of the values do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, -(-int(share * 1000) * len(ordered) // 1000) - 1))]


def median_interval(values: Sequence[float]) -> tuple[float, float]:
    """Return a 95 % confidence interval of the median, from order statistics (no distribution)."""
    ordered = sorted(values)
    half = 0.98 * len(ordered) ** 0.5
    low = max(0, int(len(ordered) / 2 - half))
    high = min(len(ordered) - 1, int(len(ordered) / 2 + half))
    return ordered[low], ordered[high]


def machine() -> dict[str, object]:
    """Return what a figure depends on."""
    cpu = next(
        (
            line.split(":", 1)[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.processor(),
    )
    return {
        "cpu": cpu,
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "ros_distro": os.environ.get("ROS_DISTRO", ""),
        **{name: _version(name) for name in _PACKAGES},
    }


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def report(name: str, title: str, rows: dict[str, str], figures: dict[str, object]) -> None:
    """Print the rows, and write the figures to `results/<name>.json`."""
    table = Table(title=title, show_header=False)
    for label, value in rows.items():
        table.add_row(label, value)
    Console().print(table)
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps({"machine": machine(), **figures}, indent=2) + "\n")
    print(f"written to {path.relative_to(RESULTS.parent.parent)}")


def summary(values: Sequence[float]) -> dict[str, object]:
    """Return median, its 95 % interval, and the 99th percentile."""
    return {
        "n": len(values),
        "median": statistics.median(values),
        "median_95": list(median_interval(values)),
        "p99": percentile(values, 0.99),
    }
