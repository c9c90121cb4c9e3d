# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Things that a question counts side by side: "did you see more foxes than strangers?".

The question is split into one about each ("what did you see foxes"), in every way in which
it can be; whether all can be read, and differ in one thing alone, is seen when they are.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from clara_memory.wishes import Wish

_MORE = re.compile(r",? (?:the )?(?:more|less|fewer)(?: (?:often|frequently|times))?\b(?! recent)")
_BEGIN = re.compile(r"(?:which|what|who|whom|where|did|do|does|have|has|were|was)\b")
_OF_BOTH = re.compile(r"(?:which|who|what) of (?P<first>.+?) (?:and|or) (?P<rest>.+)")
_AT_END = re.compile(r"(?P<rest>.+?)[,:] (?P<first>[^,]+) or (?P<second>[^,]+)")
_BETWEEN = re.compile(r"(?P<before>.+?) (?:or|than) (?P<after>.+)")
_NO_HEAD = re.compile(
    r"^(?:which|what|who|whom|where)\b(?: robot\b| \w+(?= (?:did|do|have|has|was|were)\b))?"
)
_SUBJECTS = re.compile(
    r"(?P<did>did|do|does|have|has) (?P<first>\w+(?: \d+)?) (?P<rest>.+?)"
    r" than (?P<second>\w+(?: \d+)?)(?P<after>\b.*)"
)
_PRONOUN = re.compile(r"(?:i|you|we|they|he|she)\b")
_EACH = re.compile(r"\b(?:each|both)\b(?! (?:other|of)\b)")
_OFTEN = re.compile(r"(?:how (?:often|many times) )?(?P<rest>(?:did|do|have|has|was|were)\b.+)")
_MOST_WORDS = 4


class Apart(NamedTuple):
    """One question about each of several things, and what is wanted of them."""

    wish: Wish
    questions: tuple[str, ...]


def apart_in(text: str, robot: str) -> Iterator[Apart]:
    """Yield the ways in which a question can be split; `robot` is "you"."""
    yield from _each(text, robot)
    rest, times = _MORE.subn(" ", text)
    rest = _tidy(rest)
    if not 1 <= times <= 2 or not _BEGIN.match(rest):
        return
    if found := _OF_BOTH.fullmatch(rest):
        for second, after in _heads(found["rest"]):
            yield _apart("", (found["first"], second), after, robot)
    elif found := _AT_END.fullmatch(rest):
        before = _NO_HEAD.sub("", found["rest"])
        yield _apart(before, (found["first"], found["second"]), "", robot)
    elif (found := _BETWEEN.fullmatch(rest)) and not _BETWEEN.fullmatch(found["after"]):
        who = _PRONOUN.match(found["after"])
        if who is None or who[0] in found["before"].split():  # else it is about another's deeds
            for second, after in _heads(found["after"]):
                for first, before in _heads(found["before"], last=True):
                    yield _apart(before, (first, second), after, robot)
        if found := _SUBJECTS.fullmatch(rest):
            after = f"{found['rest']} {found['after']}"
            yield _apart(found["did"], (found["first"], found["second"]), after, robot)


def _heads(text: str, *, last: bool = False) -> Iterator[tuple[str, str]]:
    """Yield the first few words of a text and the rest, the fewest first; with `last` the last."""
    words = text.split()
    for count in range(1, min(_MOST_WORDS, len(words)) + 1):
        if last:
            yield " ".join(words[-count:]), " ".join(words[:-count])
        else:
            yield " ".join(words[:count]), " ".join(words[count:])


def _each(text: str, robot: str) -> Iterator[Apart]:
    """Yield the ways to split "did you water both bed 1 and bed 2 today"."""
    rest, times = _EACH.subn(" ", text)
    parts = re.split(r", and |, | and ", _tidy(rest))
    found = _OFTEN.fullmatch(parts[0])
    if times == 1 and found and len(parts) > 1:
        between, last = parts[1:-1], parts[-1]
        for name, before in _heads(found["rest"], last=True):
            for other, after in _heads(last):
                yield _apart(before, (name, *between, other), after, robot, Wish.EACH)


def _apart(
    before: str, names: tuple[str, ...], after: str, robot: str, wish: Wish = Wish.MORE
) -> Apart:
    own = {"you": robot.casefold() or "you"}
    return Apart(wish, tuple(f"what {before} {own.get(name, name)} {after}" for name in names))


def _tidy(text: str) -> str:
    return " ".join(text.split()).replace(" ,", ",")
