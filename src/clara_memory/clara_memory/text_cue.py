# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Free text to role fillers: "why did you fail to pick up the cups?" has an action and an object.

- Known fillers are recognised as whole words, with English inflection taken off both sides,
  longest first. A content word unlike all of them may be a misspelling of one ("pick up the cpu").
- Words for outcomes are recognised too (clara_memory.outcomes_in_text), unless the text is a
  yes-or-no question, which asks for the outcome.
- "around noon" and "yesterday" are times; "near the dock" is the position that episodes at the
  dock have, where they have one.
"""

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from clara_memory import evidence
from clara_memory.columns import Columns
from clara_memory.episode import RoleFiller, outcome_of_word
from clara_memory.item_memory import ItemMemory, Reading
from clara_memory.outcomes_in_text import is_not, outcomes_in
from clara_memory.places import position_of
from clara_memory.times import days_in_text, time_in_text
from clara_memory.words_in_text import Words, words_in

MAX_WORDS = 6
PARTICLE_REACH = 5  # "picked the big red cup up": words between a verb and its particle
_PARTICLES = frozenset(["up", "down", "out", "in", "on", "off", "away", "over", "back"])
_YES_NO = frozenset(
    ["did", "do", "does", "was", "were", "is", "are", "has", "have", "had", "can", "could"]
)
_LEAST_LETTERS = 4  # shorter words are too like each other to guess at
_COMMON = frozenset([
    "about", "after", "again", "also", "anything", "been", "before", "being", "close", "could",
    "does", "doing", "done", "during", "evening", "ever", "everything", "from", "give", "going",
    "good", "happen", "happened", "happens", "have", "having", "here", "hour", "hours", "know",
    "last", "latest", "like", "list", "look", "made", "make", "many", "maybe", "minute", "minutes",
    "more", "morning", "most", "much", "near", "next", "night", "noon", "nothing", "often", "once",
    "only", "other", "over", "please", "recently", "remember", "robot", "said", "same", "seen",
    "should", "show", "since", "some", "something", "still", "such", "take", "tell", "than",
    "that", "their", "them", "then", "there", "these", "they", "thing", "things", "this", "those",
    "time", "times", "today", "under", "until", "very", "want", "week", "well", "went", "were",
    "what", "when", "where", "whether", "which", "while", "will", "with", "would", "yesterday",
    "your",
])  # fmt: skip
_NEAR_PLACE = re.compile(r"\b(?:near|beside|next to|close to|not far from|around)\s+(?:the\s+)?")
_PRIORITY = {"object": 0, "action": 1, "subject": 3, "result": 4}


class Find(NamedTuple):
    """A filler, and the places of the words that name it."""

    span: tuple[int, ...]
    filler: RoleFiller


class Understood(NamedTuple):
    """What a text says: fillers, and a stretch of time in ns (0: no bound)."""

    fillers: list[RoleFiller]
    since_ns: int = 0
    until_ns: int = 0


def understand(text: str, columns: Columns, now_ns: int) -> Understood:
    """Return the fillers found in the text, each role once, and the time it speaks of."""
    since_ns = until_ns = 0
    fillers = []
    days = days_in_text(text, now_ns)
    if days is not None:
        phrase, since_ns, until_ns = days
        text = _without(text, phrase)
    at_time = time_in_text(text)
    if at_time is not None:
        phrase, filler = at_time
        text = _without(text, phrase)
        fillers.append(filler)
    known = recognise(text, columns.items)
    near = _NEAR_PLACE.search(text.casefold())
    if near is not None:
        for place in recognise(text[near.end() :], columns.items)[:1]:
            position = position_of(columns, place)
            if position is not None:
                known = [other for other in known if other.role not in (place.role, position.role)]
                known.append(position)
    return Understood([*known, *fillers], since_ns, until_ns)


def _without(text: str, phrase: str) -> str:
    begin = text.casefold().find(phrase)
    return f"{text[:begin]} {text[begin + len(phrase) :]}"


def recognise(text: str, items: Mapping[str, ItemMemory]) -> list[RoleFiller]:
    """Return the known fillers found in the text, each role once, the longest find first."""
    words = words_in(text)
    found = _known(words.stems, items)
    if not _asks_yes_or_no(words):
        found += _outcomes(words)
    found.sort(key=lambda find: (-len(find.span), _PRIORITY.get(find.filler.role, 2), find.span))
    used: set[int] = set()
    cue: dict[str, RoleFiller] = {}
    named = {place for find in found for place in find.span}
    for one in (*found, *_misspelt(words.words, named, items)):
        if one.filler.role not in cue and not used.intersection(one.span):
            cue[one.filler.role] = one.filler
            used.update(one.span)
    return list(cue.values())


def _misspelt(
    words: tuple[str, ...], known: set[int], items: Mapping[str, ItemMemory]
) -> Iterator[Find]:
    """Yield content words that are unlike all known fillers but for a slip, the surest first."""
    places = [
        place
        for place, word in enumerate(words)
        if place not in known and len(word) >= _LEAST_LETTERS and word not in _COMMON
    ]
    slips = []
    for place in places:
        for role, memory in items.items():
            if role in ("subject", "result") or not len(memory):
                continue
            filler = RoleFiller(role, words[place])
            found = memory.look_up(filler, spelling_only=True)
            best = int(found.similarity.argmax())
            decades = float(found.decades[best])
            if found.by[best] == Reading.SPELLING and evidence.believable(
                decades, len(memory), looks=len(places) * len(items)
            ):
                slips.append((-decades, place, filler))
    for _, place, filler in sorted(slips, key=lambda slip: slip[:2]):
        yield Find((place,), filler)


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


def _outcomes(words: Words) -> list[Find]:
    found = [
        Find(span, RoleFiller("result", outcome.name))
        for span, outcome in outcomes_in(words)
        if outcome is not None
    ]
    # "did it fail or succeed" names two outcomes and means neither.
    return found if len({find.filler for find in found}) == 1 else []


def _asks_yes_or_no(words: Words) -> bool:
    first = words.words[:1]
    if len(words) > 1 and is_not(words, 1):
        first = (words.words[0].removesuffix("n"), words.words[0])
    return not _YES_NO.isdisjoint(first)
