# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""The entries of a file that another tool made, each with the line that it begins in.

A JSON list, JSON on each line, or CSV and its like with a header. A line that cannot be read is
an entry too: the DataError that says why.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from clara_training.errors import DataError, first_line
from clara_training.examples import read_text

Entry = tuple[int, Any]  # the line, from 1, and what stands there
_TABLES = (".csv", ".tsv")
_DELIMITERS = ",;\t"
_BETWEEN = " \t\r\n,"
_TURN = ({"role", "content"}, {"from", "value"})


def read_entries_of(path: Path) -> list[Entry]:
    """Read a file. Raises DataError where none of it is readable."""
    if path.suffix == ".parquet":
        raise DataError(
            f"{path} is Parquet, which is not read here; write it as JSON on each line: python -c"
            f' "import pandas; pandas.read_parquet({str(path)!r}).to_json('
            f"{str(path.with_suffix('.jsonl'))!r}, orient='records', lines=True)\""
        )
    text = read_text(path)
    if path.suffix in _TABLES:
        return list(_rows(path, text))
    try:
        document = json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        return list(_lines(path, text, error))
    if not isinstance(document, list) or _is_conversation(document):
        return [(1, document)]
    return list(zip(_places(text), document, strict=True))


def _is_conversation(document: list[Any]) -> bool:
    """Tell whether a list is of the turns of one conversation, rather than of entries."""
    return bool(document) and all(
        isinstance(each, dict) and any(names <= each.keys() for names in _TURN)
        for each in document
    )


def _places(text: str) -> Iterator[int]:
    """Give the line of each entry of a valid JSON list."""
    decode = json.JSONDecoder().raw_decode
    at, line = text.index("[") + 1, 1 + text.count("\n", 0, text.index("["))
    while True:
        begin = at
        while text[begin] in _BETWEEN:
            begin += 1
        if text[begin] == "]":
            return
        line += text.count("\n", at, begin)
        yield line
        _, at = decode(text, begin)
        line += text.count("\n", begin, at)


def _lines(path: Path, text: str, of_whole: Exception) -> Iterator[Entry]:
    read = False
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            yield number, json.loads(line)
            read = True
        except (json.JSONDecodeError, RecursionError) as error:
            if not read:  # then the others are of no such form either
                raise DataError(
                    f"{path} is neither a JSON list ({first_line(of_whole)}) nor JSON on each"
                    f" line (line {number}: {first_line(error)})"
                ) from None
            yield number, DataError(f"it is not valid JSON: {first_line(error)}")


def _rows(path: Path, text: str) -> Iterator[Entry]:
    first = text.partition("\n")[0]
    delimiter = max(_DELIMITERS, key=first.count)
    rows = csv.reader(io.StringIO(text), delimiter=delimiter, strict=True)
    try:
        names = [name.strip() for name in next(rows, [])]
        if not all(names) or len(set(names)) != len(names):
            raise DataError(
                f"{path} must begin with a line of the names of its columns, such as"
                f" question,answer; it begins with {first[:80]!r}"
            )
        begin = rows.line_num + 1
        for cells in rows:
            if len(cells) == len(names):
                yield begin, dict(zip(names, cells, strict=True))
            elif cells:
                yield begin, DataError(f"it has {len(cells)} cells for {len(names)} columns")
            begin = rows.line_num + 1
    except csv.Error as error:
        raise DataError(f"{path}, line {rows.line_num}: {first_line(error)}") from None
