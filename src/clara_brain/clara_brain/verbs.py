# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Which verbs ask for a skill."""

from __future__ import annotations

import re

from clara_brain.skills import Skill

# "Go to the kitchen" goes somewhere; "go get the cup" does not.
_GOES = re.compile(
    r"^\W*(?:(?:please|clara|robot|now|could|can|would|will|you)\W+)*go"
    r" (?:to|into|back|home|up|down|there|forward|left|right)\b",
    re.IGNORECASE,
)

# Words of an example before its verb.
_BEFORE_THE_VERB_WORDS = """
a all and at can clara could for from go hey i just kindly like me mind my need now of ok okay
on please robot should so that the then this to up us want will with would you your
"""
_BEFORE_THE_VERB = frozenset(_BEFORE_THE_VERB_WORDS.split())


def trigger_words(skill: Skill) -> tuple[str, ...]:
    """Return the verbs that ask for a skill: the file's, or those of its name and examples."""
    if skill.words:
        return skill.words
    words = [word for word in skill.name.split("_") if word not in _BEFORE_THE_VERB]
    for example in skill.examples:
        spoken = re.findall(r"[a-z]+", example.say.lower())
        if _GOES.search(example.say):
            words.append("go")
            continue
        words += [word for word in spoken if word not in _BEFORE_THE_VERB][:1]
    return tuple(dict.fromkeys(words))
