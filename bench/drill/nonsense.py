# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""A robot that reports nonsense, with true reports in between: those must all be there."""

from __future__ import annotations

import random
import time
from pathlib import Path

from drill.clara import ANSWER_S, Load, clara
from drill.outcome import Outcome

from clara_interfaces.msg import ActionEvent, ActionResult, RoleFiller
from clara_memory import EpisodicMemory
from clara_memory import Outcome as Ended

MESSAGES = 6_000
TRUE_EVERY = 20
COUNT_S = 60.0
AHEAD = 100


def nonsense(domain: int, folder: Path, model: Path) -> Outcome:
    """Report nonsense, and something true every so often."""
    outcome = Outcome("")
    chance = random.Random(1)
    true: list[str] = []
    with clara(domain, folder, model, "memory") as made:
        load = Load(made, chats=False)
        peer = made.peer
        peer.spin_until(lambda: peer.subscribers("action_result"), ANSWER_S, "action_result")
        sent = 0

        def counted() -> int:
            stats = made.stats()
            return int(stats.events_received + stats.results_received + stats.rejected)

        for number in range(MESSAGES):
            sent += _say_something(peer, chance, number)
            if number % TRUE_EVERY == 0:
                true.append(f"true-{number}")
                load.act(true[-1])
                sent += 2
            # No faster than memory takes them: what DDS's history has no room for is gone.
            end = time.monotonic() + COUNT_S
            while number % 10 == 0 and counted() < sent - AHEAD and time.monotonic() < end:
                peer.executor.spin_once(timeout_sec=0.005)

        end = time.monotonic() + COUNT_S
        while counted() < sent and time.monotonic() < end:
            peer.executor.spin_once(timeout_sec=0.05)
        stats = made.stats()
        if stats.dropped or counted() != sent:
            outcome.faults.append(f"{sent:,} sent, {counted():,} counted, {stats.dropped} dropped")
        outcome.lost = load.lost(sessions=False)
        outcome.done = (
            f"{sent:,} reports, {len(true):,} of them pairs that were true;"
            f" {stats.rejected:,} rejected, {stats.orphans:,} orphans,"
            f" {stats.duplicates:,} duplicates"
        )
    with EpisodicMemory(made.memory_path, read_only=True) as memory:
        held = {episode.action_id: episode for episode in memory.episodes()}
        outcome.lost += sum(one not in held for one in true)
        wrong = [one for one in true if one in held and held[one].outcome is not Ended.SUCCEEDED]
        damaged = [text for _, text in memory.verify() if text]
    if wrong or damaged:
        outcome.faults.append(f"{len(wrong)} true reports are not as told; {damaged[:1]}")
    return outcome


def _say_something(peer: object, chance: random.Random, number: int) -> int:
    """Publish one to three messages that make no sense; return how many."""
    identity = f"lie-{chance.randrange(400)}"
    event = ActionEvent(action_id=identity, action="PICK_UP", object="CUP")
    result = ActionResult(action_id=identity, outcome=1)
    match number % 10:
        case 0:  # an end without a beginning
            messages = [result]
        case 1:  # the same beginning again and again
            messages = [event, event, event]
        case 2:  # it ended well and badly
            messages = [event, result, ActionResult(action_id=identity, outcome=2)]
        case 3:  # from before 1970 and after 2038
            event.header.stamp.sec = chance.choice((-5, 2**31 - 1))
            messages = [event]
        case 4:  # it ended before it began
            event.header.stamp.sec, result.header.stamp.sec = 1_700_000_000, 1_600_000_000
            messages = [result, event]
        case 5:  # no outcome, no name, no action
            messages = [
                ActionResult(action_id=identity, outcome=200),
                ActionEvent(action="GO"),
                ActionEvent(action_id=identity),
            ]
        case 6:  # numbers that are none
            event.context = [RoleFiller(role="speed", kind=1, values=[float("nan")])]
            messages = [event]
        case 7:  # a role twice, and one that is another field's
            event.context = [RoleFiller(role="place", filler="x")] * 2
            messages = [event]
        case 8:  # longer than anybody would say
            result.detail = "x" * chance.choice((1025, 20_000))
            messages = [result]
        case _:  # control characters, and text against the reading direction
            event.object = chance.choice(("\x1b[2J", "‮PUC", "\U0001f916" * 200))
            messages = [event]
    for message in messages:
        topic = peer.events if isinstance(message, ActionEvent) else peer.results
        topic.publish(message)
    return len(messages)
