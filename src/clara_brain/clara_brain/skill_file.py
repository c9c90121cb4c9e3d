# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Read the YAML file of skills: the allow-list of what the robot can be asked to do.

Its shape is checked by a JSON schema (`skills.schema.json`, which editors can use as well), what a
schema cannot say by the code below. Every fault is one sentence that names the file, the line, the
skill and the key.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from clara_brain.errors import SkillFileError
from clara_brain.flag_slots import booleans, telling_words
from clara_brain.orders import offer_or_reason
from clara_brain.skill_decision import call, decide
from clara_brain.skill_schema import first_fault
from clara_brain.skills import (
    LONGEST_TEXT,
    TIMEOUTS_S,
    Confirm,
    Example,
    Parameter,
    Rate,
    Skill,
    Source,
    Target,
    TargetKind,
)
from clara_brain.spoken_numbers import unit_named
from clara_brain.units import DEGREE
from clara_brain.yaml_lines import Fault, Path_, YamlFile

_KINDS = {
    "action": TargetKind.ACTION,
    "service": TargetKind.SERVICE,
    "topic": TargetKind.TOPIC,
}


def load_skills(path: str | Path) -> tuple[Skill, ...]:
    """Read a file of skills. Raises SkillFileError with a sentence that names the place."""
    path = Path(path)
    try:
        file = YamlFile(path.read_bytes())
        fault = first_fault(file)
        if fault:
            raise fault
        return tuple(_skills(file.content))
    except OSError as error:
        raise SkillFileError(f"skill file {path} cannot be read: {error.strerror}") from error
    except Fault as fault:
        line = file.line(fault.path) if fault.path is not None else fault.line
        raise SkillFileError(f"skill file {path}, line {line}: {fault}") from None


def _skills(document: Any) -> Iterator[Skill]:
    names: list[str] = []
    for at, entry in enumerate(document["skills"]):
        name, path = entry["name"], ("skills", at, "name")
        if name == "none" or name in names:
            reason = "is reserved" if name == "none" else "is given twice"
            raise Fault(f"the skill name {name!r} {reason}", path)
        names.append(name)
        skill = replace(_skill(entry, ("skills", at)), called=tuple(document.get("called") or ()))
        _check_examples(skill, ("skills", at))
        yield skill


def _skill(entry: Mapping[str, Any], path: Path_) -> Skill:
    name = entry["name"]
    where = f"skill {name}"
    parameters = tuple(
        _parameter(key, value, (*path, "parameters", key), f"{where}.parameters.{key}")
        for key, value in (entry.get("parameters") or {}).items()
    )
    examples = tuple(
        _example(example, name, parameters, (*path, "examples", at), f"{where}.examples[{at}]")
        for at, example in enumerate(entry.get("examples") or ())
    )
    target = None
    if "target" in entry:
        target = _target(entry["target"], parameters, (*path, "target"), f"{where}.target")
    return Skill(
        name=name,
        action=entry.get("action", name.upper()),
        description=entry["description"],
        parameters=parameters,
        examples=examples,
        words=tuple(entry.get("words") or ()),
        in_words=_in_words(entry.get("in_words", ""), parameters, (*path, "in_words"), where),
        target=target,
        confirm=Confirm(entry.get("confirm", "never")),
        at_most=_rate(entry, path, where),
        timeout=_timeout(entry, target, path, where),
    )


def _check_examples(skill: Skill, path: Path_) -> None:
    """Refuse what can never be obeyed, or would be obeyed another way than its example says."""
    where = f"skill {skill.name}"
    for each in booleans(skill):
        told = telling_words(skill, each)
        if not any(told.values()) or not all(told[it] for it in told if it is not each.default):
            raise Fault(
                f"{where}.parameters.{each.name} is a boolean: it needs an example for true and"
                " one for false, each with a word that the other lacks (as on and off)",
                (*path, "parameters", each.name),
            )
    for at, example in enumerate(skill.examples):
        said = example.say
        found = offer_or_reason(skill, said)
        decision = decide([skill], call(skill, example), said)
        reason = found if isinstance(found, str) else decision.reason if decision else ""
        if reason:
            raise Fault(
                f"{where}.examples[{at}] could not be obeyed: {said!r}: {reason}; an order says"
                " each value as `use` has it, and a default that is not said is not in `use`",
                (*path, "examples", at),
            )


def _parameter(name: str, entry: Mapping[str, Any], path: Path_, where: str) -> Parameter:
    kind = entry["type"]
    limits = {}
    for key in ("minimum", "maximum"):
        if key in entry:
            limits[key] = _finite(entry[key], (*path, key), f"{where}.{key}")
    parameter = Parameter(
        name=name,
        type=kind,
        said=entry.get("must_be_said", kind in ("choice", "number", "integer")),
        choices=tuple(entry.get("choices", ())),
        unit=_unit(name, entry.get("unit", "")),
        max_length=entry.get("max_length", LONGEST_TEXT),
        **limits,
    )
    if limits and parameter.minimum > parameter.maximum:
        raise Fault(f"{where}.minimum is more than its maximum", (*path, "minimum"))
    if entry.get("default") is None:
        return parameter
    try:
        default = parameter.check(entry["default"])
    except ValueError as error:
        raise Fault(f"{where}.default: {error}", (*path, "default")) from None
    return Parameter(**{**vars(parameter), "default": default})


def _unit(name: str, unit: str) -> str:
    """Return a unit as `units` has it; the degrees of a temperature are no angle."""
    known = unit_named(unit) or unit
    return DEGREE if known == "deg" and "temperature" in name.split("_") else known


def _example(
    entry: Mapping[str, Any],
    skill: str,
    parameters: tuple[Parameter, ...],
    path: Path_,
    where: str,
) -> Example:
    known = {parameter.name: parameter for parameter in parameters}
    checked = {}
    for name, value in (entry.get("use") or {}).items():
        if name not in known:
            raise Fault(
                f"{where}.use names {name!r}, which is no parameter of {skill}",
                (*path, "use", name),
            )
        try:
            checked[name] = known[name].check(value)
        except ValueError as error:
            raise Fault(f"{where}.use: {error}", (*path, "use", name)) from None
    for parameter in parameters:
        if parameter.default is None and parameter.name not in checked:
            raise Fault(f"{where}.use lacks {parameter.name}", path)
    return Example(entry["say"], checked)


def _in_words(words: str, parameters: tuple[Parameter, ...], path: Path_, where: str) -> str:
    """Return a sentence whose braces hold names of parameters and nothing else."""
    names = {parameter.name for parameter in parameters}
    for braced in re.findall(r"\{[^{}]*\}|[{}]", words):
        if braced[1:-1] not in names:
            raise Fault(f"{where}.in_words has {braced!r}, which is no parameter", path)
    return words


def _target(
    entry: Mapping[str, Any], parameters: tuple[Parameter, ...], path: Path_, where: str
) -> Target:
    key = next(key for key in _KINDS if key in entry)
    kind = _KINDS[key]
    if entry["type"].split("/")[1] != kind.value:
        raise Fault(
            f"{where}.type must look like package/{kind.value}/Name for {'an' * (key == 'action')}"
            f"{'a' * (key != 'action')} {key}, but is {entry['type']!r}",
            (*path, "type"),
        )
    known = {parameter.name: parameter for parameter in parameters}
    fields = {
        name: Source(source)
        if isinstance(source, str)
        else Source(source["parameter"], source.get("times", 1.0))
        for name, source in entry.get("fields", {}).items()
    }
    for name, source in fields.items():
        place, at = f"{where}.fields.{name}", (*path, "fields", name)
        if source.parameter not in known:
            raise Fault(f"{place} names {source.parameter!r}, which is no parameter", at)
        _finite(source.times, at, f"{place}.times")
        if source.times != 1.0 and known[source.parameter].type != "number":
            raise Fault(f"{place}.times needs a parameter of type number", at)
    by_choice = entry.get("by_choice", {})
    for name, choices in by_choice.items():
        place, at = f"{where}.by_choice.{name}", (*path, "by_choice", name)
        if name not in known or known[name].type != "choice":
            raise Fault(f"{place}: there is no parameter {name!r} of type choice", at)
        for choice in known[name].choices:
            if choice not in choices:
                raise Fault(f"{place} lacks the choice {choice!r}", at)
        for choice in choices:
            if choice not in known[name].choices:
                raise Fault(f"{place} has {choice!r}, which is no choice", (*at, choice))
    used = {source.parameter for source in fields.values()} | set(by_choice)
    for name in known:
        if name not in used:
            raise Fault(f"{where} does not use the parameter {name!r}", path)
    return Target(
        kind=kind,
        name=entry[key],
        type=entry["type"],
        fields=fields,
        constants=entry.get("constants", {}),
        by_choice=by_choice,
        remember=entry.get("remember", True),
    )


def _rate(entry: Mapping[str, Any], path: Path_, where: str) -> Rate | None:
    if "at_most" not in entry:
        return None
    uses, _, period, _ = entry["at_most"].split()
    if float(period) <= 0:
        raise Fault(f"{where}.at_most must be over more than 0 s", (*path, "at_most"))
    return Rate(int(uses), float(period))


def _timeout(entry: Mapping[str, Any], target: Target | None, path: Path_, where: str) -> float:
    usual = TIMEOUTS_S.get(target.kind, 0.0) if target else 0.0
    if "timeout" not in entry:
        return usual
    if not usual:
        raise Fault(
            f"{where}.timeout is for actions and services; nobody answers its target",
            (*path, "timeout"),
        )
    return _finite(entry["timeout"], (*path, "timeout"), f"{where}.timeout")


def _finite(value: float, path: Path_, where: str) -> float:
    if not math.isfinite(value):
        raise Fault(f"{where} must be a finite number, not {value!r}", path)
    return float(value)
