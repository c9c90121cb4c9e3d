# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Free text to role fillers: "why did you fail to pick up the cups?" gives action=PICK_UP, object=CUP.

Known fillers are recognised as whole words, with English inflection taken off both sides, longest first.
Words for outcomes are recognised too, unless the text is a yes-or-no question, which asks for the outcome.
"""

import re
from collections.abc import Mapping

from clara_memory.episode import Outcome, RoleFiller, fold, outcome_of_word
from clara_memory.item_memory import ItemMemory

MAX_WORDS = 6
PARTICLE_REACH = 5  # "picked the big red cup up": words between a verb and its particle
_WORD = re.compile(r"[^\W_]+")
_PARTICLES = frozenset("up down out in on off away over back".split())
_YES_NO = frozenset("did do does was were is are has have had can could".split())
_PRIORITY = {"object": 0, "action": 1, "subject": 3, "result": 4}
_IRREGULAR = {
    form: verb
    for verb, forms in {
        "bring": "brought", "break": "broke broken", "catch": "caught", "drive": "drove driven",
        "drop": "dropped", "fall": "fell fallen", "find": "found", "fly": "flew flown",
        "get": "got gotten", "give": "gave given", "go": "went gone goes", "hold": "held",
        "leave": "left", "make": "made", "meet": "met", "put": "putting", "read": "reading",
        "say": "said", "see": "saw seen", "send": "sent", "sweep": "swept", "speak": "spoke spoken",
        "take": "took taken", "tell": "told", "throw": "threw thrown", "turn": "turned",
    }.items()
    for form in forms.split()
}  # fmt: skip
_OUTCOMES = {
    Outcome.FAILED: ("fail", "failure", "error", "go wrong", "unsuccessful"),
    Outcome.SUCCEEDED: ("succeed", "success", "successful", "successfully", "go well"),
    Outcome.CANCELED: ("cancel", "abort"),
    Outcome.TIMED_OUT: ("time out", "timeout"),
}


def stem(word: str) -> str:
    """Return a folded word without its English inflection; the same for all forms of a word."""
    word = _IRREGULAR.get(word, word)
    for ending, rest in (("ies", "y"), ("ied", "y"), ("ing", ""), ("ed", ""), ("es", ""), ("s", "")):
        if word.endswith(ending) and len(word) - len(ending) >= 3 and not word.endswith("ss"):
            word = word[: -len(ending)] + rest
            break
    if len(word) > 3 and word[-1] == word[-2] and word[-1] not in "aeiou":
        word = word[:-1]
    return word[:-1] if word.endswith("e") and len(word) > 3 else word


def words_of(text: str) -> tuple[str, ...]:
    """Return the stems of a text's words."""
    return tuple(stem(word) for word in _WORD.findall(fold(text)))


_OUTCOME_STEMS = {
    words_of(phrase): outcome for outcome, phrases in _OUTCOMES.items() for phrase in phrases
}


class TextCue:
    """Recognises the fillers that memory knows; keeps its word lists as the memory grows."""

    def __init__(self) -> None:
        self._by_words: dict[str, dict[tuple[str, ...], int]] = {}
        self._taken: dict[str, int] = {}

    def recognise(self, text: str, items: Mapping[str, ItemMemory]) -> list[RoleFiller]:
        """Return the fillers found in the text, each role once, the longest find first."""
        self._learn(items)
        words = words_of(text)
        found = self._spans(words, items)
        if not _YES_NO.intersection(_WORD.findall(fold(text))[:1]):
            found += _outcomes(words)
        found.sort(key=lambda find: (-len(find[1]), _PRIORITY.get(find[2].role, 2), find[0]))
        used: set[int] = set()
        cue: dict[str, RoleFiller] = {}
        for _, span, filler in found:
            if filler.role not in cue and not used.intersection(span):
                cue[filler.role] = filler
                used.update(span)
        return list(cue.values())

    def _learn(self, items: Mapping[str, ItemMemory]) -> None:
        for role, known in items.items():
            begin = self._taken.get(role, 1)
            by_words = self._by_words.setdefault(role, {})
            for identity, key in enumerate(known.keys_from(begin), start=begin):
                words = words_of(key)
                named = role == "result" and outcome_of_word(key) is not None
                if 0 < len(words) <= MAX_WORDS and not named:
                    by_words.setdefault(words, identity)
            self._taken[role] = 1 + len(known)

    def _spans(
        self, words: tuple[str, ...], items: Mapping[str, ItemMemory]
    ) -> list[tuple[int, tuple[int, ...], RoleFiller]]:
        found = []
        for begin in range(len(words)):
            spans = [
                tuple(range(begin, begin + length))
                for length in range(1, MAX_WORDS + 1)
                if begin + length <= len(words)
            ]
            spans += [
                (begin, particle)
                for particle in range(begin + 2, min(begin + 1 + PARTICLE_REACH, len(words)))
                if words[particle] in _PARTICLES
            ]
            for span in spans:
                phrase = tuple(words[place] for place in span)
                for role, by_words in self._by_words.items():
                    apart = span[-1] - span[0] >= len(span)
                    if phrase in by_words and (role == "action" or not apart):
                        known = items[role].fillers[by_words[phrase]]
                        found.append((begin, span, RoleFiller(role, known.filler)))
        return found


def _outcomes(words: tuple[str, ...]) -> list[tuple[int, tuple[int, ...], RoleFiller]]:
    found = []
    for begin in range(len(words)):
        for length in (1, 2):
            outcome = _OUTCOME_STEMS.get(words[begin : begin + length])
            if outcome is not None and begin + length <= len(words):
                span = tuple(range(begin, begin + length))
                found.append((begin, span, RoleFiller("result", outcome.name)))
    # "did it fail or succeed" names two outcomes and means neither.
    return found if len({filler.filler for _, _, filler in found}) == 1 else []
