# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""The kind of a name in free text: "which rows" are all that is called ROW_1, ROW_2, ...

A noun is a kind where it is the head of at least two names of a role: ROW_7, SERVER_ROOM. "The
row", "row 31" and "the laundry room" mean one of them, which it does not tell.
"""

from collections.abc import Collection, Iterator, Mapping

from clara_memory.cue import EITHER
from clara_memory.episode import RoleFiller
from clara_memory.inflection import words_of
from clara_memory.item_memory import ItemMemory
from clara_memory.ordinary_words import DETERMINERS, NUMBERS, PLACE_PREPOSITIONS, is_ordinary
from clara_memory.words_in_text import Words

_OF_ONE = frozenset(["any", "many", "what", "which"])  # not "the row", nor "in a row"
_OF_SEVERAL = DETERMINERS | PLACE_PREPOSITIONS | _OF_ONE | {"and", "for", "of", "or"}
_OF_EACH = frozenset(["all", "both", "each", "every"])  # asks for more than what there was


def kinds_in(
    words: Words, named: Collection[int], deeds: Collection[int], items: Mapping[str, ItemMemory]
) -> Iterator[tuple[int, tuple[RoleFiller, ...]]]:
    """Yield the places of nouns that mean a kind, and its filler for each role that has any.

    `named` are the places of what was recognised, `deeds` those that are actions.
    """
    roles = {words_of(role) for role in items}
    for place, noun in enumerate(words.stems):
        if place in named or (noun,) in roles or not _means_any(words, place, named, deeds):
            continue
        fillers = tuple(
            RoleFiller(role, words.words[place])
            for role, memory in items.items()
            if role not in ("action", "result", "subject") and len(memory.of_kind((noun,))) > 1
        )
        if fillers:
            yield place, fillers


def is_kind(filler: RoleFiller, items: Mapping[str, ItemMemory]) -> bool:
    """Whether a filler that was recognised means a kind, and no name that is known."""
    words, memory = words_of(filler.filler), items.get(filler.role.split(EITHER)[0])
    return bool(memory and memory.of_kind(words) and not memory.with_words(words))


def _means_any(words: Words, place: int, named: Collection[int], deeds: Collection[int]) -> bool:
    word = words.words[place]
    before = words.words[max(0, place - 2) : place]
    following = words.words[place + 1 : place + 2]
    if is_ordinary(word) or not _OF_EACH.isdisjoint(before):
        return False
    if following and words.clauses[place + 1] == words.clauses[place]:
        plain = is_ordinary(following[0]) and len(following[0]) > 1
        if following[0] in NUMBERS or not (plain or place + 1 in named):
            return False
    if not before or place - 1 in deeds:
        return word.endswith("s")
    return before[-1] in (_OF_SEVERAL if word.endswith("s") else _OF_ONE)
