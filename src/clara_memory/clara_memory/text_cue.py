# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Free text to role fillers: "why did you fail to pick up the cups?" has an action and an object.

Known fillers are recognised as whole words, with English inflection taken off both sides, longest
first. Words for outcomes are recognised too, unless the text is a yes-or-no question, which asks
for the outcome.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from clara_memory.episode import Outcome, RoleFiller, fold, outcome_of_word
from clara_memory.inflection import words_of
from clara_memory.item_memory import ItemMemory

MAX_WORDS = 6
PARTICLE_REACH = 5  # "picked the big red cup up": words between a verb and its particle
_PARTICLES = frozenset(["up", "down", "out", "in", "on", "off", "away", "over", "back"])
_YES_NO = frozenset(
    ["did", "do", "does", "was", "were", "is", "are", "has", "have", "had", "can", "could"]
)
_PRIORITY = {"object": 0, "action": 1, "subject": 3, "result": 4}
_OUTCOMES = {
    Outcome.FAILED: ("fail", "failure", "error", "go wrong", "unsuccessful"),
    Outcome.SUCCEEDED: ("succeed", "success", "successful", "successfully", "go well"),
    Outcome.CANCELED: ("cancel", "abort"),
    Outcome.TIMED_OUT: ("time out", "timeout"),
}


_OUTCOME_STEMS = {
    words_of(phrase): outcome for outcome, phrases in _OUTCOMES.items() for phrase in phrases
}


class Find(NamedTuple):
    """A filler, and the places of the words that name it."""

    span: tuple[int, ...]
    filler: RoleFiller


def recognise(text: str, items: Mapping[str, ItemMemory]) -> list[RoleFiller]:
    """Return the known fillers found in the text, each role once, the longest find first."""
    words = words_of(text)
    found = _known(words, items)
    if fold(text).split(" ")[0] not in _YES_NO:
        found += _outcomes(words)
    found.sort(key=lambda find: (-len(find.span), _PRIORITY.get(find.filler.role, 2), find.span))
    used: set[int] = set()
    cue: dict[str, RoleFiller] = {}
    for find in found:
        if find.filler.role not in cue and not used.intersection(find.span):
            cue[find.filler.role] = find.filler
            used.update(find.span)
    return list(cue.values())


def _known(words: tuple[str, ...], items: Mapping[str, ItemMemory]) -> list[Find]:
    found = []
    for span in _spans(words):
        phrase = tuple(words[place] for place in span)
        apart = span[-1] - span[0] >= len(span)
        for role, known in items.items():
            same = known.with_words(phrase)
            if not same or (apart and role != "action"):
                continue
            filler = known.fillers[same[0]].filler
            if role != "result" or outcome_of_word(filler) is None:
                found.append(Find(span, RoleFiller(role, filler)))
    return found


def _spans(words: tuple[str, ...]) -> Iterator[tuple[int, ...]]:
    for begin in range(len(words)):
        for end in range(begin + 1, min(begin + MAX_WORDS, len(words)) + 1):
            yield tuple(range(begin, end))
        for particle in range(begin + 2, min(begin + 1 + PARTICLE_REACH, len(words))):
            if words[particle] in _PARTICLES:
                yield (begin, particle)


def _outcomes(words: tuple[str, ...]) -> list[Find]:
    found = []
    for begin in range(len(words)):
        for end in range(begin + 1, min(begin + 2, len(words)) + 1):
            outcome = _OUTCOME_STEMS.get(words[begin:end])
            if outcome is not None:
                filler = RoleFiller("result", outcome.name)
                found.append(Find(tuple(range(begin, end)), filler))
    # "did it fail or succeed" names two outcomes and means neither.
    return found if len({find.filler for find in found}) == 1 else []
