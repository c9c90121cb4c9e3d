# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Turns on a real engine without ROS, memory and skills, in an event loop of their own."""

from __future__ import annotations

import asyncio
from typing import Any

from clara_brain.engine import Engine
from clara_brain.sampler import SamplerSettings
from clara_brain.sessions import Sessions
from clara_brain.skill_gate import SkillGate
from clara_brain.turn import Turn, TurnRequest, TurnResult

GREEDY = SamplerSettings(0.0, 1.0, 0, 0.0, 1.0, seed=0)


class Later:
    """A promise of an event loop."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.future: asyncio.Future[object] = self.loop.create_future()

    def __await__(self):
        return self.future.__await__()

    def resolve(self, value: object) -> None:
        self.loop.call_soon_threadsafe(self.future.set_result, value)


class Alone:
    """A host without memory, skills and topics of the robot's state."""

    promise = staticmethod(Later)
    state = staticmethod(lambda text: "")
    to_come = staticmethod(tuple)


def turn_of(
    engine: Engine,
    sessions: Sessions,
    text: str,
    session: str = "s",
    host: Any = None,
    **options: object,
) -> Turn:
    options = {"sampling": GREEDY, **options}
    request = TurnRequest(text, "Be kind.", max_tokens=8, session=session, **options)
    return Turn(engine, sessions, (), SkillGate(), host or Alone(), request, lambda delta: None)


def run(turn: Turn) -> TurnResult:
    async def finish() -> TurnResult:
        return await turn.run()

    return asyncio.run(finish())


def take(
    engine: Engine, sessions: Sessions, text: str, session: str = "s", **options: Any
) -> TurnResult:
    return run(turn_of(engine, sessions, text, session, **options))
