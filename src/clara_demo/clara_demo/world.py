# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""The simulated world: a table, a shelf, a floor, four objects and a gripper.

Skills have preconditions, and fail with a seeded probability. Each pair of skill and object has
its own stream of chance: one seed gives the same attempts the same ends in whatever order.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field

from clara_demo.outcome import Outcome

PLACES = ("table", "shelf", "floor")
ACTIONS = ("PICK_UP", "PLACE", "WAVE", "LOOK_AROUND")
DURATIONS_S = {"PICK_UP": 1.5, "PLACE": 1.2, "WAVE": 0.8, "LOOK_AROUND": 1.0}
REFUSAL_S = 0.0
_START = {"cup": "table", "bottle": "table", "book": "shelf", "ball": "floor"}
OBJECTS = tuple(_START)


@dataclass(frozen=True)
class Mishap:
    """How an object escapes the gripper, and how much more often than others (a factor)."""

    picking: str
    placing: str
    factor: float


_MISHAPS = {
    "cup": Mishap(
        "the cup slipped out of the gripper", "the cup tipped over and rolled to the floor", 2.0
    ),
    "bottle": Mishap(
        "the bottle was too smooth to hold", "the bottle fell over and rolled to the floor", 1.0
    ),
    "book": Mishap("the gripper only bent the cover", "the book slid off to the floor", 0.5),
    "ball": Mishap("the ball rolled away", "the ball bounced to the floor", 1.0),
}


@dataclass(frozen=True)
class Report:
    """How a skill ended: a sentence, what is so now (role: filler), and how long it took."""

    outcome: Outcome
    detail: str
    effects: Mapping[str, str] = field(default_factory=dict)
    duration_s: float = REFUSAL_S


class World:
    """Where everything is, and what the robot can do about it."""

    def __init__(self, seed: int, failure_probability: float) -> None:
        """Set everything in its place.

        Args:
            seed: of all chance in this world.
            failure_probability: 0 to 1, of one attempt with an object of factor 1.

        """
        self.where = dict(_START)
        self.held: str | None = None
        self._seed = seed
        self._failure_probability = failure_probability
        self._chances: dict[str, random.Random] = {}

    def perform(self, action: str, thing: str, place: str = "") -> Report:
        """Try a skill and return how it ended; `thing` and `place` may be empty where unused."""
        action, thing, place = action.upper(), thing.lower(), place.lower()
        if action not in ACTIONS:
            return _refusal(f"I cannot do {action}; I can do {', '.join(ACTIONS)}")
        if action == "WAVE":
            return Report(Outcome.SUCCEEDED, "I waved", {}, DURATIONS_S[action])
        if action == "LOOK_AROUND":
            return self._look_around()
        if thing not in OBJECTS:
            named = f"there is no {thing} here" if thing else f"{action} needs an object"
            return _refusal(f"{named}; I know {', '.join(OBJECTS)}")
        return self._pick_up(thing) if action == "PICK_UP" else self._place(thing, place)

    def _look_around(self) -> Report:
        seen = ", ".join(f"{thing}: {place}" for thing, place in self.where.items())
        return Report(Outcome.SUCCEEDED, f"I see {seen}", {}, DURATIONS_S["LOOK_AROUND"])

    def _pick_up(self, thing: str) -> Report:
        if self.held is not None:
            return _refusal(f"I am already holding the {self.held}")
        took = DURATIONS_S["PICK_UP"]
        if self._fails("PICK_UP", thing):
            place = self.where[thing]
            return Report(Outcome.FAILED, _MISHAPS[thing].picking, {"place": place}, took)
        origin, self.where[thing], self.held = self.where[thing], "gripper", thing
        detail = f"I picked up the {thing} from the {origin}"
        return Report(Outcome.SUCCEEDED, detail, {"place": "gripper"}, took)

    def _place(self, thing: str, place: str) -> Report:
        if place not in PLACES:
            named = f"there is no {place} here" if place else "PLACE needs a place"
            return _refusal(f"{named}; I know {', '.join(PLACES)}")
        if self.held != thing:
            return _refusal(f"I am not holding the {thing}")
        self.held = None
        took = DURATIONS_S["PLACE"]
        if place != "floor" and self._fails("PLACE", thing):
            self.where[thing] = "floor"
            return Report(Outcome.FAILED, _MISHAPS[thing].placing, {"place": "floor"}, took)
        self.where[thing] = place
        detail = f"I put the {thing} on the {place}"
        return Report(Outcome.SUCCEEDED, detail, {"place": place}, took)

    def _fails(self, action: str, thing: str) -> bool:
        name = f"{self._seed}/{action}/{thing}"
        chance = self._chances.setdefault(name, random.Random(name))
        return chance.random() < min(1.0, self._failure_probability * _MISHAPS[thing].factor)


def _refusal(reason: str) -> Report:
    return Report(Outcome.FAILED, reason)
