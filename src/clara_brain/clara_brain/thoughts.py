# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Cut what a model thinks out of what it says: <think>...</think> before its reply.

Thoughts are neither spoken nor kept: they hold what nobody asked for, and a model is not shown
those of earlier turns. Only what a reply begins with is one; in its middle the tag is a word.
"""

from __future__ import annotations

_OPEN, _CLOSE = "<think>", "</think>"


class Thoughts:
    """Takes a reply piece by piece, also where a tag is split, and gives back what is said."""

    def __init__(self) -> None:
        self._held = ""
        self._within = False
        self._thought = False
        self._over = False

    @property
    def undecided(self) -> int:
        """How many of the characters taken may still be said."""
        return 0 if self._within else len(self._held)

    def cut(self, new: str, last: bool) -> str:
        """Take a piece; return what of the text is said for certain, of the `last` one all."""
        if self._over:
            return new
        self._held += new
        while True:
            if self._within:
                thought, tag, rest = self._held.partition(_CLOSE)
                if not tag:
                    self._held = thought[1 - len(_CLOSE) :]
                    return ""
                self._within, self._held = False, rest
            begins = self._held.lstrip()
            if self._thought:
                self._held = begins
            if begins.startswith(_OPEN):
                self._within = self._thought = True
                self._held = begins[len(_OPEN) :]
            elif _OPEN.startswith(begins) and not last:
                return ""
            else:
                self._over = True
                said, self._held = self._held, ""
                return said
