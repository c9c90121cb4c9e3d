# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Read off a sentence, without a model, whether it is a plain order and which values it names.

These rules only ever forbid. A skill is offered to the model when the sentence opens as an order
with one of its verbs and names every value that must be said; what it does not name, the model
cannot choose. The rules are English.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from clara_brain import spoken_numbers
from clara_brain.choice_slots import choice_slots, mentions
from clara_brain.flag_slots import flag_slots
from clara_brain.known_words import unknown_words
from clara_brain.number_slots import number_slots
from clara_brain.order_objects import begins_like_an_example, is_done_to_a_person, names_its_thing
from clara_brain.other_verbs import another_verb
from clara_brain.skills import LONGEST_TEXT, Parameter, Skill
from clara_brain.spoken_counts import ONCE, with_counts
from clara_brain.text_slots import exact_text, may_be_no_text, text_begins, text_behind
from clara_brain.units import si_unit
from clara_brain.verbs import trigger_words

# An order may hold the longest text, and an opening. With what is longer the patterns below would
# take seconds.
_LONGEST = LONGEST_TEXT + 64

_NEGATION = re.compile(
    r"\b(not|never|no|nobody|without|stop|instead|avoid|cannot)\b|n['\u2019]t\b|\bdont\b", re.I
)
# An order for later, or for a case that may never come, is none for now.
_NOT_NOW = re.compile(
    r"\b(if|unless|until|till|when|whenever|while|once|as soon as|after|before|later"
    r"|tomorrow|tonight|at some point|some ?day|eventually|next (time|week|month|year|morning)"
    r"|every (day|time|morning|evening|night|hour)"
    r"|should (i|we|he|she|it|they|there|any\w*|some\w*|you (have|need|want|like|see|hear|get))"
    r"|they should"
    r"|(the|any) (second|moment|minute|instant|day|time) (i|you|we|he|she|it|they|that)"
    r"|(each|another|any|some|the (first|last|next|other)) (other )?time"
    r"|in case|suppose|supposing|imagine|pretend|in (a|an|\w+) (seconds?|minutes?|hours?|days?)"
    r"|in (just )?an? (little )?(bit|little|moment|tick|sec|min)|from now"
    r"|at \d{1,2}([:.]\d\d)? ?(am|pm|o['\u2019]clock)|at \d{1,2}:\d\d)\b",
    re.I,
)
_ONCE_NO_TIME = re.compile(rf"{ONCE}|\bonce (?:more|again)\b|\bat once\b", re.I)
# Before a number these say when: "at six", "in half an hour".
_WHEN = frozenset(["in", "at", "by", "around"])
_TIMES = frozenset(["s", "min", "h"])
_LAST_HOUR = 24

# What people say while they think, anywhere, and what they begin with.
_FILLERS = r"um+|uh+|erm+|hm+"
_EXCLAMATIONS = rf"{_FILLERS}|yo|oh|ah"
_THINKING = re.compile(rf"\b(?:{_FILLERS})\b[\s,.\u2026]*", re.I)
_QUESTION = re.compile(
    rf"^\W*((hey|hi|hello|ok|okay|clara|robot|so|and|but|well|tell me|say|{_EXCLAMATIONS})\W+)*"
    r"(what|why|when|where|who|whose|which|how|is|are|am|was|were|did|do|does|has|have|had|should"
    r"|shall)\b",
    re.I,
)
_POLITE_QUESTION = re.compile(r"\b(?:can|could|will|would) you\b", re.I)
_DO_IT = re.compile(
    r"^\W*(please\W+)?(do|have) (a|an|it|me|my|our|some|that|the|this|your)\b", re.I
)
# Brackets, assignments and colons (but not of a time of day) belong to markup and programs.
_MARKUP = re.compile(r"[()\[\]{}<>=|`]|:(?!\d)")

_A_WORD = re.compile(r"\w")
_SEVERAL_LINES = re.compile(r"[\n\r]")

# An address or politeness before the verb of an order. No two may read the same text, or a long
# text takes forever.
_ADDRESS = (
    r"hey|hi|hello|ok|okay|clara|robot|please|kindly|now|then|and|so|well|just|quick|quickly|there"
    rf"|yes|actually|first|al(?:l )?right|great|{_EXCLAMATIONS}"
)

# What may stand behind an order: politeness, and the mark at the end.
_CLOSING = re.compile(
    r"(?:\W+(?:please|thanks|thank you|would you|will you|could you|can you|clara|robot))*\W*$",
    re.I,
)


@dataclass(frozen=True)
class Offer:
    """A skill that the sentence may ask for, and the spellings that it allows for each parameter.

    A parameter that is not in `values` is free; one with no spelling takes its default. Those in
    `named` were plainly said, so their default would be wrong. With `unsure`, a part of its text
    may be meant for the robot ("... when Bob comes"), so a person is to be asked.
    """

    skill: Skill
    values: dict[str, tuple[str, ...]]
    named: frozenset[str] = frozenset()
    unsure: bool = False


def has_the_form(text: str) -> bool:
    """Whether a text is one line and no longer than any order, whatever it says."""
    return len(text) <= _LONGEST and not _SEVERAL_LINES.search(text)


def is_plain_order(text: str) -> bool:
    """Whether the sentence, its free text aside, may be an order for now.

    It is none when negated, conditional, for later, a question about facts, markup, or longer than
    any order. "Could you ...?" may be one.
    """
    if not has_the_form(text):
        return False
    text = _ONCE_NO_TIME.sub(" ", text)
    return not any(pattern.search(text) for pattern in (_NEGATION, _NOT_NOW, _QUESTION, _MARKUP))


def offer_or_reason(skill: Skill, text: str) -> Offer | str:
    """Return what a sentence offers of a skill, or in words for its author why it does not."""
    words = trigger_words(skill)
    verb, order = _opened(skill, text)
    if words and not order:
        return (
            f"it does not begin with a verb of the skill, which are {', '.join(words)} (`words`)"
        )
    order = order or text
    begin = text_begins(skill, order)
    free = exact_text(skill)
    own_words = text_behind(order, begin) if free else ""
    if not is_plain_order(text[: len(text) - len(order) + begin] if free else text):
        return "it is negated, or not for now"
    if free and not own_words and _A_WORD.search(order, begin):
        return f"{free.name} is not said"
    order = as_read(skill, order[:begin])
    text = order if free else as_read(skill, text)
    if unknown := next(_unknown(skill, order), ""):
        return f"{skill.name} does not know the word {unknown!r}"
    if is_done_to_a_person(skill, order):
        return f"no example of {skill.name} is done to a person"
    if not names_its_thing(skill, verb, order):
        return f"it does not name a thing that the examples of {skill.name} name"
    if _for_later(skill, text):
        return "a number in it says when"
    things, numbers = choice_slots(skill, text), number_slots(skill, text)
    flags = flag_slots(skill, text)
    if things is None or numbers is None or flags is None:
        return "nothing tells what in it is for which parameter, or a number is for none"
    texts: dict[str, tuple[str, ...]] = {free.name: (own_words,) * bool(own_words)} if free else {}
    values = things.values | numbers.values | flags.values | texts
    for each in skill.parameters:
        if not values.get(each.name, ("",)) and each.default is None:
            unit = f" in {each.unit}" if each.unit else ""
            return f"{each.name} is not said{unit}"
    told = frozenset(name for name, said in texts.items() if said)
    unsure = bool(_NOT_NOW.search(own_words)) or may_be_no_text(own_words)
    return Offer(skill, values, things.named | numbers.named | flags.named | told, unsure)


def why_no_order(skills: Iterable[Skill], text: str) -> str:
    """Return why a sentence that opens as an order for a skill is none.

    Empty where it does not open so, or may be one: "take the lamp" opens as an order for a robot
    that takes cups, "take care" does not.
    """
    if not has_the_form(text) or _QUESTION.search(text):
        return ""
    reasons: list[tuple[int, str]] = []
    for skill in skills:
        _, order = _opened(skill, text)
        if not order or not begins_like_an_example(skill, order):
            continue
        reason = offer_or_reason(skill, text)
        if isinstance(reason, Offer):
            return ""
        unknown = _unknown(skill, order[: text_begins(skill, order)])
        reasons.append((sum(1 for _ in unknown), reason))
    # Of several skills, the one that explains most of it.
    return min(reasons, key=lambda each: each[0])[1] if reasons else ""


def _unknown(skill: Skill, order: str) -> Iterator[str]:
    """Return the words of an order, without its free text, that a skill does not know."""
    return unknown_words(skill, order, [(each.start, each.end) for each in mentions(skill, order)])


def opens_as_order(skill: Skill, text: str) -> bool:
    """Whether a sentence opens as an order with a verb of a skill."""
    return bool(_opened(skill, text)[1])


def opened_by(skills: Iterable[Skill], text: str) -> Iterator[tuple[Skill, str]]:
    """Return the skills for which a sentence opens as an order, each with it from the verb on."""
    for skill in skills:
        if order := _opened(skill, text)[1]:
            yield skill, order


def is_only_opening(skills: Iterable[Skill], text: str) -> bool:
    """Whether a text says no more than what may stand before, or behind, an order."""
    called = tuple(dict.fromkeys(name for skill in skills for name in skill.called))
    return bool(re.fullmatch(_opening(called), f"{without_politeness(text)} ", re.IGNORECASE))


def asks_politely(text: str) -> bool:
    """Whether an order may end as a question: "could you ...?"."""
    return bool(_POLITE_QUESTION.search(text))


def asks_facts(text: str) -> bool:
    """Whether a text is a question about facts; "could you ...?" and "do the dishes" are none."""
    return bool(_QUESTION.search(text)) and not _DO_IT.search(text)


def ordered_verb(skills: Iterable[Skill], text: str) -> str:
    """Return the word that is the verb where a text is an order, whatever for; or empty."""
    words = (
        re.findall(r"[a-z]+", imperative(skills, text).lower()) if len(text) <= _LONGEST else ()
    )
    return words[0] if words else ""


def _for_later(skill: Skill, text: str) -> bool:
    """Whether a number says when: "at six", "in half an hour".

    "At 0.4 m/s" and "by 90 degrees" do not; nor does a number that an example of the skill has
    with the same preposition and unit, or a lone one for which it has the same preposition.
    """
    said = spoken_numbers.numbers(text)
    meant = {
        (number.before, number.unit)
        for example in skill.examples
        for number in spoken_numbers.numbers(example.say)
    }
    if len(said) == 1 and any(said[0].before == before for before, _ in meant):
        return False
    needed = [
        each for each in skill.parameters if each.numeric and each.said and each.default is None
    ]
    # A number too many says when; one that the skill needs may say how much.
    enough = len(said) <= len(needed)
    return any(
        each.before in _WHEN
        and (each.before, each.unit) not in meant
        and _is_time(each)
        and not (enough and _is_amount(each, needed))
        for each in said
    )


def _is_time(number: spoken_numbers.Said) -> bool:
    if number.unit is None:
        return not number.written.startswith(("0.", "-"))
    # "In 3 weeks": what is counted is not known, but "at 3 people" is where.
    return number.unit in _TIMES or (number.unit == "?" and number.before == "in")


def _is_amount(number: spoken_numbers.Said, needed: list[Parameter]) -> bool:
    """Whether a bare number is as much as a skill needs to be told: "by 2", "at 50"."""
    if number.unit is not None or number.before == "in":
        return False
    if number.before == "by":
        return all(si_unit(each.unit) != "s" for each in needed)
    try:
        return float(number.written) > _LAST_HOUR
    except ValueError:
        return False


def imperative(skills: Iterable[Skill], text: str) -> str:
    """Return the bare order of a plain order: "could you please be going home?" is "go home".

    Politeness has done its work by then, and a small model decides better without it.
    """
    order = without_politeness(" ".join(_THINKING.sub("", text).split()))
    skills = tuple(skills)
    found = [
        (match.start(2), verb, match.end(2))
        for skill in skills
        for verb in trigger_words(skill)
        if (match := _begins(skill.called, verb, order))
    ]
    if found:
        # "Go home" is to go, also where "home" is a verb.
        _, verb, end = min(found)
        return verb + order[end:]
    called = tuple(dict.fromkeys(name for skill in skills for name in skill.called))
    return re.sub(_opening(called), "", order, flags=re.IGNORECASE) or text


def as_read(skill: Skill, text: str) -> str:
    """Return a text as the rules read it: counts are numbers, and fillers are nothing."""
    return with_counts(skill, _THINKING.sub("", text))


def without_politeness(text: str) -> str:
    """Return a text without what may stand behind an order: "please", a mark."""
    return _CLOSING.sub("", text)


def _opened(skill: Skill, text: str) -> tuple[str, str]:
    """Return the verb with which a sentence opens as an order, and the sentence from it on.

    Both are empty where it does not.
    """
    found = ((verb, _order(skill, verb, text)) for verb in trigger_words(skill))
    return next((each for each in found if each[1]), ("", ""))


def _order(skill: Skill, verb: str, text: str) -> str:
    """Return the sentence from this verb on if it opens as an order with it; else empty.

    "Mowing the lawn" is what somebody does, and no order but behind "would you mind".
    """
    found = _begins(skill.called, verb, text)
    if found is None or another_verb(skill, verb, text[found.end() :]):
        return ""
    plain = re.fullmatch(verb, found[2], re.IGNORECASE)
    return text[found.start(2) :] if plain or "mind" in found[1].lower() else ""


def _begins(called: tuple[str, ...], verb: str, text: str) -> re.Match[str] | None:
    """Match what stands before a verb, and the verb, of a text that begins with it."""
    if verb.removesuffix("e") not in text.lower():
        return None  # to make its pattern takes long, and a file may have a thousand verbs
    return re.match(rf"({_opening(called)})({verb}|{_doing(verb)})(?!\w)", text, re.IGNORECASE)


@lru_cache
def _opening(called: tuple[str, ...]) -> str:
    """Return a pattern for what may stand before the verb of an order.

    An address, by what the robot is called as well, politeness, "could you", "I want you to".
    """
    names = {name.lower() for name in called if not re.fullmatch(_ADDRESS, name, re.IGNORECASE)}
    return (
        rf"^\W*(?:(?:{'|'.join((_ADDRESS, *sorted(names)))})\W+)*"
        r"(?:(?:(?:can|could|would|will) you(?: mind| possibly)?|would you be so kind as to"
        r"|(?:i|we)(?: would|['\u2019]d)? (?:need|want|like) you to"
        r"|you (?:can|should|must|have to|need to|may)|time to|go ahead and|go and|go)\W+)?"
        r"(?:(?:please|kindly|now|just|quickly)\W+)*"
    )


def _doing(verb: str) -> str:
    """Return a pattern for the -ing form of a verb."""
    return f"{verb[:-1] if verb.endswith('e') else f'{verb}{verb[-1]}?'}ing"
