# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Where a named thing is: "near the dock" as a position, learned from episodes that have both."""

import numpy as np

from clara_memory.columns import Columns
from clara_memory.episode import Kind, RoleFiller
from clara_memory.item_memory import Reading

_LOOKED_AT = 1000  # the latest episodes that name the thing


def position_of(columns: Columns, place: RoleFiller) -> RoleFiller | None:
    """Return the middle (median of x, y, z) of the positions that episodes at a place have.

    The role and the frame are those that most of them use; None where none has a position.
    """
    if place.role not in columns.items:
        return None
    found = columns.items[place.role].look_up(place, spelling_only=True)
    found.keep(np.isin(found.by, (Reading.SAME, Reading.INFLECTION)))
    rows = columns.rows_of(place.role, np.flatnonzero(found.similarity))[-_LOOKED_AT:]
    seen: dict[tuple[str, str], list[tuple[float, ...]]] = {}
    for role, known in columns.items.items():
        for identity in columns.fillers_of(role, rows)[1] if role != place.role else ():
            filler = known.fillers[int(identity)]
            if filler.kind is Kind.POSITION:
                seen.setdefault((role, filler.filler), []).append(filler.values)
    if not seen:
        return None
    (role, frame), values = max(seen.items(), key=lambda item: len(item[1]))
    middle = np.median(np.asarray(values), axis=0)
    return RoleFiller(role, frame, Kind.POSITION, tuple(float(value) for value in middle))
