# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Words that turn round what they stand before: memory finds what was, never what was not.

- An exclusion before a thing: "except the cup", "outside the kitchen", "everyone but Max".
- A comparison before a number: "above an altitude of 30", "speed > 1".
- "before" or "after" something that was done or is no time: "after opening the fridge".
- "never" in a question with what, why, how: "which things did you never wash?". A "not" there asks
  for what failed: "what could you not find?".

What is turned round was not read, and the question is lost without it; the reason says so.
"""

from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

from clara_memory.inflection import stem
from clara_memory.ordinary_words import (
    COUNTED,
    DETERMINERS,
    PLACE_PREPOSITIONS,
    TELLING,
    is_ordinary,
)
from clara_memory.outcomes_in_text import is_not
from clara_memory.words_in_text import Words


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


_ALL = _set(
    "all any anybody anyone anything anywhere every everybody everyone everything everywhere"
)
_EXCLUDING = _set(
    "apart aside away besides counting except excepting excluding instead neither nor not outside"
    " without"
)
_COMPARING = _set("above below between beyond exceeding least most over than under within")
_SIGNS = frozenset("<>≤≥≠!~")
_BEFORE_A_THING = (DETERMINERS | PLACE_PREPOSITIONS | {"for", "of"}) - _EXCLUDING
_BEFORE_A_NUMBER = _BEFORE_A_THING - _COMPARING | {"about"}
_ASKING = _set("how what when where which who whom whose why")
_NEVER = frozenset(["never", "nobody"])
_LATER = frozenset(["after", "before", "until", "till"])
_COUNTED = frozenset((stem(word),) for word in COUNTED)
_TELLING = frozenset(map(stem, TELLING))


class Turned(NamedTuple):
    """Words from `begin` to before `end` that turn something round, and its role."""

    begin: int
    end: int
    role: str
    what: str  # cannot be asked for

    def saying(self, phrase: str) -> str:
        """Return why these words were not read."""
        return f"{self.what} cannot be asked for: '{phrase}'"


class Found(NamedTuple):
    """What was recognised at some places of a text, the roles it may fill, whether a number."""

    span: tuple[int, ...]
    roles: tuple[str, ...]
    is_number: bool


def turned_in(words: Words, found: Sequence[Found], names: Collection[str]) -> list[Turned]:
    """Return what is turned round; `names` are the stems of words that roles are called by."""
    used = {place: one for one in found for place in one.span}
    return [
        *_excluded(words, found, used),
        *_compared(words, used, names),
        *_later(words, used),
        *_never(words, used),
    ]


def failed_by_not(words: Words, used: Collection[int]) -> Iterator[int]:
    """Yield the places of a "not" by which a question asks for what failed."""
    for place in range(len(words)):
        following = words.words[place + 1 : place + 3]
        if (
            place not in used
            and (words.words[place] in ("not", "cannot") or is_not(words, place))
            and _of_question(words, place, used)
            and (place == 0 or words.words[place - 1] != "or")
            and following[:1] != ("only",)
            and not any(stem(word) in _TELLING for word in following)
        ):
            yield place


def _of_question(words: Words, place: int, used: Collection[int]) -> bool:
    """Whether a "not" is part of what is asked; not as in "what did you wash? Not bad!"."""
    clause = words.clauses[place]
    return not _ASKING.isdisjoint(words.words[:place]) and any(
        one == clause
        and ((words.words[at] in _ASKING and at < place) or (at in used and at > place))
        for at, one in enumerate(words.clauses)
    )


def _excluded(words: Words, found: Sequence[Found], used: Collection[int]) -> Iterator[Turned]:
    for one in found:
        if "result" in one.roles or not one.roles:
            continue
        begin = _back(words, one.span[0], used, _BEFORE_A_THING)
        if begin < 0 or words.clauses[begin] != words.clauses[one.span[0]] or begin in used:
            continue
        word, before = words.words[begin], words.words[begin - 1] if begin else ""
        if (
            (word in _EXCLUDING and not (word == "not" and "action" in one.roles))
            or (word == "than" and before in ("other", "rather", "else"))
            or (word == "but" and (before in _ALL or before == "else"))
        ):
            if word in ("than", "but", "counting"):
                begin -= 1
            yield Turned(begin, one.span[-1] + 1, one.roles[0], "what to leave out")


def _compared(words: Words, used: dict[int, Found], names: Collection[str]) -> Iterator[Turned]:
    for span, _ in words.numbers():
        one = used.get(span[0])
        following = span[-1] + 1
        if one is not None and not one.is_number:
            continue  # of a name: "tower 10"
        counted = following in used or words.stems[following : following + 1] in _COUNTED
        if one is None and counted:
            continue  # "more than 3 cups"
        begin = span[0] - 1
        signed = begin >= 0 and not _SIGNS.isdisjoint(words.between(begin, span[0]))
        while begin >= 0 and (
            words.words[begin] in _BEFORE_A_NUMBER or words.stems[begin] in names
        ):
            begin -= 1
        if signed or (begin >= 0 and words.words[begin] in _COMPARING):
            if begin < 0 or words.words[begin] not in _COMPARING:
                begin += 1
            elif begin and words.words[begin] in ("than", "least", "most"):
                begin -= 1
            role = one.roles[0] if one is not None and one.roles else "number"
            yield Turned(begin, following, role, "more or less than a number")


def _later(words: Words, used: Collection[int]) -> Iterator[Turned]:
    place = 0
    while place < len(words):
        if words.words[place] in _LATER and place not in used:
            end = place + 1
            while end < len(words) and words.clauses[end] == words.clauses[place]:
                end += 1
            said = [one for one in range(place + 1, end) if _says(words, one, used)]
            if said:
                what = "what was before or after something else"
                yield Turned(place, said[-1] + 1, "action", what)
                place = end
                continue
        place += 1


def _says(words: Words, place: int, used: Collection[int]) -> bool:
    word = words.words[place]
    return place in used or not (len(word) == 1 or is_ordinary(word))


def _never(words: Words, used: dict[int, Found]) -> Iterator[Turned]:
    for place, word in enumerate(words.words):
        if word in _NEVER and place not in used and not _ASKING.isdisjoint(words.words[:place]):
            later = (each for each in sorted(used) if each > place)
            end = next(later, place) + 1
            yield Turned(place, end, "action", "what was never done")


def _back(words: Words, begin: int, used: Collection[int], over: Collection[str]) -> int:
    """Return the place of the last word before `begin` that is none of those, -1 for none."""
    begin -= 1
    while begin >= 0 and begin not in used and words.words[begin] in over:
        begin -= 1
    return begin
