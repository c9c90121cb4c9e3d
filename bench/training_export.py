#!/usr/bin/env python3
# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Exporting a model to GGUF, against llama.cpp's own converter: same bytes, less time.

The converter comes in the source distribution of llama-cpp-python, of the version that is
installed; it is fetched into a folder of the cache and unpacked there. Each side is a fresh
process, and they take turns.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

import gguf
from clara_training.base import find_base
from report import report

OURS = (
    "import sys; from pathlib import Path; from clara_training.export_gguf import write_model;"
    " write_model(Path(sys.argv[1]), Path(sys.argv[2]))"
)


def converter(folder: Path) -> Path:
    """Return convert_hf_to_gguf.py, fetched where it is not there yet."""
    release = version("llama-cpp-python")
    root = folder / f"llama-cpp-python-{release}"
    found = root / "convert_hf_to_gguf.py"
    if found.is_file():
        return found
    root.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as place:
        subprocess.run(
            [
                *(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"),
                *("--no-binary", "llama-cpp-python", "--dest", place),
                f"llama-cpp-python=={release}",
            ],
            check=True,
        )
        archive = next(Path(place).glob("*.tar.gz"))
        with tarfile.open(archive) as tar:
            for member in tar:
                inside = member.name.partition("/vendor/llama.cpp/")[2]
                if inside.startswith(("convert_hf_to_gguf.py", "conversion/", "gguf-py/gguf")):
                    member.name = inside
                    tar.extract(member, root, filter="data")
    return found


def seconds(command: list[str]) -> float:
    """Run a command and return its wall time."""
    start = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - start


def tensors(path: Path) -> dict[str, tuple[int, bytes]]:
    """Every tensor's type and bytes."""
    return {
        each.name: (int(each.tensor_type), each.data.tobytes())
        for each in gguf.GGUFReader(path).tensors
    }


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base", default="smollm2", help="model: smollm2, or a folder")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "clara" / "peers"
    script = converter(cache)
    folder = find_base(options.base).folder
    with tempfile.TemporaryDirectory() as place:
        ours, theirs = Path(place, "ours.gguf"), Path(place, "theirs.gguf")
        commands = {
            "clara": [sys.executable, "-c", OURS, str(folder), str(ours)],
            "llama.cpp": [
                *(sys.executable, str(script), str(folder)),
                *("--outtype", "f16", "--outfile", str(theirs)),
            ],
        }
        for command in commands.values():  # the files are in the page cache for both
            seconds(command)
        times: dict[str, list[float]] = {name: [] for name in commands}
        for _ in range(options.rounds):
            for name, command in commands.items():
                times[name].append(seconds(command))
        one, other = tensors(ours), tensors(theirs)
    same = sum(one[name] == other.get(name) for name in one)
    ratios = [b / a for a, b in zip(times["clara"], times["llama.cpp"], strict=True)]
    medians = {name: statistics.median(values) for name, values in times.items()}
    rows = {
        "tensors byte-equal": f"{same} of {len(other)}",
        **{f"{name}, whole command": f"{value:.2f} s" for name, value in medians.items()},
        "faster by": f"{statistics.median(ratios):.2f} times"
        f" ({min(ratios):.2f} to {max(ratios):.2f})",
    }
    figures = {
        "model": options.base,
        "equal": same,
        "tensors": len(other),
        "seconds": times,
        "ratio": statistics.median(ratios),
    }
    report("training_export", "Export to GGUF (f16) against llama.cpp's converter", rows, figures)
    if same != len(other) or len(one) != len(other):
        sys.exit("the tensors differ")


if __name__ == "__main__":
    main()
