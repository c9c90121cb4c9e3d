#!/usr/bin/env python3
# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Memory and processor time of Clara's nodes while nobody talks to them.

Launches Clara, waits until both nodes are active, then watches their processes for `--seconds`.
Memory is the proportional set size: pages that several processes share are counted in parts.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from conftest import active
from domain_coordinator import domain_id
from report import report
from running import Peer, Process


def pid_of(launch: Process, node: str) -> int:
    """Return the process id of a node that `ros2 launch` started."""
    line = launch.wait_for(f"[{node}]: process started with pid [")
    return int(line.rsplit("[", 1)[1].rstrip("]"))


def memory_bytes(pid: int) -> dict[str, int]:
    """Return proportional and resident set size of a process."""
    found = {}
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        name, _, rest = line.partition(":")
        if name in ("Pss", "Rss"):
            found[name] = int(rest.split()[0]) * 1024
    return found


def processor_seconds(pid: int) -> float:
    """Return the processor time a process has used, all threads together."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=30.0)
    options = parser.parse_args()
    with domain_id() as domain, tempfile.TemporaryDirectory() as home:
        os.environ.update(ROS_DOMAIN_ID=str(domain), ROS_AUTOMATIC_DISCOVERY_RANGE="LOCALHOST")
        launch = Process("ros2", "launch", "clara_brain", "clara.launch.py", env={"HOME": home})
        try:
            peer = Peer(int(domain))
            for name in ("memory", "brain"):
                peer.spin_until(lambda name=name: active(peer, name), 120.0, f"{name} active")
            peer.close()
            pids = {
                "memory": pid_of(launch, "memory_node-1"),
                "brain": pid_of(launch, "brain_node-2"),
            }
            time.sleep(3.0)
            before = {name: processor_seconds(pid) for name, pid in pids.items()}
            time.sleep(options.seconds)
            figures: dict[str, object] = {"seconds": options.seconds}
            rows = {}
            for name, pid in pids.items():
                used = (processor_seconds(pid) - before[name]) / options.seconds
                sizes = memory_bytes(pid)
                figures[name] = {"cpu_share_of_a_core": used, **sizes}
                rows[f"{name} node"] = (
                    f"{sizes['Pss'] / 1e6:.0f} MB (resident {sizes['Rss'] / 1e6:.0f} MB), "
                    f"{used:.1%} of one core"
                )
            report("idle_nodes", f"Idle nodes over {options.seconds:.0f} s", rows, figures)
        finally:
            launch.close()


if __name__ == "__main__":
    main()
