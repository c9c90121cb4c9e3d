# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Bad days, one after the other, and what Clara loses on them: `make drill` calls it.

Everything happens on this machine: in a folder of its own, on a DDS domain of its own, over the
loopback or namespaces that a drill makes and takes down. Ends with 1 when anything was lost.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

_BENCH = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(_BENCH), str(_BENCH.parent / "tests")]

from domain_coordinator import domain_id
from drill.clock import clock_jumps
from drill.disk import disk_full
from drill.flood import flood
from drill.kill import kill
from drill.model_file import model_replaced
from drill.nonsense import nonsense
from drill.outcome import Outcome, Skipped
from drill.partition import partition
from drill.pressure import memory_pressure
from drill.soak import soak
from report import RESULTS, report
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from small_model import write_small_model

Drill = Callable[[int, Path, Path], Outcome]


def drills(minutes: float) -> dict[str, Drill]:
    """Return the drills by name, in their order."""
    return {
        "kill": kill,
        "disk": disk_full,
        "clock": clock_jumps,
        "flood": flood,
        "model": model_replaced,
        "pressure": memory_pressure,
        "nonsense": nonsense,
        "partition": partition,
        "soak": lambda domain, folder, model: soak(domain, folder, model, minutes),
    }


def hold(drill: Drill) -> Outcome:
    """Hold one drill in a folder and a domain of its own. Raises Skipped."""
    # From the far end: who sets a domain by hand takes a low one.
    numbers = iter(range(100, 0, -1))
    with (
        domain_id(lambda: next(numbers)) as domain,
        tempfile.TemporaryDirectory(prefix="clara-drill-") as name,
    ):
        folder = Path(name)
        os.environ.update(
            ROS_DOMAIN_ID=str(domain),
            ROS_AUTOMATIC_DISCOVERY_RANGE="LOCALHOST",
            ROS_LOG_DIR=str(folder / "log"),
        )
        model = folder / "small.gguf"
        write_small_model(model)
        try:
            return drill(int(domain), folder, model)
        except AssertionError as error:
            # Something that was waited for did not come in its time.
            return Outcome("broken off", faults=[str(error).strip()[-600:]])


def row(name: str, outcome: Outcome | str) -> tuple[str, ...]:
    """Return a row of the table; a text is the reason why a drill was skipped."""
    if isinstance(outcome, str):
        return name, outcome, "", "", "[yellow]skipped[/yellow]"
    faults = (f"[red]{escape(fault)}[/red]" for fault in outcome.faults)
    said = "\n".join([*map(escape, [outcome.done, *outcome.notes]), *faults])
    took = sorted(outcome.recovered_s)
    recovered = f"{took[len(took) // 2]:.1f} s (most {took[-1]:.1f})" if took else ""
    verdict = "[green]passed[/green]" if outcome.passed else "[red]FAILED[/red]"
    return name, said, str(outcome.lost), recovered, verdict


def _earlier() -> dict[str, object]:
    path = RESULTS / "drill.json"
    return json.loads(path.read_text())["drills"] if path.is_file() else {}


def main() -> int:
    """Hold the drills and report."""
    parser = argparse.ArgumentParser(prog="make drill", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0, help="of the soak")
    parser.add_argument("--only", nargs="+", choices=list(drills(0)), help="these drills")
    options = parser.parse_args()
    console = Console()
    held: dict[str, Outcome | str] = {}
    seconds: dict[str, float] = {}
    wanted = {
        name: drill
        for name, drill in drills(options.minutes).items()
        if not options.only or name in options.only
    }
    try:
        for name, drill in wanted.items():
            console.print(f"[bold]{name}[/bold] ...")
            began = time.monotonic()
            try:
                held[name] = hold(drill)
            except Skipped as reason:
                held[name] = str(reason)
            seconds[name] = time.monotonic() - began
            console.print(*row(name, held[name])[1:], f"({seconds[name]:.0f} s)", sep="\n  ")
    except KeyboardInterrupt:
        console.print("stopped; what the drill had started is gone")
        return 130
    table = Table(title="Bad days", show_lines=True)
    for title in ("drill", "what was done", "lost", "recovered in", "verdict"):
        table.add_column(title)
    for name, outcome in held.items():
        table.add_row(*row(name, outcome))
    console.print(table)
    outcomes = [each for each in held.values() if isinstance(each, Outcome)]
    lost = sum(outcome.lost for outcome in outcomes)
    passed = sum(outcome.passed for outcome in outcomes)
    figures = {
        name: {
            "seconds": seconds[name],
            **({"skipped": each} if isinstance(each, str) else asdict(each)),
        }
        for name, each in held.items()
    }
    report(
        "drill",
        "Bad days",
        {
            "drills": f"{passed} of {len(held)} passed, {len(held) - len(outcomes)} skipped",
            "lost": str(lost),
        },
        # A drill that is held by itself replaces its own result and no other.
        {"drills": {**_earlier(), **figures}},
    )
    return 0 if passed == len(outcomes) else 1


if __name__ == "__main__":
    sys.exit(main())
