# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""The grammar of a JSON schema, as Pydantic and the clients of OpenAI's API write schemas.

Where a grammar cannot say all that a schema says, it lets through less, as far as that goes: an
object without `additionalProperties` has its named properties alone, in their order. What is left
(`uniqueItems`, `not`, `if`, `contains`, `dependentRequired`, steps that are fractions, lengths
above LONGEST_RUN) is only held against the reply afterwards, by schema_check.
"""

from __future__ import annotations

import json
import logging
import math
import threading
from collections.abc import Callable, Collection, Iterable
from fractions import Fraction
from functools import partial
from typing import Any
from urllib.parse import unquote

import jsonschema

from clara_brain.errors import BrainError, InvalidRequest, Unforeseen
from clara_brain.gbnf import NOTHING, Rules, either, quoted, times
from clara_brain.number_grammar import INTEGER, NUMBER, Bounds, bounds_of, integers, numbers
from clara_brain.pattern_grammar import (
    FORMATS,
    LONGEST_RUN,
    character,
    string_with,
    string_without,
)
from clara_brain.schema_merge import TYPES, Schema, merged, says_something

_MOST_PARTS = 20_000
_MOST_DISTINCT = 50
_MOST_OF_STEPS = 1000
_QUOTE = quoted('"')
_log = logging.getLogger(__name__)
_one_at_a_time = threading.Lock()


def grammar_of_schema(schema: str) -> str:
    """Return the GBNF grammar of a JSON schema. Raises InvalidRequest."""
    try:
        return _converted(_read(schema))
    except RecursionError as error:
        raise InvalidRequest("sampling.json_schema is nested too deeply") from error


def make_grammar(
    schema: str, is_wanted: Callable[[], bool], on_done: Callable[[str | BrainError | None], None]
) -> None:
    """Make the grammar of a JSON schema on a thread of its own: a long one takes seconds.

    `on_done` is given it, or what is wrong, there; None where it is not wanted any more. One is
    made at a time, for all threads take turns at Python's interpreter.
    """

    def make() -> None:
        made: str | BrainError | None = None
        with _one_at_a_time:
            if is_wanted():
                try:
                    made = grammar_of_schema(schema)
                except BrainError as error:
                    made = error
                except Exception as error:
                    _log.exception("a grammar could not be made in a way nobody foresaw")
                    made = Unforeseen(error)
        on_done(made)

    threading.Thread(target=make, name="grammar", daemon=True).start()


def _read(schema: str) -> Any:
    try:
        parsed = json.loads(schema, parse_constant=_refuse_constant)
        if isinstance(parsed, dict):
            _check_dialect(parsed)
        jsonschema.validators.validator_for(parsed).check_schema(parsed)
    except json.JSONDecodeError as error:
        raise InvalidRequest(
            f"sampling.json_schema is not valid JSON: line {error.lineno}, column {error.colno}:"
            f" {error.msg}"
        ) from error
    except (ValueError, TypeError) as error:
        raise InvalidRequest(f"sampling.json_schema cannot be read: {error}") from error
    except jsonschema.SchemaError as error:
        raise InvalidRequest(
            f"sampling.json_schema is no JSON schema: {error.json_path}: {error.message}"
        ) from error
    return parsed


def _converted(schema: Any) -> str:
    converter = _Converter(schema)
    try:
        return converter.rules.grammar(converter.value(schema))
    except ValueError as error:
        raise InvalidRequest(
            f"sampling.json_schema has a part that no grammar can be made of: {error}"
        ) from error
    except (TypeError, AttributeError, LookupError, ArithmeticError) as error:
        # Older drafts have keywords of other types, and a reference may lead to anything.
        raise InvalidRequest(
            f"sampling.json_schema has a keyword with a value that is not known: {error}"
        ) from error


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _check_dialect(schema: Schema) -> None:
    if not isinstance(schema.get("$schema", ""), str):
        raise InvalidRequest("sampling.json_schema has a $schema that is no text")
    wrapped = schema.get("json_schema", schema.get("schema"))
    if isinstance(wrapped, dict) and {"properties", "anyOf", "$ref"}.isdisjoint(schema):
        raise InvalidRequest(
            "sampling.json_schema is a response_format of OpenAI's: give what stands under schema"
        )


class _Converter:
    """Makes rules of a schema; its methods raise ValueError for what nothing can be made of."""

    def __init__(self, root: Any) -> None:
        self.rules = Rules()
        self._root = root
        self._references: dict[str, str] = {}
        self._anything = ""
        self._space = self.rules.add(f'" " | {NOTHING}')
        self._parts = 0.0

    def value(self, schema: Any, within: tuple[str, ...] = ()) -> str:
        """Return what stands for the values of a schema.

        `within` are the references that led here without an object or an array in between.
        """
        self._spend(1)
        schema = _plain(schema)
        if "$ref" in schema:
            return self._reference(schema, within)
        if "allOf" in schema:
            return self.value(self._all_of(schema), within)
        for name in ("anyOf", "oneOf"):
            if name in schema:
                return self._any_of(schema, name, within)
        if "const" in schema or "enum" in schema:
            return self.rules.add(" | ".join(self._constants(schema)))
        kinds = _kinds(schema)
        if kinds is None:
            return self._any_value()
        return self._either(partial(self._of_type, kind, schema) for kind in kinds)

    def _spend(self, parts: float) -> None:
        self._parts += parts
        if self._parts > _MOST_PARTS:
            raise InvalidRequest(
                f"sampling.json_schema has more than {_MOST_PARTS:,} parts, written out"
            )

    def _of_type(self, kind: str, schema: Schema) -> str:
        if kind == "object":
            return self._object(schema)
        if kind == "array":
            return self._array(schema)
        if kind == "string":
            return self._string(schema)
        if kind in ("integer", "number"):
            return self.rules.add(self._number(schema, kind == "integer"))
        return self.rules.add('"true" | "false"') if kind == "boolean" else quoted("null")

    def _any_value(self) -> str:
        if not self._anything:
            self._anything = self.rules.reserve()
            kinds = ("object", "array", "string", "number", "boolean", "null")
            each = (self._of_type(kind, {}) for kind in kinds)
            self.rules.define(self._anything, " | ".join(each))
        return self._anything

    def _either(self, makers: Iterable[Callable[[], str]]) -> str:
        """Return what stands for any of these; those that cannot be made are left out."""
        found, faults = [], [ValueError("no alternative")]
        for make in makers:
            try:
                found.append(make())
            except ValueError as error:
                faults.append(error)
        if not found:
            raise faults[-1]
        return self.rules.add(" | ".join(dict.fromkeys(found))) if found[1:] else found[0]

    def _reference(self, schema: Schema, within: tuple[str, ...]) -> str:
        reference = schema["$ref"]
        if reference in within:
            # No reply could be held against it.
            raise InvalidRequest(
                f"sampling.json_schema: {reference} refers to itself, with nothing in between"
            )
        beside = _without(schema, "$ref")
        within = (*within, reference)
        if says_something(beside):
            return self.value(merged(beside, self._target(reference)), within)
        if reference not in self._references:
            name = self._references[reference] = self.rules.reserve()
            try:
                self.rules.define(name, self.value(self._target(reference), within))
            except ValueError:
                del self._references[reference]
                raise
        return self._references[reference]

    def _target(self, reference: str) -> Schema:
        """Return what a JSON pointer into this schema points at."""
        path, *steps = unquote(reference).split("/")
        if path != "#":
            raise ValueError(f"{reference!r} refers to what is not in the schema itself")
        found = self._root
        try:
            for step in steps:
                name = step.replace("~1", "/").replace("~0", "~")
                found = found[int(name) if isinstance(found, list) else name]
        except (LookupError, ValueError, TypeError):
            raise ValueError(f"{reference!r} refers to nothing") from None
        return _plain(found)

    def _all_of(self, schema: Schema) -> Schema:
        whole = _without(schema, "allOf")
        for part in map(_plain, schema["allOf"]):
            followed: list[str] = []
            while "$ref" in part and part["$ref"] not in followed:
                followed.append(part["$ref"])
                part = merged(_without(part, "$ref"), self._target(part["$ref"]))
            whole = merged(whole, part)
        return whole

    def _any_of(self, schema: Schema, name: str, within: tuple[str, ...]) -> str:
        beside = _without(schema, name)
        parts = schema[name]
        if says_something(beside):
            parts = [{"allOf": [beside, part]} for part in parts]
        return self._either(partial(self.value, part, within) for part in parts)

    def _constants(self, schema: Schema) -> list[str]:
        kinds = _kinds({"type": schema["type"]} if "type" in schema else {})
        is_type = jsonschema.Draft202012Validator({}).is_type
        values = [
            quoted(_json(value))
            for value in ([schema["const"]] if "const" in schema else schema["enum"])
            if kinds is None or any(is_type(value, kind) for kind in kinds)
        ]
        if not values:
            raise ValueError("a choice of nothing")
        return list(dict.fromkeys(values))

    def _number(self, schema: Schema, whole: bool) -> str:
        bounds, step = bounds_of(schema), schema.get("multipleOf", 1)
        integral = Fraction(step).denominator == 1
        if whole or (integral and "multipleOf" in schema):
            if bounds == Bounds() and step == 1:
                return INTEGER
            self._spend(min(10 * (step - 1), _MOST_OF_STEPS))
            return integers(bounds, int(step) if integral else 1, self.rules)
        return NUMBER if bounds == Bounds() else numbers(bounds, self.rules)

    def _string(self, schema: Schema) -> str:
        least, most = _counts(schema, "minLength", "maxLength")
        pattern = schema.get("pattern") or FORMATS.get(schema.get("format", ""))
        if pattern:
            text = string_with(pattern, least, most, self.rules)
        else:
            text = times(self.rules.add(character()), least, most)
        return self.rules.add(f"{_QUOTE} {text} {_QUOTE}")

    def _array(self, schema: Schema) -> str:
        least, most = _counts(schema, "minItems", "maxItems")
        items = schema.get("items", True)
        first = schema.get("prefixItems", [])
        if isinstance(items, list):  # as older drafts write prefixItems
            first, items = items, schema.get("additionalItems", True)
        if schema.get("uniqueItems") and not first and isinstance(items, dict):
            choice = self._all_of({"allOf": [items]})
            if 0 < len(choice.get("enum", ())) <= _MOST_DISTINCT:
                text = self._distinct(self._constants(choice), least, most)
                return self.rules.add(f'"[" {self._space} {text} {self._space} "]"')
        pieces = [self.value(each) for each in first[:most]]
        more = max(0, least - len(pieces))
        if items is False or (pieces and "items" not in schema and not more):
            most = len(pieces)
            if more:
                raise ValueError(f"at least {least} items, where there are only {most}")
        text = f' "," {self._space} '.join(pieces)
        if most is None or most > len(pieces):
            rest = None if most is None else most - len(pieces)
            text += " " + self._several(self.value(items), more, rest, further=bool(pieces))
        return self.rules.add(f'"[" {self._space} {text} {self._space} "]"')

    def _distinct(self, values: list[str], least: int, most: int | None) -> str:
        """Return what stands for `least` to `most` of these values, in their order."""
        count = len(values)
        most = count if most is None else most
        commas = ["", *[f'"," {self._space} '] * (count - 1)]
        # What may follow where so many were taken already; empty where the list cannot be ended.
        rests = [NOTHING if least <= taken <= most else "" for taken in range(count + 1)]
        for value in reversed(values):
            taken = [
                f"{comma}{value} {rest}" if rest else ""
                for comma, rest in zip(commas, rests[1:], strict=True)
            ]
            ways = (filter(None, each) for each in zip([*taken, ""], rests, strict=True))
            rests = [self.rules.add(text) if text else "" for text in map(" | ".join, ways)]
        if not rests[0]:
            raise ValueError(f"at least {least} different items of {count}")
        return rests[0]

    def _object(self, schema: Schema) -> str:
        properties, required = schema.get("properties", {}), schema.get("required", [])
        names = dict.fromkeys([*properties, *required])
        required = set(required)
        others = schema.get("additionalProperties", "properties" not in schema)
        members = []
        for name in names:
            part = properties.get(name, schema.get("additionalProperties", True))
            if part is not False or name in required:
                pair = self._pair(quoted(_json(name)), part)
                members.append((pair, name in required))
        least, most = _counts(schema, "minProperties", "maxProperties")
        least = max(0, least - len(required))
        most = None if most is None else max(0, most - len(members))
        body = self._members(members, self._further(schema, names, others), least, most)
        return self.rules.add(f'"{{" {self._space} {body} {self._space} "}}"')

    def _further(self, schema: Schema, names: Collection[str], others: Any) -> str:
        """Return what stands for a property that is not named; empty where there is none."""
        if schema.get("patternProperties"):
            pairs = (
                self._pair(self._string({"pattern": pattern}), part)
                for pattern, part in schema["patternProperties"].items()
            )
            return either(pairs)
        if others is False:
            return ""
        if names:
            key = f"{_QUOTE} {string_without(names, self.rules)} {_QUOTE}"
        else:
            key = self.value(merged({"type": "string"}, _plain(schema.get("propertyNames", {}))))
        return self._pair(key, others)

    def _pair(self, key: str, part: Any) -> str:
        return self.rules.add(f'{key} ":" {self._space} {self.value(part)}')

    def _members(
        self, members: list[tuple[str, bool]], further: str, least: int, most: int | None
    ) -> str:
        """Return what stands for members in their order, those that are not required left out.

        After them come `least` to `most` further ones.
        """
        behind, starts = NOTHING, [NOTHING]
        if further:
            behind = self._several(further, least, most, further=True)
            starts = [self._several(further, least, most)]
        for pair, required in reversed(members):
            rest = self.rules.add(behind)
            starts = [f"{pair} {rest}", *([] if required else starts)]
            behind = f'"," {self._space} {pair} {rest}' + ("" if required else f" | {rest}")
        return either(starts)

    def _several(self, piece: str, least: int, most: int | None, further: bool = False) -> str:
        """Return what stands for pieces with commas between, `further`: and one before them."""
        if most == 0:
            return NOTHING
        next_one = self.rules.add(f'"," {self._space} {piece}')
        if further:
            return times(next_one, least, most)
        rest = times(next_one, max(0, least - 1), None if most is None else most - 1)
        return f"{piece} {rest}" if least else f"({piece} {rest} | {NOTHING})"


def _plain(schema: Any) -> Schema:
    if schema is True:
        return {}
    if schema is False:
        raise ValueError("false, which nothing fits")
    if not isinstance(schema, dict):
        raise ValueError(f"{str(schema)[:80]}, which is no schema")
    return schema


def _kinds(schema: Schema) -> list[str] | None:
    """Return the types of a schema, or else those of its keywords; None: any."""
    kinds = schema.get("type")
    if kinds is None:
        words = TYPES.items()
        return [kind for kind, each in words if not schema.keys().isdisjoint(each)] or None
    return [kinds] if isinstance(kinds, str) else list(kinds)


def _without(schema: Schema, name: str) -> Schema:
    return {key: part for key, part in schema.items() if key != name}


def _json(value: Any) -> str:
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False)
        text.encode()
    except UnicodeEncodeError:  # half of a surrogate pair
        return json.dumps(value, allow_nan=False)
    return text


def _counts(schema: Schema, least_name: str, most_name: str) -> tuple[int, int | None]:
    """Return how many there may be at least and at most; None where that is not written out."""
    least, most = int(schema.get(least_name, 0)), schema.get(most_name, math.inf)
    if least > LONGEST_RUN:
        raise ValueError(f"{least_name} {least}; at most {LONGEST_RUN:,} can be asked for")
    if most < least:
        raise ValueError(f"{least_name} {least} and {most_name} {most}, which nothing fits")
    return least, int(most) if most <= LONGEST_RUN else None
