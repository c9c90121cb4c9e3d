#!/usr/bin/env python3
# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Fill the tables of docs/benchmarks.md and of the README from `bench/results/`.

Only what a result file holds is shown. A benchmark without one stands there as not measured, a
figure that misses its target as missed. `--check` changes nothing and fails where the document is
not what the results say.
"""

from __future__ import annotations

import argparse
import ast
import json
import re
import sys
from pathlib import Path
from typing import Any

from figures import Figure
from targets import BENCHES, HEADLINES

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "bench" / "results"
BEGIN = "<!-- Made by `python bench/table.py` from bench/results; change nothing here by hand. -->"
END = "<!-- The end of what is made. -->"
_NOT_MEASURED = "not measured yet"


def benchmarks() -> dict[str, str]:
    """Return every benchmark that can be run, with the first line of what it says of itself."""
    found = {}
    for path in sorted((ROOT / "bench").glob("*.py")):
        text = path.read_text()
        if '__name__ == "__main__"' in text and path != Path(__file__).resolve():
            about = ast.get_docstring(ast.parse(text)) or ""
            found[path.stem] = " ".join(about.split("\n\n")[0].split())
    return found


def commands() -> dict[str, str]:
    """Return the command of every benchmark, with the options that bench/all.bash gives it."""
    found = {name: f"python bench/{name}.py" for name in benchmarks()}
    for line in (ROOT / "bench" / "all.bash").read_text().splitlines():
        given = re.match(r"\s*(python bench/(\w+)\.py\b.*)", line)
        if given:
            # What the shell fills in stands for itself: "$DIR" is DIR.
            found[given[2]] = re.sub(r'"\$(\w+)"', r"\1", given[1]).replace('"$@"', "...")
    return found


def result_of(name: str) -> dict[str, Any] | None:
    """Return a benchmark's committed result, or None."""
    path = RESULTS / f"{name}.json"
    return json.loads(path.read_text()) if path.is_file() else None


def row(figure: Figure, result: dict[str, Any] | None) -> str:
    """Return one line of a table."""
    target = ""
    if figure.target is not None:
        bound = "at most" if figure.most else "at least"
        target = f"{bound} {figure.show(figure.target)}"
    shown, verdict = _NOT_MEASURED, ""
    if result is not None:
        try:
            value = figure.value(result)
        except (KeyError, IndexError):
            shown = "not in the committed result"
        else:
            shown = figure.show(value)
            if figure.target is not None:
                verdict = "met" if figure.met(value) else "**missed**"
    return f"| {figure.what} | {shown} | {figure.against} | {target} | {verdict} |"


def machine(result: dict[str, Any]) -> str:
    """Return where a result comes from, in words."""
    known = result.get("machine", {})
    if not known:
        torch = f", torch {result['torch']}" if "torch" in result else ""
        return f"one {result['device']}{torch}" if "device" in result else "not recorded"
    versions = ", ".join(
        f"{name} {known[name]}"
        for name in ("numpy", "llama-cpp-python", "torch")
        if known.get(name, "not installed") != "not installed"
    )
    ros = f", ROS 2 {known['ros_distro'].title()}" if known.get("ros_distro") else ""
    return (
        f"{known['cores']} cores of an {known['cpu']}, Python {known['python']}{ros}, {versions}"
    )


def section(
    title: str, benches: dict[str, tuple[Figure, ...]], known: dict[str, str]
) -> list[str]:
    """Return one section: for each benchmark its command, what it does, and its figures."""
    lines = ["", f"## {title}"]
    command = commands()
    for name, figures in benches.items():
        result = result_of(name)
        lines += ["", f"### {name}", "", f"`{command[name]}`: {known[name]}"]
        if result is None:
            lines += ["", "There is no committed result yet."]
        if figures:
            lines += ["", "| what | figure | against | target | |", "|---|---|---|---|---|"]
            lines += [row(figure, result) for figure in figures]
        elif result is not None:
            lines += ["", f"All of it is in `bench/results/{name}.json`."]
        if result is not None:
            lines += ["", f"Measured on {machine(result)}."]
    return lines


def table() -> str:
    """Return what stands between the two marks."""
    known = benchmarks()
    named = {name for benches in BENCHES.values() for name in benches}
    gone = sorted(named - set(known))
    if gone:
        raise SystemExit(
            f"table: bench/targets.py names {', '.join(gone)}, which is not in bench/"
        )
    sections = [*BENCHES.items()]
    others = {name: () for name in known if name not in named}
    if others:
        sections.append(("Further", others))
    rows = [
        row(figure, result_of(name))
        for benches in BENCHES.values()
        for name, figures in benches.items()
        for figure in figures
        if figure.target is not None
    ]
    met = sum(line.endswith("| met |") for line in rows)
    missed = sum("**missed**" in line for line in rows)
    lines = [
        "",
        f"Of {len(rows)} targets, {met} are met, {missed} are missed, and"
        f" {len(rows) - met - missed} have no measured figure yet.",
    ]
    for title, benches in sections:
        lines += section(title, benches, known)
    return "\n".join([*lines, ""])


def headlines() -> str:
    """Return the README's table."""
    lines = ["", "| what | figure | against | command |", "|---|---|---|---|"]
    command = commands()
    for name, whats in HEADLINES.items():
        figures = next(benches[name] for benches in BENCHES.values() if name in benches)
        for what in whats:
            figure = next(one for one in figures if one.what == what)
            cells = row(figure, result_of(name)).split(" | ")[:3]
            lines.append(" | ".join(cells) + f" | `{command[name]}` |")
    return "\n".join([*lines, ""])


def filled(document: Path, made: str) -> str:
    """Return a document with its made part made anew."""
    before, begin, rest = document.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise SystemExit(
            f"table: {document.relative_to(ROOT)} has lost its marks:\n{BEGIN}\n{END}"
        )
    return f"{before}{BEGIN}\n{made}\n{END}{after}"


def main() -> int:
    """Fill the documents, or check them."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument(
        "--check", action="store_true", help="change nothing; fail if they are stale"
    )
    options = parser.parse_args()
    stale = {}
    for name, made in (("docs/benchmarks.md", table()), ("README.md", headlines())):
        new = filled(ROOT / name, made)
        if new != (ROOT / name).read_text():
            stale[name] = new
    if options.check:
        for name in stale:
            print(f"table: {name} is stale; run: python bench/table.py", file=sys.stderr)
        return int(bool(stale))
    for name, new in stale.items():
        (ROOT / name).write_text(new)
        print(f"written to {name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
