# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""The known fillers that words name: "pick up the cups" has an action and an object.

- They are recognised as whole words, with English inflection taken off both sides, longest first;
  the very word that was written alone, where it is known. A noun that is none of them may be made
  of an action ("deliveries"), words unlike all of them be a misspelling of one ("pick up the cpu",
  clara_memory.slips).
- A noun that heads several names is any of them: "which rows" (clara_memory.kinds).
- A verb that only asks ("show me", "can you check what", "did it take") is no deed.
- A word that several roles know is read by what stands before it: "in the kitchen" is a place
  before it is an object, "did you dock" an action; otherwise it may be any of them.
- A number is recognised behind the name of its role ("room 101") or behind "at", "of", "with".
- Words for outcomes are recognised too (clara_memory.outcomes_in_text), unless a yes-or-no
  question asks for the outcome: "did it fail?", and not "did you fail to pick it up?".
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from clara_memory.asking import asks_for, is_address, only_asks, shares_in
from clara_memory.cue import EITHER
from clara_memory.episode import STANDARD_ROLES, Kind, RoleFiller, outcome_of_word
from clara_memory.inflection import verbs_of, words_of
from clara_memory.item_memory import ItemMemory
from clara_memory.kinds import kinds_in
from clara_memory.ordinary_words import DETERMINERS, PLACE_PREPOSITIONS, TO_A_NUMBER, is_ordinary
from clara_memory.outcomes_in_text import outcomes_asked, outcomes_in
from clara_memory.slips import misspelt
from clara_memory.words_in_text import Words

MAX_WORDS = 6
PARTICLE_REACH = 5  # "picked the big red cup up": words between a verb and its particle
_PARTICLES = frozenset(["up", "down", "out", "in", "on", "off", "away", "over", "back"])
_AT = frozenset(["around", "at", "by", "in", "inside", "on"])
_BEFORE_A_NUMBER = frozenset(["at", "of", "with"])
_PRIORITY = {"object": 0, "action": 1, "subject": 3, "result": 4}


class Find(NamedTuple):
    """Words, by their places, and what they name: one filler for each role that knows it."""

    span: tuple[int, ...]
    fillers: tuple[RoleFiller, ...]

    @property
    def roles(self) -> list[str]:
        """Return the roles that it may fill."""
        return [role for filler in self.fillers for role in filler.role.split(EITHER)]

    @property
    def is_number(self) -> bool:
        """Whether it may be a number."""
        return any(filler.kind is Kind.NUMBER for filler in self.fillers)


def recognise(words: Words, items: Mapping[str, ItemMemory], robot: str = "") -> list[Find]:
    """Return the known fillers found in the text, each role once, the longest find first.

    Words for an outcome that is asked for, or that are not clear, and who is spoken to, are a find
    without a filler.
    """
    known = _without_address(words, _known(words, items), robot)
    found = [*_together(known, _numbers(words, items)), *_outcomes(words)]
    found.sort(
        key=lambda find: (
            -len(find.span),
            len(find.fillers) > 1,
            min((_PRIORITY.get(filler.role, 2) for filler in find.fillers), default=9),
            find.span,
        )
    )
    used: dict[int, Find] = {}
    taken: set[str] = set()
    chosen = []
    named = {place for find in found for place in find.span}
    deeds = _nominal(words, named, items)
    named |= {place for find in deeds for place in find.span}
    deed_named = bool(deeds) or any(
        [filler.role for filler in find.fillers] == ["action"] for find in found
    )
    acting = {place for find in (*found, *deeds) if "action" in find.roles for place in find.span}
    kinds = [Find((place,), fillers) for place, fillers in kinds_in(words, named, acting, items)]
    named |= {place for find in kinds for place in find.span}
    slips = (Find(span, (filler,)) for span, filler in misspelt(words, named, items))
    for one in (*found, *deeds, *kinds, *slips):
        if not used.keys().isdisjoint(one.span):
            continue
        free = tuple(filler for filler in one.fillers if filler.role not in taken)
        if one.fillers and not free:
            continue
        meant = _meant(words, one._replace(fillers=free), used, deed_named)
        chosen.append(meant)
        used.update(dict.fromkeys(one.span, meant))
        taken.update(meant.roles)
    return chosen


def _without_address(words: Words, known: list[Find], robot: str) -> list[Find]:
    """Return the finds, where the robot's own name, or another beside a subject, only calls it."""
    acting = [one for one in known if any(filler.role == "subject" for filler in one.fillers)]
    called = [one for one in acting if is_address(words, one.span[0], one.span[-1] + 1)]
    if len(called) == len(acting):
        called = [one for one in called if words_of(one.fillers[0].filler) == words_of(robot)]
    return [one._replace(fillers=()) if one in called else one for one in known]


def _meant(words: Words, find: Find, used: Mapping[int, Find], deed_named: bool) -> Find:
    """Return the find with the roles that what stands before it leaves open, as one filler.

    What was done "at the gate", where no deed is named, may have been done to it.
    """
    by_role = {filler.role: filler for filler in find.fillers}
    if len(by_role) < 2:
        return find
    before = find.span[0] - 1
    determined = before >= 0 and words.words[before] in DETERMINERS
    before -= determined
    preposition = words.words[before] if before >= 0 and before not in used else ""
    # "to the kitchen" is where one goes, which may be the object, or where things are brought.
    of_place = preposition in PLACE_PREPOSITIONS and preposition != "to"
    own = [role for role in by_role if role not in STANDARD_ROLES]
    roles = list(by_role)
    if "action" in roles and not determined and not of_place:
        roles = ["action"]
    elif of_place and own:
        roles = own if deed_named or preposition not in _AT else [*({"object"} & set(roles)), *own]
    elif "action" in roles and determined:
        roles.remove("action")
    either = RoleFiller(EITHER.join(roles), by_role[roles[0]].filler)
    return find._replace(fillers=(by_role[roles[0]] if len(roles) == 1 else either,))


def _numbers(words: Words, items: Mapping[str, ItemMemory]) -> Iterator[Find]:
    """Yield the known numbers that the text names, behind their role or a preposition."""
    for span, number in words.numbers():
        knowing = {
            role: filler
            for role, memory in items.items()
            if (filler := memory.with_number(number)) is not None
        }
        begin = span[0] - (span[0] > 0 and words.words[span[0] - 1] in TO_A_NUMBER)
        for role in items:
            name = words_of(role)
            named = tuple(range(begin - len(name), begin))
            if begin >= len(name) and words.stems[named[0] : begin] == name:
                if role in knowing:  # else it is no number of another role either
                    yield Find((*named, *range(begin, span[0]), *span), (knowing[role],))
                break
        else:
            before = words.words[span[0] - 1] if span[0] else ""
            if len(knowing) == 1 and before in _BEFORE_A_NUMBER:
                yield Find(span, tuple(knowing.values()))


def _together(known: list[Find], numbers: Iterator[Find]) -> list[Find]:
    """Return the finds, where "aisle 7" names a thing and a number as one that may be either."""
    by_span = {find.span: find for find in known}
    for number in numbers:
        same = by_span.get(number.span, number._replace(fillers=()))
        by_span[number.span] = same._replace(fillers=same.fillers + number.fillers)
    return list(by_span.values())


def _nominal(words: Words, known: set[int], items: Mapping[str, ItemMemory]) -> list[Find]:
    """Return the nouns that are no fillers, and are made of known actions: "deliveries"."""
    if "action" not in items:
        return []
    actions = items["action"]
    return [
        Find((place,), (RoleFiller("action", actions.fillers[same[0]].filler),))
        for place, noun in enumerate(words.stems)
        if place not in known and not is_ordinary(words.words[place])
        for verb in verbs_of(noun)
        if (same := actions.with_words((verb,)))
    ]


def _known(words: Words, items: Mapping[str, ItemMemory]) -> list[Find]:
    found = []
    for span in _spans(words):
        phrase = tuple(words.stems[place] for place in span)
        written = " ".join(words.words[place] for place in span)
        apart = span[-1] - span[0] >= len(span)
        fillers = []
        for role, known in items.items():
            same = known.with_words(phrase)
            if not same or (apart and role != "action"):
                continue
            if role == "action" and only_asks(words, span):
                continue
            filler = _as_written(RoleFiller(role, written), same, known)
            if role != "result" or outcome_of_word(filler.filler) is None:
                fillers.append(filler)
        if fillers:
            found.append(Find(span, tuple(fillers)))
    return found


def _as_written(written: RoleFiller, same: Sequence[int], known: ItemMemory) -> RoleFiller:
    """Return which of the fillers with the same stems is meant: the very word, or else all."""
    identity = known.identity(written)
    if len(same) > 1 and not identity and written.role != "action":
        return written
    return RoleFiller(written.role, known.fillers[identity or same[0]].filler)


def _spans(words: Words) -> Iterator[tuple[int, ...]]:
    """Yield the places of words in a row, and of those of an action with others in between.

    Such are determiners, in "empty the basket", and all before a particle, in "pick the cup up".
    """
    stems = words.stems
    for begin in range(len(words)):
        for end in range(begin + 1, min(begin + MAX_WORDS, len(words)) + 1):
            row = tuple(range(begin, end))
            yield row
            plain = tuple(place for place in row if words.words[place] not in DETERMINERS)
            if len(plain) < len(row) and plain and plain[0] == begin and plain[-1] == end - 1:
                yield plain
        for particle in range(begin + 2, min(begin + 1 + PARTICLE_REACH, len(words))):
            if stems[particle] in _PARTICLES:
                yield (begin, particle)


def _outcomes(words: Words) -> list[Find]:
    found = outcomes_in(words)
    said = [(span, outcome) for span, outcome in found if not asks_for(words, span)]
    asked = outcomes_asked(said)
    meant = RoleFiller("result", EITHER.join(outcome.name for outcome in asked))
    shares = [Find((place,), ()) for place in shares_in(words)]
    return [
        *(Find(span, (meant,) if asked and span == said[0][0] else ()) for span, _ in found),
        *shares,
    ]
