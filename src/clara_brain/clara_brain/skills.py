# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""What the robot can do: the YAML file of skills, read and checked.

The file is the allow-list. Every fault in it is one sentence that names the place.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from clara_brain.errors import SkillFileError

Value = str | float | int | bool

NAME = re.compile(r"[a-z][a-z0-9_]{0,31}")
_ACTION = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")
_CHOICE = re.compile(r"[^\W_](?:[\w .'-]{0,62}[\w.'-])?")
_WORD = re.compile(r"[a-z]{2,32}")
_MOST_SKILLS = 64
# ActionEvent.context holds at most this many role-fillers, each text at most that long.
_MOST_PARAMETERS, _LONGEST_TEXT = 16, 256

_TYPES = ("choice", "number", "integer", "text", "boolean")
_KEYS = {
    "choice": ("choices",),
    "number": ("minimum", "maximum", "unit"),
    "integer": ("minimum", "maximum", "unit"),
    "text": ("max_length",),
    "boolean": (),
}


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
    max_length: int = _LONGEST_TEXT

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
class Skill:
    """One skill.

    `words` are verbs that ask for it; when empty, those of its name and its examples do.
    """

    name: str
    action: str
    description: str
    parameters: tuple[Parameter, ...]
    examples: tuple[Example, ...]
    words: tuple[str, ...]

    def parameter(self, name: str) -> Parameter | None:
        """Return the parameter of that name, or None."""
        return next((each for each in self.parameters if each.name == name), None)


def load_skills(path: str | Path) -> tuple[Skill, ...]:
    """Read a file of skills.

    Raises SkillFileError with a sentence that names the file and the place.
    """
    path = Path(path)
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SkillFileError(f"skill file {path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise SkillFileError(
            f"skill file {path} is not UTF-8 text (byte {error.start})"
        ) from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise SkillFileError(
            f"skill file {path} is not valid YAML: {where}{error.problem}"
        ) from error
    except yaml.YAMLError as error:
        raise SkillFileError(f"skill file {path} is not valid YAML: {error}") from error
    try:
        return _skills(document)
    except SkillFileError as error:
        raise SkillFileError(f"skill file {path}: {error}") from None


def _skills(document: object) -> tuple[Skill, ...]:
    top = _mapping(document, "the file")
    _only(top, ("skills",), "the file")
    entries = _list(top.get("skills"), "skills")
    if len(entries) > _MOST_SKILLS:
        raise SkillFileError(f"there are {len(entries)} skills; at most {_MOST_SKILLS}")
    skills = tuple(_skill(entry, f"skills[{at}]") for at, entry in enumerate(entries))
    names = [skill.name for skill in skills]
    for name in names:
        if name == "none" or names.count(name) > 1:
            reason = "is reserved" if name == "none" else "is given twice"
            raise SkillFileError(f"the skill name {name!r} {reason}")
    return skills


def _skill(entry: object, where: str) -> Skill:
    fields = _mapping(entry, where)
    _only(fields, ("name", "action", "description", "parameters", "examples", "words"), where)
    name = _matching(fields.get("name"), NAME, f"{where}.name")
    where = f"skill {name}"
    given = _mapping(fields.get("parameters") or {}, f"{where}.parameters")
    if len(given) > _MOST_PARAMETERS:
        raise SkillFileError(f"{where} has {len(given)} parameters; at most {_MOST_PARAMETERS}")
    parameters = tuple(_parameter(key, value, where) for key, value in given.items())
    words = _list(fields.get("words") or [], f"{where}.words")
    skill = Skill(
        name=name,
        action=_matching(fields.get("action", name.upper()), _ACTION, f"{where}.action"),
        description=_text(fields.get("description"), f"{where}.description"),
        parameters=parameters,
        examples=(),
        words=tuple(_matching(word, _WORD, f"{where}.words") for word in words),
    )
    examples = _list(fields.get("examples") or [], f"{where}.examples")
    checked = tuple(
        _example(example, skill, f"{where}.examples[{at}]") for at, example in enumerate(examples)
    )
    return Skill(name, skill.action, skill.description, parameters, checked, skill.words)


def _parameter(name: object, entry: object, where: str) -> Parameter:
    name = _matching(name, NAME, f"{where}: a parameter's name")
    where = f"{where}.parameters.{name}"
    fields = _mapping(entry, where)
    kind = fields.get("type")
    if kind not in _TYPES:
        raise SkillFileError(f"{where}.type must be one of {', '.join(_TYPES)}, not {kind!r}")
    _only(fields, ("type", "default", "must_be_said", *_KEYS[kind]), where)
    said = fields.get("must_be_said", kind in ("choice", "number", "integer"))
    if not isinstance(said, bool):
        raise SkillFileError(f"{where}.must_be_said must be true or false, not {said!r}")
    parameter = Parameter(name, kind, said, **_limits(fields, kind, where))
    if fields.get("default") is None:
        return parameter
    try:
        default = parameter.check(fields["default"])
    except ValueError as error:
        raise SkillFileError(f"{where}.default: {error}") from None
    return Parameter(name, kind, said, default, **_limits(fields, kind, where))


def _limits(fields: Mapping[str, Any], kind: str, where: str) -> dict[str, Any]:
    if kind == "choice":
        choices = _list(fields.get("choices"), f"{where}.choices")
        checked = tuple(_matching(choice, _CHOICE, f"{where}.choices") for choice in choices)
        if not checked or len(set(checked)) != len(checked):
            raise SkillFileError(f"{where}.choices must be a list of different words")
        return {"choices": checked}
    if kind == "text":
        length = fields.get("max_length", _LONGEST_TEXT)
        if (
            isinstance(length, bool)
            or not isinstance(length, int)
            or not 0 < length <= _LONGEST_TEXT
        ):
            raise SkillFileError(
                f"{where}.max_length must be from 1 to {_LONGEST_TEXT}, not {length!r}"
            )
        return {"max_length": length}
    if kind == "boolean":
        return {}
    limits: dict[str, Any] = {"unit": _text(fields.get("unit", ""), f"{where}.unit")}
    for key in ("minimum", "maximum"):
        value = fields.get(key)
        if (
            isinstance(value, bool)
            or not isinstance(value, (int, float))
            or not math.isfinite(value)
        ):
            raise SkillFileError(f"{where}.{key} must be a finite number, not {value!r}")
        limits[key] = float(value)
    if limits["minimum"] > limits["maximum"]:
        raise SkillFileError(f"{where}.minimum is more than its maximum")
    return limits


def _example(entry: object, skill: Skill, where: str) -> Example:
    fields = _mapping(entry, where)
    _only(fields, ("say", "use"), where)
    say = _text(fields.get("say"), f"{where}.say")
    if not say:
        raise SkillFileError(f"{where}.say is empty")
    use = _mapping(fields.get("use") or {}, f"{where}.use")
    checked = {}
    for name, value in use.items():
        parameter = skill.parameter(name)
        if parameter is None:
            raise SkillFileError(
                f"{where}.use names {name!r}, which is no parameter of {skill.name}"
            )
        try:
            checked[name] = parameter.check(value)
        except ValueError as error:
            raise SkillFileError(f"{where}.use: {error}") from None
    for parameter in skill.parameters:
        if parameter.default is None and parameter.name not in checked:
            raise SkillFileError(f"{where}.use lacks {parameter.name}")
    return Example(say, checked)


def _mapping(value: object, where: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise SkillFileError(f"{where} must be a mapping (key: value), not {value!r}")
    return value


def _list(value: object, where: str) -> list[Any]:
    if not isinstance(value, list):
        raise SkillFileError(f"{where} must be a list, not {value!r}")
    return value


def _text(value: object, where: str) -> str:
    if not isinstance(value, str) or any(ord(character) < 32 for character in value):
        raise SkillFileError(f"{where} must be a text in one line, not {value!r}")
    return value


def _matching(value: object, pattern: re.Pattern[str], where: str) -> str:
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise SkillFileError(f"{where} must look like {pattern.pattern}, but is {value!r}")
    return value


def _only(fields: Mapping[str, object], names: tuple[str, ...], where: str) -> None:
    unknown = [name for name in fields if name not in names]
    if unknown:
        raise SkillFileError(
            f"{where} has the unknown key {unknown[0]!r}; it may have {', '.join(names)}"
        )
