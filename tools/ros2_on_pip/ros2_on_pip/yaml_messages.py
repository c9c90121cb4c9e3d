# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Messages to and from YAML, and interface classes by name."""

from __future__ import annotations

import array
import importlib
from collections.abc import Callable, Sequence
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


def to_plain(message: Any, *, arrays: bool = True, strings: int | None = None) -> Any:
    """Return a message as dictionaries, lists and numbers, in the order of its fields."""
    if hasattr(message, "get_fields_and_field_types"):
        return {
            name: to_plain(getattr(message, name), arrays=arrays, strings=strings)
            for name in message.get_fields_and_field_types()
        }
    if isinstance(message, bytes):
        return message[0] if len(message) == 1 else list(message)
    if isinstance(message, (str, bool)):
        cut = strings is not None and isinstance(message, str) and len(message) > strings
        return message[:strings] + "..." if cut else message  # type: ignore[index]
    if isinstance(message, (array.array, Sequence)) or hasattr(message, "tolist"):
        items = list(message) if not hasattr(message, "tolist") else message.tolist()
        if not arrays and items:
            return f"<array length: {len(items)}>"
        return [to_plain(item, arrays=arrays, strings=strings) for item in items]
    return message


class _Dumper(yaml.SafeDumper):
    """As `ros2 topic echo` writes: every key, in order, no references."""

    def ignore_aliases(self, data: Any) -> bool:
        """Write the same list twice rather than a reference to it."""
        return True


def to_yaml(message: Any, *, flow: bool = False, **options: Any) -> str:
    """Return a message as YAML text, ending with a newline."""
    plain = to_plain(message, **options)
    text = yaml.dump(
        plain,
        Dumper=_Dumper,
        default_flow_style=flow,
        sort_keys=False,
        allow_unicode=True,
        width=1_000_000,
    )
    return text.removesuffix("...\n")
