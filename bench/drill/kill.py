# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""kill -9 of each node at random moments under load, and what is left when it starts again."""

from __future__ import annotations

import random
import signal
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from drill.clara import NODES, Load, clara
from drill.outcome import Outcome
from running import Process, wait_until

ROUNDS = 6
PORT = 8479


def kill(domain: int, folder: Path, model: Path) -> Outcome:
    """Kill memory and brain turn about, `ROUNDS` times each, and the console as often."""
    chance = random.Random(1)
    outcome = Outcome("")
    with clara(domain, folder, model) as made:
        load = Load(made)
        for _ in range(ROUNDS):
            for name in NODES:
                load.run(0.5 + 1.5 * chance.random())
                made.kill(name)
                load.run(0.3)  # the other node goes on
                outcome.recovered_s.append(made.restart(name))
                load.forget_unanswered()
                outcome.lost += load.lost(sessions=name == "brain")
        load.finish()
        outcome.lost += load.lost()
        turns = sum(map(len, load.told.values()))
        outcome.done = (
            f"memory and brain killed {ROUNDS} times each; {len(load.stored):,} episodes and"
            f" {turns} turns acknowledged"
        )
        if not turns or not load.stored:
            outcome.faults.append("the load came to nothing, so nothing was tried")
        outcome.notes += sorted(set(load.refused))[:3]
        _kill_console(folder, outcome)
    return outcome


def _kill_console(folder: Path, outcome: Outcome) -> None:
    for _ in range(ROUNDS):
        console = Process(
            *(sys.executable, "-m", "clara_console.node", "--ros-args", "-r", "__ns:=/clara"),
            *("-p", f"port:={PORT}"),
            env={"HOME": str(folder)},
        )
        try:
            began = time.monotonic()
            wait_until(_page_is_there, 60.0, f"the console's page; {console.output}")
            outcome.recovered_s.append(time.monotonic() - began)
        finally:
            console._process.send_signal(signal.SIGKILL)
            console.close()
    outcome.done += f"; console {ROUNDS} times"


def _page_is_there() -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{PORT}/", timeout=2) as answer:
            return bool(answer.status == 200)
    except urllib.error.HTTPError as error:
        return error.code in (401, 403)  # it answers, and asks who is there
    except OSError:
        return False
