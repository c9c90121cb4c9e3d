# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Fill the goal, request or message of a skill's target, whose type is imported at run time.

Everything is checked when the skills file is read: that the type exists, that it has the fields,
and that each can hold the lowest and the highest value that its parameter may have.
"""

from __future__ import annotations

import difflib
import importlib
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from rosidl_parser import definition as idl

from clara_brain.errors import SkillFileError
from clara_brain.skills import Constant, Parameter, Skill, Source, Target, TargetKind, Value

_PART = re.compile(r"([a-z][a-z0-9_]*)(?:\[(\d+)\])?")
_SIZES = {f"{sign}int{bits}": (sign, bits) for sign in ("", "u") for bits in (8, 16, 32, 64)}
_LARGEST_FLOAT32 = 3.4028234663852886e38
# Where servers say how it went, first to last.
_DETAILS = ("error_msg", "message", "status_message", "error_string", "detail")
_LONGEST_DETAIL = 1024


class MessageTemplate:
    """What a skill sends to its target. Raises SkillFileError with one sentence."""

    def __init__(self, skill: Skill) -> None:
        assert skill.target is not None
        self.target = target = skill.target
        try:
            self.interface = imported(target.type)
        except ValueError as error:
            raise SkillFileError(f"skill {skill.name}: {error}") from None
        part = {TargetKind.ACTION: "Goal", TargetKind.SERVICE: "Request"}.get(target.kind)
        self._kind = getattr(self.interface, part) if part else self.interface
        try:
            self._check(skill.parameters)
        except ValueError as error:
            raise SkillFileError(f"skill {skill.name}: {target.type}: {error}") from None

    def build(self, values: Mapping[str, Value]) -> Any:
        """Return the message for checked values of the skill's parameters."""
        message = self._kind()
        for path, value in _assignments(self.target, values):
            holder = message
            *around, (name, at) = _parts(path)
            for outer, place in around:
                inner = getattr(holder, outer)
                holder = inner if place is None else inner[place]
            converted = _converted(_slot(type(holder), name, at), value)
            if at is None:
                setattr(holder, name, converted)
            else:
                getattr(holder, name)[at] = converted
        return message

    def _check(self, parameters: tuple[Parameter, ...]) -> None:
        target = self.target
        seen: dict[str, str] = {}
        for path, where, samples in _samples(target, parameters):
            if seen.setdefault(path, where) != where:
                raise ValueError(f"{path} is set by {seen[path]} and by {where}")
            slot = field_type(self._kind, path)
            for sample in samples:
                try:
                    _converted(slot, sample)
                except ValueError as error:
                    raise ValueError(f"{path}, set by {where}: {error}") from None


def outcome_of(response: Any) -> tuple[bool, str]:
    """Return whether a result or response says success, and what it says about it.

    By the conventions of nav2 and std_srvs: `success` is a boolean, `error_code` is 0 where all
    went well. A message that has neither is a success.
    """
    success = getattr(response, "success", None)
    code = getattr(response, "error_code", None)
    good = success if isinstance(success, bool) else not isinstance(code, int) or code == 0
    details = (getattr(response, name, "") for name in _DETAILS)
    detail = next((each for each in details if isinstance(each, str) and each.strip()), "")
    if not good and not detail and isinstance(code, int) and code:
        detail = f"error code {code}"
    return good, " ".join(detail.split())[:_LONGEST_DETAIL]


def imported(interface: str) -> Any:
    """Return the class of an interface, as of "package/msg/Name". Raises ValueError."""
    package, kind, name = interface.split("/")
    what = {"action": "action", "srv": "service", "msg": "message"}[kind]
    try:
        module = importlib.import_module(f"{package}.{kind}")
    except ImportError as error:
        raise ValueError(
            f"its type {interface} cannot be imported ({error}): install the ROS 2 package"
            f" {package}, or source the workspace that has it"
        ) from None
    found = getattr(module, name, None)
    if found is None:
        near = difflib.get_close_matches(name, [each for each in dir(module) if each[0].isupper()])
        hint = f"; did you mean {near[0]}?" if near else ""
        raise ValueError(f"the package {package} has no {what} {name}{hint}")
    return found


def _samples(
    target: Target, parameters: tuple[Parameter, ...]
) -> Iterator[tuple[str, str, list[Constant]]]:
    """Return each field with what sets it and the values that test whether it can hold them."""
    known = {parameter.name: parameter for parameter in parameters}
    for path, source in target.fields.items():
        parameter = known[source.parameter]
        extremes: list[Constant] = {
            "choice": list(parameter.choices),
            "number": [parameter.minimum, parameter.maximum],
            "integer": [_whole(parameter.minimum), _whole(parameter.maximum)],
            "text": ["x" * parameter.max_length],
            "boolean": [True],
        }[parameter.type]  # type: ignore[assignment]
        yield (
            path,
            f"the parameter {parameter.name}",
            [_scaled(source, each) for each in extremes],
        )
    for path, constant in target.constants.items():
        yield path, "constants", [constant]
    for name, choices in target.by_choice.items():
        for constants in choices.values():
            for path, constant in constants.items():
                yield path, f"by_choice.{name}", [constant]


def _assignments(target: Target, values: Mapping[str, Value]) -> Iterator[tuple[str, Constant]]:
    yield from target.constants.items()
    for path, source in target.fields.items():
        yield path, _scaled(source, values[source.parameter])
    for name, choices in target.by_choice.items():
        yield from choices[str(values[name])].items()


def _scaled(source: Source, value: Constant) -> Constant:
    if source.times == 1.0 or isinstance(value, (str, bool, list)):
        return value
    return value * source.times


def _whole(limit: float) -> Value:
    return int(limit) if math.isfinite(limit) else 0


def _parts(path: str) -> Iterator[tuple[str, int | None]]:
    for name, at in _PART.findall(path):
        yield name, int(at) if at else None


def value_at(message: Any, path: str) -> Any:
    """Return what a message holds at a path that `field_type` knows."""
    for name, at in _parts(path):
        message = getattr(message, name)
        if at is not None:
            message = message[at]
    return message


def field_type(kind: Any, path: str) -> Any:
    """Return the type of a field. Raises ValueError where there is none."""
    slot: Any = None
    so_far = ""
    for name, at in _parts(path):
        if slot is not None:
            if not isinstance(slot, idl.NamespacedType):
                raise ValueError(f"{so_far} has no fields, so there is no {path}")
            kind = getattr(importlib.import_module(".".join(slot.namespaces)), slot.name)
        so_far += f"{'.' * bool(so_far)}{name}"
        slot = _slot(kind, name, at)
    return slot


def _slot(kind: Any, name: str, at: int | None) -> Any:
    names = list(kind.get_fields_and_field_types())
    if name not in names:
        near = difflib.get_close_matches(name, names, n=1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(names)}"
        raise ValueError(f"{kind.__name__} has no field {name!r}; {hint}")
    slot = kind.SLOT_TYPES[names.index(name)]
    if at is None:
        return slot
    if not isinstance(slot, idl.Array) or at >= slot.size:
        raise ValueError(f"there is no {name}[{at}]: only arrays of a fixed size have places")
    return slot.value_type


def _converted(slot: Any, value: Constant) -> Any:
    """Return a value as a field of this type takes it. Raises ValueError."""
    if isinstance(slot, idl.AbstractNestedType):
        return _converted_list(slot, value)
    if isinstance(value, list):
        raise ValueError("it is not a list")
    if isinstance(slot, idl.NamespacedType):
        raise ValueError(f"it is a {slot.name}; name the field of it that is meant")
    if isinstance(slot, idl.AbstractGenericString):
        if not isinstance(value, str):
            raise ValueError(f"it holds texts, not {value!r}")
        if slot.has_maximum_size() and len(value) > slot.maximum_size:
            raise ValueError(f"it holds at most {slot.maximum_size} characters")
        return value
    if slot.typename == idl.BOOLEAN_TYPE:
        if not isinstance(value, bool):
            raise ValueError(f"it is true or false, not {value!r}")
        return value
    if isinstance(value, (bool, str)):
        raise ValueError(f"it holds numbers ({slot.typename}), not {value!r}")
    return _converted_number(slot.typename, value)


def _converted_list(slot: Any, value: Constant) -> Any:
    if not isinstance(value, list):
        raise ValueError("it is a list; give a list as constant")
    size, bounded = getattr(slot, "size", None), getattr(slot, "maximum_size", None)
    if (size is not None and len(value) != size) or (bounded and len(value) > bounded):
        raise ValueError(f"it takes {size or f'at most {bounded}'} values, not {len(value)}")
    return [_converted(slot.value_type, each) for each in value]


def _converted_number(typename: str, value: float | int) -> float | int:
    if not math.isfinite(value):
        raise ValueError(f"it must be finite, not {value}")
    if typename in ("float", "double"):
        if typename == "float" and abs(value) > _LARGEST_FLOAT32:
            raise ValueError(f"{value:g} is too large for it")
        return float(value)
    if typename not in _SIZES:
        raise ValueError(f"fields of type {typename} cannot be set")
    if not isinstance(value, int):
        raise ValueError(f"it is a whole number ({typename}), not {value!r}; take type integer")
    sign, bits = _SIZES[typename]
    low, high = (0, 2**bits - 1) if sign else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    if not low <= value <= high:
        raise ValueError(f"{value} is not from {low} to {high}")
    return value
