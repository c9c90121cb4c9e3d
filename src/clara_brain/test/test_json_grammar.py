# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""JSON schemas as people send them: what a model writes under them follows them."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from concurrent.futures import Future
from typing import Any

import pytest
from clara_brain.decoding import Stop
from clara_brain.engine import Engine, Request
from clara_brain.errors import BrainError, InvalidRequest
from clara_brain.json_grammar import grammar_of_schema
from clara_brain.prompt import ChatPrompt, RawPrompt
from clara_brain.sampler import SamplerSettings
from clara_brain.schema_check import mismatch
from clara_brain.settings import EngineSettings
from test_model_files import WORDS, write_model

from clara_brain import schema_check

SEEDS = range(6)
# A model of single bytes chooses any with the same likelihood: some must end what it begins, and
# few may be halves of characters.
ENDINGS = [(WORDS.index(f"<0x{ord(each):02X}>"), 4.0) for each in '"}]']
HALVES = [(WORDS.index(f"<0x{byte:02X}>"), -30.0) for byte in range(0x80, 0x100)]

NODE = {
    "properties": {
        "name": {"type": "string", "maxLength": 4},
        "children": {"items": {"$ref": "#/$defs/Node"}, "type": "array", "maxItems": 1},
    },
    "required": ["name"],
    "title": "Node",
    "type": "object",
}
ORDER = {
    "$defs": {
        "Item": {
            "properties": {
                "name": {"title": "Name", "type": "string", "maxLength": 9},
                "qty": {"title": "Qty", "type": "integer", "minimum": 1, "maximum": 9},
            },
            "required": ["name", "qty"],
            "type": "object",
        }
    },
    "properties": {
        "items": {"items": {"$ref": "#/$defs/Item"}, "type": "array", "maxItems": 2},
        "note": {"anyOf": [{"type": "string", "maxLength": 9}, {"type": "null"}], "default": None},
    },
    "required": ["items"],
    "type": "object",
}
KINDS = {
    "$defs": {
        "Go": {
            "properties": {"kind": {"const": "go"}, "x": {"type": "number", "maximum": 1}},
            "required": ["kind", "x"],
            "type": "object",
        },
        "Say": {
            "properties": {"kind": {"const": "say"}, "text": {"type": "string", "minLength": 1}},
            "required": ["kind", "text"],
            "type": "object",
        },
    },
    "discriminator": {"propertyName": "kind"},
    "oneOf": [{"$ref": "#/$defs/Go"}, {"$ref": "#/$defs/Say"}],
}
DECIMAL = r"^(?!^[-+.]*$)[+-]?0*\d*\.?\d*$"  # as Pydantic has it
EXPLODING = {
    "$defs": {
        f"a{number}": {
            "properties": {
                name: {"$ref": f"#/$defs/a{number + 1}", "minProperties": 0} for name in "xy"
            }
        }
        for number in range(20)
    }
    | {"a20": {}},
    "$ref": "#/$defs/a0",
}
WHOLE: dict[str, Any] = {"type": "integer"}
REAL: dict[str, Any] = {"type": "number"}
TEXT: dict[str, Any] = {"type": "string"}
FOLLOWED: dict[str, Any] = {
    "a Pydantic model": ORDER,
    "a discriminated union": KINDS,
    "a recursive model": {"$defs": {"Node": NODE}, "$ref": "#/$defs/Node"},
    "a root that refers to itself": {"type": "object", "properties": {"n": {"$ref": "#"}}},
    "an escaped reference": {"definitions": {"a/b c": WHOLE}, "$ref": "#/definitions/a~1b%20c"},
    "quotes, backslashes and lines": {"enum": ['"q"', "a\\b", "a\nb", "grün", "日本", "\ud83d"]},
    "a choice of a type": {"type": ["string", "null"], "enum": ["a", None, 3]},
    "a constant": {"const": {"a": [1, "x\ny", None, 1.5]}},
    "text of many lines": {"type": "object", "properties": {"t": TEXT}, "required": ["t"]},
    "odd names": {
        "type": "object",
        "properties": {"größe": WHOLE, "a b": WHOLE, 'a"b': WHOLE},
        "required": ["größe", "a b", 'a"b'],
    },
    "few integers": WHOLE | {"minimum": 1, "maximum": 5},
    "negative integers": WHOLE | {"minimum": -12, "maximum": -3},
    "exclusive bounds": WHOLE | {"exclusiveMinimum": -3, "exclusiveMaximum": 2},
    "bounds between integers": WHOLE | {"minimum": 0.5, "maximum": 3.5},
    "64 bits": WHOLE | {"minimum": -(2**63), "maximum": 2**63 - 1},
    "huge bounds": WHOLE | {"minimum": 10**89, "maximum": 1e308},
    "one bound": WHOLE | {"minimum": 37},
    "steps": WHOLE | {"multipleOf": 7},
    "steps in bounds": REAL | {"multipleOf": 250, "minimum": -500, "maximum": 5000},
    "draft 4": {
        "$schema": "http://json-schema.org/draft-04/schema#",
        "minimum": 1,
        "exclusiveMinimum": True,
        "maximum": 4,
    },
    "large steps": WHOLE | {"multipleOf": 12345, "minimum": 0, "maximum": 0},
    "a share": REAL | {"minimum": 0, "maximum": 1},
    "less than a share": REAL | {"exclusiveMinimum": 0, "exclusiveMaximum": 1},
    "decimals": REAL | {"minimum": -0.25, "exclusiveMaximum": 1.5},
    "a number above one": REAL | {"exclusiveMinimum": 0.1},
    "bounds of a float": REAL
    | {"minimum": -3.4028234663852886e38, "maximum": 3.4028234663852886e38},
    "a type that its bounds imply": {"minimum": 3},
    "several types": {"type": ["integer", "null", "boolean"], "minimum": 3},
    "nullable": {"anyOf": [{"type": "integer", "maximum": 0}, {"type": "null"}]},
    "a decimal": {"anyOf": [REAL, {"type": "string", "pattern": DECIMAL}]},
    "digits": TEXT | {"pattern": r"^\d+$", "maxLength": 8},
    "a pattern and lengths": TEXT
    | {"pattern": r"^[A-Z][a-z]*-\d*$", "minLength": 4, "maxLength": 7},
    "words and spaces": TEXT | {"pattern": r"^\w{2}\s\W\S\D[^\d\s]$"},
    "quotes in a pattern": TEXT | {"pattern": r'^["\\]{2}[\]\[^-]\n.$'},
    "anchors in alternatives": TEXT | {"pattern": r"^a$|^b\d{2}$|^(c|dd)?$"},
    "no anchors": TEXT | {"pattern": "[a-f]+[0-9]?"},
    "one anchor": TEXT | {"pattern": "^/dev/"},
    "groups": TEXT | {"pattern": r"^(?:(?P<x>ab){1,2}|[0-9a-fA-F]{6}){1,2}?$"},
    "lengths": TEXT | {"minLength": 3, "maxLength": 6},
    "a length that is not counted to": TEXT | {"maxLength": 5000},
    **{f"a {each}": TEXT | {"format": each} for each in ("date", "time", "date-time", "uuid")},
    **{
        f"a {each}": TEXT | {"format": each}
        for each in ("duration", "ipv4", "ipv6", "hostname", "uri")
    },
    "an address": TEXT | {"format": "email"},
    "an unknown format": TEXT | {"format": "color"},
    "a list of some": {"type": "array", "items": WHOLE, "minItems": 2, "maxItems": 4},
    "a list of many": {"type": "array", "items": {"type": "boolean"}, "minItems": 3},
    "an empty list": {"type": "array", "maxItems": 0},
    "a set": {"type": "array", "items": {"enum": ["a", "b", 3]}, "uniqueItems": True},
    "a set of some": {
        "$defs": {"C": {"type": "string", "enum": ["a", "b", None, "c", "d"]}},
        "type": "array",
        "items": {"$ref": "#/$defs/C"},
        "uniqueItems": True,
        "minItems": 2,
        "maxItems": 3,
    },
    "a tuple": {"type": "array", "prefixItems": [REAL, TEXT], "minItems": 2, "maxItems": 2},
    "a tuple and more": {"type": "array", "prefixItems": [REAL], "items": WHOLE, "minItems": 3},
    "a closed tuple": {"type": "array", "prefixItems": [REAL, WHOLE], "items": False},
    "a tuple of draft 7": {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "items": [WHOLE, {"type": "null"}],
        "additionalItems": False,
    },
    "a closed object": {
        "type": "object",
        "properties": {"a": WHOLE, "b": False, "c": True},
        "required": ["c"],
        "additionalProperties": False,
    },
    "an open object": {
        "type": "object",
        "properties": {"a": WHOLE, "ab": WHOLE, '"': WHOLE},
        "required": ["ab"],
        "additionalProperties": TEXT,
        "maxProperties": 5,
    },
    "a map": {
        "type": "object",
        "propertyNames": {"$ref": "#/$defs/C"},
        "additionalProperties": {"type": "integer", "minimum": 0, "maximum": 9},
        "$defs": {"C": {"enum": ["red", "green"], "type": "string"}},
    },
    "a map by pattern": {
        "patternProperties": {"^x[0-9]$": WHOLE},
        "additionalProperties": False,
        "maxProperties": 2,
    },
    "a property without a schema": {"type": "object", "required": ["a"], "maxProperties": 1},
    "one of two without a schema": {"properties": {"a": WHOLE}, "required": ["b"]},
    "an empty model": {"properties": {}, "title": "Empty", "type": "object"},
    "all of": {
        "$defs": {"B": {"type": "object", "properties": {"a": WHOLE}, "required": ["a"]}},
        "allOf": [{"$ref": "#/$defs/B"}, {"properties": {"b": REAL}, "required": ["b"]}],
    },
    "all of numbers": {"allOf": [REAL | {"minimum": 1}, WHOLE | {"maximum": 3}]},
    "any of beside properties": {
        "type": "object",
        "properties": {"a": WHOLE, "b": WHOLE},
        "anyOf": [{"required": ["a"]}, {"required": ["b"]}],
    },
    "anything": True,
    "any object": {"type": "object", "maxProperties": 2},
}


@pytest.fixture(scope="module")
def bytewise(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    path = write_model(tmp_path_factory.mktemp("bytewise") / "m.gguf", context=512)
    engine = Engine(path, EngineSettings(n_ctx=512, slots=1, n_threads=1))
    yield engine
    engine.close()


@pytest.mark.parametrize("name", FOLLOWED)
def test_what_a_random_model_writes_under_a_schema_follows_it(bytewise, name):
    schema = json.dumps(FOLLOWED[name])
    grammar, whole = grammar_of_schema(schema), 0
    for seed in SEEDS:
        sampling = SamplerSettings(
            2.0, 1.0, 0, 0.0, 1.0, seed, grammar, 0.0, 0.0, (*ENDINGS, *HALVES), schema
        )
        done = bytewise.complete(Request(RawPrompt("a"), sampling, 400))
        assert done.error is None
        if done.stop is not Stop.LENGTH:
            whole += 1
            assert mismatch(done.text, schema) is None, done.text
    assert whole


def test_a_model_writes_what_a_schema_names(engine):
    schema = {
        "type": "object",
        "properties": {"colour": {"enum": ["blue", "green"]}, "count": {"type": "integer"}},
        "required": ["colour", "count"],
    }
    sampling = SamplerSettings(0.0, 1.0, 0, 0.0, 1.0, 0, grammar_of_schema(json.dumps(schema)))
    done = engine.complete(Request(ChatPrompt("", "How many blue cups?"), sampling, 64))
    answer = json.loads(done.text)
    assert answer["colour"] in ("blue", "green") and isinstance(answer["count"], int)


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ("{", "line 1"),
        ("NaN", "NaN"),
        ("false", "nothing fits"),
        ('{"type": "nonsense"}', "no JSON schema"),
        ('{"$schema": 5}', "$schema"),
        ('{"name": "x", "schema": {"type": "object"}}', "what stands under schema"),
        ('{"type": "json_schema", "json_schema": {"schema": {}}}', "what stands under schema"),
        ('{"$ref": "#/nowhere"}', "refers to nothing"),
        ('{"$ref": "#"}', "refers to itself"),
        ('{"anyOf": [{"$ref": "#"}, {"type": "null"}]}', "refers to itself"),
        ('{"$ref": "http://127.0.0.1:9/schema"}', "not in the schema itself"),
        ('{"$ref": "https://127.0.0.1:9/schema"}', "not in the schema itself"),
        ('{"$ref": "#/odd", "odd": {"type": "object", "properties": [1]}}', "not known"),
        ('{"type": "integer", "multipleOf": 1e400}', "Infinity"),
        ('{"$ref": "#/odd", "odd": {"type": "integer", "multipleOf": 0}}', "not known"),
        ("[" * 12_000, "nested too deeply"),
        ('{"a":' * 6_000 + "1" + "}" * 6_000, "nested too deeply"),
        ("9" * 6_000, "cannot be read"),
        ('{"items": ' * 300 + "{}" + "}" * 300, "nested too deeply"),
        ('{"type": "string", "minLength": 1000000000}', "minLength"),
        ('{"type": "array", "items": {"type": "string", "minLength": 1001}}', "minLength"),
        ('{"type": "string", "minLength": 3, "maxLength": 2}', "nothing fits"),
        ('{"items": {"enum": [1, 2]}, "uniqueItems": true, "minItems": 3}', "different items"),
        ('{"type": "integer", "minimum": 5, "maximum": 4}', "no number"),
        ('{"type": "integer", "exclusiveMinimum": 1, "exclusiveMaximum": 2}', "no number"),
        ('{"type": "integer", "minimum": 1e200}', "100 digits"),
        ('{"type": "integer", "minimum": 1e400}', "inf"),
        ('{"type": "string", "pattern": "^((a{1000}){1000}){1000}$"}', "at most 1,000"),
        ('{"type": "string", "pattern": "^a{0,1000000000}$"}', "at most 1,000"),
        (r'{"type": "string", "pattern": "^(?=.*\\d).+$"}', "lookahead"),
        (r'{"type": "string", "pattern": "^(a)\\1$"}', "back reference"),
        (r'{"type": "string", "pattern": "\\bx"}', "anchor"),
        ('{"type": "string", "pattern": "(?i)^abc$"}', "flags"),
        ('{"allOf": [{"type": "string"}, {"type": "integer"}]}', "no alternative"),
        ('{"type": "string", "enum": [1, null]}', "a choice of nothing"),
        ('{"properties": {"a": false}, "required": ["a"]}', "nothing fits"),
        (json.dumps({"allOf": [{"anyOf": [{"minimum": n}] * 40} for n in (1, 2)]}), "pairs"),
        (json.dumps(EXPLODING), "20,000 parts"),
    ],
)
def test_a_schema_that_no_grammar_is_made_of_is_an_invalid_request(schema, said):
    with pytest.raises(InvalidRequest, match="json_schema") as refused:
        grammar_of_schema(schema)
    assert said in str(refused.value)


def test_a_large_schema_is_one_that_llama_cpp_takes(bytewise):
    counted = {f"s{number}": TEXT | {"maxLength": number} for number in range(500, 1000)}
    optional = {f"p{number}": WHOLE | {"maximum": 0} for number in range(900)}
    schema = json.dumps(
        {"type": "object", "properties": counted | optional, "additionalProperties": WHOLE}
    )
    sampling = SamplerSettings(
        0.0, 1.0, 0, 0.0, 1.0, 0, grammar_of_schema(schema), json_schema=schema
    )
    done = bytewise.complete(Request(RawPrompt("a"), sampling, 4))
    assert done.error is None and done.text.startswith("{")


def test_a_grammar_that_llama_cpp_refuses_is_said_to_be_that_of_the_schema(bytewise):
    sampling = SamplerSettings(0.0, 1.0, 0, 0.0, 1.0, 0, "root ::= (", json_schema="{}")
    done = bytewise.complete(Request(RawPrompt("a"), sampling, 4))
    assert isinstance(done.error, InvalidRequest) and "json_schema" in str(done.error)


def test_what_a_schema_refers_to_is_never_fetched():
    refers = '{"$dynamicRef": "http://127.0.0.1:9/schema"}'
    assert "cannot be held against" in str(mismatch("{}", refers))


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        (r"^([a-z]+ ?)+$", ""),
        ("^b*$", "does not follow json_schema"),
        ("^(a|a)*[0-9]$", "within 1 s"),
        ("[", "cannot be held against json_schema"),
    ],
)
def test_the_patterns_of_a_schema_hold_up_nobody(monkeypatch, pattern, said):
    monkeypatch.setattr(schema_check, "_LIMIT_S", 1)
    done: Future[BrainError | None] = Future()
    began = time.monotonic()
    schema_check.hold_against(f'"{"a" * 60}"', json.dumps({"pattern": pattern}), done.set_result)
    assert time.monotonic() - began < 0.5
    assert said in str(done.result(60) or "") and bool(said) == (done.result() is not None)
