# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Whether an order has only words that its skill explains.

"Open the window" is no order for a skill that opens the gripper, though the verb is right and a
small model would do it. So every word must be one of the skills file's own for this skill (its
name, description, examples, choices), or one of those that mean nothing by themselves. A word of
direction is none of the latter: "drive 2 meters back" is no order for a skill that drives ahead;
nor is one that says which ("the other one"), how much ("a bit") or how things are ("is").
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from itertools import pairwise

from clara_brain import spoken_numbers
from clara_brain.skills import Skill
from clara_brain.spoken_units import unit_words
from clara_brain.units import si_unit
from clara_brain.verbs import trigger_words

# Words of the closed classes, politeness, and adverbs of time.
_NEUTRAL_WORDS = """
a an the this that these those some any my your our their his its
i me you we us he him she her they them it mine yours
to at in on into onto of for with towards toward then and or so well just also
here there straight inside now again please kindly once still yet immediately
already directly exactly maybe really very can could would will
hey hi hello ok okay clara robot thanks thank
"""
_NEUTRAL = frozenset(_NEUTRAL_WORDS.split())
# These mean nothing beside a number or a choice, and in "once more", but "open the vents more" is
# not all the way.
_MORE = frozenset(["more", "further"])
# How a thing is done, which means nothing unless the skill has a parameter for it.
_MANNERS = frozenset(["slowly", "quickly", "carefully", "gently", "fast", "slow", "quick"])
# Right before a choice these say how it looks. Where one of a family is in a choice, they tell
# choices apart: "a big coffee", for one who knows small and large.
_COLOURS = "red blue green yellow black white brown orange grey gray pink purple"
_SIZES = "big small large tiny little huge"
_LOOKS = tuple(frozenset(family.split()) for family in (_COLOURS, _SIZES, "old new"))
# With a thing behind them these say where, which is not the place itself: "go near the dock".
_ABOUT_A_PLACE_WORDS = "across along around between by near over through"
_ABOUT_A_PLACE = frozenset(_ABOUT_A_PLACE_WORDS.split())
_NO_THING = frozenset(["to", "at", "there", "here", "again", "now", "please"])
_PEOPLE = frozenset(["my", "our", "his", "her", "their"])
_BODY_WORDS = "arm arms hand hands shoulder elbow wrist finger head neck leg knee foot"
_BODY = frozenset(_BODY_WORDS.split())
# Words that may turn an order round. So may "left" and "right", but there is a left cup as well.
_DIRECTION_WORDS = "away back backward backwards behind down from off out under up"
DIRECTIONS = frozenset(_DIRECTION_WORDS.split())
# A description that names both of these, as "a positive angle is to the left, a negative one to
# the right", does not say which of them an order without a sign is.
_OPPOSITES = (
    ("left", "right"),
    ("up", "down"),
    ("forward", "backward"),
    ("forwards", "backwards"),
)
# Where a length is all that a skill is told, it does not go there.
_TOWARDS = frozenset(["toward", "towards"])
_ABOUT_A_NUMBER = frozenset(["around", "between", "by"])
# The way a robot moves anyway, unless its skill is about the other way.
_FORWARD = frozenset(["ahead", "forward", "forwards"])
_BACKWARD = frozenset(["back", "backward", "backwards", "reverse"])
_ANOTHER_WAY = _BACKWARD | {"up", "upward", "upwards", "down", "downward", "downwards"}
# "Back home", "back to the dock" and "back on the shelf" say where to, by a choice that follows.
_BACK_TO = frozenset(["to", "on", "onto", "in", "into"])
_AT_ONCE = frozenset([("right", "now"), ("right", "away"), ("straight", "away")])
# What can be to the right: lengths, angles, and numbers that may be either.
_SIDED = frozenset(["m", "rad", "m/s", "rad/s", ""])
_PREPOSITION_WORDS = "to at for with in on into onto by from"
PREPOSITIONS = frozenset(_PREPOSITION_WORDS.split())
# Behind these, "to" is a goal, and may be another than the skill's: "go back to sleep".
_GOING_WORDS = "back come drive fly go head move return ride roll run travel walk"
_GOING = frozenset(_GOING_WORDS.split())
_FROM_OR_INTO = frozenset(["from", "into", "onto"])
# What may stand before a noun, and behind an order.
_BEFORE_A_NOUN_WORDS = "a an the this that these those my your our their his its"
BEFORE_A_NOUN = frozenset(_BEFORE_A_NOUN_WORDS.split())
_OWN = BEFORE_A_NOUN - {"a", "an"}
_AT_THE_END_WORDS = "can clara could now please robot thank thanks will would you"
_AT_THE_END = frozenset(_AT_THE_END_WORDS.split())
_LONGEST_NOUN = 2
_PERSON_WORDS = """
me us him her them you everybody everyone somebody someone people person audience child children
crowd friend friends guest guests kid kids man men visitor visitors woman women
"""
PERSONS = frozenset(_PERSON_WORDS.split())
# A noun that says when.
_TIME_WORDS = """
monday tuesday wednesday thursday friday saturday sunday dawn sunrise noon midday dusk sunset
midnight breakfast lunch dinner
"""
_TIMES = frozenset(_TIME_WORDS.split())
_WORD = re.compile(r"[^\W\d_]+(?:['\u2019][^\W\d_]+)?")
_TO = re.compile(r"\bto\b", re.IGNORECASE)
_OWNER = re.compile(r"['\u2019]s?$")


def unknown_words(skill: Skill, text: str, things: Collection[tuple[int, int]]) -> Iterator[str]:
    """Return the words of an order that a skill does not know.

    `things` is where choices stand in it. Unknown may be, where a skill needs nothing to be said,
    a noun at the end that follows a preposition behind which an example has a person ("wave to my
    friend", for "wave to the people").
    """
    found = list(_WORD.finditer(text))
    words = [_plain(match[0]) for match in found]
    begins = {start for start, _ in things}
    known = _vocabulary(skill)
    choices = {word for each in skill.parameters for c in each.choices for word in words_of(c)}
    needs = any(
        each.type in ("choice", "boolean") or (each.said and each.default is None)
        for each in skill.parameters
    )
    openings = frozenset() if needs else _openings(skill)
    neutral = _NEUTRAL if known & _ANOTHER_WAY else _NEUTRAL | _FORWARD
    if not _has_manners(skill, choices):
        neutral |= _MANNERS
    straight = not choices and any(
        each.numeric and si_unit(each.unit) == "m" for each in skill.parameters
    )
    if straight:
        neutral -= _TOWARDS
    looks = frozenset[str]().union(*(each for each in _LOOKS if not each & choices))
    for at, (word, match) in enumerate(zip(words, found, strict=True)):
        following = words[at + 1] if at + 1 < len(words) else ""
        if word in _PEOPLE and following in _BODY:
            yield f"{word} {following}"
            continue
        if spoken_numbers.unit_of(word) and word not in known and at and words[at - 1] in _OWN:
            yield word  # "my feet", "the yard" and "the second" are no measures
            continue
        if word == "to" and not needs and _is_another_goal(skill, choices, text[match.end() :]):
            yield word
            continue
        if word in known or word in neutral or spoken_numbers.is_number_word(word):
            continue
        if any(start <= match.start() < end for start, end in things):
            continue
        if word in looks and _thing_follows(found, words, at, looks, begins):
            continue
        if word in _ABOUT_A_PLACE and not _is_before_a_thing(text[match.end() :], following):
            # "Drive 2 meters across" is not straight ahead, "by 2 meters" is.
            if straight and word not in _ABOUT_A_NUMBER:
                yield word
            continue
        if word in _MORE and (
            words[at - 1] == "once"
            or match.end() + 1 in begins
            or _is_beside_a_number(text, match, following)
        ):
            continue
        if word in ("up", "down") and following == "to" and _is_up_to(skill, text[match.end() :]):
            continue
        if word in ("number", "another") and _is_number(text[match.end() :], following):
            continue
        if _says_when(skill, choices, words, at):
            continue
        if word == "back" and _goes_back(words[at + 1 :], choices | known - neutral, known):
            continue
        if _is_done_to(openings, words, at):
            return
        yield word


def _is_another_goal(skill: Skill, choices: set[str], rest: str) -> bool:
    """Whether no value follows a "to", where one does in all examples that have it.

    "Open the vents to the roof" is not to 40 percent.
    """

    def is_value(goal: str) -> bool:
        return bool(spoken_numbers.numbers(goal)) or not choices.isdisjoint(words_of(goal))

    shown = [_TO.split(example.say, 1)[1:] for example in skill.examples]
    goals = [goal for each in shown for goal in each]
    return bool(goals) and all(map(is_value, goals)) and not is_value(rest)


def _has_manners(skill: Skill, choices: set[str]) -> bool:
    """Whether a parameter says how fast or how carefully."""
    return bool({f"{word}ly" for word in choices} & _MANNERS or choices & _MANNERS) or any(
        "speed" in each.name or each.unit.endswith("/s") for each in skill.parameters
    )


def _thing_follows(
    found: list[re.Match[str]], words: list[str], at: int, looks: frozenset[str], begins: set[int]
) -> bool:
    """Whether a choice follows a word at once, or after more words of how it looks."""
    at += 1
    while at < len(words) and words[at] in looks and found[at].start() not in begins:
        at += 1
    return at < len(words) and found[at].start() in begins


def _is_before_a_thing(rest: str, following: str) -> bool:
    return bool(following) and following not in _NO_THING and not _is_number(rest, following)


def _is_number(rest: str, following: str) -> bool:
    return bool(re.match(r"\W*\d", rest)) or spoken_numbers.is_number_word(following)


def _is_beside_a_number(text: str, word: re.Match[str], following: str) -> bool:
    before = text[: word.start()].rstrip(" %°")
    last = words_of(before)[-1:]
    ends = before[-1:].isdigit() or any(map(spoken_numbers.is_number_word, last))
    return ends or _is_number(text[word.end() :], following)


def _is_up_to(skill: Skill, rest: str) -> bool:
    """Whether "up" or "down" stands before "to" and a number that an example sets so.

    "Turn it down to 20 percent" sets it as "turn it to 20 percent" does.
    """
    said = [words for number in spoken_numbers.numbers(rest) if (words := _to(rest, number))][:1]
    return any(
        [_to(example.say, number)] == said
        for example in skill.examples
        for number in spoken_numbers.numbers(example.say)
    )


def _to(text: str, number: spoken_numbers.Said) -> str:
    """Return the "to" before a number, with its name where there is one: "to floor 3"."""
    found = re.search(r"\bto(?: [^\W\d_]+)? $", text[: number.start], re.IGNORECASE)
    return found[0].lower() if found else ""


def _goes_back(behind: list[str], things: set[str], known: frozenset[str]) -> bool:
    """Whether "back" says where to: "back home", "back to the dock", "back to 0 degrees"."""
    if not behind:
        return False
    if behind[0] == "home" and "home" in known:
        return True
    if behind[0] not in _BACK_TO:
        return False
    return bool(things.intersection(behind[1:])) or (
        behind[0] == "to" and "to" in known and spoken_numbers.is_number_word(behind[-1])
    )


def _is_done_to(openings: frozenset[tuple[str, str]], words: list[str], at: int) -> bool:
    """Whether an unknown word is, up to the end, who or what an order is done to."""
    end = len(words)
    while words[end - 1] in _AT_THE_END:
        end -= 1
    noun = words[at:end]
    if len(noun) > _LONGEST_NOUN or not (_NEUTRAL | _MORE | _TIMES).isdisjoint(noun):
        return False
    while at > 0 and words[at - 1] in BEFORE_A_NOUN:
        at -= 1
    return tuple(words[max(0, at - 2) : at]) in openings


def _says_when(skill: Skill, choices: set[str], words: list[str], at: int) -> bool:
    """Whether a word belongs to "right now" and the like.

    "Turn 90 degrees right now" may mean right, so a skill with a length, an angle or a bare number
    has it only behind a choice or what measures neither of them, as "0.3 m/s".
    """
    begin = next((each for each in (at, at - 1) if tuple(words[each : each + 2]) in _AT_ONCE), -1)
    if begin <= 0:
        return False
    # "Turn right, away from the wall": behind the verb it may be the side, whatever follows.
    if words[begin + 1] == "away" and (begin > 1 or words[begin] != "right"):
        return True
    sided = any(each.numeric and si_unit(each.unit) in _SIDED for each in skill.parameters)
    unit = spoken_numbers.unit_of(words[begin - 1])
    return not sided or words[begin - 1] in choices or bool(unit and si_unit(unit) not in _SIDED)


def _vocabulary(skill: Skill) -> frozenset[str]:
    said = [example.say for example in skill.examples]
    choices = [choice for parameter in skill.parameters for choice in parameter.choices]
    names = [parameter.name for parameter in skill.parameters]
    described = set(words_of(skill.description))
    for pair in _OPPOSITES:
        if any(each.numeric for each in skill.parameters) and described.issuperset(pair):
            described -= set(pair)
    texts = [skill.name, skill.action, skill.in_words, *said, *choices, *names]
    words = {word for text in texts for word in words_of(text)} | described | set(skill.words)
    words = words.union(*(unit_words(each.unit) for each in skill.parameters))
    # "Picking", "drives": the words of the file in other forms. Not the short ones: "thing" is
    # no form of "the".
    verbs = {word for verb in trigger_words(skill) for word in words_of(verb)}
    formed = {word for word in words - _NEUTRAL if len(word) > 3} | verbs
    stems = {word.removesuffix("e") for word in formed}
    doubled = {word + word[-1] for word in formed}
    counted = {word for word in words - _NEUTRAL if len(word) > 2} | verbs
    return frozenset(
        {form for word in counted for form in (f"{word}s", word.removesuffix("s"))}
        | {f"{stem}ing" for stem in stems | doubled}
        | words
    )


def _openings(skill: Skill) -> frozenset[tuple[str, str]]:
    """Return the pairs of a word and the preposition behind it in the examples.

    But for those that name a goal, or have no person behind them: "take off to 10 meters" says
    nothing of "take off to the lake", nor does "come up to the surface" of "come up to me".
    """
    found = set()
    for example in skill.examples:
        words = words_of(example.say)
        for at, pair in enumerate(pairwise(words)):
            if pair[1] not in PREPOSITIONS - _FROM_OR_INTO or pair[0] in _GOING:
                continue
            noun = next((each for each in words[at + 2 :] if each not in BEFORE_A_NOUN), "")
            if noun in PERSONS:
                found.add(pair)
    return frozenset(found)


def is_idle(word: str) -> bool:
    """Whether a word in lower case means nothing by itself, or only a direction."""
    return word in _NEUTRAL | _MORE | _MANNERS | DIRECTIONS | _FORWARD | _BACKWARD | _ABOUT_A_PLACE


def words_of(text: str) -> list[str]:
    """Return the words of a text in lower case, without the s of an owner."""
    return [_plain(word) for word in _WORD.findall(text.replace("_", " "))]


def _plain(word: str) -> str:
    return _OWNER.sub("", word.lower())


def is_way(word: str) -> bool:
    """Whether a word in lower case is a way to move or turn."""
    return word in DIRECTIONS | _FORWARD | _ANOTHER_WAY | {"left", "right"}
