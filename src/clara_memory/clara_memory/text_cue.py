# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Free text to role fillers: "why did you fail to pick up the cups?" has an action and an object.

- Known fillers are recognised as clara_memory.recognising says; "open the fridge" has an object,
  also where the fridge is known as a place.
- "around noon" and "yesterday" are times; "near the dock" is the position that episodes at the
  dock have, where they have one.
- What is turned round ("except the cup", "above 30") is not read (clara_memory.turned), and what
  says something and is none of these is unread (clara_memory.unread).
"""

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from clara_memory.asking import (
    asks_for,
    asks_for_all,
    asks_for_first,
    asks_yes_or_no,
    is_of_you,
)
from clara_memory.columns import Columns
from clara_memory.cue import EITHER, Cue
from clara_memory.episode import Outcome, RoleFiller
from clara_memory.inflection import words_of
from clara_memory.item_memory import ItemMemory
from clara_memory.kinds import is_kind
from clara_memory.ordinary_words import DETERMINERS, OF_ALL
from clara_memory.outcomes_in_text import outcomes_in
from clara_memory.past import When, when_in
from clara_memory.places import position_of
from clara_memory.recognising import Find, recognise
from clara_memory.turned import failed_by_not, turned_in
from clara_memory.unread import Reader, Unread, referring
from clara_memory.words_in_text import Words, words_in

_NEAR = (
    ("near",), ("beside",), ("around",), ("next", "to"), ("close", "to"), ("not", "far", "from"),
)  # fmt: skip
_ANY_DEED = frozenset(["do", "manage", "able", "unable"])  # stems
_NOT_DONE = "what was not done cannot be asked for, where no one thing is named that is known"
_ORDER = frozenset(["last", "latest", "recent", "recently", "lately"])
_FEW = 2  # words beside a time: "and yesterday?"


class Understood(NamedTuple):
    """What a text says: fillers, when, what was not read, and whether it is about "you".

    `of_all`: it may ask about all that was then, as "and yesterday?" and not as "how are you?";
    `of_all_ever`: about all that ever was, as "what did you do (last)?". `first`: what was first.
    """

    fillers: list[RoleFiller]
    when: When
    unread: list[Unread]
    of_you: bool
    of_all: bool
    of_all_ever: bool
    first: bool


def understand(text: str, columns: Columns, robot: str, now_ns: int) -> Understood:
    """Return the fillers found in a text said to a robot, each role once, and the time it says."""
    when = when_in(text, now_ns)
    words = words_in(when.rest)
    names = {word for role in columns.items for word in words_of(role)} - {"action", "object"}
    found = recognise(words, columns.items, robot)
    turned = turned_in(words, found, names)
    gone = {place for one in turned for place in range(one.begin, one.end)}
    found = [one for one in found if gone.isdisjoint(one.span)]
    found = [_as_object(one, found, words, columns) for one in found]
    outcomes = outcomes_in(words)
    may_be_denied = not asks_yes_or_no(words)
    if may_be_denied and not outcomes:
        used = gone.union(*(one.span for one in found))
        found += _failed(words, found, used, columns.items)
    fillers = _with_position([one for one in found if one.fillers], words, columns)
    read: dict[int, list[str]] = {place: [] for place in gone}
    read |= {place: one.roles for one in found for place in one.span}
    filled = {role for roles in read.values() for role in roles}
    reader = Reader(words, read, filled, names)
    unread = [
        Unread(phrase := words.spoken(one.begin, one.end), True, one.role, one.saying(phrase))
        for one in turned
    ]
    unread += [
        _second(one, fillers, columns.items)
        for one in reader.unread(len(fillers) + len(when.times) + when.read)
    ]
    unread += [
        Unread(words.spoken(span[0], span[-1] + 1), missing=True, role="result")
        for span, outcome in outcomes
        if outcome is None and not asks_for(words, span)
    ]
    unread += referring(words, read, filled, [span for span, _ in outcomes])
    told = outcomes or any("result" in one.roles for one in found)
    if may_be_denied and not told:
        unread += [
            Unread(words.spoken(place, place + 1), True, "result", _NOT_DONE)
            for place in failed_by_not(words, read)
        ]
    of_all = len(words) <= _FEW or not OF_ALL.isdisjoint(words.stems)
    first = asks_for_first(words)
    ordered = first or not _ORDER.isdisjoint(words.words)
    of_all_ever = asks_for_all(words) or (ordered and not OF_ALL.isdisjoint(words.stems))
    return Understood(
        [*fillers, *when.times],
        when,
        sorted(unread, key=lambda one: not one.missing),  # only the first of many are looked at
        is_of_you(words),
        of_all,
        of_all_ever,
        first,
    )


def _failed(
    words: Words, found: Sequence[Find], used: Collection[int], items: Mapping[str, ItemMemory]
) -> list[Find]:
    """Return what a "not" before a deed says: it failed; of a deed that is not known, nothing.

    "Which rows did you not check?" asks for those that it was never tried on.
    """
    if any(is_kind(filler, items) for one in found for filler in one.fillers):
        return []
    known = any("action" in one.roles for one in found)
    if not known and _ANY_DEED.isdisjoint(words.stems):
        return []
    failed = RoleFiller("result", Outcome.FAILED.name)
    return [Find((place,), (failed,)) for place in failed_by_not(words, used)][:1]


def _second(
    unread: Unread, fillers: Sequence[RoleFiller], items: Mapping[str, ItemMemory]
) -> Unread:
    """Say of what is known that another filler of its role was read: "Lisa or Tom"."""
    stems = words_of(unread.phrase)
    for filler in fillers:
        role = filler.role.split(EITHER)[0]
        if role in items and items[role].with_words(stems):
            reason = (
                f"one {role} at a time can be asked for: "
                f"'{filler.spoken}' and not '{unread.phrase}' too"
            )
            return unread._replace(reason=unread.reason or reason)
    return unread


def _as_object(find: Find, found: list[Find], words: Words, columns: Columns) -> Find:
    """Return a find right behind an action, or its "to", as its object, where any episode has it.

    "open the fridge" is not what was opened in it; but "clean the kitchen" may be what was cleaned
    there.
    """
    behind = find.span[0] - 1
    behind -= behind > 0 and words.words[behind] in DETERMINERS
    ends = {behind, behind - (words.words[behind] == "to")}
    deeds = (one for one in found if one.roles == ["action"])
    deed = next((one for one in deeds if not ends.isdisjoint(one.span)), None)
    if deed is None or len(find.roles) < 2 or "object" not in find.roles:
        return find
    thing = RoleFiller("object", find.fillers[0].filler)
    rows = Cue(columns, thing, strict=False, weight=1.0).rows()
    done = Cue(columns, deed.fillers[0], strict=False, weight=1.0).at(rows)
    return find._replace(fillers=(thing,)) if done.any() else find


def _with_position(found: list[Find], words: Words, columns: Columns) -> list[RoleFiller]:
    """Return the fillers; what stands right behind "near" is the position of that place."""
    by_role = {filler.role: filler for one in found for filler in one.fillers}
    for one in found:
        begin = one.span[0]
        begin -= begin > 0 and words.words[begin - 1] in DETERMINERS
        if not any(words.words[max(0, begin - len(near)) : begin] == near for near in _NEAR):
            continue
        for place in (RoleFiller(role, one.fillers[0].filler) for role in one.roles):
            position = position_of(columns, place)
            if position is not None:
                del by_role[one.fillers[0].role]
                by_role[position.role] = position
                break
    return list(by_role.values())
