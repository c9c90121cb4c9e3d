# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Read several orders that are said one after the other: "go to the dock and then open the door".

Nothing is planned: the steps are what was said, in the order in which it was said, and each must
be an order by itself. A sentence that says them in any other way (a choice, a condition, a
correction, "first" behind what comes second) is no sequence, and none of it is done. The rules are
English.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from clara_brain.choice_slots import mentions
from clara_brain.known_words import PREPOSITIONS, is_idle, words_of
from clara_brain.orders import (
    asks_politely,
    has_the_form,
    is_only_opening,
    opened_by,
    opens_as_order,
    why_no_order,
)
from clara_brain.skill_decision import possible
from clara_brain.skills import Skill
from clara_brain.text_slots import text_begins

MOST_STEPS = 8

_THEN = (
    r"(?:then|after (?:that|this)(?! you\b| we\b| i\b)|afterwards?|finally|lastly)"
    r"(?!['\u2019-]?\w)"
)
# What may join two orders. A comma does in a list alone, whose last two are joined by a word.
_JOINT = re.compile(
    rf"[\s,;.!]*\b(?:(?P<then>(?:and\W+)?{_THEN}(?:\W+{_THEN})*)|(?P<and>and)\b(?!['\u2019-]\w))"
    r"[\s,]*|(?P<comma>\s*[,;]\s+)",
    re.IGNORECASE,
)
# "Go and get the cup" is one order.
_ONE_WITH_THE_NEXT = re.compile(r"\b(?:go|go ahead|come|try)\s*$", re.IGNORECASE)
# These choose, correct, or say that the order is another than that of the words.
_NO_SEQUENCE = re.compile(
    r"\b(?:or|nor|either|neither|both|but|except|else|otherwise|rather|actually|sorry|oops|mean"
    r"|meant|scratch|forget|kidding|joking|meanwhile|simultaneously|same time|together"
    r"|beforehand|previously|earlier|prior|reverse order|in reverse|other way|vice versa|reversed"
    r"|etc|and so (?:on|forth)|only|unless|because|since|whether|so that|always|repeat\w*"
    r"|(?<!the )(?<!your )(?<!my )(?:first|firstly|last)|again and again|over and over)\b",
    re.IGNORECASE,
)
_THAT = re.compile(r"\bthat\W*$", re.IGNORECASE)
_WORD = re.compile(r"[^\W\d_]+")
_POINTS = frozenset(["it", "them", "there", "one", "ones", "same"])
# With a noun behind them these only say which.
_MAY_POINT = frozenset(["that", "this", "these", "those"])
# "Pick up the cup, then the bottle", "go to the dock, then to the kitchen".
_PARTICLES = PREPOSITIONS | {"up", "down", "off", "out", "over", "back", "away"}


@dataclass(frozen=True)
class Steps:
    """The orders of a sequence, two at least; or why one that begins as a sequence is none.

    Both are empty for every other sentence.
    """

    orders: tuple[str, ...] = ()
    why: str = ""


@dataclass(frozen=True)
class _Part:
    """A part of a sentence; `joint` is what joins it to the one before: "then", "and", "comma"."""

    text: str
    joint: str = ""


def steps_of(skills: Sequence[Skill], text: str) -> Steps:
    """Return the orders that a sentence says one after the other."""
    if not skills or not has_the_form(text) or not _JOINT.search(text):
        return Steps()
    parts = _parts(skills, text)
    if len(parts) < 2 or not any(opens_as_order(each, parts[0].text) for each in skills):
        return Steps()
    offers = [] if any(part.joint == "then" for part in parts) else possible(skills, text)
    if any(_is_shown(offer.skill, parts[1:]) for offer in offers):
        return Steps()
    read = _read(skills, parts)
    # Of what may be one order with too many values, their check says why it is none.
    too_many = any(len(said) > 1 for offer in offers for said in offer.values.values())
    return Steps() if read.why and too_many else read


def _is_shown(skill: Skill, parts: Sequence[_Part]) -> bool:
    """Whether an example of a skill joins these parts so: "deliver it and say it is urgent"."""
    shown = {pair for example in skill.examples for pair in pairwise(words_of(example.say))}
    return all(("and", *words_of(part.text)[:1]) in shown for part in parts)


def _read(skills: Sequence[Skill], parts: Sequence[_Part]) -> Steps:
    """Read the parts of a sentence as orders: all of them, or none."""
    if why := _why_no_sequence(skills, parts):
        return Steps(why=why)
    orders: list[str] = []
    for number, part in enumerate(parts, start=1):
        order = part.text
        if part.joint == "then" and not any(opens_as_order(each, order) for each in skills):
            order = _with_verb_before(skills, orders[-1], order)
        if why := _why_no_step(skills, order, follows=number > 1):
            return Steps(why=f'step {number} ("{part.text}"): {why}')
        orders.append(order)
    return Steps(tuple(orders))


def _parts(skills: Sequence[Skill], text: str) -> list[_Part]:
    """Cut a sentence where one order may end and the next begin; a free text is never cut."""
    joints = list(_JOINT.finditer(text))
    things = [(each.start, each.end) for skill in skills for each in mentions(skill, text)]
    parts: list[_Part] = []
    begin, joint = 0, ""
    for at, match in enumerate(joints):
        part = text[begin : match.start()]
        if _text_begun(skills, part):
            break
        if is_only_opening(skills, part) or any(
            s < match.end() and match.start() < e for s, e in things
        ):
            continue
        end = joints[at + 1].start() if at + 1 < len(joints) else len(text)
        kind = str(match.lastgroup)
        follows = text[match.end() : end]
        if kind == "then":
            if is_only_opening(skills, text[match.end() :]):
                continue  # "go to the dock then, please"
        elif _ONE_WITH_THE_NEXT.search(part) or not any(
            opens_as_order(each, follows) for each in skills
        ):
            continue
        parts.append(_Part(part.strip(), joint))
        begin, joint = match.end(), kind
    parts.append(_Part(text[begin:].strip(), joint))
    return parts


def _text_begun(skills: Sequence[Skill], part: str) -> bool:
    """Whether a part is an order whose free text has begun: all that follows belongs to it."""
    for skill, order in opened_by(skills, part):
        texts = [each for each in skill.parameters if each.type == "text"]
        if texts and (
            text_begins(skill, order) < len(order) or any(t.default is None for t in texts)
        ):
            return True
    return False


def _why_no_sequence(skills: Sequence[Skill], parts: Sequence[_Part]) -> str:
    if len(parts) > MOST_STEPS:
        return f"those are {len(parts)} steps, and {MOST_STEPS} are the most"
    if parts[-1].joint == "comma":
        return "nothing but a comma tells whether the last step follows or is said instead"
    for number, part in enumerate(parts):
        words = _without_text(skills, part.text, from_verb=number == 0)
        if found := _NO_SEQUENCE.search(words):
            return f'with "{found[0]}" it is not plain which steps are meant, in which order'
        if "?" in words and not (number == len(parts) - 1 and asks_politely(parts[0].text)):
            return "it is a question"
        if part.joint == "comma" and _is_same_verb(skills, parts[number - 1].text, part.text):
            return "nothing but a comma tells whether the next step follows or is said instead"
    return ""


def _without_text(skills: Sequence[Skill], part: str, from_verb: bool = False) -> str:
    """Return a part without the free text at its end, and without what stands before its verb."""
    opened = max(opened_by(skills, part), key=lambda each: len(each[1]), default=None)
    if opened is None:
        return part
    skill, order = opened
    words = order[: text_begins(skill, order)]
    if len(words) < len(order):
        words = _THAT.sub("", words)  # "announce that ..."
    return words if from_verb else part[: len(part) - len(order)] + words


def _is_same_verb(skills: Sequence[Skill], one: str, other: str) -> bool:
    """Whether a skill may be meant by both: "go to the dock, go to the kitchen"."""
    return any(opens_as_order(each, one) and opens_as_order(each, other) for each in skills)


def _why_no_step(skills: Sequence[Skill], order: str, follows: bool) -> str:
    if follows and (word := next(_pointing(_without_text(skills, order)), "")):
        return f'say what "{word}" means'
    if possible(skills, order):
        return ""
    return why_no_order(skills, order) or "it is no order for any skill"


def _pointing(words: str) -> Iterator[str]:
    """Return the words that mean something which was said before."""
    found = [word.lower() for word in _WORD.findall(words)]
    for word, following in zip(found, [*found, ""][1:], strict=True):
        if word in _POINTS or (word in _MAY_POINT and (not following or is_idle(following))):
            yield word


def _with_verb_before(skills: Sequence[Skill], before: str, rest: str) -> str:
    """Return what follows a "then" with the verb of the order before: "to the kitchen".

    As it is where that is no order for the same skill, or names no choice: a number alone may be
    said instead of the one before.
    """
    for offer in possible(skills, before):
        order = next((each for _, each in opened_by([offer.skill], before)), "")
        verb, *behind = _WORD.findall(order) or [""]
        particle = behind[0] if behind and behind[0].lower() in _PARTICLES else ""
        first = _WORD.match(rest)
        thing = rest
        if first and first[0].lower() in _PARTICLES:
            if first[0].lower() != particle.lower():
                continue
            thing = rest[first.end() :].strip()
        said = " ".join(filter(None, (verb, particle, thing)))
        if mentions(offer.skill, thing) and _only_skill(skills, said) is offer.skill:
            return said
    return rest


def _only_skill(skills: Sequence[Skill], order: str) -> Skill | None:
    offers = possible(skills, order)
    return offers[0].skill if len(offers) == 1 else None
