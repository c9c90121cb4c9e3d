# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""English verbs as what somebody is doing: close, closing."""

from __future__ import annotations

import re

_IS_ONE = re.compile(r"[aeiouy].*ing$")  # "cleaning", but not "bring"
_SILENT_E = re.compile(r"[^eoy]e$")  # "close", but not "see"
_SHORT = re.compile(r"^(?:[^aeiou]|qu)*[aeiou][^aeiouwxy]$")  # "grip", but not "open" or "show"
_STRESSED_LAST = frozenset(["begin", "control", "forget", "patrol", "reset", "transfer", "unplug"])


def participle(verb: str) -> str:
    """Return the present participle of a verb in lower case."""
    if _IS_ONE.search(verb):
        return verb
    if verb.endswith("ie"):
        return f"{verb[:-2]}ying"
    if len(verb) > 2 and _SILENT_E.search(verb):
        return f"{verb[:-1]}ing"
    if _SHORT.search(verb) or verb in _STRESSED_LAST:
        return f"{verb}{verb[-1]}ing"
    return f"{verb}ing"
