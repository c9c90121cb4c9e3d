#!/usr/bin/env python3
# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Time of the first and of later `make launch`, from the command to both nodes active.

The first runs in a fresh clone with an empty home directory: nothing is installed, nothing cached.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from conftest import active
from domain_coordinator import domain_id
from report import report
from running import Peer, Process

KEPT = ("PATH", "LANG", "TERM")


def launch_once(clone: Path, environment: dict[str, str], domain: int, limit: float) -> float:
    """Return the seconds from `make launch` until memory and brain are active."""
    peer = Peer(domain)
    began = time.monotonic()
    process = Process(
        "env", "-i", *(f"{k}={v}" for k, v in environment.items()), "make", "launch", cwd=clone
    )
    try:
        for name in ("memory", "brain"):
            peer.spin_until(
                lambda name=name: peer_sees(peer, name, process), limit, f"{name} active"
            )
        return time.monotonic() - began
    finally:
        peer.close()
        process.close()


def peer_sees(peer: Peer, name: str, process: Process) -> bool:
    """Tell whether a node is active; fail at once when make has ended."""
    assert process.running, process.output
    names = {node for node, _ in peer.node.get_node_names_and_namespaces()}
    return name in names and active(peer, name)


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--again", type=int, default=5, help="how many launches after the first")
    options = parser.parse_args()
    with domain_id() as domain, tempfile.TemporaryDirectory() as folder:
        clone, home = Path(folder, "clara"), Path(folder, "home")
        home.mkdir()
        subprocess.run(["git", "clone", "--quiet", ROOT, clone], check=True)
        path = os.pathsep.join(
            part for part in os.environ["PATH"].split(os.pathsep) if not part.startswith(str(ROOT))
        )
        environment = {
            **{name: os.environ[name] for name in KEPT if name in os.environ},
            **{name: value for name, value in os.environ.items() if name.startswith("PIP_")},
            "PATH": path,
            "HOME": str(home),
            "ROS_DOMAIN_ID": str(domain),
            "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST",
        }
        first = launch_once(clone, environment, int(domain), 3600.0)
        later = [launch_once(clone, environment, int(domain), 120.0) for _ in range(options.again)]
    rows = {
        "first, from a bare clone": f"{first:.0f} s",
        f"later, median of {options.again}": f"{statistics.median(later):.1f} s",
    }
    report(
        "launch_time",
        "make launch, until both nodes are active",
        rows,
        {"first": first, "later": later},
    )


if __name__ == "__main__":
    main()
