# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Two hosts whose network is cut: two memories in network namespaces of their own.

Both go on recording while they cannot see each other; when the cable is back, each takes in what
the other lived meanwhile with `memory/merge`. The namespaces reach nothing but each other.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from drill.outcome import Outcome, Skipped
from running import wait_until

from clara_memory import EpisodicMemory

HOSTS = ("north", "south")
ACTIONS = 200
LIMIT_S = 90.0
_SCRIPT = Path(__file__).resolve().with_name("in_namespace.py")


def _ip(*words: str) -> None:
    done = subprocess.run(["ip", *words], capture_output=True, text=True)
    if done.returncode:
        raise Skipped(f"network namespaces cannot be made here: {done.stderr.strip()}")


def _space(name: str) -> str:
    return f"clara-drill-{name}-{os.getpid()}"


def _is_up(name: str) -> bool:
    shown = subprocess.run(
        ["ip", "-n", _space(name), "link", "show", name], capture_output=True, text=True
    )
    return "state UP" in shown.stdout


@contextmanager
def two_hosts() -> Iterator[None]:
    """Make two namespaces with a cable between them, and take them down again."""
    if os.geteuid():
        raise Skipped("only root may make network namespaces")
    try:
        for name in HOSTS:
            _ip("netns", "add", _space(name))
            _ip("-n", _space(name), "link", "set", "lo", "up")
        ends = [word for name in HOSTS for word in (name, "netns", _space(name))]
        _ip("link", "add", *ends[:3], "type", "veth", "peer", "name", *ends[3:])
        for number, name in enumerate(HOSTS, start=1):
            _ip("-n", _space(name), "address", "add", f"10.213.7.{number}/24", "dev", name)
            _ip("-n", _space(name), "link", "set", name, "up", "multicast", "on")
        # DDS uses the networks that were up when a program started, and no others.
        for name in HOSTS:
            wait_until(lambda name=name: _is_up(name), LIMIT_S, f"the network of {name}")
        yield
    except FileNotFoundError:
        raise Skipped("the command ip is not there: sudo apt install iproute2") from None
    finally:
        for name in HOSTS:
            subprocess.run(["ip", "netns", "delete", _space(name)], capture_output=True)


class Host:
    """A memory and a robot in one of the namespaces."""

    def __init__(self, name: str, path: Path) -> None:
        self.name, self.path = name, path
        environment = {**os.environ, "ROS_AUTOMATIC_DISCOVERY_RANGE": "SUBNET"}
        # Shared memory of its own too: DDS would speak through it past any cable.
        own_memory = 'mount -t tmpfs tmpfs /dev/shm && exec "$@"'
        self._process = subprocess.Popen(
            [
                *("ip", "netns", "exec", _space(name), "sh", "-c", own_memory, "sh"),
                *(sys.executable, _SCRIPT, name, str(path)),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )

    def say(self, *words: object) -> str:
        """Have the robot do something, and return what it says."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(" ".join(map(str, words)) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer, f"the robot of {self.name} ended"
        return answer.strip()

    def close(self) -> None:
        """End robot and memory."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(20.0)
        except subprocess.TimeoutExpired:
            self._process.kill()


def partition(domain: int, folder: Path, model: Path) -> Outcome:
    """Cut the cable, let both live on, plug it in, and merge both ways."""
    outcome = Outcome("")
    with two_hosts(), ExitStack() as closing:
        hosts = [Host(name, folder / f"{name}.sqlite3") for name in HOSTS]
        for host in hosts:
            closing.callback(host.close)
        north, south = hosts
        for host in hosts:
            host.say("act", host.name, ACTIONS)
        wait_until(lambda: north.say("ask", "south") != "none", LIMIT_S, "the hosts to meet")
        _ip("-n", _space("north"), "link", "set", "north", "down")
        for host in hosts:
            host.say("act", host.name, ACTIONS)
        if north.say("ask", "south") != "none":
            outcome.faults.append("the hosts heard each other although the cable was cut")
        # Cut for so long that DDS gives the other host up.
        for host, other in ((north, south), (south, north)):
            wait_until(
                lambda host=host, other=other: host.say("see", other.name) == "no",
                LIMIT_S,
                f"{other.name} to be gone for {host.name}",
            )
        _ip("-n", _space("north"), "link", "set", "north", "up")
        began = time.monotonic()
        wait_until(lambda: north.say("ask", "south") != "none", LIMIT_S, "the hosts to meet again")
        outcome.recovered_s.append(time.monotonic() - began)
        merged = [
            north.say("merge", "south", north.path),
            south.say("merge", "north", south.path),
        ]
        again = north.say("merge", "south", north.path).split()
        if again[0] != "0":
            outcome.faults.append(f"a second merge added {again[0]} episodes once more")
    expected = {f"{name}-{number}" for name in HOSTS for number in range(2 * ACTIONS)}
    for host in hosts:
        with EpisodicMemory(host.path, read_only=True) as memory:
            held = [episode.action_id for episode in memory.episodes()]
        outcome.lost += len(expected - set(held))
        if len(held) > len(set(held)):
            outcome.faults.append(f"{host.name} has an episode twice")
    outcome.done = (
        f"two hosts cut apart while each recorded {ACTIONS} of its {2 * ACTIONS} episodes, then"
        f" merged both ways ({' and '.join(each.split()[0] for each in merged)} added)"
    )
    return outcome
