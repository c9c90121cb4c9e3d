# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Words that turn round what they stand before: memory finds what was, never what was not.

- An exclusion before a thing: "except the cup", "outside the kitchen", "everyone but Max".
- A comparison before a number: "above an altitude of 30", "speed > 1".
- "before", "after", "since" or "while" something that was done or is no time: "after opening the
  fridge", "after that".
- What is still to come, or only almost was, was wanted or would have been: "when will you",
  "almost failed", "forgot to wash".
- Who else: "the other robots", "besides you", "Rex and you", "with Rex", "more than you".
- "never" in a question with what, why, how: "which things did you never wash?", and "nobody" or
  "no cup" in any. A "not" there asks for what failed: "what could you not find?".
- How something was: "were late", "the wrong cup" (clara_memory.qualities).

What is turned round was not read, and the question is lost without it; the reason says so.
"""

from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

from clara_memory.asking import ASKING, OF_MIND, is_polite
from clara_memory.inflection import stem
from clara_memory.ordinary_words import (
    AUXILIARIES,
    COUNTED,
    DETERMINERS,
    PLACE_PREPOSITIONS,
    PRONOUNS,
    TELLING,
    is_ordinary,
    set_of,
)
from clara_memory.outcomes_in_text import is_not
from clara_memory.past import is_time_word
from clara_memory.qualities import is_told, qualities_in
from clara_memory.recognising import Find
from clara_memory.words_in_text import Words

_ALL = set_of(
    "all any anybody anyone anything anywhere every everybody everyone everything everywhere"
)
_EXCLUDING = set_of(
    "apart aside away besides counting except excepting excluding instead neither nor not outside"
    " without"
)
_COMPARING = set_of("above below between beyond exceeding least most over than under within")
_SIGNS = frozenset("<>≤≥≠!~")
_BEFORE_A_THING = (DETERMINERS | PLACE_PREPOSITIONS | {"for", "of"}) - _EXCLUDING
_BEFORE_A_NUMBER = _BEFORE_A_THING - _COMPARING | {"about"}
_NEVER = frozenset(["never", "nobody"])
_NOBODY = frozenset(["nobody", "none", "nothing", "nowhere"])
_AT_ONCE = frozenset(["once", "soon", "unless", "when", "whenever", "while"])
_LATER = _AT_ONCE | {"after", "before", "since", "until", "till"}
_THAT = PRONOUNS | set_of("her him me that them then these this those us")  # "after that"
_WHO = set_of("anybody anyone everybody everyone nobody somebody someone who whom")
_YOU = set_of("her him it me myself them us you yourself")
_OTHER_ROBOTS = frozenset(map(stem, ["robot", "one", "machine", "person", "people"]))
_UNREAL = set_of("might must shall should would")
_TO_COME = set_of("ll shall will won wont")
_ALMOST = set_of("almost barely hardly nearly scarcely")
_ROBOTS = [(one,) for one in _OTHER_ROBOTS]
_AND = frozenset(["and", "or"])
_WANTING = set_of("forget forgot forgotten stop stopped want wanted wish wished")
_BESIDE_WHOM = set_of("as for like near to with")  # no "by", "of" or "about"
_REACH = 3  # words from such a word to the deed
_COUNTED = frozenset((stem(word),) for word in COUNTED)
_TELLING = frozenset(map(stem, TELLING))


class Turned(NamedTuple):
    """Words from `begin` to before `end` that turn something round, and its role."""

    begin: int
    end: int
    role: str
    what: str  # cannot be asked for

    def saying(self, phrase: str) -> str:
        """Return why these words were not read."""
        return f"{self.what} cannot be asked for: '{phrase}'"


def turned_in(words: Words, found: Sequence[Find], names: Collection[str]) -> list[Turned]:
    """Return what is turned round; `names` are the stems of words that roles are called by."""
    used = {place: one for one in found for place in one.span}
    return [
        *_excluded(words, found, used),
        *_compared(words, used, names),
        *_later(words, used),
        *_not_yet(words, used),
        *_others(words, used),
        *_never(words, used),
        *_qualities(words, used, names),
    ]


def failed_by_not(words: Words, used: Collection[int]) -> Iterator[int]:
    """Yield the places of a "not" by which a question asks for what failed."""
    for place in range(len(words)):
        following = words.words[place + 1 : place + 3]
        if (
            place not in used
            and (words.words[place] in ("not", "cannot") or is_not(words, place))
            and _of_question(words, place, used)
            and (place == 0 or words.words[place - 1] != "or")
            and following[:1] != ("only",)
            and not any(
                stem(word) in _TELLING and at not in used  # "why not tell me"
                for at, word in enumerate(following, start=place + 1)
            )
        ):
            yield place


def _of_question(words: Words, place: int, used: Collection[int]) -> bool:
    """Whether a "not" is part of what is asked; not as in "what did you wash? Not bad!"."""
    clause = words.clauses[place]
    return not ASKING.isdisjoint(words.words[:place]) and any(
        one == clause
        and ((words.words[at] in ASKING and at < place) or (at in used and at > place))
        for at, one in enumerate(words.clauses)
    )


def _excluded(words: Words, found: Sequence[Find], used: Collection[int]) -> Iterator[Turned]:
    for one in found:
        if "result" in one.roles or not one.roles:
            continue
        begin = _back(words, one.span[0], used, _BEFORE_A_THING)
        if begin < 0 or words.clauses[begin] != words.clauses[one.span[0]] or begin in used:
            continue
        word, before = words.words[begin], words.words[begin - 1] if begin else ""
        if (
            (word in _EXCLUDING and not (word == "not" and "action" in one.roles))
            or (word == "than" and before in ("other", "rather", "else"))
            or (word == "but" and (before == "else" or _of_all(words, begin)))
        ):
            if word in ("than", "but", "counting"):
                begin -= 1
            yield Turned(begin, one.span[-1] + 1, one.roles[0], "what to leave out")


def _of_all(words: Words, but: int) -> bool:
    """Whether a "but" leaves out of all: "everyone but Max", "all deliveries but those"."""
    clause = words.clauses[but]
    return any(words.words[at] in _ALL and words.clauses[at] == clause for at in range(but))


def _compared(words: Words, used: dict[int, Find], names: Collection[str]) -> Iterator[Turned]:
    for span, _ in words.numbers():
        one = used.get(span[0])
        following = span[-1] + 1
        if one is not None and not one.is_number:
            continue  # of a name: "tower 10"
        counted = following in used or words.stems[following : following + 1] in _COUNTED
        if one is None and counted:
            continue  # "more than 3 cups"
        begin = span[0] - 1
        signed = begin >= 0 and not _SIGNS.isdisjoint(words.between(begin, span[0]))
        while begin >= 0 and (
            words.words[begin] in _BEFORE_A_NUMBER or words.stems[begin] in names
        ):
            begin -= 1
        if signed or (begin >= 0 and words.words[begin] in _COMPARING):
            if begin < 0 or words.words[begin] not in _COMPARING:
                begin += 1
            elif begin and words.words[begin] in ("than", "least", "most"):
                begin -= 1
            role = one.roles[0] if one is not None and one.roles else "number"
            yield Turned(begin, following, role, "more or less than a number")


def _later(words: Words, used: dict[int, Find]) -> Iterator[Turned]:
    place = 0
    while place < len(words):
        if place not in used and _is_later(words, place, used):
            end = place + 1
            while end < len(words) and words.clauses[end] == words.clauses[place]:
                end += 1
            said = [one for one in range(place + 1, end) if _says(words, one, used)]
            at_once = words.words[place] in _AT_ONCE
            if not said and (at_once or not _THAT.isdisjoint(words.words[place + 1 : end][:1])):
                said = [end - 1 if at_once else place + 1]
            if any(one in used or not _is_time(words, one) for one in said):
                what = "what was while" if at_once else "what was before or after"
                yield Turned(place, said[-1] + 1, "action", f"{what} something else")
                place = end
                continue
        place += 1


def _is_later(words: Words, place: int, used: dict[int, Find]) -> bool:
    """Whether a word ties what is asked to something else; not as in "how long since you"."""
    word, before = words.words[place], words.words[place - 1] if place else ""
    following = words.words[place + 1 : place + 2]
    if word not in _LATER or not following:
        return False
    if (word, following) == ("since", ("when",)) or (before, word) == ("since", "when"):
        return False
    if word == "since":
        return not _asks_how_long(words.words[:place])
    if word not in _AT_ONCE:
        return True
    if word in ("once", "soon"):
        return following == ("as",) or (word == "once" and following[0] in PRONOUNS)
    told = before in ("a", "me", "us", "and", "or") or stem(before) in _TELLING
    if told and place - 1 not in used:
        return False  # "a while", "tell me when"
    others = [
        one for at, one in used.items() if "action" in one.roles and place + 1 not in one.span
    ]
    if place + 1 in used and "action" in used[place + 1].roles and not others:
        return False  # "what was the wind while spraying?" is of spraying alone
    if word != "when":
        return True
    asked = [at for at, one in enumerate(words.words) if one in ASKING | AUXILIARIES]
    return following[0] not in AUXILIARIES and any(
        at < place or words.clauses[at] > words.clauses[place] for at in asked
    )


def _asks_how_long(words: tuple[str, ...]) -> bool:
    """Whether words ask for a length of time: "how long", "how many days"."""
    following = (words[at + 1 : at + 3] for at, word in enumerate(words) if word == "how")
    return any(
        two[:1] == ("long",) or (two[:1] == ("many",) and is_time_word(two[-1], ""))
        for two in following
    )


def _is_time(words: Words, place: int) -> bool:
    return is_time_word(words.words[place], words.words[place - 1] if place else "")


def _not_yet(words: Words, used: dict[int, Find]) -> Iterator[Turned]:
    """Yield what is not asked of the past: "will you", "would have failed", "almost failed"."""
    for place, word in enumerate(words.words):
        if place in used:
            continue
        if word == "next":
            following = words.words[place + 1 : place + 2]
            of_time = bool(following) and _is_time(words, place + 1)
            if following != ("to",) and not of_time and is_told(words, place, used):
                yield Turned(place, place + 1, "time", "what was or will be next")
            continue
        clause = [at for at in used if at > place and words.clauses[at] == words.clauses[place]]
        near = [at for at in clause if at <= place + _REACH]
        going = words.words[place : place + 2] == ("going", "to")
        if word in _WANTING and _deed_behind(words, place, used):
            yield Turned(place, place + 1, "action", "what was wanted, forgotten or stopped")
        elif word in _ALMOST and near:
            yield Turned(place, min(near) + 1, "action", "what only almost was")
        elif going and place + 2 in used and "action" in used[place + 2].roles:
            yield Turned(place, place + 2, "time", "what is still to come")
        elif clause and not _is_request(words, place):
            have = "have" in words.words[place + 1 : place + 1 + _REACH]
            if word in _TO_COME:
                yield Turned(place, place + 1, "time", "what is still to come")
            elif word in _UNREAL or (word in ("could", "may") and have):
                yield Turned(place, place + 1, "time", "what would have been, and was not,")


def _deed_behind(words: Words, place: int, used: dict[int, Find]) -> bool:
    """Whether a deed is what one forgot to do: "forgot to wash", "stopped washing"."""
    deed = place + 1 + (words.words[place + 1 : place + 2] == ("to",))
    return deed in used and "action" in used[deed].roles


def _is_request(words: Words, place: int) -> bool:
    """Whether a "would" only asks: "would you tell me", "I would like to", "would be nice"."""
    before, following = words.words[:place], words.words[place + 1 : place + 3]
    if not {"i", "we"}.isdisjoint((*before[-1:], *following[:1])) or "be" in following:
        return True
    asked = not ASKING.isdisjoint(before) and OF_MIND.isdisjoint(following)
    return following[:1] == ("you",) and is_polite(words, place + 1) and not asked


def _others(words: Words, used: dict[int, Find]) -> Iterator[Turned]:
    for place, word in enumerate(words.words):
        if place in used:
            continue
        before = words.words[place - 1] if place else ""
        following = place + 1
        thing = used.get(following)
        if word in _BESIDE_WHOM and thing and thing.roles == ["subject"] and _of_deed(used):
            yield Turned(place, thing.span[-1] + 1, "subject", "who was there when it was done")
        if word == "than" and thing and thing.roles == ["subject"]:
            yield Turned(place, thing.span[-1] + 1, "subject", "who did more or less")
        if word == "others" or (
            word in ("other", "another") and words.stems[following : following + 1] in _ROBOTS
        ):
            end = following + (word != "others")
            yield Turned(place, end, "subject", "what somebody else did")
        elif word == "other" and before in ("the", "your", "my") and thing and thing.roles:
            yield Turned(place, thing.span[-1] + 1, thing.roles[0], "what to leave out")
        elif word == "else" and before in _WHO:
            yield Turned(place - 1, following, "subject", "what somebody else did")
        elif word in _YOU:
            yield from _beside_you(words, place, used)


def _of_deed(used: dict[int, Find]) -> bool:
    return any("action" in one.roles for one in used.values())


def _beside_you(words: Words, place: int, used: dict[int, Find]) -> Iterator[Turned]:
    """Yield what leaves somebody out who is not named, or adds to one who is."""
    begin = _back(words, place, used, {"of", "from", "for"})
    if begin >= 0 and words.clauses[begin] == words.clauses[place]:
        word = words.words[begin]
        if word in _EXCLUDING - {"nor", "not"} or (word == "but" and _of_all(words, begin)):
            yield Turned(begin, place + 1, "subject", "what to leave out")
        elif word == "than":
            yield Turned(begin, place + 1, "subject", "who did more or less")
    for beside, other in ((place - 1, place - 2), (place + 1, place + 2)):
        if other in used and "subject" in used[other].roles and words.words[beside] in _AND:
            span = sorted((place, beside))
            yield Turned(span[0], span[-1] + 1, "subject", "more than one who did it")


def _says(words: Words, place: int, used: Collection[int]) -> bool:
    word = words.words[place]
    return place in used or not (len(word) == 1 or is_ordinary(word))


def _never(words: Words, used: dict[int, Find]) -> Iterator[Turned]:
    what = "what was never done"
    for place, word in enumerate(words.words):
        if place in used:
            continue
        later = (each for each in sorted(used) if each > place)
        if word in _NEVER and not ASKING.isdisjoint(words.words[:place]):
            yield Turned(place, next(later, place) + 1, "action", what)
        elif _is_asked(words, place, used):
            thing = used.get(place + 1)
            if word in _NOBODY:
                yield Turned(place, place + 1, "action", what)
            elif word == "no" and thing and "object" in thing.roles:
                yield Turned(place, place + 2, "object", what)


def _is_asked(words: Words, place: int, used: Collection[int]) -> bool:
    """Whether a word stands in the clause of what is asked; not as in "no, what failed?"."""
    clause = [at for at, one in enumerate(words.clauses) if one == words.clauses[place]]
    return clause[0] < place and any(at in used for at in clause)


def _qualities(words: Words, used: Collection[int], names: Collection[str]) -> Iterator[Turned]:
    for begin, end in qualities_in(words, used, names):
        yield Turned(begin, end, "quality", "how something was, but for its outcome,")


def _back(words: Words, begin: int, used: Collection[int], over: Collection[str]) -> int:
    """Return the place of the last word before `begin` that is none of those, -1 for none."""
    begin -= 1
    while begin >= 0 and begin not in used and words.words[begin] in over:
        begin -= 1
    return begin
