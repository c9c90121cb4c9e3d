# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Orders that need no model: those that repeat an example of the skills file, value aside.

And what an order would mean that the model did not take for one, so that Clara can ask instead of
making something up.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from clara_brain.orders import Offer, imperative
from clara_brain.skill_decision import Decision, decide, written_value
from clara_brain.skills import Example, Skill, Value


def word_for_word(skills: Sequence[Skill], choices: Sequence[Offer], text: str) -> Decision | None:
    """Return the decision for an order that repeats an example with other values; or None."""
    if not choices:
        return None  # the text may be no order at all, and as long as it likes
    said = _normal(skills, text)
    for offer in choices:
        for example in offer.skill.examples:
            values = _matched(offer, example, _normal(skills, example.say), said)
            if values is not None:
                return _accepted(skills, offer.skill, values, text)
    return None


def only_reading(skills: Sequence[Skill], choices: Sequence[Offer], text: str) -> Decision | None:
    """Return what an order can only mean: one skill, one value for all that was said; or None."""
    if len(choices) != 1:
        return None
    (offer,) = choices
    if any(each.type == "text" and each.default is None for each in offer.skill.parameters):
        return None
    named = {name: said for name, said in offer.values.items() if said}
    if any(len(said) > 1 for said in named.values()):
        return None
    values = {name: said[0] for name, said in named.items() if _is_meant(offer, name)}
    return _accepted(skills, offer.skill, values, text)


def _is_meant(offer: Offer, name: str) -> bool:
    parameter = offer.skill.parameter(name)
    return parameter is not None and (parameter.default is None or name in offer.named)


def _accepted(
    skills: Sequence[Skill], skill: Skill, values: dict[str, str], text: str
) -> Decision | None:
    texts = {each.name for each in skill.parameters if each.type == "text"}
    call = ", ".join(
        f"{name}={json.dumps(value, ensure_ascii=False) if name in texts else value}"
        for name, value in values.items()
    )
    decision = decide(skills, f"{skill.name}({call})", text)
    return decision if decision is not None and not decision.reason else None


def _matched(offer: Offer, example: Example, pattern: str, said: str) -> dict[str, str] | None:
    """Return the values of an order that is an example but for them."""
    places: dict[str, str] = {}
    flags: dict[str, str] = {}
    for name, value in example.use.items():
        parameter = offer.skill.parameter(name)
        spoken = _spoken(value)
        if parameter is not None and parameter.type == "boolean":
            flags[name] = spoken
            continue
        if parameter is None or not parameter.said or parameter.type == "text":
            return None
        if len(re.findall(rf"(?<!\w){re.escape(spoken)}(?!\w)", pattern)) != 1:
            return None
        pattern = re.sub(rf"(?<!\w){re.escape(spoken)}(?!\w)", f"\0{name}\0", pattern)
        places[name] = "|".join(re.escape(_spoken(each)) for each in offer.values.get(name, ()))
    parts = pattern.split("\0")
    regex = "".join(
        f"(?P<{part}>{places[part]})" if at % 2 else re.escape(part)
        for at, part in enumerate(parts)
    )
    match = re.fullmatch(regex, said)
    if match is None:
        return None
    return flags | {
        name: next(each for each in offer.values[name] if _spoken(each) == found)
        for name, found in match.groupdict().items()
    }


def _spoken(value: Value) -> str:
    return written_value(value).replace("_", " ").lower()


def _normal(skills: Sequence[Skill], text: str) -> str:
    bare = imperative(skills, text).lower()
    return " ".join(re.sub(r"[,;!?\"]|\.(?!\d)", " ", bare).split())
