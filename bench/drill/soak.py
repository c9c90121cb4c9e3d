# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Mixed load for as long as asked; memory, threads and descriptors must stay as they are."""

from __future__ import annotations

import statistics
import time
from pathlib import Path

from drill.clara import NODES, Load, clara
from drill.outcome import Outcome
from rich.progress import Progress
from running import Footprint

SAMPLE_S = 2.0
WARM_UP = 0.3  # share of the time in which caches fill and heaps settle
EPISODES = 3_000
GROWTH_MB, GROWTH = 8.0, 0.04


def soak(domain: int, folder: Path, model: Path, minutes: float) -> Outcome:
    """Store, report, ask, talk and move a slider, and look at both processes meanwhile."""
    outcome = Outcome("")
    samples: dict[str, list[Footprint]] = {name: [] for name in NODES}
    with clara(domain, folder, model) as made, Progress(transient=True) as progress:
        made.kill("memory")
        # What it may hold is bounded, so that what is remembered is no growth.
        made.parameters["memory"] |= {"max_episodes": EPISODES, "max_pending": 1000}
        made.restart("memory")
        load = Load(made)
        task = progress.add_task("mixed load", total=minutes * 60)
        began = time.monotonic()
        while (passed := time.monotonic() - began) < minutes * 60:
            load.run(SAMPLE_S, pause=0.02)
            progress.update(task, completed=passed)
            for name, process in made.processes.items():
                if not process.running:
                    outcome.faults.append(f"{name} ended: {process.output[-300:]}")
                    return outcome
                samples[name].append(Footprint.of(process.pid))
        load.finish()
        stats = made.stats()
        turns = sum(map(len, load.told.values()))
        outcome.lost = load._lost_turns() + stats.dropped + stats.rejected
        outcome.done = (
            f"{minutes:g} minutes: {len(load.stored):,} episodes, {turns:,} turns, slowest"
            f" answer {load.slowest_s:.2f} s"
        )
        outcome.faults += sorted(set(load.refused))[:3]
    for name, seen in samples.items():
        kept = seen[int(len(seen) * WARM_UP) :]
        third = max(1, len(kept) // 3)
        first, last = kept[:third], kept[-third:]
        before = statistics.median(each.rss_mb for each in first)
        after = statistics.median(each.rss_mb for each in last)
        threads = [max(each.threads for each in part) for part in (first, last)]
        files = [max(each.descriptors for each in part) for part in (first, last)]
        outcome.notes.append(
            f"{name}: {before:.0f} → {after:.0f} MB, {threads[0]} → {threads[1]} threads,"
            f" {files[0]} → {files[1]} descriptors"
        )
        if after - before > max(GROWTH_MB, GROWTH * before):
            outcome.faults.append(f"{name} grew by {after - before:.0f} MB")
        if threads[1] > threads[0] or files[1] > files[0] + 1:
            outcome.faults.append(f"{name} has more threads or descriptors than before")
    return outcome
