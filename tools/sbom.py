#!/usr/bin/env python3
# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""List what Clara is installed with: an SBOM in CycloneDX, the licences, and a check of them.

`make sbom` makes `build/sbom/<group>.cdx.json` and `<group>.licences.md` for the robot and for
training; the images have theirs in `/opt/clara/sbom`. The exit code is 1 where a licence is not
one that goes with Apache-2.0, or is not stated. Needs `cyclonedx-bom` (requirements/sbom.txt).
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import distributions
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parent.parent
SPEC_VERSION = "1.6"
# Files of requirements/ whose packages, with all they depend on, make up a group.
GROUPS = {"robot": ("runtime", "console", "model"), "training": ("training", "model")}
# As SPDX and as PyPI's classifiers spell them. MPL-2.0 asks only who changes its files.
ALLOWED = re.compile(
    r"0BSD|Apache-2\.0|BSD-[23]-Clause|BSL-1\.0|CC0-1\.0|CNRI-Python|HPND|ISC|LLVM-exception|MIT"
    r"|MIT-0|MIT-CMU|MPL-2\.0|PSF-2\.0|Python-2\.0|Unlicense|Zlib"
    r"|(Apache Software|BSD|ISC|MIT|Python Software Foundation) License( \(ISCL\))?"
    r"|Mozilla Public License 2\.0 \(MPL 2\.0\)"
)
# Packages whose metadata has no licence, and where it was read instead.
UNSTATED = {
    "protobuf": "BSD-3-Clause",  # its LICENSE file
    "setuptools": "MIT",  # its LICENSE file
    "transformers": "Apache-2.0",  # its LICENSE file
}
# Licences beyond those above, each looked at by a person: why it is no obstacle.
ACCEPTED = {
    "mergekit": "LGPL-3.0: imported by training alone, not changed, not part of what a robot runs",
    "nvidia-*": "NVIDIA's own terms: PyTorch's CUDA libraries, in training alone",
    "cuda-*": "NVIDIA's own terms: PyTorch's CUDA libraries, in training alone",
}
Machine = dict[str, str]
# What `installed` asks a Python: where it looks for packages, and what markers are judged by.
DESCRIBE = """
import json, os, platform, sys
print(json.dumps([sys.path[1:], {
    "python_version": "%d.%d" % sys.version_info[:2], "sys_platform": sys.platform,
    "python_full_version": platform.python_version(), "os_name": os.name,
    "platform_machine": platform.machine(), "platform_system": platform.system(), "extra": "",
}]))
"""
CLASSIFIER = "License :: OSI Approved :: "


@dataclass(frozen=True)
class Licensed:
    """One package with its licence, and why that is no obstacle where it is not a usual one."""

    name: str
    version: str
    licence: str
    note: str = ""


class SbomError(Exception):
    """The list cannot be made; the message says why and what to do."""


def normalized(name: str) -> str:
    """Return a distribution's name as PEP 503 spells it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def required(group: str) -> list[Requirement]:
    """Return what a group's requirements files ask for."""
    return [
        Requirement(line)
        for file in GROUPS[group]
        for line in (ROOT / "requirements" / f"{file}.txt").read_text("utf-8").splitlines()
        if line and not line.startswith("#")
    ]


def closure(roots: Iterable[Requirement], folders: list[str], machine: Machine) -> set[str]:
    """Return the names of what these requirements and all they depend on have installed.

    `folders` are where a Python looks for packages, `machine` what its markers are judged by.
    Optional extras count only where somebody asks for them.
    """
    metadata: dict[str, list[str]] = {}
    for found in distributions(path=folders):
        metadata.setdefault(normalized(found.metadata["Name"] or ""), found.requires or [])
    waiting, seen = list(roots), set()
    kept: set[str] = set()
    while waiting:
        one = waiting.pop()
        name, extras = normalized(one.name), ("", *sorted(one.extras))
        if (name, extras) in seen or (one.marker and not one.marker.evaluate({**machine})):
            continue
        seen.add((name, extras))
        if name not in metadata:
            continue
        kept.add(name)
        for line in metadata[name]:
            need = Requirement(line)
            marker = need.marker
            if marker is None or any(marker.evaluate({**machine, "extra": e}) for e in extras):
                need.marker = None
                waiting.append(need)
    return kept


def part_of(bom: dict[str, Any], names: set[str]) -> dict[str, Any]:
    """Return the SBOM of these packages alone."""
    kept = [part for part in bom["components"] if normalized(part["name"]) in names]
    refs = {part["bom-ref"] for part in kept}
    needs = [
        {**entry, "dependsOn": [ref for ref in entry.get("dependsOn", []) if ref in refs]}
        for entry in bom["dependencies"]
        if entry["ref"] in refs
    ]
    return {**bom, "components": kept, "dependencies": needs}


def licensed(part: dict[str, Any]) -> Licensed:
    """Return what a component of an SBOM says of its licence."""
    said = []
    for entry in part.get("licenses", []):
        one = entry.get("expression") or entry["license"].get("id") or entry["license"]["name"]
        said.append(one.strip().splitlines()[0].removeprefix(CLASSIFIER))
    name = normalized(part["name"])
    licence = ", ".join(sorted(set(said))) or UNSTATED.get(name, "")
    note = next((ACCEPTED[key] for key in ACCEPTED if re.fullmatch(_pattern(key), name)), "")
    return Licensed(name, part.get("version", ""), licence, note)


def _pattern(key: str) -> str:
    return re.escape(key).replace(r"\*", ".*")


def is_allowed(licence: str) -> bool:
    """Tell whether a licence is one that goes with Apache-2.0.

    Of an SPDX expression without parentheses, one side of an OR is enough; with them every licence
    in it must be allowed.
    """
    if not licence:
        return False
    sides = [licence] if "(" in licence and " OR " in licence else licence.split(" OR ")
    return any(
        all(
            ALLOWED.fullmatch(part.strip()) is not None
            for part in re.split(r" AND | WITH | OR |, ", side)
        )
        for side in sides
    )


def refused(packages: Iterable[Licensed]) -> list[str]:
    """Return a sentence for each package whose licence is not allowed and was not looked at."""
    return [
        f"{one.name} {one.version}: {one.licence or 'states no licence'}"
        for one in packages
        if not one.note and not is_allowed(one.licence)
    ]


def table(packages: Iterable[Licensed]) -> str:
    """Return a Markdown table of the licences."""
    rows = [
        f"| {one.name} | {one.version} | {one.licence}{f' ({one.note})' if one.note else ''} |"
        for one in packages
    ]
    return "\n".join(["| package | version | licence |", "|---|---|---|", *rows]) + "\n"


def answer_of(command: list[str], python: Path) -> Any:
    """Return the JSON that a command prints about a Python. Raises SbomError."""
    try:
        result = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        raise SbomError(f"{command[0]}: {error.strerror}") from error
    if result.returncode != 0:
        last = result.stderr.strip().splitlines()[-1:] or ["no reason given"]
        raise SbomError(f"cannot list {python}: {last[0]}")
    return json.loads(result.stdout)


def installed(python: Path) -> dict[str, Any]:
    """Return the SBOM of all that a Python environment has. Raises SbomError."""
    if find_spec("cyclonedx_py") is None:
        raise SbomError(
            "cyclonedx-bom is not installed: pip install -c constraints.txt"
            " -r requirements/sbom.txt"
        )
    options = ["--output-reproducible", "--of", "JSON", "--sv", SPEC_VERSION]
    command = [sys.executable, "-m", "cyclonedx_py", "environment", *options, str(python)]
    bom: dict[str, Any] = answer_of(command, python)
    return bom


def main() -> int:
    """Write the lists, check the licences, and return the exit code."""
    parser = argparse.ArgumentParser(description="List what Clara is installed with.")
    parser.add_argument("groups", nargs="*", default=list(GROUPS), help="robot, training")
    parser.add_argument("--python", type=Path, default=Path(sys.executable), help="of which")
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "sbom", help="folder")
    options = parser.parse_args()
    if unknown := set(options.groups) - set(GROUPS):
        parser.error(f"no such group: {', '.join(sorted(unknown))}")
    try:
        folders, machine = answer_of([str(options.python), "-c", DESCRIBE], options.python)
        bom = installed(options.python)
    except SbomError as error:
        print(f"sbom: {error}", file=sys.stderr)
        return 1
    options.out.mkdir(parents=True, exist_ok=True)
    code = 0
    for group in options.groups:
        part = part_of(bom, closure(required(group), folders, machine))
        packages = sorted((licensed(one) for one in part["components"]), key=lambda p: p.name)
        (options.out / f"{group}.cdx.json").write_text(json.dumps(part, indent=1) + "\n")
        (options.out / f"{group}.licences.md").write_text(table(packages))
        bad = refused(packages)
        print(f"{group}: {len(packages)} packages, {len(bad)} with a licence to look at")
        for sentence in bad:
            print(f"  {sentence}")
            code = 1
    print(f"written to {options.out}")
    return code


if __name__ == "__main__":
    sys.exit(main())
