# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Episodes as CSV, for spreadsheets and pandas: one row an episode, one column a field.

Context and effects are JSON texts in their columns; times are nanoseconds since 1970. What is
written comes back the same. A text that a spreadsheet would take for a formula has an apostrophe
before it, which is taken off again.
"""

import csv
import json
import re
from collections.abc import Iterable, Iterator
from typing import Any, TextIO

from clara_memory.episode import Episode
from clara_memory.errors import InvalidRequest
from clara_memory.formats import (
    FILLERS,
    TEXTS,
    TIMES,
    episode_from_json,
    fillers_to_text,
)

FIELDS = (*TEXTS, "outcome", *TIMES, *FILLERS)
# What begins a formula (OWASP, "CSV Injection"), also where the text itself has apostrophes before
# it: they would else be taken off on the way back.
_FORMULA = re.compile(r"'*[=+\-@\t\r\n]")


def write_csv(episodes: Iterable[Episode], file: TextIO) -> int:
    """Write a header and one episode a row; returns how many there were."""
    # Python before 3.11.9 would not quote a lone carriage return by itself.
    writer = csv.writer(file, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
    writer.writerow(FIELDS)
    count = 0
    for episode in episodes:
        texts = [_harmless(getattr(episode, name)) for name in TEXTS]
        times = [getattr(episode, name) for name in TIMES]
        fillers = [fillers_to_text(getattr(episode, name)) for name in FILLERS]
        writer.writerow([*texts, episode.outcome.name, *times, *fillers])
        count += 1
    return count


def read_csv(file: TextIO) -> Iterator[Episode]:
    """Yield the episodes of a CSV file; columns may be missing, all but `action`.

    Raises:
        InvalidRequest: naming line and field.
    """
    reader = csv.DictReader(file, strict=True)
    try:
        for row in reader:
            yield _episode(row, f"line {reader.line_num}")
    except csv.Error as error:
        raise InvalidRequest(f"line {reader.line_num}", f"is not CSV: {error}") from None


def _harmless(text: str) -> str:
    return f"'{text}" if _FORMULA.match(text) else text


def _as_told(text: str) -> str:
    return text[1:] if text.startswith("'") and _FORMULA.match(text) else text


def _episode(row: dict[str, Any], here: str) -> Episode:
    written: dict[str, Any] = {}
    for name, value in row.items():
        if name is None:
            raise InvalidRequest(here, "has more fields than the header")
        if not value:
            continue
        written[name] = value
        try:
            if name in TEXTS:
                written[name] = _as_told(value)
            elif name in TIMES:
                written[name] = int(value)
            elif name in FILLERS:
                written[name] = json.loads(value)
        except (ValueError, RecursionError):
            kind = "a whole number of nanoseconds" if name in TIMES else "a JSON list of fillers"
            raise InvalidRequest(f"{here}: {name}", f"is not {kind}") from None
    try:
        return episode_from_json(written)
    except InvalidRequest as error:
        raise InvalidRequest(
            f"{here}: {error.field}", str(error)[len(error.field) + 1 :]
        ) from None
