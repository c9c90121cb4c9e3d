# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""No memory left: each process may take a few MB more than it has, and no more (RLIMIT_AS)."""

from __future__ import annotations

import resource
from pathlib import Path

from drill.clara import NODES, Load, clara
from drill.outcome import Outcome

MORE_MB = 4
_MB = 1 << 20


def memory_pressure(domain: int, folder: Path, model: Path) -> Outcome:
    """Let both nodes work under the limit, then lift it; one that died is started again."""
    outcome = Outcome(f"both nodes under load with {MORE_MB} MB of address space left")
    unlimited = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    with clara(domain, folder, model) as made:
        load = Load(made)
        load.run(2.0)
        for name in NODES:
            pid = made.processes[name].pid
            fields = Path(f"/proc/{pid}/statm").read_text().split()
            limit = int(fields[0]) * resource.getpagesize() + MORE_MB * _MB
            resource.prlimit(pid, resource.RLIMIT_AS, (limit, resource.RLIM_INFINITY))
        load.run(8.0)
        died = []
        for name in NODES:
            if made.processes[name].running:
                resource.prlimit(made.processes[name].pid, resource.RLIMIT_AS, unlimited)
                outcome.recovered_s.append(made.wait_for(name))
            else:
                died.append(name)
                load.forget_unanswered()
                outcome.recovered_s.append(made.restart(name))
        load.run(2.0)
        load.finish()
        outcome.lost = load.lost()
        outcome.done += f"; {len(load.stored):,} episodes acknowledged"
        if died:
            outcome.notes.append(f"died and was started again: {', '.join(died)}")
        outcome.notes += sorted(set(load.refused))[:2]
    return outcome
