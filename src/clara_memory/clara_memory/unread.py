# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""What of a free text memory cannot read, and whether the question is lost without it.

"did you pick up the banana?", where no banana was ever seen, is no question about picking up. A
word that is no filler and not ordinary (clara_memory.ordinary_words) is missing

- behind a preposition of place: "in the cellar", "with the mop";
- as the number of a role: "an altitude of 8";
- as the thing, where no object was read: "the banana", "room 4", "what about bananas";
- as the deed, where no action was read: "did you juggle the cup?", "did you go to the kitchen?";
- as who did it, where no subject was read: "did Bob drop the cup?";
- as a time ("on Mondays", "a few hours ago");
- or where as much was not read as was.

Otherwise it is only left out: "the big red cup", "the cup and the banana". So is an "it" or
"they" of a deed; without any deed or thing, what it stands for is missing.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple

from clara_memory.asking import is_address, is_polite, only_asks, referred_to
from clara_memory.inflection import stem
from clara_memory.ordinary_words import (
    AUXILIARIES,
    COUNTED,
    DETERMINERS,
    PLACE_PREPOSITIONS,
    PRONOUNS,
    TO_A_NUMBER,
    is_ordinary,
)
from clara_memory.past import is_time_word
from clara_memory.words_in_text import Words

MOST = 8  # phrases that are told of a text


UNREAD = "text"  # the role of such words in an answer's readings
REFERRED = "reference"  # the role of an Unread that stands for what was said before
UNREAD_TIME = "time of the text"  # the role of an Unread that speaks of a time


class Unread(NamedTuple):
    """Words that were not read; `missing`: the question cannot be answered without them.

    `reason` says why, where it is not that nothing like them is known.
    """

    phrase: str
    missing: bool
    role: str = "object"  # of the filler that they may stand for
    reason: str = ""


class _Slot(NamedTuple):
    role: str
    missing: bool
    counts: bool = True  # whether it is as much as a word that was read


_BESIDE = _Slot("object", missing=False, counts=False)


class Reader:
    """Looks for what was not read in one text.

    `read` are the roles that the word at a place fills, `filled` those filled by anything, and
    `names` the stems of words that roles are called by.
    """

    def __init__(
        self,
        words: Words,
        read: Mapping[int, Sequence[str]],
        filled: Collection[str],
        names: Collection[str],
    ) -> None:
        self._words = words
        self._read = read
        self._filled = filled
        self._names = names

    def unread(self, found: int) -> list[Unread]:
        """Return what was not read where `found` things were, in the order of the text."""
        unread = []
        counted = 0
        for begin, end in self._runs():
            slot = self._slot(begin, end)
            if slot is _BESIDE and end < len(self._words) and not self._together(begin, end):
                continue  # who is spoken to: "Simone, what ...?"
            counted += slot.counts
            if slot.role == UNREAD_TIME:
                begin = self._begin_of_time(begin)
            begin = self._begin_of_name(begin)  # "room 4", where "room" is a role
            unread.append(Unread(self._words.spoken(begin, end), slot.missing, slot.role))
        if counted >= found:
            unread = [one._replace(missing=True) for one in unread]
        return unread

    def _begin_of_name(self, begin: int) -> int:
        """Return where the role's name begins that stands before a word, or else the word."""
        first = begin
        if self._is_number(begin) and begin and self._words.words[begin - 1] in TO_A_NUMBER:
            first -= 1  # "a speed of 3"
        if not self._is_name(first - 1):
            first = begin
        while self._is_name(first - 1) and self._together(first - 1, begin):
            first -= 1
        return first

    def _is_number(self, place: int) -> bool:
        word = self._words.words[place]
        return word[0].isdigit() or word == "minus"

    def _goes(self, place: int) -> bool:
        """Whether this is a deed, as in "you went to the kitchen"; not in "how did it go to"."""
        return (
            self._words.stems[place] in _GOING
            and self._words.words[place + 1 : place + 2] in (("to",), ("into",))
            and "action" not in self._filled
        )

    def _brings(self, place: int) -> bool:
        """Whether this is a deed that may be any of those known: "did you bring the cup?"."""
        return (
            self._words.stems[place] in _BRINGING
            and place > 0
            and (place - 1 in self._read or self._words.words[place - 1] in PRONOUNS)
            and not only_asks(self._words, (place,))
            and not is_polite(self._words, place - 1)
            and "action" not in self._filled
        )

    def _runs(self) -> Iterator[tuple[int, int]]:
        """Yield begin and end of words in a row that say something and were not read."""
        begin = 0
        for place in range(len(self._words) + 1):
            content = place < len(self._words) and self._says_something(place)
            if content and begin < place and self._together(place - 1, place):
                continue
            if begin < place and self._says_something(begin):
                yield begin, place
            begin = place if content else place + 1

    def _says_something(self, place: int) -> bool:
        word = self._words.words[place]
        if place in self._read or self._is_name(place):
            return False
        if self._is_time(place) or self._goes(place) or self._brings(place):
            return True
        if word[0].isdigit():
            following = self._words.stems[place + 1 : place + 2]
            return not following or following[0] not in _COUNTED
        if word.endswith("n") and self._words.words[place + 1 : place + 2] == ("t",):
            return False  # of "won't"
        if len(word) == 1:  # "room B", but not the "s" of "today's"
            return bool(place and self._names_something(place - 1)) and word not in "astmd"
        return not is_ordinary(word)

    def _names_something(self, place: int) -> bool:
        return self._is_name(place) or (place not in self._read and not self._is_plain(place))

    def _is_plain(self, place: int) -> bool:
        word = self._words.words[place]
        return len(word) == 1 or is_ordinary(word)

    def _is_time(self, place: int) -> bool:
        before = self._words.words[place - 1] if place else ""
        return is_time_word(self._words.words[place], before)

    def _begin_of_time(self, begin: int) -> int:
        while begin and self._words.words[begin - 1] in _OF_TIMES:
            begin -= 1
        return begin

    def _is_name(self, place: int) -> bool:
        return place >= 0 and place not in self._read and self._words.stems[place] in self._names

    def _together(self, first: int, second: int) -> bool:
        return self._words.clauses[first] == self._words.clauses[second]

    def _slot(self, begin: int, end: int) -> _Slot:
        words = self._words.words
        if any(map(self._is_time, range(begin, end))):
            return _Slot(UNREAD_TIME, missing=True)
        if end - begin == 1 and is_address(self._words, begin, end):
            return _BESIDE
        if self._brings(begin):
            return _Slot("action", missing=False, counts=False)
        if self._is_number(begin) and self._begin_of_name(begin) < begin:
            return _Slot("number", missing=True)
        thing = _Slot("object", "object" not in self._filled)
        before = begin - 1
        while self._is_name(before):
            before -= 1
        if before < 0 or not self._together(before, begin):
            return thing
        determined = words[before] in DETERMINERS and before not in self._read
        if not determined:
            if words[before] in PRONOUNS or "subject" in self._read.get(before, ()):
                return _Slot("action", "action" not in self._filled)
            if words[before] in AUXILIARIES:
                return _Slot("subject", "subject" not in self._filled)
        if self._begins_a_name(begin, end):
            return _BESIDE
        if determined:
            before -= 1
        if before >= 0 and words[before] in PLACE_PREPOSITIONS and before not in self._read:
            return _Slot("object" if thing.missing else "place", missing=True)
        if not determined and before in self._read and "action" not in self._read[before]:
            return _Slot("object", missing=False)  # behind a thing, as in "the cup holder"
        return thing

    def _begins_a_name(self, begin: int, end: int) -> bool:
        """Whether what follows at once was read as a name: "big red" in "the big red cup".

        What was done or how it went is no name: "the parcels failed".
        """
        return (
            end < len(self._words)
            and self._together(begin, end)
            and bool(self._read.get(end))
            and not {"action", "result"} & set(self._read[end])
        )


def referring(
    words: Words,
    read: Mapping[int, Sequence[str]],
    filled: Collection[str],
    outcomes: Collection[Sequence[int]],
) -> list[Unread]:
    """Return the "it" without which nothing is named, or that stands for what or who is not.

    Behind what failed, "it" is that: "what failed, and why did it?".
    """
    behind = min((span[-1] for span in outcomes), default=len(words))
    places = [place for place in referred_to(words, read) if place < behind]
    if "action" in filled or "object" in filled:
        things = places if "object" not in filled else []
        things = [place for place in things if "action" in read.get(place - 1, ())]
        acting = range(len(words)) if "subject" not in filled else []
        acting = [place for place in acting if words.words[place] in _WHO]
        return [Unread(words.words[place], False, REFERRED) for place in (*things, *acting)]
    return [
        Unread(it := words.words[place], True, REFERRED, f"it was not said what '{it}' stands for")
        for place in places[:1]
    ]


_WHO = frozenset(["he", "she", "they"])
_COUNTED = frozenset(map(stem, COUNTED))
_GOING = frozenset(["go", "come", "came"])  # stems
# Deeds, where somebody does them; else words that questions have.
_BRINGING = frozenset(map(stem, ["bring", "check", "get", "leave", "report", "see", "send"]))
_OF_TIMES = frozenset(["a", "few", "last", "next", "this", "every", "each", "past", "several"])
