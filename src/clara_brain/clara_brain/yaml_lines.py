# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""A YAML file with the line of everything in it.

YAML lets things pass that are mistakes in a file people write: a key given twice, keys that are no
texts, line breaks inside names. They are faults here.
"""

from __future__ import annotations

from typing import Any

import yaml

Path_ = tuple[str | int, ...]

_MOST_BYTES = 1 << 20
_MOST_ENTRIES = 20_000
_TEXT = "tag:yaml.org,2002:str"
_MERGE = "tag:yaml.org,2002:merge"


class Fault(Exception):
    """A sentence about a place, given as path or as line (counted from 1).

    Of two faults in one line, the one with more `weight` is told.
    """

    def __init__(
        self, sentence: str, path: Path_ | None = None, line: int = 1, weight: int = 0
    ) -> None:
        super().__init__(sentence)
        self.path, self.line, self.weight = path, line, weight


class YamlFile:
    """`content` is what the file says; `line` is where. Raises Fault where it is no such file."""

    def __init__(self, written: bytes) -> None:
        if len(written) > _MOST_BYTES:
            raise Fault(f"the file has {len(written):,} bytes; at most {_MOST_BYTES:,}")
        try:
            text = written.decode("utf-8")
        except UnicodeDecodeError as error:
            line = written.count(b"\n", 0, error.start) + 1
            raise Fault(f"not UTF-8 text (byte {error.start})", line=line) from None
        self._lines: dict[Path_, int] = {(): 1}
        self.content: Any = None
        try:
            loader = yaml.SafeLoader(text)
            node = loader.get_single_node()
            if node is not None:
                self._walk(node, (), ())
                self.content = loader.construct_document(node)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            line = mark.line + 1 if mark else 1
            raise Fault(f"not valid YAML: {error.problem}", line=line) from None
        except (yaml.YAMLError, ValueError) as error:
            # An unprintable character, or a date that does not exist.
            raise Fault(f"not valid YAML: {' '.join(str(error).split())}") from None

    def line(self, path: Path_) -> int:
        """Return the line of the entry at a path, or of the nearest entry around it."""
        while path not in self._lines:
            path = path[:-1]
        return self._lines[path]

    def _walk(self, node: yaml.Node, path: Path_, around: tuple[int, ...]) -> None:
        line = node.start_mark.line + 1
        if id(node) in around:
            raise Fault("an alias refers to what it stands in", line=line)
        if len(self._lines) > _MOST_ENTRIES:
            raise Fault(f"the file has more than {_MOST_ENTRIES:,} entries", line=line)
        around = (*around, id(node))
        self._lines.setdefault(path, line)
        if isinstance(node, yaml.MappingNode):
            keys: set[str] = set()
            for key, value in node.value:
                if key.tag != _MERGE:
                    self._walk(value, (*path, self._key(key, path, keys)), around)
        elif isinstance(node, yaml.SequenceNode):
            for at, each in enumerate(node.value):
                self._walk(each, (*path, at), around)
        elif node.tag == _TEXT:
            _check_text(node.value, line)

    def _key(self, key: yaml.Node, path: Path_, keys: set[str]) -> str:
        """Return a key that has not come before."""
        line = key.start_mark.line + 1
        if key.tag != _TEXT:
            raise Fault(f"the key {key.value!r} must be a text: put it in quotes", line=line)
        name = str(key.value)
        _check_text(name, line)
        if name in keys:
            raise Fault(f"the key {name!r} is given twice", line=line)
        keys.add(name)
        own = (*path, name)
        self._lines[own] = line
        return name


def _check_text(text: str, line: int) -> None:
    if any(ord(character) < 32 or ord(character) == 127 for character in text):
        raise Fault(
            f"{text[:40]!r} must be a text in one line, without control characters", line=line
        )
