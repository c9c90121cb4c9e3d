# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Which tally a question asks for: "which room did you clean most often?", "how many rows ...?".

- A question is taken apart into what is wanted (most), of which role (room: `place`), and a rest
  that says which episodes are meant ("what did you clean"). The rest is read as any other text.
- Only a question that is read in full is answered so: each word of the rest is a filler, a time,
  or one of the few that say nothing at all. Whatever else there is ("late", "not", "instead")
  would make the count one of something else.
- One question may be read in several ways, as of several roles (clara_memory.roles_called); the
  first that is whole and finds anything is taken.
"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from clara_memory.asking_figures import figures_in, without_total
from clara_memory.asking_more import Apart, apart_in
from clara_memory.columns import Columns
from clara_memory.cue import EITHER
from clara_memory.episode import STANDARD_ROLES, RoleFiller, fold
from clara_memory.fitting import Fit, nothing
from clara_memory.inflection import words_of
from clara_memory.item_memory import ItemMemory
from clara_memory.narrowing import Narrowing, Without, narrow, narrowings_in
from clara_memory.ordinary_words import set_of
from clara_memory.past import when_in
from clara_memory.query_text import Asked, Listener
from clara_memory.ranking import find
from clara_memory.recognising import recognise
from clara_memory.retrieval import Query
from clara_memory.roles_called import PEOPLE, PLACES, apart, is_deed, places, roles_called
from clara_memory.tally import ROBOT, Figures, Measured, Tally, count_of, measured_in, tally_of
from clara_memory.wishes import OF_NUMBERS, Reading, Role, Wish
from clara_memory.words_in_text import words_in


@dataclass(frozen=True, slots=True)
class Tallied:
    """What a question wanted counted, and the count.

    `only`: what alone was counted is called so, as "rows", where not all fillers of the role were.
    `narrowed`: what else is true of the episodes, in words, as "weight above 5"; for Wish.TIMES
    there were `of` episodes that it could be true of. For Wish.NEVER `never` is what was not there
    of the `of` fillers that might have been.
    """

    wish: Wish
    count: Tally | Figures
    only: str = ""
    narrowed: tuple[str, ...] = ()
    of: int = 0
    never: tuple[RoleFiller, ...] = ()


class Counted(NamedTuple):
    """What the columns tell; where there is `measured`, its figures are the count."""

    tallied: Tallied
    measured: Measured | None = None


_DOING = set_of("do did done doing happen happens happened")
# Words that may be left over; with any other the question asks for something else.
_EMPTY = set_of(
    "a an any the this that these those my our your its their his her what you we i they"
    " am are be been being can could did do does had has have is was were"
    " at by during for from in inside into near of on onto to while with"
    " already ever so far please"
)
_GETTING = set_of("get gets got gotten getting receive receives received receiving")
_USING = set_of("use uses used using")
# What one does at every place, and with every action; no deed, where none is called so.
_BEING = set_of("been go going gone went visit visited visiting")
_PERFORMING = set_of("do doing done execute executed perform performed performing")
_PAST = re.compile(r"\b(?:did|had|was|were|went|visited|(?:have|has|ve)\b(?! to\b))")
_WERE = re.compile(r"(?:was|were) (?:i|we|you|they)\b")
_BEGIN = re.compile(
    r"(?:(?:and|so|well|please|ok|okay|hey|hi|hello)\b,? )*"
    r"(?:(?:(?:can|could|would|will) you )?(?:please )?(?:tell|show) (?:me|us),? )?"
)
_ASKING = re.compile(
    r"(?:(?P<to>in|at|on|to|from|with|for|by|during|near) )?"
    r"(?P<asking>how many|which|what|whom|who|where)\b(?: of the)?"
    r"(?: (?:different|distinct|various|unique))? ?(?P<rest>.*)"
)
_MOST = re.compile(
    r"\b(?<!at )(?:the )?(?P<how>most|least|fewest)\b"
    r"(?: (?:often|frequently|commonly|regularly|times|of all)\b)*(?! of\b)"
)
_OFTEN = re.compile(
    r"(?P<often>how (?:often|many times)\b ?)?(?P<rest>(?:(?:did|have|has|was|were)\b.*)?)"
)
_TWO = 2
_ANYTHING = set_of("anything something anyone someone")
_NEVER = re.compile(r"\bnever\b")
_IS = re.compile(r"^(what|which|who|where)'s\b")
# "What is the room (that) you cleaned most?" and "your most cleaned room" ask which it is.
_OF_US = re.compile(r"^(?:which|who) of (?:you|us)(?P<two> two| both)?\b(?! and\b)(?: robots)?")
_OF_TWO = {"more": "most", "less": "least", "fewer": "fewest"}
_THAT_IS = re.compile(
    r"^(?:what|which) (?:is|was|are|were) the (\w+) (?:(?:that|which|where) )?"
    r"(?=\w.* (?:most|least)\b)(?!of\b)"
)
_MOST_DONE = re.compile(
    r"^(?:what|which) (?:is|was|are|were) (?:the |(your ))((?:most|least)(?: often)? \w+ed) (\w+)"
)
_WORD = re.compile(r"\w+")
_AUXILIARY = re.compile(r"(?:did|do|does|have|had|has|can|could) (?P<who>.*)")
_PASSIVE = re.compile(r"(?:was|were|is|are|got|has been|have been|had been)\b")
_WE = set_of("you we they i")


def tally_asked(text: str, listener: Listener) -> Counted | None:
    """Return the tally that a text asks for; None where it asks for none, or has more to say."""
    columns, items = listener.columns, listener.columns.items
    question = _question(text, listener.robot, len(columns.robots))
    own = RoleFiller(ROBOT, listener.robot)
    robot = listener.robot if columns.robots.identity(own) else ""  # not of another's file
    for rest, narrowings in narrowings_in(question, items, robot):
        for reading in _readings(rest, items, narrowings):
            asked = listener.reads(reading.rest)
            if _is_whole(reading, asked, listener):
                counted = _counted(reading, asked, columns, narrowings)
                if counted is not None:
                    return counted
    for split in apart_in(question, robot):
        compared = _compared(split, listener)
        if compared is not None:
            return compared
    return None


def _question(text: str, robot: str, robots: int) -> str:
    """Return a question without what is said around it: "Clara, can you tell me".

    Which of two `robots` did more is which did most.
    """
    asked = " ".join(text.casefold().replace("\u2019", "'").split()).rstrip(" ?!.")
    asked = re.sub(rf"^{re.escape(fold(robot))}, ", "", asked)
    begin = _BEGIN.match(asked)
    asked = _IS.sub(r"\1 is", asked[begin.end() :] if begin else asked)
    if of_us := _OF_US.match(asked):
        asked = f"which robot{asked[of_us.end() :]}"
        if of_us["two"] and robots == _TWO:
            asked = _WORD.sub(lambda word: _OF_TWO.get(word[0], word[0]), asked)
    return _MOST_DONE.sub(r"which \3 \1was \2", _THAT_IS.sub(r"which \1 ", asked))


def _readings(
    text: str, items: Mapping[str, ItemMemory], narrowings: Sequence[Narrowing]
) -> Iterator[Reading]:
    yield from figures_in(text, items)
    asking = _ASKING.fullmatch(text)
    if asking is not None:
        yield from _of_names(asking, items)
    # What is not narrowed is told by what memory says to any question.
    often = _OFTEN.fullmatch(text.strip()) if narrowings else None
    if often is not None:
        if not often["often"] and any(isinstance(one, Without) for one in narrowings):
            yield Reading(Wish.DIFFERENT, (Role("object"),), f"what {often['rest']}", _ANYTHING)
        yield Reading(Wish.TIMES, (Role("action"),), f"what {often['rest']}", _ANYTHING)


def _of_names(asking: re.Match[str], items: Mapping[str, ItemMemory]) -> Iterator[Reading]:
    """Yield the readings of "which room ... most often", "how many rows ..." and "who ..."."""
    rest, times = _MOST.subn(" ", asking["rest"])
    if times > 1:
        return
    wish = Wish.DIFFERENT
    if times:
        found = _MOST.search(asking["rest"])
        wish = Wish.MOST if found and found["how"] == "most" else Wish.LEAST
    rest, never = _NEVER.subn(" ", rest)
    if never:
        wish = Wish.NEVER
    if (asking["asking"] == "how many" or never) and times:
        return
    for roles, further, idle in _roles_asked(asking, rest.strip(), items):
        known = items.get(roles[0].name)
        if asking["asking"] == "how many" and known is not None and known.has_numbers:
            yield Reading(Wish.TOTAL, roles, f"what {without_total(further)}")
            continue
        bare = asking["asking"] in ("what", "who", "whom", "where") and further == rest.strip()
        left = further
        if not bare or asking["asking"] == "where":  # "what did you do?" is no count
            left = _without_all(further, roles[0].name, idle, items)
        of_all = left != further or (roles[0].name in PLACES and bool(_WERE.match(further)))
        of_a_deed = bare and not times and not of_all
        if of_all:  # where it was, and not where it was to go
            roles = tuple(one for one in roles if not one.among)
        yield Reading(wish, roles, f"what {left}", idle, of_a_deed, of_all)


def _roles_asked(
    asking: re.Match[str], rest: str, items: Mapping[str, ItemMemory]
) -> Iterator[tuple[tuple[Role, ...], str, Collection[str]]]:
    """Yield the roles that a question may ask for, and what is left of it."""
    word = asking["asking"]
    if word in ("which", "what", "how many"):
        for count in (2, 1):
            noun, further = apart(rest, count)
            roles = roles_called(noun, items) if noun else ()
            if roles and not (roles[0].name in (ROBOT, "subject") and _PASSIVE.match(further)):
                idle = _GETTING if roles[0].name in PEOPLE else _USING
                yield roles, further, idle if roles[0].name not in STANDARD_ROLES else ()
        noun, _ = apart(rest, 1)
        if word == "which" and is_deed(noun, items) and _MOST.search(asking["rest"]):
            yield (Role("object"),), rest, ()
    if word == "what":
        if not _DOING.isdisjoint(_WORD.findall(rest)):
            yield (Role("action"),), rest, _DOING
        yield (Role("object"),), rest, ()
    if word == "where":
        yield places(), rest, ()
    if word in ("who", "whom"):
        if asking["to"]:
            yield tuple(map(Role, PEOPLE)), rest, ()
        elif not _GETTING.isdisjoint(_WORD.findall(rest)):
            yield tuple(map(Role, PEOPLE)), rest, _GETTING
        elif _PASSIVE.match(rest):
            yield (Role("object", PEOPLE),), rest, ()
        elif _says_who(rest, items):
            yield (*map(Role, PEOPLE), Role("object")), rest, ()
        else:
            yield (Role("subject"),), rest, ()


def _without_all(
    text: str, role: str, idle: Collection[str], items: Mapping[str, ItemMemory]
) -> str:
    """Return what is left of "have you been" or "did you do", which leave out no episode."""
    if not _PAST.search(text):
        return text  # "which places can you go to?"
    more = _BEING if role in PLACES else _PERFORMING if role == "action" else ()
    words = {word for word in (*idle, *more) if not is_deed(word, items)}
    return _WORD.sub(lambda word: "" if word[0] in words else word[0], text)


def _says_who(rest: str, items: Mapping[str, ItemMemory]) -> bool:
    """Whether it is said who did it, as in "did Rex greet"; not in "did patrols"."""
    found = _AUXILIARY.match(rest)
    names = [apart(found["who"], count)[0] for count in (1, 2)] if found else []
    return any(
        name in _WE or items["subject"].with_words(words_of(name)) for name in names if name
    )


def _is_whole(reading: Reading, asked: Asked, listener: Listener) -> bool:
    """Whether the rest of a question was read to the last word."""
    if asked.unread:
        return False
    words = words_in(when_in(reading.rest, listener.now_ns).rest)
    found = recognise(words, listener.columns.items, listener.robot)
    if any(not one.fillers for one in found):
        return False  # outcomes that leave open which is meant
    read = {place for one in found for place in one.span}
    left = {word for place, word in enumerate(words.words) if place not in read}
    return left <= _EMPTY.union(reading.idle)


def _counted(
    reading: Reading, asked: Asked, columns: Columns, narrowings: tuple[Narrowing, ...]
) -> Counted | None:
    """Return the tally of the first of the roles that any episode has; None where there is none.

    Nothing has to be recognised in the rest, for all of it was read.
    """
    given = {role for cue in asked.recognised for role in cue.role.split(EITHER)}
    if reading.of_a_deed and "action" not in given:
        return None
    if reading.wish is Wish.DIFFERENT and not (asked.understood or narrowings or reading.of_all):
        return None  # "which rooms?" asks for what there is, and not for what was
    found = _with_all(columns, asked)
    if found.set_aside and reading.wish is not Wish.NEVER:
        return None
    found, of = narrow(columns, found, narrowings)
    understood = tuple(asked.understood)
    told = tuple(one.spoken for one in narrowings)
    if reading.wish is Wish.TIMES:
        times = tally_of(columns, "action", found, understood)
        known = of or found.reason
        return Counted(Tallied(reading.wish, times, narrowed=told, of=of)) if known else None
    for role in reading.roles:
        if role.name in given:
            if role.among or role.kind:
                continue
            return None  # what is asked for is something else
        if reading.wish in OF_NUMBERS:
            measured = measured_in(columns, role.name, found, understood)
            if measured.holds:
                tallied = Tallied(reading.wish, measured.figures, narrowed=told)
                return Counted(tallied, measured)
            continue
        tally = tally_of(columns, role.name, found, understood, only=role.kind)
        if reading.wish is Wish.NEVER:
            missing = _never(columns, role, asked, tally)
            if missing is not None:
                return Counted(Tallied(reading.wish, tally, role.called, told, *missing))
            continue
        if tally.counts and _is_among(tally, columns, role.among):
            others = [one for one in reading.roles if one is not role and one.kind]
            if any(tally_of(columns, one.name, found, only=one.kind).counts for one in others):
                return None  # a gate that was patrolled, or one at which something was seen
            return Counted(Tallied(reading.wish, tally, role.called, told))
    if found.reason and not reading.of_a_deed:
        none = tally_of(columns, reading.roles[0].name, found, understood)
        return Counted(Tallied(reading.wish, none))
    return None


def _never(
    columns: Columns, role: Role, asked: Asked, tally: Tally
) -> tuple[int, tuple[RoleFiller, ...]] | None:
    """Return how many fillers of a role there might have been, and those that there were not.

    Those of a kind, else those with which the same was ever done; None where these are no more
    than were asked about: what else there is nobody knows.
    """
    if role.kind:
        known = [columns.items[role.name].fillers[identity] for identity in sorted(role.kind)]
    else:
        deed = [one for one in asked.recognised if one.role == "action"]
        ever = tally_of(columns, role.name, find(columns, Query(), deed))
        if not deed or not _is_among(ever, columns, role.among) or ever.matches == tally.matches:
            return None
        known = [one.filler for one in ever.counts]
    there = {one.filler for one in tally.counts}
    return (len(known), tuple(one for one in known if one not in there)) if known else None


def _with_all(columns: Columns, asked: Asked) -> Fit:
    """Return the episodes that have all that was asked by; nothing has to be recognised.

    Where none has, `set_aside` says so as in any Fit.
    """
    found = find(columns, asked.query, asked.recognised)
    if found.set_aside:
        none = nothing("no episode fits all of it")
        return replace(none, set_aside=found.set_aside)
    return found


def _compared(split: Apart, listener: Listener) -> Counted | None:
    """Return how often each of some things was; None where they differ in more than one thing."""
    columns = listener.columns
    asked = []
    for text in split.questions:
        one = listener.reads(text)
        if not one.recognised or not _is_whole(Reading(split.wish, (), text), one, listener):
            return None
        asked.append(one)
    common = set(asked[0].understood).intersection(*(one.understood for one in asked[1:]))
    own = [[filler for filler in one.understood if filler not in common] for one in asked]
    if any(len(fillers) != 1 for fillers in own):
        return None
    names = [filler for (filler,) in own]
    roles = set(names[0].role.split(EITHER)).intersection(*(n.role.split(EITHER) for n in names))
    same = len({(one.query.robots, one.query.subjects) for one in asked}) == 1
    if not roles or not same or len(set(names)) < len(names):
        return None
    found = [_with_all(columns, one) for one in asked]
    counts = [count_of(columns, *pair) for pair in zip(names, found, strict=True)]
    if not any(one.episodes for one in counts):
        return None
    counts.sort(key=lambda one: -one.episodes)
    every = np.unique(np.concatenate([one.positions for one in found]))
    understood = tuple(one for one in asked[0].understood if one in common)
    fit = Fit(every, np.ones(len(every), np.float32))
    tally = tally_of(columns, "action", fit, understood)
    tally = replace(tally, role=names[0].role, counts=tuple(counts))
    return Counted(Tallied(split.wish, tally))


def _is_among(tally: Tally, columns: Columns, roles: Sequence[str]) -> bool:
    """Whether all that was counted is known as a filler of one of the roles, where there are."""
    known = [columns.items[role] for role in roles if columns.has(role)]
    return not roles or all(
        any(items.identity(one.filler) for items in known) for one in tally.counts
    )
