# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""The JSON schema of the skills file, and what it objects to as a sentence for people."""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable
from importlib import resources
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from clara_brain.yaml_lines import Fault, Path_, YamlFile

_TYPES = {
    "object": "a mapping (key: value)",
    "array": "a list",
    "string": "a text",
    "number": "a number",
    "integer": "a whole number",
    "boolean": "true or false",
}


def schema() -> dict[str, Any]:
    """Return the JSON schema that ships with this package."""
    text = resources.files("clara_brain").joinpath("skills.schema.json").read_text("utf-8")
    return dict(json.loads(text))


def first_fault(file: YamlFile) -> Fault | None:
    """Return what the schema objects to first, by line; None when all is well."""
    errors = list(Draft202012Validator(schema()).iter_errors(file.content))
    faults = [_fault(error, file.content) for error in errors]
    # An unknown key says more than that the one it was meant for is missing.
    return min(
        faults, key=lambda fault: (file.line(fault.path or ()), -fault.weight), default=None
    )


def _fault(error: ValidationError, content: Any) -> Fault:
    path: Path_ = tuple(error.absolute_path)
    if error.validator == "additionalProperties":
        known = list(_schema(error).get("properties", {}))
        key = next(key for key in _instance(error) if key not in known)
        near = difflib.get_close_matches(key, known, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"it may have {', '.join(known)}"
        return Fault(
            f"{_where(path, content)} has the unknown key {key!r}; {hint}", (*path, key), weight=1
        )
    if "propertyNames" in error.absolute_schema_path:
        path = (*path, str(error.instance))
        return Fault(f"{_where(path, content)}: {_OBJECTIONS['key'](error)}", path)
    say = _OBJECTIONS.get(str(error.validator))
    sentence = say(error) if say else f"is not allowed: {error.message[:120]}"
    return Fault(f"{_where(path, content)} {sentence}", path)


def _schema(error: ValidationError) -> Any:
    return error.schema


def _rule(error: ValidationError) -> Any:
    return error.validator_value


def _instance(error: ValidationError) -> Any:
    return error.instance


def _where(path: Path_, content: Any) -> str:
    """Name a place as people see it, as `skill go_to.parameters.place.choices[2]`."""
    if not path:
        return "the file"
    name: Any = ""
    if path[0] == "skills" and len(path) > 1 and path[2:3] != ("name",):
        entry = content["skills"][path[1]]
        name = entry.get("name") if isinstance(entry, dict) else ""
    where, rest = (f"skill {name}", path[2:]) if isinstance(name, str) and name else ("", path)
    for part in rest:
        where += f"[{part}]" if isinstance(part, int) else f".{part}" if where else str(part)
    return where


def _brief(value: Any) -> str:
    written = repr(value)
    return written if len(written) <= 60 else f"{written[:57]}..."


def _wrong_type(error: ValidationError) -> str:
    value = _rule(error)
    wanted = [value] if isinstance(value, str) else [each for each in value if each != "null"]
    sentence = f"must be {' or '.join(_TYPES[each] for each in wanted)}, not "
    hint = ""
    if isinstance(error.instance, bool) and "string" in wanted:
        hint = "; put it in quotes"
    elif isinstance(error.instance, str) and "number" in wanted:
        hint = "; YAML takes it for a text, write it without exponent and quotes"
    return f"{sentence}{_brief(error.instance)}{hint}"


def _missing(error: ValidationError) -> str:
    keys = [key for key in _rule(error) if key not in _instance(error)]
    return f"lacks {', '.join(repr(key) for key in keys)}"


def _looks(error: ValidationError) -> str:
    schema = _schema(error)
    return f"must look like {schema['examples'][0]!r} ({schema['pattern']})"


def _length(error: ValidationError) -> str:
    return f"has {len(_instance(error))} entries; at most {_rule(error)}"


_OBJECTIONS: dict[str, Callable[[ValidationError], str]] = {
    "type": _wrong_type,
    "required": _missing,
    "enum": lambda error: (
        f"must be one of {', '.join(_rule(error))}, not {_brief(error.instance)}"
    ),
    "pattern": lambda error: f"{_looks(error)}, but is {_brief(error.instance)}",
    "key": lambda error: f"a key {_looks(error)}",
    "oneOf": lambda error: "must have exactly one of 'action', 'service', 'topic'",
    "minLength": lambda error: "is empty",
    "maxLength": lambda error: f"has {len(_instance(error))} characters; at most {_rule(error)}",
    "minItems": lambda error: "is empty",
    "maxItems": _length,
    "maxProperties": _length,
    "uniqueItems": lambda error: "has an entry twice",
    "minimum": lambda error: f"must be at least {_rule(error)}, not {error.instance!r}",
    "maximum": lambda error: f"must be at most {_rule(error)}, not {error.instance!r}",
    "exclusiveMinimum": lambda error: f"must be more than {_rule(error)}, not {error.instance!r}",
}
