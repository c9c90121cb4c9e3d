# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""What lies below a folder, also behind links to other folders."""

from __future__ import annotations

import os
from pathlib import Path


def files_below(folder: Path) -> list[tuple[str, Path]]:
    """Return the path in the folder of all that is below it and no folder, in order, and the path.

    Links to folders are followed, and each folder is entered once: by its own path, where it is
    below this one, else by the first link to it.
    """
    found: list[tuple[str, Path]] = []
    entered: set[str] = set()
    tops = [str(folder)]
    for top in tops:
        for where, folders, names in os.walk(top):
            real = os.path.realpath(where)
            if real in entered:
                folders.clear()
                continue
            entered.add(real)
            paths = [Path(where, name) for name in names]
            found += [(path.relative_to(folder).as_posix(), path) for path in paths]
            folders.sort()
            tops += filter(os.path.islink, (os.path.join(where, name) for name in folders))
    return sorted(found)
