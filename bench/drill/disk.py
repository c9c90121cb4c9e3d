# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""A disk that is full: what cannot be kept is refused, and nothing that was acknowledged goes."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from drill.clara import Load, clara
from drill.outcome import Outcome, Skipped

SIZE_MB = 6
FULL_S = 4.0
LIMIT_S = 60.0


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """Give a disk of SIZE_MB; it is gone afterwards."""
    if os.geteuid():
        raise Skipped("only root may mount a small disk")
    place = folder / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={SIZE_MB}m", "drill", str(place)],
        capture_output=True,
        text=True,
    )
    if mounted.returncode:
        raise Skipped(f"no small disk can be mounted here: {mounted.stderr.strip()}")
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=False)


def disk_full(domain: int, folder: Path, model: Path) -> Outcome:
    """Fill the disk under load, kill and restart memory on it, and make room again."""
    outcome = Outcome("")
    with small_disk(folder) as place, clara(domain, place, model) as made:
        load = Load(made)
        load.run(3.0)
        before = len(load.stored)
        filler = place / "filler"
        _fill(filler)
        # What the write-ahead log holds of the disk already is written on for a while.
        end = time.monotonic() + LIMIT_S
        while not _of_the_disk(load.refused) and time.monotonic() < end:
            load.run(0.5)
        load.run(FULL_S)
        refused = _of_the_disk(load.refused)
        made.kill("memory")
        made.start("memory")
        load.run(2.0)
        up = made.processes["memory"].running
        load.forget_unanswered()
        filler.unlink()
        began = time.monotonic()
        if not up:
            made.start("memory")
        made.wait_for("memory")
        # One that could not open its file stays unconfigured, and says so; here it is restarted.
        outcome.recovered_s.append(time.monotonic() - began)
        stored = len(load.stored)
        load.run(2.0)
        load.finish()
        outcome.lost = load.lost()
        outcome.done = (
            f"disk of {SIZE_MB} MB filled under load and memory killed on it; {before:,} episodes"
            f" acknowledged before, {len(refused)} refused while it was full"
        )
        if not refused:
            outcome.faults.append("nothing was refused while the disk was full")
        if len(load.stored) == stored:
            outcome.faults.append("nothing could be stored when there was room again")
        outcome.notes += sorted({text.replace(f"{place}/", "") for text in refused})[:1]
    return outcome


def _of_the_disk(refused: list[str]) -> list[str]:
    return [text for text in refused if "full" in text]


def _fill(path: Path) -> None:
    block = bytes(4096)
    with path.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(block)
        except OSError:
            pass
