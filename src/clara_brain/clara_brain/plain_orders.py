# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Orders that need no model: those that repeat an example of the skills file, value aside.

And what an order would mean that the model did not take for one, so that Clara can ask instead of
making something up.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from clara_brain.orders import Offer, as_read, imperative, without_politeness
from clara_brain.skill_decision import Decision, decide, written_call, written_value
from clara_brain.skills import Example, Skill, Value
from clara_brain.spoken_numbers import in_digits
from clara_brain.text_slots import exact_text

_NO_WORD = r"(?!\w)"
_MARKS = re.compile(r"[,;!?\"\u201c\u201d]|[.:](?!\d)|(?<!\w)['\u2018\u2019]|['\u2019](?!\w)")


def word_for_word(skills: Sequence[Skill], choices: Sequence[Offer], text: str) -> Decision | None:
    """Return the decision for an order that repeats an example with other values; or None."""
    if not choices:
        return None  # the text may be no order at all, and as long as it likes
    for offer in choices:
        said = _normal(offer.skill, text)
        for example in offer.skill.examples:
            values = _matched(offer, example, _normal(offer.skill, example.say), said)
            if values is not None:
                return _accepted(skills, offer.skill, values, text)
    return None


def only_reading(skills: Sequence[Skill], choices: Sequence[Offer], text: str) -> Decision | None:
    """Return what an order can only mean: one skill, one value for all that was said; or None."""
    if len(choices) != 1:
        return None
    (offer,) = choices
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
    decision = decide(skills, written_call(skill, values), text)
    return decision if decision is not None and not decision.reason else None


def _matched(offer: Offer, example: Example, pattern: str, said: str) -> dict[str, str] | None:
    """Return the values of an order that is an example but for them."""
    spoken: dict[str, dict[str, str]] = {}
    flags: dict[str, str] = {}
    for name, value in example.use.items():
        parameter = offer.skill.parameter(name)
        if parameter is None:
            return None
        if parameter.type == "boolean":
            flags[name] = written_value(value)
            continue
        ends = parameter is exact_text(offer.skill)
        if not parameter.said and not ends:
            return None
        place = rf"(?<!\w){re.escape(_spoken(value, ends))}{'$' if ends else _NO_WORD}"
        if len(re.findall(place, pattern)) != 1:
            return None
        pattern = re.sub(place, f"\0{name}\0", pattern)
        spoken[name] = {_spoken(each, ends): each for each in offer.values.get(name, ())}
    parts = pattern.split("\0")
    regex = "".join(
        f"(?P<{part}>{'|'.join(map(re.escape, spoken[part]))})" if at % 2 else re.escape(part)
        for at, part in enumerate(parts)
    )
    match = re.fullmatch(regex, said)
    if match is None:
        return None
    return flags | {name: spoken[name][found] for name, found in match.groupdict().items()}


def _spoken(value: Value, ends: bool) -> str:
    """Return a value as it is compared; politeness behind a text that ends the order is not."""
    said = written_value(value).replace("_", " ")
    return _compared(without_politeness(said) if ends else said)


def _normal(skill: Skill, text: str) -> str:
    return _compared(imperative([skill], as_read(skill, text)))


def _compared(text: str) -> str:
    """Return a text without its marks, its numbers in digits."""
    return " ".join(_MARKS.sub(" ", in_digits(text).lower()).split())
