# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Two things that a question compares: "did you patrol the lobby more often than the hall?".

The question is split into one about each ("what did you patrol the lobby"), in every way in which
it can be; whether both can be read, and differ in one thing alone, is seen when they are.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

_MORE = re.compile(r",? (?:the )?(?:more|less|fewer)(?: (?:often|frequently|times))?\b(?! recent)")
_BEGIN = re.compile(r"(?:which|what|who|whom|where|did|do|does|have|has|were|was)\b")
_OF_BOTH = re.compile(r"(?:which|who|what) of (?P<first>.+?) (?:and|or) (?P<rest>.+)")
_AT_END = re.compile(r"(?P<rest>.+?)[,:] (?P<first>[^,]+) or (?P<second>[^,]+)")
_BETWEEN = re.compile(r"(?P<before>.+?) (?:or|than) (?P<after>.+)")
_NO_HEAD = re.compile(
    r"^(?:which|what|who|whom|where)\b(?: \w+(?= (?:did|do|have|has|was|were)\b))?"
)
_SUBJECTS = re.compile(
    r"(?P<did>did|do|does|have|has) (?P<first>\w+(?: \d+)?) (?P<rest>.+?)"
    r" than (?P<second>\w+(?: \d+)?)(?P<after>\b.*)"
)
_MOST_WORDS = 4


class Pair(NamedTuple):
    """One question about each of two things."""

    first: str
    second: str


def pairs_in(text: str, robot: str) -> Iterator[Pair]:
    """Yield the pairs of questions that a comparing one may stand for; `robot` is "you"."""
    rest, times = _MORE.subn(" ", text)
    rest = " ".join(rest.split()).replace(" ,", ",")
    if not 1 <= times <= 2 or not _BEGIN.match(rest):
        return
    if found := _OF_BOTH.fullmatch(rest):
        for second, after in _heads(found["rest"]):
            yield _pair("", found["first"], second, after, robot)
    elif found := _AT_END.fullmatch(rest):
        before = _NO_HEAD.sub("", found["rest"])
        yield _pair(before, found["first"], found["second"], "", robot)
    elif (found := _BETWEEN.fullmatch(rest)) and not _BETWEEN.fullmatch(found["after"]):
        for second, after in _heads(found["after"]):
            for first, before in _heads(found["before"], last=True):
                yield _pair(before, first, second, after, robot)
        if found := _SUBJECTS.fullmatch(rest):
            after = f"{found['rest']} {found['after']}"
            yield _pair(found["did"], found["first"], found["second"], after, robot)


def _heads(text: str, *, last: bool = False) -> Iterator[tuple[str, str]]:
    """Yield the first few words of a text and the rest, the fewest first; with `last` the last."""
    words = text.split()
    for count in range(1, min(_MOST_WORDS, len(words)) + 1):
        if last:
            yield " ".join(words[-count:]), " ".join(words[:-count])
        else:
            yield " ".join(words[:count]), " ".join(words[count:])


def _pair(before: str, first: str, second: str, after: str, robot: str) -> Pair:
    one, other = (
        f"what {before} {robot.casefold() if name == 'you' else name} {after}"
        for name in (first, second)
    )
    return Pair(one, other)
