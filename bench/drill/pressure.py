# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""No memory left: each process may write to no more than it has already (RLIMIT_DATA).

Under the limit each is asked for what needs some: an embedding has a context of its own, a query
may have a thousand episodes in its answer.
"""

from __future__ import annotations

import resource
from pathlib import Path

from drill.clara import NODES, Load, clara
from drill.outcome import Outcome

from clara_interfaces.srv import Embed, QueryMemory

LIMIT_S = 10.0


def memory_pressure(domain: int, folder: Path, model: Path) -> Outcome:
    """Let both nodes work under the limit, then lift it; one that died is started again."""
    outcome = Outcome("both nodes under load with no memory left to take")
    unlimited = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    with clara(domain, folder, model) as made:
        load = Load(made)
        load.run(2.0)
        for name in NODES:
            pid = made.processes[name].pid
            lines = Path(f"/proc/{pid}/status").read_text().splitlines()
            held = next(line.split()[1] for line in lines if line.startswith("VmData"))
            limit = int(held) * 1024
            resource.prlimit(pid, resource.RLIMIT_DATA, (limit, resource.RLIM_INFINITY))
        load.run(4.0)
        for kind, name, request in (
            (Embed, "embed", Embed.Request(texts=["A cup is on the table. " * 8] * 8)),
            (QueryMemory, "memory/query", QueryMemory.Request(max_episodes=1000)),
        ):
            try:
                said = made.peer.call(kind, name, request, LIMIT_S)
                outcome.notes.append(f"{name}: {said.error_msg or 'answered'}")
            except AssertionError:
                outcome.notes.append(f"{name}: no answer")
        load.run(4.0)
        died = []
        for name in NODES:
            if made.processes[name].running:
                resource.prlimit(made.processes[name].pid, resource.RLIMIT_DATA, unlimited)
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
