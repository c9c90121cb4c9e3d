# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""One host of the partition drill: a memory, and a robot that does what its standard input says.

Lines are `act NAME COUNT`, `see NAME`, `ask NAME`, `merge NAME FILE`; each is answered by one.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))

from running import Peer, Process, wait_until

from clara_interfaces.msg import ActionEvent, ActionResult
from clara_interfaces.srv import GetMemoryStats, MergeMemory

LIMIT_S = 60.0
AT_ONCE = 50


def act(peer: Peer, name: str, count: int) -> str:
    """Report actions to this host's own memory, until it has them on disk."""
    known = peer.call(GetMemoryStats, "memory/stats", limit=LIMIT_S).episodes
    for topic in ("action_event", "action_result"):
        peer.spin_until(lambda topic=topic: peer.subscribers(topic), LIMIT_S, topic)
    # No more at once than DDS keeps for a memory that is slow to take them.
    for number in range(known, known + count):
        action_id = f"{name}-{number}"
        peer.events.publish(ActionEvent(action_id=action_id, action="MOVE", object=name))
        peer.results.publish(ActionResult(action_id=action_id, outcome=1))
        if (number + 1 - known) % AT_ONCE == 0 or number + 1 == known + count:
            wait_until(
                lambda wanted=number + 1: (
                    peer.call(GetMemoryStats, "memory/stats", limit=LIMIT_S).episodes >= wanted
                ),
                LIMIT_S,
                f"{number + 1} episodes of {name}",
            )
    return str(known + count)


def main() -> int:
    """Serve until the input ends."""
    name, path = sys.argv[1:]
    memory = Process(
        *(sys.executable, "-m", "clara_memory.node", "--ros-args", "-r", f"__ns:=/{name}"),
        *("-p", "autostart:=true", "-p", f"memory_path:={path}", "-p", f"robot:={name}"),
    )
    domain = int(os.environ["ROS_DOMAIN_ID"])
    peers = {each: Peer(domain, each) for each in ("north", "south")}
    try:
        for line in sys.stdin:
            word, whom, *rest = line.split()
            peer = peers[whom]
            if word == "act":
                said = act(peer, whom, int(rest[0]))
            elif word == "see":
                peer.executor.spin_once(timeout_sec=0.05)
                ready = peer.client(GetMemoryStats, "memory/stats").service_is_ready()
                said = "yes" if ready else "no"
            elif word == "ask":
                # None where that memory cannot be reached now.
                stats = peer.try_call(GetMemoryStats, "memory/stats")
                said = "none" if stats is None else str(stats.episodes)
            else:
                request = MergeMemory.Request(path=rest[0], name=name)
                answer = peer.call(MergeMemory, "memory/merge", request, LIMIT_S)
                said = f"{answer.added} {answer.already_known} {answer.error_msg}"
            print(said, flush=True)
    except KeyboardInterrupt:
        pass  # Ctrl-C reaches the whole drill
    finally:
        for peer in peers.values():
            peer.close()
        memory.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
