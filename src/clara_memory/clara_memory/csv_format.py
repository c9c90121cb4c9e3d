# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Episodes as CSV, for spreadsheets and pandas: one row an episode, one column a field.

Context and effects are JSON texts in their columns; times are nanoseconds since 1970. What is
written comes back the same.
"""

import csv
import json
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


def write_csv(episodes: Iterable[Episode], file: TextIO) -> int:
    """Write a header and one episode a row; returns how many there were."""
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(FIELDS)
    count = 0
    for episode in episodes:
        texts = [getattr(episode, name) for name in TEXTS]
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


def _episode(row: dict[str, Any], here: str) -> Episode:
    written: dict[str, Any] = {}
    for name, value in row.items():
        if name is None:
            raise InvalidRequest(here, "has more fields than the header")
        if not value:
            continue
        written[name] = value
        try:
            if name in TIMES:
                written[name] = int(value)
            elif name in FILLERS:
                written[name] = json.loads(value)
        except ValueError:
            kind = "a whole number of nanoseconds" if name in TIMES else "a JSON list of fillers"
            raise InvalidRequest(f"{here}: {name}", f"is not {kind}") from None
    try:
        return episode_from_json(written)
    except InvalidRequest as error:
        raise InvalidRequest(
            f"{here}: {error.field}", str(error)[len(error.field) + 1 :]
        ) from None
