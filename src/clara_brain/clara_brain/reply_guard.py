# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Keep a model from promising what the robot will not do, as "I will open the window".

What a skill does is said by the rules, never by the model. After some orders that were obeyed, a
model answers each further one in the same words, whatever it is. So the first words of its reply
are held back until it is clear that they promise no act. The rules are English.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import zip_longest

_WORD = re.compile(r"[a-z]+|['\u2019](?:ll|m|d|ve)\b", re.I)
# What may stand before "I", in any order: "Sure thing! Of course, I will ..."
_BEFORE_WORDS = """
absolutely affirmative all alright and at away certainly clara copy course definitely fine gladly
good got great it no of oh ok okay once pleasure problem right roger so sure surely that then thing
understood very well with yeah yep yes you
"""
_BEFORE = frozenset(_BEFORE_WORDS.split())
_MOST_BEFORE = 8
# A promise without "I".
_AGREED = (["will", "do"], ["on", "my", "way"], ["on", "it"], ["consider", "it", "done"])
# Between "I" and the verb that tells what is promised.
_AHEAD = frozenset(["will", "ll", "shall", "going"])
_BETWEEN_WORDS = """
able about absolutely also am begin can certainly could d definitely delighted glad gladly happily
happy have immediately just m now of pleased ready start then to try ve would
"""
_BETWEEN = _AHEAD | frozenset(_BETWEEN_WORDS.split())
# "I will be happy to ..." goes on; "I will be here for you" is no act.
_BEHIND_BE = frozenset(["able", "delighted", "glad", "happy", "pleased", "ready"])
# What a mind does by talking, or by doing nothing; some of it only with the word behind it.
_TALK_WORDS = """
admit always answer assist be consider describe explain forget guess help keep listen miss need
never not quote recommend remember stay suggest summarize think translate wait write
"""
_TALK = frozenset(_TALK_WORDS.split())
_TALK_WITH = {"do": "my", "give": "you", "let": "you", "say": "that", "tell": "you", "try": "my"}
_LEAST_STEM = 3


@dataclass(frozen=True)
class NoPromise:
    """A reply is not to promise an act; `instead` is what is said then.

    `verb` is what an order to do something begins with, empty where nothing was ordered.
    """

    verb: str
    instead: str


class Opening:
    """Takes a reply piece by piece and gives back what may be said.

    `broken` becomes true where it promises an act; what is said instead is the last that it gives.
    """

    def __init__(self, no_promise: NoPromise) -> None:
        self._verb = no_promise.verb
        self._instead = no_promise.instead
        self._held = ""
        self._over = False
        self.broken = False

    def check(self, new: str, last: bool) -> str:
        """Take a piece; return what of the reply may be said, of the `last` one all."""
        if self.broken:
            return ""
        if self._over:
            return new
        self._held += new
        promises = self._promises(last)
        if promises is None and not last:
            return ""
        self._over, self.broken = True, bool(promises)
        held, self._held = self._held, ""
        return self._instead if self.broken else held

    def _promises(self, last: bool) -> bool | None:
        """Whether the reply promises an act; None while its words do not tell."""
        words = [found[0].lower().strip("'\u2019") for found in _WORD.finditer(self._held)]
        if words and not last and self._held[-1:].isalpha():
            words.pop()  # it may go on
        at = next((at for at, word in enumerate(words) if word not in _BEFORE), len(words))
        if at == len(words):
            return None if at <= _MOST_BEFORE else False
        words = words[at:]
        if words[0] not in ("i", "we"):
            agreed = [each for each in _AGREED if each[: len(words)] == words[: len(each)]]
            return None if agreed and len(words) < len(agreed[0]) else bool(agreed)
        ahead = False
        for word, behind in zip_longest(words[1:], words[2:], fillvalue=""):
            if not behind and not last and (word == "be" or word in _TALK_WITH):
                return None
            if word in _TALK_WITH and _TALK_WITH[word] == behind:
                return False
            if word in _BETWEEN or (word == "be" and behind in _BEHIND_BE):
                ahead = ahead or word in _AHEAD
                continue
            return word not in _TALK and (ahead or self._is_ordered(word))
        return None

    def _is_ordered(self, verb: str) -> bool:
        """Whether a verb is that of the order, in any form: "opened", "opening"."""
        stem = self._verb[: max(_LEAST_STEM, len(self._verb) - 1)]
        return verb == self._verb or (len(stem) >= _LEAST_STEM and verb.startswith(stem))
