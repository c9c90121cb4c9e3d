# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Misspelt names in free text: words that are unlike all that is known but for a slip of the pen.

A name of several words ("servr room") is held against names of as many words, and each of its
words must be the same or slip by itself: "red jug" is no "red mug".
"""

from collections.abc import Collection, Iterator, Mapping, Sequence

from clara_memory import evidence
from clara_memory.episode import RoleFiller, fold
from clara_memory.inflection import WORD, stem
from clara_memory.item_memory import ItemMemory, Reading
from clara_memory.ordinary_words import is_ordinary
from clara_memory.words_in_text import Words

_LEAST_LETTERS = 4  # shorter words are too like each other to guess at
_MOST_GUESSES = 8  # words, or names of several: each is held against all that is known
_MOST_WORDS = 4  # of a name

Span = tuple[int, ...]


def misspelt(
    words: Words, known: Collection[int], items: Mapping[str, ItemMemory]
) -> Iterator[tuple[Span, RoleFiller]]:
    """Yield words that are a slip of a known filler, of several words first, then the surest.

    `known` are the places of what was recognised.
    """
    texts = {
        role: memory
        for role, memory in items.items()
        if role not in ("subject", "result") and len(memory) and memory.has_texts
    }
    places = [place for place in range(len(words)) if _may_slip(words, place, known)]
    spans: list[Span] = [(place,) for place in places[:_MOST_GUESSES]]
    spans += _names(words, places, known, texts)[: _MOST_GUESSES - len(spans)]
    looks = max(1, len(places[:_MOST_GUESSES])) * len(items)
    slips = []
    for span in spans:
        written = " ".join(words.words[place] for place in span)
        for role, memory in texts.items():
            if len(span) > 1 and not memory.has_names_of(len(span)):
                continue
            filler = RoleFiller(role, written)
            decades = _decades(memory, filler, looks, len(span))
            if decades:
                slips.append((-len(span), -decades, span, filler))
    for _, _, span, filler in sorted(slips, key=lambda slip: slip[:3]):
        yield span, filler


def _may_slip(words: Words, place: int, known: Collection[int]) -> bool:
    word = words.words[place]
    return place not in known and len(word) >= _LEAST_LETTERS and not is_ordinary(word)


def _names(
    words: Words,
    places: Sequence[int],
    known: Collection[int],
    texts: Mapping[str, ItemMemory],
) -> list[Span]:
    """Return words in a row with a slip among them, as many as a name has, ordinary ones last."""
    lengths = {
        length
        for length in range(2, _MOST_WORDS + 1)
        if any(memory.has_names_of(length) for memory in texts.values())
    }
    spans = {
        tuple(range(begin, begin + length))
        for length in lengths
        for place in places
        for begin in range(max(0, place - length + 1), min(place, len(words) - length) + 1)
        if words.clauses[begin] == words.clauses[begin + length - 1]
    }
    free = [span for span in spans if not any(place in known for place in span)]
    return sorted(free, key=lambda span: (sum(is_ordinary(words.words[at]) for at in span), span))


def _decades(memory: ItemMemory, written: RoleFiller, looks: int, count: int) -> float:
    """Return the evidence that words are a slip of a known filler, 0 where it is not enough."""
    found = memory.look_up(written, spelling_only=True)
    best = int(found.similarity.argmax())
    decades = float(found.decades[best])
    if found.by[best] != Reading.SPELLING:
        return 0.0
    if count == 1:
        return decades if evidence.believable(decades, len(memory), looks) else 0.0
    names = WORD.findall(fold(memory.fillers[best].filler))
    if len(names) != count:
        return 0.0
    pairs = zip(WORD.findall(written.filler), names, strict=True)
    slip = all(_is_slip(word, name, len(memory), looks) for word, name in pairs)
    return decades if slip else 0.0


def _is_slip(word: str, name: str, choice: int, looks: int) -> bool:
    """Whether a word is another, or a slip of it."""
    if stem(word) == stem(name):
        return True
    if len(word) < _LEAST_LETTERS:
        return False
    _, belief = evidence.of_spelling(word, [name])
    return evidence.believable(float(belief[0]), choice, looks)
