# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""What memory answered, in short English sentences, free of all that could act as markup.

How often and how it went comes first, over all that fits; then some of the episodes. What was not
taken into account is said before both, and where memory does not know, why. What is still under
way comes before all of it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice

from clara_brain.cleaning import clean_detail, cleaned
from clara_brain.participles import participle
from clara_brain.recollection import Age, Fact, Order, Outcome, Recollection, UnderWay

Neutralise = Callable[[str], str]

UNKNOWN = "I don't remember anything about that."
NOTHING_UNDER_WAY = "Nothing that I know of is under way."
_SYMBOL_LENGTH = 64
_REASON_LENGTH = 240
_COUNTED_LENGTH = 800
_ROLES = 2  # beside action and object, that a sentence tells
_MOST_UNDER_WAY = 4  # that are said one by one
_MOST_ASKED = 4  # of what was asked for, that is said again
# "I tried to go to" wants a place.
_WANTS_MORE = frozenset(["to", "at", "on", "in", "into", "onto", "from", "with", "for", "over"])
_HOW_OFTEN = re.compile(r"\b(how (often|many)|number of)\b", re.IGNORECASE)
_THE_LAST = re.compile(
    r"\b(latest|most recent|last (thing|action|attempt|job|one|task|time)|last\W*$)", re.IGNORECASE
)

_ENDINGS = {
    Outcome.UNKNOWN: "and it is not known how that ended",
    Outcome.SUCCEEDED: "and it succeeded",
    Outcome.FAILED: "but it failed",
    Outcome.CANCELED: "but it was canceled",
    Outcome.TIMED_OUT: "but it took too long and was given up",
}
# What memory's reasons are written in; a person gave no filters, and asked no text.
_SIGNS = (
    ("is within the given times and filters", "is of that time and kind"),
    ("not within the given times and filters", "not of that time and kind"),
    ("in the text is known to memory", "in the question is known to me"),
)
_WITHOUT = re.compile(r"has the role '(\w+)'")
_NEAREST = re.compile(r"(?<=\(the nearest is ')[^']*(?='\))|(?<=^no )\w+(?= like ')")
_FILLED = re.compile(
    r"(?:(?<=has )|(?<=with )|(?<=and ))([a-z][\w/]*)=(.*?)(?= and [a-z][\w/]*=|, but |$)"
)
_COUNTED_BY = re.compile(r"\b([a-z][\w/]*)=([^\s,;.]+)")
_ORDERS = {Order.LATEST: "The latest", Order.FIRST: "The first", Order.BEST: "What fits best"}


def opening(text: str, recollection: Recollection, neutralise: Neutralise) -> str:
    """Say what memory has to say of all that fits the question `text`, before single facts.

    Empty where the facts say it all.
    """
    if recollection.counted:
        said = [_count_said(one, neutralise) for one in recollection.counted]
        return " ".join([*said, f"{_ORDERS[recollection.order]}:"] if recollection.told else said)
    said = relative_to(recollection, neutralise)
    if recollection.unread:
        words = [cleaned(one.phrase, _SYMBOL_LENGTH, neutralise) for one in recollection.unread]
        said.append(f"I did not take into account: {', '.join(words)}.")
    if recollection.missing:
        missing = " and ".join(_all_words(recollection.missing, neutralise))
        said.append(f"I do not remember that with {missing}. What comes nearest:")
    else:
        said.append(_how_often(text, recollection, neutralise))
    return " ".join(filter(None, said))


def relative_to(recollection: Recollection, neutralise: Neutralise) -> list[str]:
    """Say what the question was taken relative to, that a wrong reading be heard."""
    relative = cleaned(recollection.relative, _REASON_LENGTH, neutralise)
    return [f"{relative[0].upper()}{relative[1:]}:"] if relative else []


def _count_said(sentence: str, neutralise: Neutralise) -> str:
    """Say what memory counted, with "the action pick up" for action=PICK_UP."""
    said = cleaned(sentence, _COUNTED_LENGTH, neutralise)
    return _COUNTED_BY.sub(lambda found: f"the {_either(found[1])} {_either(found[2])}", said)


def _how_often(text: str, recollection: Recollection, neutralise: Neutralise) -> str:
    told = len(recollection.facts)
    matches = max(recollection.matches, told)
    if not _HOW_OFTEN.search(text) and (matches == told or _THE_LAST.search(text)):
        return ""
    if matches == 1:
        return "Once:"
    often = f"{matches} times"
    if asked := _all_words(islice(recollection.asked, _MOST_ASKED), neutralise):
        often += f" ({', '.join(asked)})"
    ended = recollection.succeeded + recollection.failed
    if ended and "result" not in recollection.recognised:
        often += f", {recollection.succeeded} of {ended} succeeded"
    return f"{often}. {_ORDERS[recollection.order]}:"


def not_known(recollection: Recollection, neutralise: Neutralise) -> str:
    """Say that memory does not know, and why; what may be meant is part of that.

    It is not asked, for a yes to it would go to the model.
    """
    relative = relative_to(recollection, neutralise)
    known = recollection.recognised or recollection.unread or relative
    if not (recollection.reason and known):
        return UNKNOWN  # nothing of the question is known: there is no more to say
    reason = _reason(cleaned(recollection.reason, _REASON_LENGTH, neutralise).rstrip(". "))
    return " ".join([*relative, f"I find no answer to that in my memory: {reason}."])


def _reason(reason: str) -> str:
    """Say in words what memory says in its own signs: result=FAILED, time_of_day, 'GO_TO'."""
    for signs, words in _SIGNS:
        reason = reason.replace(signs, words)
    reason = _WITHOUT.sub(lambda found: f"has any {_words(found[1])}", reason)
    reason = _NEAREST.sub(lambda found: _words(found[0]), reason)
    return _FILLED.sub(lambda found: f"the {_either(found[1])} {_either(found[2])}", reason)


def _either(symbol: str) -> str:
    return _words(symbol).replace("/", " or ")


def fact_sentence(fact: Fact, neutralise: Neutralise) -> str:
    """Say an episode in one short English sentence, free of all that could act as markup."""
    who = cleaned(fact.subject, _SYMBOL_LENGTH, neutralise) or "I"
    what = _deed(fact.action, fact.object, fact.context, neutralise)
    sentence = f"{age_words(fact.age)} {who} tried to {what}, {_ENDINGS[fact.outcome]}"
    if detail := clean_detail(fact.detail, neutralise):
        sentence += f": {detail}"
    return sentence[0].upper() + sentence[1:] + "."


def under_way_sentences(under_way: Sequence[UnderWay], neutralise: Neutralise) -> list[str]:
    """Say what is under way, each in one sentence, and that memory does not know more of it."""
    said = [_under_way_sentence(one, neutralise) for one in under_way[:_MOST_UNDER_WAY]]
    if more := len(under_way) - len(said):
        said.append(f"{more} more {'are' if more > 1 else 'is'} under way.")
    return [*said, "No result has come yet."] if said else []


def _under_way_sentence(one: UnderWay, neutralise: Neutralise) -> str:
    who = cleaned(one.subject, _SYMBOL_LENGTH, neutralise)
    who = f"{who[:1].upper()}{who[1:]} has" if who else "I have"
    verb, _, rest = _deed(one.action, one.object, one.context, neutralise).partition(" ")
    doing = " ".join(filter(None, [participle(verb), rest]))
    if one.since.is_ahead:
        return f"{who} begun {doing}."
    return f"{who} been {doing} for {_span(one.since)}."


def _deed(action: str, thing: str, context: Mapping[str, str], neutralise: Neutralise) -> str:
    """Return what is or was done, to what and how, as it stands behind a "to"."""
    what, name = _all_words([action, thing], neutralise)
    if name:
        what = f"{what} the {name}"
    more = [_all_words(pair, neutralise) for pair in islice(context.items(), _ROLES)]
    if more and not name and what.rpartition(" ")[2] in _WANTS_MORE:
        where = more.pop(0)[1]
        what = f"{what} the {where}" if where[:1].isalpha() else f"{what} {where}"
    if more:
        what += f" ({', '.join(f'{role}: {filler}' for role, filler in more)})"
    return what


def age_words(age: Age) -> str:
    """Say how long ago something was, as "5 minutes ago"."""
    if age.is_ahead:
        return "at a time that is still to come, as its stamp says,"
    if age.seconds < 10:
        return "just now"
    if age.days == 1 and age.seconds >= _DAY_S:
        return "yesterday"
    return f"{_span(age)} ago"


def _span(age: Age) -> str:
    scale = ((60, "second", 1), (3570, "minute", 60), (_DAY_S, "hour", 3600))
    for limit, unit, size in scale:
        if age.seconds < limit:
            return _count(max(1, round(age.seconds / size)), unit)
    return _count(max(1, age.days), "day")


_DAY_S = 84_600  # from when on hours are no longer said


def _count(count: int, unit: str) -> str:
    return f"{count} {unit}{'s' if count != 1 else ''}"


def _all_words(symbols: Iterable[str], neutralise: Neutralise) -> list[str]:
    return [_words(cleaned(symbol, _SYMBOL_LENGTH, neutralise)) for symbol in symbols]


def _words(symbol: str) -> str:
    return symbol.replace("_", " ").strip().lower()
