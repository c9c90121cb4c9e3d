# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""What Project Gutenberg puts around a book: a header, two banners, and its licence.

Only what names Project Gutenberg is taken away, and no more than its headers and licences are
long: in a file that somebody put together, what stands around a book may be text of their own.
"""

from __future__ import annotations

import re

_HEADER, _LICENCE = 5_000, 25_000  # characters, at most; they have about 800 and 19,000
_BEGINS_WITH = 2_000  # characters of what follows a book, in which a licence names its owner
_BANNER = re.compile(r"^\*\*\* ?(START|END) OF TH(?:E|IS) PROJECT GUTENBERG[^\n]*(?:\n|\Z)", re.M)
_HEADING = re.compile(r"^\W{0,9}(?:The )?Project Gutenberg\b", re.M | re.I)
_LAST_WORDS = re.compile(r"\bhear\s+about\s+new\s+e-?books\b[^\n]*(?:\n|\Z)", re.I)
_NAME = re.compile(r"\bProject\s+Gutenberg", re.I)


def without_banners(text: str) -> tuple[str, int, int]:
    """Return a text without them, how many banners there were, and how many characters went."""
    banners = list(_BANNER.finditer(text))
    cuts: list[tuple[int, int]] = []
    for at, banner in enumerate(banners):
        before = banners[at - 1].end() if at else 0
        after = banners[at + 1] if at + 1 < len(banners) else None
        if banner[1] == "START":
            cuts.append((_header(text, before, banner.start()), banner.end()))
            continue
        stop = after.start() if after else len(text)
        if after and after[1] == "START":
            stop = _header(text, banner.end(), stop)
        cuts.append((banner.start(), _licence(text, banner.end(), stop)))
    parts, kept = [], 0
    for begin, end in cuts:
        parts.append(text[kept:begin])
        kept = end
    parts.append(text[kept:])
    return "".join(parts), len(banners), sum(end - begin for begin, end in cuts)


def _header(text: str, least: int, banner: int) -> int:
    """Return where the header before a banner begins; at the banner, where there is none."""
    found = _HEADING.search(text, max(least, banner - _HEADER), banner)
    return found.start() if found else banner


def _licence(text: str, begin: int, stop: int) -> int:
    """Return where the licence behind a banner ends; where it begins, if there is none."""
    if last := _LAST_WORDS.search(text, begin, min(stop, begin + _LICENCE)):
        return last.end()
    named = _NAME.search(text, begin, min(stop, begin + _BEGINS_WITH))
    return stop if named and stop - begin <= _LICENCE else begin
