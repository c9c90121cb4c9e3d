# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Answer "what can you do?" from the skills file; a model would make it up."""

from __future__ import annotations

import re
from collections.abc import Sequence

from clara_brain.skills import Skill

_THEM = r"(?:skills|abilities|capabilities)"
_ASKS = re.compile(
    r"^\W*(?:(?:hey|hi|hello|ok|okay|so|and|well|clara|robot|please|tell me|say)\W+)*"
    r"(?:what (?:else |all |things )?(?:can you|you can|are you able to|do you know how to) do"
    r"|what (?:can|could) (?:i|we) (?:ask|order|tell) you to do"
    r"|how can you help|what is it (?:that )?you can do"
    rf"|what(?: are|['\u2019]?re)? your {_THEM}|(?:what|which) {_THEM} do you have"
    rf"|(?:list|show me|name|tell me) (?:all )?(?:of )?your {_THEM})"
    r"(?:\W+(?:for (?:me|us)|me|us|now|please|then|clara|robot))*\W*$",
    re.I,
)
_LONGEST = 120
_MOST_SAID = 12


def asks_abilities(text: str) -> bool:
    """Whether a text asks what the robot can do, in general."""
    return len(text) <= _LONGEST and bool(_ASKS.match(text))


def abilities(skills: Sequence[Skill]) -> str:
    """Say what the skills file says of its skills, in its words and order."""
    told = [_without_capital(each.description.split(". ")[0]) for each in skills[:_MOST_SAID]]
    if more := len(skills) - len(told):
        told.append(f"{more} more")
    return f"This is what I can do: {'; '.join(told)}."


def _without_capital(sentence: str) -> str:
    words = sentence.strip().rstrip(".")
    return words if words[1:2].isupper() else words[:1].lower() + words[1:]
