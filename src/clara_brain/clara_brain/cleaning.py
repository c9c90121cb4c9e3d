# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Text from outside as data: one line, cut to a length, free of all that could act as markup."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable

_DETAIL_LENGTH = 160
# Brackets make fences and control tokens; data needs none of them. Lookalikes keep it readable.
_BRACKETS = str.maketrans(
    {"<": "(", ">": ")", "[": "(", "]": ")", "{": "(", "}": ")", "|": "/", "`": "'"}
)


def cleaned(text: str, length: int, neutralise: Callable[[str], str]) -> str:
    """Return a text as one line of data, `length` characters at most, free of all markup.

    `neutralise` removes the model's control tokens.
    """
    return " ".join(neutralise(plain(text, length)).translate(_BRACKETS).split())


def clean_detail(detail: str, neutralise: Callable[[str], str]) -> str:
    """Return what is said of how an episode ended, free of all that could act as markup."""
    return cleaned(detail, _DETAIL_LENGTH, neutralise).rstrip(". ")


def plain(text: str, length: int) -> str:
    """Return one line without control characters, at most `length` characters."""
    spaced = "".join(
        " " if unicodedata.category(c) in ("Cc", "Cf", "Zl", "Zp", "Cs") else c for c in text
    )
    return " ".join(spaced.split())[:length]
