# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""A peer that floods: events, goals and queries by the thousand, on the loopback only.

It is a process of its own and stops by itself after so many messages; meanwhile somebody else
stores an episode now and then, and asks.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from drill.clara import Load, clara
from drill.outcome import Outcome
from running import Process

EVENTS, GOALS, QUERIES, PARTICIPANTS = 20_000, 300, 2_000, 12
LIMIT_S = 90.0
QUIET_S = 5.0
_FLOODER = f"""
import rclpy, time
from rclpy.action import ActionClient
from clara_interfaces.action import Chat
from clara_interfaces.msg import ActionEvent, Utterance
from clara_interfaces.srv import QueryMemory
end = time.monotonic() + {LIMIT_S}
contexts = []
for number in range({PARTICIPANTS}):
    context = rclpy.Context()
    rclpy.init(context=context)
    made = rclpy.create_node(f"flood{{number}}", namespace="clara", context=context)
    contexts.append((context, made))
node = contexts[0][1]
events = [each.create_publisher(ActionEvent, "action_event", 1000) for _, each in contexts]
say = node.create_publisher(Utterance, "say", 1000)
chat = ActionClient(node, Chat, "chat")
query = node.create_client(QueryMemory, "memory/query")
chat.wait_for_server(20)
query.wait_for_service(20)
goals = [chat.send_goal_async(Chat.Goal(text="Flood!", max_tokens=4)) for _ in range({GOALS})]
for number in range({QUERIES}):
    query.call_async(QueryMemory.Request(text="what happened?"))
for number in range({EVENTS}):
    event = ActionEvent(action_id=f"flood-{{number}}", action="FLOOD")
    events[number % {PARTICIPANTS}].publish(event)
    if number % 20 == 0:
        say.publish(Utterance(text="Flood!", request_id=str(number)))
    if time.monotonic() > end:
        break
print("flooded", number + 1, flush=True)
time.sleep(2)
for context, each in contexts:
    each.destroy_node()
    rclpy.try_shutdown(context=context)
import os
os._exit(0)
"""


def flood(domain: int, folder: Path, model: Path) -> Outcome:
    """Flood both nodes, and see what becomes of an ordinary user's requests."""
    outcome = Outcome(
        f"{EVENTS:,} events of {PARTICIPANTS} participants, {GOALS} goals, {QUERIES:,} queries"
        f" and {EVENTS // 20:,} utterances at once"
    )
    with clara(domain, folder, model) as made:
        load = Load(made, chats=False)
        load.run(1.0)
        load.slowest_s = 0.0
        flooder = Process(sys.executable, "-c", _FLOODER, env=dict(os.environ))
        try:
            end = time.monotonic() + LIMIT_S + 30
            while flooder.running and time.monotonic() < end:
                load.run(0.5, pause=0.02)
        finally:
            flooder.close()
        if "flooded" not in flooder.output:
            outcome.faults.append(f"the flood failed: {flooder.output[-300:]}")
        load.finish()
        slowest = load.slowest_s
        if not all(process.running for process in made.processes.values()):
            outcome.faults.append("a node died in the flood")
            return outcome
        began = time.monotonic()
        for name in ("memory", "brain"):
            made.wait_for(name)
        result, _ = made.peer.chat("Hello!", max_tokens=4, session_id="s0")
        outcome.recovered_s.append(time.monotonic() - began)
        if result.error_code:
            outcome.faults.append(f"after the flood a turn failed: {result.error_msg}")
        stats = made.stats()
        outcome.lost = load.lost(sessions=False)
        outcome.notes.append(
            f"slowest answer meanwhile {slowest:.1f} s; {stats.events_received:,} events taken,"
            f" {stats.dropped:,} dropped"
        )
    return outcome
