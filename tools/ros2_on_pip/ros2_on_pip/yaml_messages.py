# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Messages to and from YAML, and interface classes by name."""

from __future__ import annotations

import array
import importlib
from collections.abc import Sequence
from typing import Any

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


def fill(message: Any, values: dict[str, Any], now: Any = None) -> None:
    """Set a message's fields from a mapping; `header: auto` and `stamp: now` take `now()`.

    Raises:
        ValueError: a field is not there, or a value does not fit; nothing is said about the rest.
    """
    try:
        _fill(message, values, now)
    except (AttributeError, TypeError, AssertionError, ValueError) as error:
        raise ValueError(f"Failed to populate field: {error}") from None


def _fill(message: Any, values: dict[str, Any], now: Any) -> None:
    if not isinstance(values, dict):
        raise TypeError(f"a {type(message).__name__} needs a dictionary, got {values!r}")
    for name, value in values.items():
        current = getattr(message, name)
        kind = message.get_fields_and_field_types()[name]
        if value == "auto" and kind == "std_msgs/Header" and now:
            current.stamp = now()
        elif value == "now" and kind == "builtin_interfaces/Time" and now:
            setattr(message, name, now())
        elif hasattr(current, "get_fields_and_field_types"):
            _fill(current, value, now)
        else:
            setattr(message, name, _value(message, name, kind, current, value, now))


def _value(message: Any, name: str, kind: str, current: Any, value: Any, now: Any) -> Any:
    if isinstance(value, (list, tuple)):
        element = kind.removeprefix("sequence<").split(",")[0].removesuffix(">").split("[")[0]
        if "/" in element:
            package, last = element.split("/")
            cls = load(f"{package}/msg/{last}", "msg")
            made = [cls() for _ in value]
            for one, its in zip(made, value, strict=True):
                _fill(one, its, now)
            return made
        if element == "octet":
            return [bytes([one]) if isinstance(one, int) else one for one in value]
        return [_plain_value(element, one) for one in value]
    return _plain_value(kind, value)


def _plain_value(kind: str, value: Any) -> Any:
    if (
        kind in ("float", "double")
        and isinstance(value, (int, str))
        and not isinstance(value, bool)
    ):
        return float(value)
    if kind.startswith(("string", "wstring")) and not isinstance(value, str):
        return "" if value is None else str(value)
    if kind == "octet" and isinstance(value, int):
        return bytes([value])
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
