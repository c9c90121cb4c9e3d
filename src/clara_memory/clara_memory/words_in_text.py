# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""The words of a free text, their stems, and where one clause ends and the next begins."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from clara_memory.episode import fold
from clara_memory.inflection import WORD, stem

# "1,500" is no number here, for it may be 1500 or 1.5.
_NUMBER = re.compile(
    r"(?P<minus>\bminus )?(?<![\w.,])(?<!\d:)(?P<digits>\d+(?:\.\d+)?)(?![\w.,:]*\w)"
)
_SIGN = re.compile(r"(?<![\w.,])[-\u2212](?=\d)")
_BREAK = re.compile(r"[.,;:!?](?!\d)")


@dataclass(frozen=True, slots=True)
class Words:
    """Words of a text, folded; `stems` without inflection; `clauses` counts commas and full stops.

    All three have one entry a word. "didn't" is two words, "didn" and "t"; "-18" is "minus", "18".
    """

    text: str
    words: tuple[str, ...]
    stems: tuple[str, ...]
    clauses: tuple[int, ...]
    places: tuple[int, ...]  # where in the folded text each word begins

    def __len__(self) -> int:
        return len(self.words)

    def numbers(self) -> Iterator[tuple[tuple[int, ...], float]]:
        """Yield the numbers in the text: the places of their words, and their value."""
        places = {begin: place for place, begin in enumerate(self.places)}
        for match in _NUMBER.finditer(self.text):
            begin = places.get(match.start())
            if begin is not None:
                value = float(match["digits"])
                yield (
                    tuple(range(begin, begin + len(WORD.findall(match.group())))),
                    -value if match["minus"] else value,
                )

    def between(self, first: int, second: int) -> str:
        """Return the text between two words."""
        return self.text[self.places[first] + len(self.words[first]) : self.places[second]]

    def spoken(self, begin: int, end: int) -> str:
        """Return the words from `begin` to before `end` as they stand in the text."""
        return self.text[self.places[begin] : self.places[end - 1] + len(self.words[end - 1])]


def words_in(text: str) -> Words:
    """Return the words of a text."""
    # Else the sign would be a separator of words.
    folded = fold(_SIGN.sub("minus ", text).replace("%", " percent "))
    found = list(WORD.finditer(folded))
    words = tuple(match.group() for match in found)
    breaks = [match.start() for match in _BREAK.finditer(folded)]
    return Words(
        folded,
        words,
        tuple(map(stem, words)),
        tuple(sum(place < match.start() for place in breaks) for match in found),
        tuple(match.start() for match in found),
    )
