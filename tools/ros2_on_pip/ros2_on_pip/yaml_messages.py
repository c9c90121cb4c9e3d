# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Messages to and from YAML, and interface classes by name."""

from __future__ import annotations

import array
import importlib
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy
import yaml


def load(name: str, kind: str) -> Any:
    """Return the class of `package/kind/Name` or `package/Name`; `kind` is msg, srv or action.

    Raises:
        ValueError: there is no such interface.
    """
    words = {"msg": "message", "srv": "service", "action": "action"}
    parts = name.split("/")
    if len(parts) == 2:
        parts.insert(1, kind)
    try:
        package, middle, last = parts
        if middle != kind:
            raise ValueError
        return getattr(importlib.import_module(f"{package}.{middle}"), last)
    except (ValueError, ImportError, AttributeError):
        raise ValueError(f"The passed {words[kind]} type is invalid") from None


def parse(text: str) -> dict[str, Any]:
    """Return the mapping that a user typed as YAML.

    Raises:
        ValueError: it is not a mapping.
    """
    try:
        found = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(f"The passed value needs to be valid YAML: {error}") from None
    if found is None or found == "":
        return {}
    if not isinstance(found, dict):
        raise ValueError("The passed value needs to be a dictionary in YAML format")
    return found


def fill(
    message: Any,
    values: dict[str, Any],
    stamps: list[Callable[[Any], None]] | None = None,
    failure: str = "Failed to populate field: {}",
) -> None:
    """Set a message's fields from a mapping; a value becomes the type of what it replaces.

    To `stamps`, where they are wanted, is added what sets the fields given as `header: auto` and
    `stamp: now`: it is to be called with the time.

    Raises:
        ValueError: a field is not there, or a value does not fit; says `failure` with the cause.
    """
    try:
        _fill(message, values, stamps)
    except (AttributeError, TypeError, AssertionError, ValueError, OverflowError) as error:
        raise ValueError(failure.format(error)) from None


def _fill(message: Any, values: Any, stamps: list[Callable[[Any], None]] | None) -> None:
    if not isinstance(values, dict):
        raise TypeError(f"a {type(message).__name__} needs a dictionary, got {values!r}")
    kinds = message.get_fields_and_field_types()
    for name, value in values.items():
        if name not in kinds:
            raise AttributeError(f"'{type(message).__name__}' object has no attribute '{name}'")
        current = getattr(message, name)
        if stamps is not None and value == "auto" and kinds[name] == "std_msgs/Header":
            stamps.append(partial(setattr, current, "stamp"))
        elif stamps is not None and value == "now" and kinds[name] == "builtin_interfaces/Time":
            stamps.append(partial(setattr, message, name))
        elif hasattr(current, "get_fields_and_field_types"):
            _fill(current, value, stamps)
        else:
            made = _value(kinds[name], current, value, stamps)
            # Only told so does a message check what it is given; unchecked, it ends the process.
            setattr(type(message)(check_fields=True), name, made)
            setattr(message, name, made)


def _value(kind: str, current: Any, value: Any, stamps: list[Callable[[Any], None]] | None) -> Any:
    if isinstance(current, bytes):
        return _octet(value)
    if isinstance(current, (bool, int, float, str)):
        return _encodable(value if type(value) is type(current) else type(current)(value))
    if isinstance(value, (str, dict)):
        raise TypeError(f"a list is needed, got {value!r}")
    if isinstance(current, array.array):
        return array.array(current.typecode, value)
    if hasattr(current, "dtype"):
        fixed = numpy.array(value, dtype=current.dtype)
        if fixed.shape != current.shape:
            raise ValueError(f"a list of {current.size} is needed, got {value!r}")
        return fixed
    element = kind.removeprefix("sequence<").split(",")[0].removesuffix(">").split("[")[0]
    if element == "octet":
        return [_octet(one) for one in value]
    if "/" not in element:
        return [_encodable(one) for one in value]
    made = [load(element, "msg")() for _ in value]
    for one, its in zip(made, value, strict=True):
        _fill(one, its, stamps)
    return made


def _octet(value: Any) -> bytes:
    made = bytes([value]) if isinstance(value, int) else value
    made = made.encode("latin-1") if isinstance(made, str) else made
    if not isinstance(made, bytes) or len(made) != 1:
        raise TypeError(f"a byte is needed, got {value!r}")
    return made


def _encodable(value: Any) -> Any:
    if isinstance(value, str):
        value.encode()  # half of a surrogate pair has no UTF-8
    return value


def to_plain(message: Any, *, arrays: bool = True, longest: int | None = None) -> Any:
    """Return a message as dictionaries, lists and numbers, in the order of its fields.

    Without `arrays` a list is a text about it. What is longer than `longest` is cut, a list too.
    """
    if hasattr(message, "get_fields_and_field_types"):
        plain = {}
        fields = message.get_fields_and_field_types()
        for name, kind in zip(fields, message.SLOT_TYPES, strict=True):
            value = getattr(message, name)
            if not arrays and hasattr(kind, "value_type"):
                plain[name] = _about(value, kind)
            else:
                plain[name] = to_plain(value, arrays=arrays, longest=longest)
        return plain
    if isinstance(message, bytes):
        message = message.decode("latin-1")
    if isinstance(message, str):
        cut = longest is not None and len(message) > longest
        return f"{message[:longest]}..." if cut else message
    if isinstance(message, (array.array, list)) or hasattr(message, "dtype"):
        items = message.tolist() if hasattr(message, "tolist") else message
        made = [to_plain(item, arrays=arrays, longest=longest) for item in items[:longest]]
        return [*made, "..."] if len(made) < len(items) else made
    return message


def _about(value: Any, kind: Any) -> str:
    element = kind.value_type
    if hasattr(element, "namespaced_name"):
        name = "/".join(element.namespaced_name())
    else:
        text = "wstring" if "WString" in type(element).__name__ else "string"
        name = getattr(element, "typename", text)
    if hasattr(kind, "size"):
        return f"<array type: {name}[{kind.size}]>"
    bound = f"[{kind.maximum_size}]" if hasattr(kind, "maximum_size") else ""
    return f"<sequence type: {name}{bound}, length: {len(value)}>"


class _Dumper(yaml.SafeDumper):
    """As `ros2 topic echo` writes: every key, in order, no references."""

    def ignore_aliases(self, data: Any) -> bool:
        """Write the same list twice rather than a reference to it."""
        return True

    def represent_mapping(self, tag: str, mapping: Any, flow_style: bool | None = None) -> Any:
        """Write a message over several lines, also where lists are to be in one."""
        return super().represent_mapping(tag, mapping, flow_style=False)


def to_yaml(message: Any, *, flow: bool = False, **options: Any) -> str:
    """Return a message as YAML text, ending with a newline; `options` are those of `to_plain`."""
    return yaml.dump(
        to_plain(message, **options),
        Dumper=_Dumper,
        default_flow_style=flow,
        sort_keys=False,
        allow_unicode=True,
        width=1_000_000,
    )
