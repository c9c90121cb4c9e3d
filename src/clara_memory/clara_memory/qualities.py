# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Ordinary words that a question is lost without: "were late", "the wrong cup", "too much".

Alone they name nothing, and "how late", "what went wrong", "in full" ask for nothing that memory
would have to find. But what was late, or too much, is less than all that was.
"""

from collections.abc import Collection, Iterator

from clara_memory.ordinary_words import (
    AUXILIARIES,
    DETERMINERS,
    PLACE_PREPOSITIONS,
    PRONOUNS,
    set_of,
)
from clara_memory.words_in_text import Words

_OF_A_DEED = set_of("alone difficult early easy enough fast full hard late quick same slow wrong")
_BEHIND = _OF_A_DEED | set_of("big large new poor short similar small")  # what it is said of
_BEFORE = _OF_A_DEED | set_of("correct right second third")  # what it is said of
_ASKING_FOR_IT = PLACE_PREPOSITIONS | set_of("as how so of sure")  # "how late", "in full"
_WHICH_TIME = (("the", "second", "time"), ("the", "third", "time"))
_NO_MEASURE = PLACE_PREPOSITIONS | AUXILIARIES | PRONOUNS | DETERMINERS  # behind "you too"
_NO_MEASURE |= set_of("and because but for if of or so then when while")


def qualities_in(
    words: Words, used: Collection[int], names: Collection[str]
) -> Iterator[tuple[int, int]]:
    """Yield begin and end of words by which something was, where the question is lost without.

    `used` are the places of what was recognised, `names` the stems of what roles are called.
    """
    place = 0
    while place < len(words):
        end = place + 1
        if place not in used and is_told(words, place, used):
            if words.words[place] == "too" and _measures(words, place, used):
                end = place + 2
                yield place, end
            elif _is_when_due(words, place) or _is_which(words, place):
                yield place - 1, end
            elif _stands_before(words, place, used, names) or _stands_behind(words, place, used):
                yield place, end
        place = end


def is_told(words: Words, place: int, used: Collection[int]) -> bool:
    """Whether the clause of a word asks what the text asks, not as in "it is late; what fell?"."""
    clause = [at for at, one in enumerate(words.clauses) if one == words.clauses[place]]
    if used:
        return any(at in used for at in clause)
    return any(words.words[at] in AUXILIARIES for at in clause)


def _following(words: Words, place: int) -> str:
    following = place + 1
    there = following < len(words) and words.clauses[following] == words.clauses[place]
    return words.words[following] if there else ""


def _measures(words: Words, place: int, used: Collection[int]) -> bool:
    """Whether this is the "too" of "too much", not of "did you too"."""
    following = _following(words, place)
    return bool(following) and place + 1 not in used and following not in _NO_MEASURE


def _is_when_due(words: Words, place: int) -> bool:
    """Whether this is the "time" of "on time"."""
    due = words.words[max(0, place - 1) : place + 1] in (("on", "time"), ("in", "time"))
    following = _following(words, place)
    return due and (not following or following in _NO_MEASURE)


def _is_which(words: Words, place: int) -> bool:
    """Whether this is the "time" of "the second time"."""
    return words.words[max(0, place - 2) : place + 1] in _WHICH_TIME


def _stands_before(
    words: Words, place: int, used: Collection[int], names: Collection[str]
) -> bool:
    if words.words[place] not in _BEFORE or not _following(words, place):
        return False
    return place + 1 in used or words.stems[place + 1] in names


def _stands_behind(words: Words, place: int, used: Collection[int]) -> bool:
    word, following = words.words[place], _following(words, place)
    before = words.words[place - 1] if place else ""
    if word not in _BEHIND or before in _ASKING_FOR_IT or (word, following) == ("wrong", "with"):
        return False
    return place + 1 not in used and (not following or following in _NO_MEASURE)
