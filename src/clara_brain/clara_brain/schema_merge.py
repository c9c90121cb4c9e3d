# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Two JSON schemas that both hold, as one: for `allOf`, and for what stands beside `anyOf`."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

MOST_PAIRS = 1000
Schema = dict[str, Any]

# The keywords of each type.
TYPES = {
    "object": (
        "properties",
        "required",
        "additionalProperties",
        "patternProperties",
        "propertyNames",
        "minProperties",
        "maxProperties",
    ),
    "array": ("items", "prefixItems", "minItems", "maxItems", "uniqueItems", "contains"),
    "string": ("pattern", "minLength", "maxLength", "format"),
    "number": ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
}
_OF_ANY_TYPE = ("type", "enum", "const", "allOf", "anyOf", "oneOf", "$ref", "not", "if")
_CONSTRAINTS = frozenset(_OF_ANY_TYPE).union(*TYPES.values())
_LOWER = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
_UPPER = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")


def says_something(schema: Schema) -> bool:
    """Return whether a schema has a keyword that rules something out."""
    return not _CONSTRAINTS.isdisjoint(schema)


def merged(one: Schema, other: Schema) -> Schema:
    """Return a schema of what fits both, or of more where that cannot be said.

    Raises ValueError where it would be far larger than they are.
    """
    both = {**other, **one}
    for name in one.keys() & other.keys():
        if one[name] != other[name]:
            both[name] = _MERGERS.get(name, _first)(one[name], other[name])
    return both


def _first(one: Any, other: Any) -> Any:
    return one


def _all_of(one: Any, other: Any) -> Any:
    return {"allOf": [one, other]}


def _named(one: Schema, other: Schema) -> Schema:
    return {
        name: _all_of(one[name], other[name]) if name in one and name in other else part
        for name, part in {**one, **other}.items()
    }


def _types(one: Any, other: Any) -> list[str]:
    ones, others = (each if isinstance(each, list) else [each] for each in (one, other))
    both = [each for each in ones if each in others or (each == "integer" and "number" in others)]
    narrower = "integer" in others and "number" in ones and "integer" not in both
    return [*both, "integer"] if narrower else both


def _values(one: list[Any], other: list[Any]) -> list[Any]:
    known = set(map(json.dumps, other))
    return [each for each in one if json.dumps(each) in known]


def _pairs(one: list[Any], other: list[Any]) -> list[Any]:
    if len(one) * len(other) > MOST_PAIRS:
        raise ValueError(f"alternatives that make more than {MOST_PAIRS:,} pairs")
    return [_all_of(left, right) for left in one for right in other]


_MERGERS: dict[str, Callable[[Any, Any], Any]] = {
    "type": _types,
    "enum": _values,
    "required": lambda one, other: list(dict.fromkeys([*one, *other])),
    "properties": _named,
    "patternProperties": _named,
    "additionalProperties": _all_of,
    "propertyNames": _all_of,
    "items": _all_of,
    "allOf": lambda one, other: [*one, *other],
    "anyOf": _pairs,
    "oneOf": _pairs,
    **dict.fromkeys(_LOWER, max),
    **dict.fromkeys(_UPPER, min),
}
