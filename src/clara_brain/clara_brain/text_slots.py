# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Where the free text of an order begins: behind what leads to it in the skill's examples.

Its words are the person's own, and those before it are the order's: "deliver the parcel to the lab
yesterday" has no text, for a skill that is told "... and say it is urgent".
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from clara_brain.skills import Parameter, Skill

_WORD_BEFORE = re.compile(r"([^\W\d_]+)\W*$")
_MARKS = " \t,.;!?\"'"


def optional_text(skill: Skill) -> Parameter | None:
    """Return the text parameter of a skill that takes one, which need not be said; else None."""
    texts = [each for each in skill.parameters if each.type == "text"]
    return texts[0] if len(texts) == 1 and texts[0].default is not None else None


def text_begins(skill: Skill, order: str) -> int:
    """Return where the free text of an order begins, which has its verb in front.

    Its end where there is none. One that must be said is all behind the verb where nothing that
    the examples have leads to it.
    """
    texts = [each for each in skill.parameters if each.type == "text"]
    if not texts:
        return len(order)
    leads = set(text_leads(skill))
    words = list(re.finditer(r"[^\W\d_]+", order))
    led = [match[0].lower() in leads for match in words]
    if True in led:
        last = led.index(True)
        while last + 1 < len(led) and led[last + 1]:
            last += 1  # "announce that"
        return words[last].end()
    needed = any(each.default is None for each in texts)
    return words[0].end() if needed and words else len(order)


def text_behind(order: str, begin: int) -> str:
    """Return the free text of an order, without marks around it."""
    return order[begin:].strip(_MARKS)


def text_leads(skill: Skill) -> Iterator[str]:
    """Return the words right before a text in the examples, in lower case."""
    for parameter in (each for each in skill.parameters if each.type == "text"):
        for example in skill.examples:
            value = str(example.use.get(parameter.name, "")).lower()
            at = example.say.lower().find(value) if value else -1
            if at > 0 and (match := _WORD_BEFORE.search(example.say[:at])):
                yield match[1].lower()
