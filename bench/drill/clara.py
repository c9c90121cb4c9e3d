# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""A Clara of real nodes that can be killed and started again, and one who notes what she promised.

A promise is an answered `memory/store`, an episode published on `memory/episodes`, or a turn of a
conversation whose result came without an error. `lost` counts those that are not kept.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from conftest import active
from rclpy.action import ActionClient
from running import Peer, Process

from clara_interfaces.action import Chat
from clara_interfaces.msg import ActionEvent, ActionResult, Episode, RoleFiller
from clara_interfaces.srv import (
    GetMemoryStats,
    GetPersonality,
    GetSession,
    QueryMemory,
    SetPersonality,
    StoreEpisode,
)
from clara_memory import EpisodicMemory

NODES = ("memory", "brain")
START_S = 120.0
ANSWER_S = 30.0
SESSIONS = 3
_TURNS_KEPT = 20
_PLACES = ("dock", "kitchen", "hall", "door")


class Clara:
    """The nodes, by name, each with its parameters and environment."""

    def __init__(self, domain: int, folder: Path, model: Path) -> None:
        self.folder = folder
        self.memory_path = folder / "memory.sqlite3"
        self.peer = Peer(domain)
        self.processes: dict[str, Process] = {}
        self.environment: dict[str, str] = {"HOME": str(folder)}
        self.parameters: dict[str, dict[str, Any]] = {
            "memory": {"memory_path": self.memory_path},
            "brain": {
                "model": model,
                "n_ctx": 2048,
                "n_threads": 1,
                "max_turns": _TURNS_KEPT,
                "state_path": folder / "state",
            },
        }

    def start(self, name: str, **environment: str) -> Process:
        """Start a node, and return its process at once."""
        parameters = {"autostart": "true", **self.parameters[name]}
        words = [word for key, value in parameters.items() for word in ("-p", f"{key}:={value}")]
        self.processes[name] = Process(
            *(sys.executable, "-m", f"clara_{name}.node", "--ros-args", "-r", "__ns:=/clara"),
            *words,
            env={**self.environment, **environment},
        )
        return self.processes[name]

    def wait_for(self, name: str) -> float:
        """Return the seconds until a node that was just started is active and answers."""
        began = time.monotonic()
        self.peer.spin_until(lambda: active(self.peer, name), START_S, f"{name} active")
        probe = (GetMemoryStats, "memory/stats")
        if name == "brain":
            probe = (GetPersonality, "personality/get")
        # A call that was sent to the node that died is never answered: ask again.
        self.peer.spin_until(lambda: self.peer.try_call(*probe), START_S, f"answer of {name}")
        return time.monotonic() - began

    def kill(self, name: str) -> None:
        """Kill a node as a power cut would."""
        os.kill(self.processes[name].pid, signal.SIGKILL)
        self.processes[name].wait(10.0)

    def restart(self, name: str) -> float:
        """Start a node that died again; return the seconds until it answers."""
        self.start(name)
        return self.wait_for(name)

    def stats(self) -> GetMemoryStats.Response:
        """Return memory's figures."""
        return self.peer.call(GetMemoryStats, "memory/stats", limit=ANSWER_S)

    def close(self) -> None:
        """End the nodes, gently first."""
        self.peer.close()
        for process in self.processes.values():
            process.close()


@contextmanager
def clara(domain: int, folder: Path, model: Path, *names: str) -> Iterator[Clara]:
    """Give a running Clara."""
    made = Clara(domain, folder, model)
    try:
        for name in names or NODES:
            made.start(name)
        for name in names or NODES:
            made.wait_for(name)
        yield made
    finally:
        made.close()


class Load:
    """One who stores, reports and talks, a little at a time, and notes what was promised."""

    def __init__(self, made: Clara, seed: int = 1, chats: bool = True) -> None:
        self._made = made
        self._peer = made.peer
        self._chance = random.Random(seed)
        self._number = 0
        self.stored: set[str] = set()
        self.told: dict[str, list[str]] = {f"s{number}": [] for number in range(SESSIONS)}
        self.refused: list[str] = []
        self.slowest_s = 0.0
        self._calls: list[tuple[Any, float]] = []
        self._turns: dict[str, _Turn] = {}
        node = self._peer.node
        self._store = node.create_client(StoreEpisode, "memory/store")
        self._query = node.create_client(QueryMemory, "memory/query")
        self._set = node.create_client(SetPersonality, "personality/set")
        self._chat = ActionClient(node, Chat, "chat") if chats else None
        node.create_subscription(Episode, "memory/episodes", self._heard, 1000)
        self.reported: set[str] = set()  # action_ids of episodes that memory published

    def _heard(self, episode: Episode) -> None:
        self.stored.add(episode.episode_id)
        self.reported.add(episode.action_id)

    def run(self, seconds: float, pause: float = 0.0) -> None:
        """Go on for a while."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.step()
            self._peer.executor.spin_once(timeout_sec=pause or 0.005)

    def step(self) -> None:
        """Begin a few things, and take what has come of earlier ones."""
        self._number += 1
        number, chance = self._number, self._chance
        for call, began in [each for each in self._calls if each[0].done()]:
            self._calls.remove((call, began))
            self._take(call.result(), time.monotonic() - began)
        # A node that died answers nobody: what was asked of it is no promise.
        self._calls = [each for each in self._calls if time.monotonic() - each[1] < ANSWER_S]
        if len(self._calls) < 6 and self._store.service_is_ready():
            place = RoleFiller(role="place", filler=chance.choice(_PLACES))
            episode = Episode(
                action="CARRY", object=f"BOX_{number % 50}", outcome=1, context=[place]
            )
            self._ask(self._store, StoreEpisode.Request(episode=episode))
            if number % 5 == 0:
                cue = [RoleFiller(role="object", filler=f"BOX_{number % 50}")]
                self._ask(self._query, QueryMemory.Request(cue=cue))
        self.act(f"act-{number}")
        if number % 50 == 0 and self._set.service_is_ready():
            value = (number % 100) / 100
            self._ask(self._set, SetPersonality.Request(names=["warmth"], values=[value]))
        if self._chat is not None:
            self._talk()

    def act(self, action_id: str) -> None:
        """Report an action that began and succeeded."""
        event = ActionEvent(action_id=action_id, action="MOVE", object="ARM")
        self._peer.events.publish(event)
        self._peer.results.publish(ActionResult(action_id=action_id, outcome=1))

    def finish(self, limit: float = ANSWER_S) -> None:
        """Take what is still to come of what was begun."""
        end = time.monotonic() + limit
        while time.monotonic() < end and (self._calls or self._turns):
            self._peer.executor.spin_once(timeout_sec=0.05)
            for call, began in [each for each in self._calls if each[0].done()]:
                self._calls.remove((call, began))
                self._take(call.result(), time.monotonic() - began)
            self._take_turns()
        self._calls.clear()
        self._turns.clear()

    def forget_unanswered(self) -> None:
        """Give up what was asked of a node that died: it is no promise."""
        self._take_turns()
        self._calls.clear()
        self._turns.clear()

    def lost(self, sessions: bool = True) -> int:
        """Return how many promises were not kept. Episodes are looked for in the file itself."""
        with EpisodicMemory(self._made.memory_path, read_only=True) as memory:
            held = {episode.episode_id for episode in memory.episodes()}
        return len(self.stored - held) + (self._lost_turns() if sessions else 0)

    def _lost_turns(self) -> int:
        lost = 0
        for session, said in self.told.items():
            if not said:
                continue
            request = GetSession.Request(session_id=session)
            answer = self._peer.call(GetSession, "session/get", request, ANSWER_S)
            kept = [exchange.user for exchange in answer.exchanges]
            lost += len(set(said[-_TURNS_KEPT // 2 :]) - set(kept))
        return lost

    def _ask(self, client: Any, request: Any) -> None:
        self._calls.append((client.call_async(request), time.monotonic()))

    def _take(self, answer: Any, seconds: float) -> None:
        self.slowest_s = max(self.slowest_s, seconds)
        if answer.error_code:
            self.refused.append(answer.error_msg)
        elif isinstance(answer, StoreEpisode.Response):
            self.stored.add(answer.episode_id)

    def _talk(self) -> None:
        self._take_turns()
        for session in self.told:
            if session not in self._turns and self._chat.server_is_ready():
                text = f"Hello, this is turn {self._number} of {session}."
                goal = Chat.Goal(text=text, session_id=session, max_tokens=4, memory_policy=1)
                self._turns[session] = _Turn(text, self._chat.send_goal_async(goal))

    def _take_turns(self) -> None:
        for session, turn in list(self._turns.items()):
            result = turn.result()
            if result is not None:
                del self._turns[session]
                if result.error_code:
                    self.refused.append(result.error_msg)
                else:
                    self.told[session].append(turn.text)
            elif turn.age > ANSWER_S:
                del self._turns[session]


class _Turn:
    """A turn under way."""

    def __init__(self, text: str, sent: Any) -> None:
        self.text = text
        self._sent = sent
        self._result: Any = None
        self._began = time.monotonic()

    @property
    def age(self) -> float:
        return time.monotonic() - self._began

    def result(self) -> Chat.Result | None:
        if self._result is None and self._sent.done() and self._sent.result().accepted:
            self._result = self._sent.result().get_result_async()
        if self._result is None or not self._result.done():
            return None
        return self._result.result().result


def recovery(made: Clara, restart: Callable[[], float]) -> float:
    """Return the seconds from the restart until both nodes answer."""
    taken = restart()
    for name in NODES:
        if name in made.processes:
            made.wait_for(name)
    return taken
