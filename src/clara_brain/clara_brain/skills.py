# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""What a skill is: its typed and ranged parameters, its limits, and what it does to the robot.

`skill_file` reads them; `Parameter.check` is the one place where a value is judged.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

Value = str | float | int | bool
# What a field of a message may be set to without a parameter.
Constant = Value | list[Value]

LONGEST_TEXT = 256  # ActionEvent.context holds texts of at most that many characters


class Confirm(Enum):
    """When Clara asks "Shall I ...?" and waits for a yes before a skill is used."""

    NEVER = "never"
    FIRST_TIME = "first_time"
    ALWAYS = "always"


class TargetKind(Enum):
    """What a target is; the value is what its type says between the slashes."""

    ACTION = "action"
    SERVICE = "srv"
    TOPIC = "msg"


# How long a goal or a call may take where the file does not say, in seconds.
TIMEOUTS_S = {TargetKind.ACTION: 120.0, TargetKind.SERVICE: 10.0}


@dataclass(frozen=True)
class Parameter:
    """One parameter of a skill.

    `said`: its value must occur in what the person said. `default` is None for a required
    parameter.
    """

    name: str
    type: str
    said: bool
    default: Value | None = None
    choices: tuple[str, ...] = ()
    minimum: float = -math.inf
    maximum: float = math.inf
    unit: str = ""
    max_length: int = LONGEST_TEXT

    @property
    def numeric(self) -> bool:
        """Whether its values are numbers."""
        return self.type in ("number", "integer")

    def check(self, value: object) -> Value:
        """Return the value with its proper type. Raises ValueError with a sentence."""
        if self.type == "choice":
            if value not in self.choices:
                raise ValueError(
                    f"{self.name} must be one of {', '.join(self.choices)}, not {value!r}"
                )
            return str(value)
        if self.type == "text":
            return self._check_text(value)
        if self.type == "boolean":
            if not isinstance(value, bool):
                raise ValueError(f"{self.name} must be true or false, not {value!r}")
            return value
        return self._check_number(value)

    def _check_text(self, value: object) -> str:
        if not isinstance(value, str):
            raise ValueError(f"{self.name} must be a text, not {value!r}")
        if len(value) > self.max_length:
            raise ValueError(f"{self.name} has {len(value)} characters; at most {self.max_length}")
        if any(ord(character) < 32 or ord(character) == 127 for character in value):
            raise ValueError(f"{self.name} has control characters")
        return value

    def _check_number(self, value: object) -> float | int:
        if (
            isinstance(value, bool)
            or not isinstance(value, (int, float))
            or not math.isfinite(value)
        ):
            raise ValueError(f"{self.name} must be a finite number, not {value!r}")
        if self.type == "integer" and value != int(value):
            raise ValueError(f"{self.name} must be a whole number, not {value}")
        if not self.minimum <= value <= self.maximum:
            unit = f" {self.unit}" if self.unit else ""
            raise ValueError(
                f"{self.name} must be from {self.minimum:g} to {self.maximum:g}{unit},"
                f" not {value:g}"
            )
        return int(value) if self.type == "integer" else float(value)


@dataclass(frozen=True)
class Example:
    """Something people say, and the parameters that it means."""

    say: str
    use: Mapping[str, Value]


@dataclass(frozen=True)
class Source:
    """Where a field of a message comes from: a parameter, times a factor (as degrees to rad)."""

    parameter: str
    times: float = 1.0


@dataclass(frozen=True)
class Target:
    """A ROS 2 action, service or topic that a skill uses, and how its message is filled.

    Fields are named with dots from the goal, request or message, as `pose.header.frame_id`.
    `by_choice` has, for a parameter and each of its choices, the fields that this choice sets.
    `remember`: the brain tells memory what was started and how it ended.
    """

    kind: TargetKind
    name: str
    type: str
    fields: Mapping[str, Source] = field(default_factory=dict)
    constants: Mapping[str, Constant] = field(default_factory=dict)
    by_choice: Mapping[str, Mapping[str, Mapping[str, Constant]]] = field(default_factory=dict)
    remember: bool = True


@dataclass(frozen=True)
class Rate:
    """A skill is used at most `uses` times within `period` seconds."""

    uses: int
    period: float


@dataclass(frozen=True)
class Skill:
    """One skill.

    `words` are verbs that ask for it; when empty, those of its name and its examples do.
    `in_words` is how Clara says it, with parameters in braces, as "drive to the {place}". Without
    a `target` it is published on `action_request`. `timeout` is in seconds. `called` are names
    that the robot is addressed by in front of an order.
    """

    name: str
    action: str
    description: str
    parameters: tuple[Parameter, ...] = ()
    examples: tuple[Example, ...] = ()
    words: tuple[str, ...] = ()
    in_words: str = ""
    target: Target | None = None
    confirm: Confirm = Confirm.NEVER
    at_most: Rate | None = None
    timeout: float = 0.0
    called: tuple[str, ...] = ()

    @property
    def tells_its_end(self) -> bool:
        """Whether somebody says how it ended: nobody does on a topic of the robot's own."""
        return self.target is None or self.target.kind is not TargetKind.TOPIC

    def parameter(self, name: str) -> Parameter | None:
        """Return the parameter of that name, or None."""
        return next((each for each in self.parameters if each.name == name), None)
