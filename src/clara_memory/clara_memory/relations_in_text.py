# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""What a question asks beside another deed: "what did you do after you opened the gate?".

The text alone is looked at, and taken apart into the question and the deeds that it is relative
to; whether memory knows them is seen later (clara_memory.relative). A time is no deed: "after
3 pm" and "since Monday" stay in the question (clara_memory.past).
"""

import re
from typing import NamedTuple

from clara_memory.past import when_in

AFTER, BEFORE = "after", "before"
_HOW = {"after": AFTER, "since": AFTER, "before": BEFORE, "until": BEFORE, "till": BEFORE}
_NEAR = r"(?:(?P<near>right|directly|immediately|straight|just) )?"
_RELATION = re.compile(rf"{_NEAR}\b(?P<how>{'|'.join(_HOW)}|between)\b (?P<deed>.+)")
# "Since when do you" is no relation.
_BEGIN = re.compile(
    r"\b(?:after|since(?! when (?:do|did|have|has|had|is|are|was|were)\b)|before|until|till"
    r"|between) "
)
_LENGTH = re.compile(r"\bhow (?:long|many (?:seconds|minutes|hours|days|weeks|months|years))\b")
_LEADS = re.compile(r"(?:(?:and|so|but|well|ok|okay|please|then)\b,? )*$")
# Where a question begins that stands behind its deed without a comma.
_BEGINS = re.compile(
    r" (?=(?:what|which|who|whom|where|when|why|how)\b|(?:did|have|had|has) (?:you|it|he|she)\b)"
)
_ASKS = re.compile(
    r"(?:what|which|who|whom|where|when|why|how|did|do|have|has|had|were|was|tell|show|list|can"
    r"|could)\b"
)
# "the first time you", "your last", "when you last".
_WHICH = re.compile(r"\b(?:the )?(first|last|latest|most recent(?:ly)?)\b(?: time)?(?: that)?")
_LAST_DAY = re.compile(r"\b(?:last|latest) (?:\d|week|month|year|night|\w+day\b)")
_WHEN = re.compile(r"^(?:when|the moment(?: that)?|the time(?: that)?|having)\b")


class Deed(NamedTuple):
    """The words for a deed without what says which of several is meant; `said` are all of them."""

    said: str
    words: str
    which: str = ""  # "first", "last", or not said
    that: bool = False  # what was spoken of before


class Related(NamedTuple):
    """A question, and what it is relative to: after one deed, before one, or between the two.

    `near`: what was right after, or right before. `since`: the relation lasts until now. `leads`:
    the deed was said before the question.
    """

    question: str
    after: Deed | None = None
    before: Deed | None = None
    near: bool = False
    since: bool = False
    leads: bool = False


_THAT = frozenset(["that", "this", "it", "then", "them", "these", "those"])


def related_in(text: str, now_ns: int) -> Related | None:
    """Return what a question is relative to; None where it names no other deed."""
    asked = " ".join(text.casefold().replace("\u2019", "'").split()).rstrip(" ?!.")
    asked = re.sub(r"\bafterwards?\b", "after that", asked)
    for found in _BEGIN.finditer(asked):
        relation = _RELATION.search(asked, _with_near(asked, found.start()))
        if relation is not None and not _is_time(asked, found.start(), now_ns):
            if relation["how"] == "since" and _LENGTH.search(asked[: found.start()]):
                return None  # "how long has it been since you charged?" asks for the last time
            return _related(asked[: relation.start()], relation, now_ns)
    return None


def _with_near(asked: str, begin: int) -> int:
    """Return where the word before a place begins, where it belongs to what stands there."""
    near = re.search(r"\b(?:right|directly|immediately|straight|just) $", asked[:begin])
    return near.start() if near else begin


def _is_time(asked: str, begin: int, now_ns: int) -> bool:
    """Whether what begins here is a time: "after 3 pm", "between 10:00 and 11:00"."""
    tail = asked[begin:]
    return not when_in(tail, now_ns).rest.startswith(tail.split()[0])


def _related(before: str, relation: re.Match[str], now_ns: int) -> Related | None:
    deed, question = relation["deed"], before
    leads = bool(_LEADS.fullmatch(before)) or before.endswith(", ")
    if leads:
        deed, rest = _apart(deed)
        question = f"{before}{rest}"
    else:
        deed, _, rest = deed.partition(",")
        question = f"{before}, {rest}" if rest else before
    near, since = bool(relation["near"]), relation["how"] == "since"
    question = question.strip(" ,")
    if relation["how"] == "between":
        first, _, second = deed.partition(" and ")
        return Related(question, _deed(first), _deed(second), near, leads=leads)
    how = _HOW[relation["how"]]
    further = re.search(r" (?:and|but) (after|before) ", deed)
    if further and _HOW[further[1]] != how and not _is_time(deed, further.start(1), now_ns):
        one, other = _deed(deed[: further.start()]), _deed(deed[further.end() :])
        pair = (one, other) if how == AFTER else (other, one)
        return Related(question, *pair, near, leads=leads)
    if how == AFTER:
        return Related(question, _deed(deed), None, near, since, leads)
    return Related(question, None, _deed(deed), near, leads=leads)


def _apart(deed: str) -> tuple[str, str]:
    """Return the deed that a sentence begins with, and the question behind it."""
    for comma in re.finditer(",", deed):
        rest = deed[comma.end() :].strip()
        if _ASKS.match(rest):
            return deed[: comma.start()], rest
    if (begins := _BEGINS.search(deed)) is not None:
        return deed[: begins.start()], deed[begins.end() :]
    return deed, ""


def _deed(said: str) -> Deed:
    said = said.strip(" ,")
    if said in _THAT:
        return Deed(said, said, that=True)
    whole = _WHEN.sub(" ", said).strip()
    which = _WHICH.findall(whole)
    if len(which) != 1 or _LAST_DAY.search(said):
        return Deed(said, whole)
    words = _WHEN.sub(" ", " ".join(_WHICH.sub(" ", whole).split())).strip()
    return Deed(said, words, "first" if which[0] == "first" else "last")
