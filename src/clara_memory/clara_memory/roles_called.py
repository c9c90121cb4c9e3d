# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""The roles that a noun of a question may stand for.

Its own name ("product"), a word for it ("place", "person", "thing"), or what several fillers are
called: "rows" are ROW_1 and ROW_2, "fields" NORTH_FIELD and SOUTH_FIELD.
"""

from collections.abc import Mapping

from clara_memory.inflection import WORD, stem, verbs_of, words_of
from clara_memory.item_memory import ItemMemory
from clara_memory.tally import DAY, ROBOT
from clara_memory.wishes import Role

PLACES = ("place", "location", "room", "zone", "area", "site", "station")
PEOPLE = ("person", "people", "recipient", "customer", "human", "user", "guest", "patient")
_PLACE_NOUNS = frozenset(map(stem, (*PLACES, "spot")))
_PEOPLE_NOUNS = frozenset(map(stem, PEOPLE))
_THINGS = frozenset(map(stem, ("thing", "object", "item")))
_DEEDS = frozenset(map(stem, ("action", "activity", "task", "thing")))


def roles_called(noun: str, items: Mapping[str, ItemMemory]) -> tuple[Role, ...]:
    """Return the roles that a noun may stand for, none where it stands for none."""
    stems = words_of(noun)
    own = tuple(Role(role) for role in items if words_of(role) == stems)
    if own:
        return own + (places() if stems[0] in _PLACE_NOUNS else ())
    if any(items[role].with_words(stems) for role in items):
        return ()  # a thing by its own name: "which doors" of the things called DOOR
    if len(stems) == 1:
        if stems[0] in _THINGS:
            return (Role("object"),)
        if stems[0] in _DEEDS:
            return (Role("action"),)
        if stems[0] in (ROBOT, DAY):
            return (Role(stems[0]),)
        if stems[0] in _PLACE_NOUNS:
            return places()
        if stems[0] in _PEOPLE_NOUNS:
            return (*map(Role, PEOPLE), Role("object", PEOPLE))
    return tuple(
        Role(role, kind=frozenset(kind), called=noun)
        for role, known in items.items()
        if len(kind := known.of_kind(stems)) > 1
    )


def places() -> tuple[Role, ...]:
    """Return the roles that say where; the object, too, where it is a place that one knows."""
    return (*map(Role, PLACES), Role("object", PLACES))


def is_thing(noun: str) -> bool:
    """Whether a noun says of a thing only that it is one."""
    return _THINGS.issuperset(words_of(noun))


def is_deed(noun: str, items: Mapping[str, ItemMemory]) -> bool:
    """Whether a noun is a known action, or made of one: "delivery"."""
    stems = words_of(noun)
    return any(
        items["action"].with_words(words)
        for words in (stems, *((verb,) for one in stems for verb in verbs_of(one)))
    )


def apart(text: str, count: int) -> tuple[str, str]:
    """Return the first words of a text and the rest; nothing where there are not so many."""
    words = list(WORD.finditer(text))
    if len(words) < count:
        return "", text
    end = words[count - 1].end()
    return text[:end], text[end:].strip()
