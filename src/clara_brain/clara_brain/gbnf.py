# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""The pieces of a grammar in llama.cpp's GBNF: rules with names, quoted text, sets of characters.

https://github.com/ggml-org/llama.cpp/blob/master/grammars/README.md
"""

from __future__ import annotations

import re
from collections.abc import Iterable

NOTHING = '""'
_NAME = re.compile(r'"(?:[^"\\]|\\.)*"|\[(?:[^\]\\]|\\.)*\]|([a-z]\w*)')
_LAST = 0x10FFFF

# Characters from the first to the last of each pair, both included.
Ranges = list[tuple[int, int]]


class Rules:
    """The rules of a grammar; the same rule is written once."""

    def __init__(self) -> None:
        self._texts: dict[str, str] = {}
        self._names: dict[str, str] = {}

    def add(self, text: str) -> str:
        """Return the name of the rule with this text."""
        if text not in self._names:
            self._names[text] = self.reserve()
            self._texts[self._names[text]] = text
        return self._names[text]

    def reserve(self) -> str:
        """Return the name of a rule that is defined later, as one that refers to itself."""
        name = f"r{len(self._texts)}"
        self._texts[name] = ""
        return name

    def define(self, name: str, text: str) -> None:
        """Say what a reserved rule is."""
        self._texts[name] = text

    def grammar(self, root: str) -> str:
        """Return the grammar of what `root` says: it, and the rules that it leads to."""
        found, wanted = {"root": root}, [root]
        while wanted:
            for match in _NAME.finditer(wanted.pop()):
                name = match[1]
                if name and name not in found:
                    found[name] = self._texts[name]
                    wanted.append(found[name])
        return "\n".join(f"{name} ::= {text}" for name, text in found.items())


def quoted(text: str) -> str:
    """Return what stands for a text and nothing else."""
    return '"' + "".join(map(_escaped, text)) + '"'


def either(alternatives: Iterable[str]) -> str:
    """Return what stands for any of these, as one piece."""
    different = list(dict.fromkeys(alternatives))
    return different[0] if len(different) == 1 else f"({' | '.join(different)})"


def times(piece: str, least: int, most: int | None) -> str:
    """Return what stands for a piece, `least` to `most` times; None: without end."""
    if most == 0:
        return NOTHING
    if least == most:
        return piece if most == 1 else f"{piece}{{{most}}}"
    return f"{piece}{{{least},{'' if most is None else most}}}"


def one_of(ranges: Ranges) -> str:
    """Return what stands for one character of these."""
    return "[" + "".join(_in_a_set(first, last) for first, last in ranges) + "]"


def all_but(ranges: Ranges) -> Ranges:
    """Return all characters but these."""
    others, at = [], 0
    for first, last in sorted(ranges):
        if first > at:
            others.append((at, first - 1))
        at = max(at, last + 1)
    return [*others, (at, _LAST)] if at <= _LAST else others


def _in_a_set(first: int, last: int) -> str:
    ends = (
        chr(code) if chr(code).isalnum() and code < 0x80 else _by_number(code)
        for code in dict.fromkeys((first, last))
    )
    return "-".join(ends)


def _escaped(character: str) -> str:
    if character in '"\\':
        return "\\" + character
    return character if character.isprintable() else _by_number(ord(character))


def _by_number(code: int) -> str:
    if code > 0xFFFF:
        return f"\\U{code:08X}"
    return f"\\u{code:04X}" if code > 0xFF else f"\\x{code:02X}"
