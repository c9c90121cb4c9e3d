#!/usr/bin/env python3
# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""10,000 malformed requests for every service, topic and action of Clara: `make fuzz`.

Nothing may crash, hang or grow, what the interfaces forbid must be refused with a sentence, and
what they allow must not. The requests are made anew from the interface definitions for each seed.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path

_BENCH = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(_BENCH), str(_BENCH.parent / "tests")]

from clara_brain.errors import ModelError
from clara_brain.probe import probe
from damaged_gguf import damaged, damages
from domain_coordinator import domain_id
from fuzz_doors import nodes
from fuzzing import Findings
from report import report
from rich.console import Console
from rich.table import Table
from small_model import write_small_model

GROWTH_MB = 48.0  # caches and heaps that settle; a leak of 5 kB a request would show
_EXAMPLES = 5
MODEL = "model file"
FILES = 0.03  # one damaged model file for so many requests of another door: each loads a model


def grown(found: Findings) -> str:
    """Say what a node has more of after most of the requests than after the first of them."""
    before, after = found.before, found.after
    if before is None or after is None:
        return ""
    more = []
    if after.rss_mb > before.rss_mb + GROWTH_MB:
        more.append(f"{after.rss_mb - before.rss_mb:.0f} MB of memory")
    if after.threads > before.threads + 1:
        more.append(f"{after.threads - before.threads} threads")
    if after.descriptors > before.descriptors + 2:
        more.append(f"{after.descriptors - before.descriptors} descriptors")
    return f"grew by {', '.join(more)}" if more else ""


def row(found: Findings) -> tuple[str, ...]:
    """Return a row of the table."""
    before, after = found.before, found.after
    held = f"{before.rss_mb:.0f} → {after.rss_mb:.0f} MB" if before and after else ""
    counts = f"{after.threads} / {after.descriptors}" if after else ""
    wrong = [*found.wrong, *filter(None, [grown(found)])]
    verdict = f"[red]{len(wrong)} wrong[/red]" if wrong else "[green]sound[/green]"
    return (
        found.door,
        f"{found.sent:,}" + f" + {found.sent_again}" * bool(found.sent_again),
        f"{found.refused:,}",
        f"{found.seconds:.0f} s",
        held,
        counts,
        verdict,
    )


def model_files(folder: Path, count: int, number: int) -> Findings:
    """Try damaged model files as the node does before it loads one: header first, then a child."""
    found, began = Findings(MODEL), time.monotonic()
    path = folder / "damaged.gguf"
    write_small_model(path)
    ended = 0
    for at, wrong in damages(path, count, number):
        found.sent += 1
        with damaged(path, at, wrong):
            try:
                probe(path)
            except ModelError as error:
                found.refused += 1
                ended += "ends its process" in str(error)
                if not str(error).isprintable():
                    found.add("no sentence", (at, wrong, str(error)))
            except Exception as error:
                found.add(f"not foreseen: {error!r}", (at, wrong))
    found.seconds = time.monotonic() - began
    print(f"{ended} of {count} files ended llama.cpp, in a child")
    return found


def main() -> int:
    """Fuzz and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=10_000, help="for each door")
    parser.add_argument("--only", nargs="+", metavar="DOOR", help="as memory/query or chat")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    all_found: list[Findings] = []
    with domain_id() as domain, tempfile.TemporaryDirectory() as home:
        os.environ.update(ROS_DOMAIN_ID=str(domain), ROS_AUTOMATIC_DISCOVERY_RANGE="LOCALHOST")
        with nodes(int(domain), Path(home)) as made:
            unknown = set(options.only or ()) - {*made.doors, MODEL}
            if unknown:
                parser.error(
                    f"no door {', '.join(sorted(unknown))}; there are {', '.join(made.doors)}"
                )
            for name, fuzz in made.doors.items():
                if not options.only or name in options.only:
                    found = fuzz(options.requests, options.seed)
                    all_found.append(found)
                    print(*row(found)[:4], f"{len(found.wrong)} wrong", sep="  ", flush=True)
                    for example in found.wrong[:_EXAMPLES]:
                        print(f"    {example}", flush=True)
                    if not (made.memory.running and made.brain.running):
                        print(made.memory.output[-3000:], made.brain.output[-3000:], sep="\n---\n")
                        break
        if not options.only or MODEL in options.only:
            files = max(20, int(options.requests * FILES))
            all_found.append(model_files(Path(home), files, options.seed))
    table = Table(title=f"Malformed requests, seed {options.seed}")
    for title in ("door", "sent", "refused", "took", "memory held", "threads / fds", "verdict"):
        table.add_column(title, justify="left" if title == "door" else "right")
    for found in all_found:
        table.add_row(*row(found))
    Console().print(table)
    wrong = sum(bool(found.wrong or grown(found)) for found in all_found)
    if not options.only:
        report(
            "fuzz",
            "Malformed requests",
            {
                "requests": f"{sum(found.sent for found in all_found):,}",
                "doors": f"{len(all_found)}, {wrong} of them with findings",
            },
            {"seed": options.seed, "doors": [asdict(found) for found in all_found]},
        )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
