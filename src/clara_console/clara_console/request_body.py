# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Reads what a browser sends, within limits of size and time, and checks each field of it."""

from __future__ import annotations

import asyncio
import json
from typing import Any, NoReturn

from starlette.requests import ClientDisconnect, Request

from clara_console.errors import BadRequest, TooLarge

LARGEST = 128 * 1024
SLOWEST_S = 10.0
LONGEST_NAME = 64


async def read_body(request: Request, largest: int = LARGEST) -> bytes:
    """Return the body of a request.

    Raises:
        TooLarge: it has more than `largest` bytes; no more than that was kept.
        BadRequest: it did not come within `SLOWEST_S` seconds, or not whole.
    """
    sentence = f"the request is larger than {largest} bytes"
    announced = request.headers.get("content-length", "0")
    if not announced.isdecimal() or int(announced) > largest:
        raise TooLarge(sentence)

    async def gather() -> bytes:
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > largest:
                raise TooLarge(sentence)
        return bytes(body)

    try:
        return await asyncio.wait_for(gather(), SLOWEST_S)
    except asyncio.TimeoutError:
        raise BadRequest(f"the request did not come within {SLOWEST_S:g} s") from None
    except ClientDisconnect:
        raise BadRequest("the request did not come whole") from None


async def read_json(request: Request) -> dict[str, Any]:
    """Return the JSON object that a request holds. Raises BadRequest and TooLarge."""
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if kind != "application/json":
        raise BadRequest("the request must be application/json")
    try:
        value = json.loads(await read_body(request), parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise BadRequest("the request is not well-formed JSON") from error
    if not isinstance(value, dict):
        raise BadRequest("the request must be a JSON object")
    return value


def text_field(body: dict[str, Any], name: str, longest: int, default: str | None = None) -> str:
    """Return a field that is a text. Raises BadRequest."""
    value = body.get(name, default)
    if not isinstance(value, str):
        raise BadRequest(f"{name} must be a text")
    if len(value) > longest:
        raise BadRequest(f"{name} has {len(value)} characters; at most {longest} are taken")
    if "\0" in value or any("\ud800" <= character <= "\udfff" for character in value):
        raise BadRequest(f"{name} has characters that no text has")
    return value


def number_field(
    body: dict[str, Any], name: str, least: float, most: float, default: float | None = None
) -> float:
    """Return a field that is a number in a range. Raises BadRequest."""
    value: Any = body.get(name, default)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not least <= value <= most:  # infinite and NaN are in no range
        raise BadRequest(f"{name} must be a number from {least:g} to {most:g}")
    return float(value)


def numbers_field(body: dict[str, Any], name: str, least: float, most: float) -> dict[str, float]:
    """Return a field that is an object of numbers in a range; {} without it. Raises BadRequest."""
    value = body.get(name, {})
    if not isinstance(value, dict):
        raise BadRequest(f"{name} must be an object of names and numbers")
    for each in value:
        text_field({"a name": each}, "a name", LONGEST_NAME)
    return {each: number_field(value, each, least, most) for each in value}


def texts_field(body: dict[str, Any], name: str, longest: int) -> dict[str, str]:
    """Return a field that is an object of texts; {} without it. Raises BadRequest."""
    value = body.get(name, {})
    if not isinstance(value, dict):
        raise BadRequest(f"{name} must be an object of names and texts")
    for each in value:
        text_field({"a name": each}, "a name", LONGEST_NAME)
    return {each: text_field(value, each, longest) for each in value}


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
