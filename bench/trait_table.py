#!/usr/bin/env python3
# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""What training on the starter data moves: every trait and domain, before, alone, and merged.

Runs the whole pipeline on the model that comes with Clara (an hour on two CPU cores; a run that is
there already is taken as it is), and reads its `validation.json`: a trait's margin is the
log-probability of held-out replies with much of it less that with little, in nats a token; a
domain has the perplexity of held-out answers.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

from report import report


def main() -> None:
    """Train where it was not done yet, and report."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--run", type=Path, default=Path("runs/clara"))
    options = parser.parse_args()
    found = options.run / "validation.json"
    if not found.is_file():
        command = ["clara-train", "run", "--base", "smollm2", "--no-claude", "--yes"]
        subprocess.run([*command, "--run", str(options.run)], check=False)
    if not found.is_file():
        sys.exit(f"trait_table: the pipeline did not come to its end: {found} is not there")
    result = json.loads(found.read_text())
    ways = ("base", "adapter", "merged")
    rows = {"": ", ".join(ways)}
    figures: dict[str, object] = {"base_model": result["base_model"], "spec": result["spec"]}
    for kind, measure, digits in (("traits", "mean", "+.2f"), ("domains", "perplexity", ".0f")):
        for name, measured in result[kind].items():
            values = [measured[way][measure] for way in ways]
            rows[f"{name}, {'margin' if kind == 'traits' else 'perplexity'}"] = ", ".join(
                format(value, digits) for value in values
            )
            figures[name] = dict(zip(ways, values, strict=True))
    general = result["general"]
    rows["general text, perplexity"] = f"{general['base']:.0f}, , {general['merged']:.0f}"
    figures["general"] = general
    together = result.get("together")
    if together:
        rows["merged, of the method's whole change"] = f"{together['share']:.2f}"
        figures["together"] = together
    trained = sum(float(each["seconds"]) for each in result["training"].values())
    rows["training the adapters"] = f"{trained / 60:.0f} min"
    figures["training_seconds"] = trained
    failed = [gate for gate in result["gates"] if not gate["passed"]]
    rows["gates failed"] = "; ".join(gate["name"] for gate in failed) or "none"
    figures["gates"] = result["gates"]
    manifest = json.loads((options.run / "metrics" / "pipeline.json").read_text())
    figures["pipeline"] = manifest
    report("trait_table", "What training moves", rows, figures)


if __name__ == "__main__":
    main()
