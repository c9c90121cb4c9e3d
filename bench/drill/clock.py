# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Clocks that jump while Clara works.

The nodes take their time from ROS, and here ROS takes it from `/clock`, which the drill publishes:
so it jumps for both nodes and nobody else. Stamps of episodes, timeouts of pairs and ages of
conversations come from it; what waits for a disk, a model or a peer waits by a clock that cannot
jump. (libfaketime was tried: under it a node answers so slowly that nothing can be told.)
"""

from __future__ import annotations

import time
from pathlib import Path

from drill.clara import Clara, Load, clara
from drill.outcome import Outcome
from rosgraph_msgs.msg import Clock

DAY_S = 86_400
JUMPS = {
    "a day on": DAY_S,
    "back": 0,
    "three hours back": -3 * 3600,
    "400 days on": 400 * DAY_S,
    "to 2006": -20 * 365 * DAY_S,
    "to 1970": None,
    "to now": 0,
}
EACH_S = 1.5
_NEWS_S = 0.02


class JumpingClock:
    """Publishes `/clock` while the peer spins."""

    def __init__(self, made: Clara) -> None:
        self.offset_s: float | None = 0
        self._publisher = made.peer.node.create_publisher(Clock, "/clock", 10)
        made.peer.node.create_timer(_NEWS_S, self._tell)
        self._began = time.monotonic()

    def _tell(self) -> None:
        now = time.monotonic() - self._began  # from 1970 on
        if self.offset_s is not None:
            now = time.time() + self.offset_s
        message = Clock()
        message.clock.sec, message.clock.nanosec = int(now), int(now % 1 * 1e9)
        self._publisher.publish(message)


def clock_jumps(domain: int, folder: Path, model: Path) -> Outcome:
    """Jump under load, with some time for work at each time."""
    outcome = Outcome("")
    with clara(domain, folder, model) as made:
        for name in ("memory", "brain"):
            made.kill(name)
            made.parameters[name]["use_sim_time"] = "true"
        clock = JumpingClock(made)
        for name in ("memory", "brain"):
            made.restart(name)
        load = Load(made)
        load.run(EACH_S)
        for named, offset in JUMPS.items():
            stored, turns = len(load.stored), sum(map(len, load.told.values()))
            clock.offset_s = offset
            load.run(EACH_S)
            if len(load.stored) == stored:
                outcome.faults.append(f"nothing was remembered after the jump {named}")
            if sum(map(len, load.told.values())) == turns:
                outcome.faults.append(f"nothing was said after the jump {named}")
            if not all(process.running for process in made.processes.values()):
                outcome.faults.append(f"a node died of the jump {named}")
                return outcome
        load.finish()
        outcome.lost = load.lost()
        outcome.done = (
            f"the nodes' ROS clock jumped: {', '.join(JUMPS)}; {len(load.stored):,} episodes"
            f" and {sum(map(len, load.told.values()))} turns acknowledged"
        )
        outcome.notes += sorted(set(load.refused))[:3]
    return outcome
