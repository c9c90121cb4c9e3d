# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Words for outcomes in free text: "what went wrong", "what did not succeed", "without success".

A "not" shortly before such a word in the same clause turns it round: what did not succeed has
failed (or timed out), and what did not fail has succeeded.
"""

from collections.abc import Collection

from clara_memory.episode import Outcome
from clara_memory.inflection import words_of
from clara_memory.words_in_text import Words

_REACH = 3  # words from a "not" to the outcome word: "not once really succeeded"
_NOT = frozenset(["not", "never", "no", "none", "nothing", "without", "cannot", "neither"])
_PHRASES = {
    Outcome.FAILED: ("fail", "failure", "error", "go wrong", "unsuccessful", "unsuccessfully"),
    Outcome.SUCCEEDED: ("succeed", "success", "successful", "successfully", "go well"),
    Outcome.CANCELED: ("cancel", "abort"),
    Outcome.TIMED_OUT: ("time out", "timeout"),
}
_STEMS = {words_of(phrase): outcome for outcome, phrases in _PHRASES.items() for phrase in phrases}
_OPPOSITE = {Outcome.FAILED: Outcome.SUCCEEDED, Outcome.SUCCEEDED: Outcome.FAILED}

Span = tuple[int, ...]


def outcomes_in(words: Words) -> list[tuple[Span, Outcome | None]]:
    """Return the words for outcomes and what they mean; None where "not" leaves that open."""
    found: list[tuple[Span, Outcome | None]] = []
    for begin in range(len(words)):
        for end in range(begin + 1, min(begin + 2, len(words)) + 1):
            outcome = _STEMS.get(words.stems[begin:end])
            if outcome is not None:
                negation = _negation_before(words, begin)
                span = tuple(range(begin, end))
                if negation is not None:
                    span, outcome = (negation, *span), _OPPOSITE.get(outcome)
                found.append((span, outcome))
    return found


def outcomes_asked(found: Collection[tuple[Span, Outcome | None]]) -> tuple[Outcome, ...]:
    """Return the outcomes asked for, none where that is open: "did it fail or succeed"."""
    meant = {outcome for _, outcome in found}
    if None in meant or meant >= {Outcome.SUCCEEDED, Outcome.FAILED}:
        return ()
    if Outcome.FAILED in meant:
        meant.discard(Outcome.TIMED_OUT)  # which has failed, too
    return tuple(sorted(outcome for outcome in meant if outcome is not None))


def _negation_before(words: Words, place: int) -> int | None:
    """Return the place of the word that turns round what stands at `place`, if there is one."""
    for before in range(place - 1, max(-1, place - 2 - _REACH), -1):
        if words.clauses[before] != words.clauses[place]:
            return None
        if words.words[before] in _NOT or is_not(words, before):
            return before
    return None


def is_not(words: Words, place: int) -> bool:
    """Whether a word is the end of "didn't", or "didnt" as some write it."""
    word = words.words[place]
    if word == "t" and place:
        return words.words[place - 1].endswith("n")
    return word in ("dont", "didnt", "doesnt", "wasnt", "werent", "havent", "hasnt", "couldnt")
