# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Ground a turn in what the robot remembers: when to ask, and how the answer enters the prompt.

What memory says is data. It comes into the prompt as short sentences inside a fence, cleaned of
everything that could close the fence, open a turn or start a new line, and it is never shown to
the skill decision. The reply can be the facts themselves, word for word.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from itertools import islice

from clara_brain.prompt import Exchange

CUE_LENGTH = 1024
_SYMBOL_LENGTH = 64
_DETAIL_LENGTH = 160
_ROLES = 2  # beside action and object, that a sentence tells
# "I tried to go to" wants a place.
_WANTS_MORE = frozenset(["to", "at", "on", "in", "into", "onto", "from", "with", "for", "over"])

# Questions about what happened to the robot. A false alarm costs one query of memory, and a reply
# that it does not remember; questions about the world (who was Einstein?) must therefore not
# match, nor those about what somebody knows or has heard of.
_OF_DEEDS = r"(?! know\b| ever heard?\b| heard? (of|about|that)\b)"
_ABOUT_THE_PAST = re.compile(
    r"\b(what(['\u2019]s| has| have)? happen(ed|s|ing)?|what (did|have|had|were) you"
    r"|(do|can|did|don['\u2019]t) you (still )?(remember|recall|know what happened)"
    rf"|(did|have) (you|we){_OF_DEEDS}|did (it|that|the robot)"
    r"|has (it|anything|something|the robot)|were you"
    r"|how (did|was|were) (it|that|you|your|the)|how (many times|often) (did|have) you"
    r"|(when|where|why) did(n['\u2019]t)? (you|it|that|we|the robot)"
    r"|where (is|are|was|were) (the|my|our)"
    r"|who (took|put|moved|picked|dropped)|(went|gone?|going) wrong)\b",
    re.IGNORECASE,
)
# A time makes a question one about the past, but no statement ("I slept badly lately") a question.
_QUESTION_OF_A_TIME = re.compile(
    r"(^|[.,;:!?\n])\s*((and|so|but|well|please|clara|hey) )*"
    r"(what|which|who|where|when|why|how|was|were|did|has|have|had|any\w*|tell)\b[^.,;:!?\n]*"
    r"\b((the )?last time|yesterday|earlier today|just now|so far|lately|recently)\b",
    re.IGNORECASE,
)
# What has a name may be of the world: where is the Eiffel Tower, how did the Romans build roads.
_OF_A_NAME = re.compile(
    r"((?i:where (is|are|was|were)|how (did|was|were)) the ([a-z]+ of (the )?)?)[A-Z]"
)


class MemoryPolicy(Enum):
    """Whether a turn asks memory."""

    NEVER = "never"
    AUTO = "auto"
    ALWAYS = "always"


class Outcome(Enum):
    """How an episode ended; the values are those of Episode.msg."""

    UNKNOWN = 0
    SUCCEEDED = 1
    FAILED = 2
    CANCELED = 3
    TIMED_OUT = 4


_ENDINGS = {
    Outcome.UNKNOWN: "and it is not known how that ended",
    Outcome.SUCCEEDED: "and it succeeded",
    Outcome.FAILED: "but it failed",
    Outcome.CANCELED: "but it was canceled",
    Outcome.TIMED_OUT: "but it took too long and was given up",
}


@dataclass(frozen=True)
class Fact:
    """One remembered episode. `age` is in seconds; an empty `subject` is the robot itself.

    `context` has its other roles, with what fills them as text.
    """

    episode_id: str
    action: str
    object: str
    outcome: Outcome
    age: float
    subject: str = ""
    detail: str = ""
    context: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Recollection:
    """What memory answered; best fact first. `abstained`: it does not know.

    `missing` is what was asked about and not all facts have: they are only the nearest.
    """

    facts: tuple[Fact, ...] = ()
    abstained: bool = False
    missing: tuple[str, ...] = ()


def asks_memory(policy: MemoryPolicy, text: str) -> bool:
    """Whether this turn should ask memory."""
    if policy is MemoryPolicy.AUTO:
        return bool(_ABOUT_THE_PAST.search(text) or _QUESTION_OF_A_TIME.search(text))
    return policy is MemoryPolicy.ALWAYS


def only_memory_knows(policy: MemoryPolicy, text: str) -> bool:
    """Whether nothing else may answer a turn that asks memory, also where memory cannot."""
    if policy is not MemoryPolicy.AUTO:
        return True
    rest = _OF_A_NAME.sub("", text)
    return rest == text or asks_memory(policy, rest)


def cue(text: str) -> str:
    """Return the free text that memory is asked with."""
    return _plain(text, CUE_LENGTH)


@dataclass(frozen=True)
class Grounded:
    """A turn's text behind what memory knows, examples of such turns, and the reply to quote.

    `quoted` is empty where the model is to word the reply.
    """

    text: str
    shown: tuple[Exchange, ...]
    quoted: str


def ground(
    text: str, recollection: Recollection | None, neutralise: Callable[[str], str], quote: bool
) -> Grounded:
    """Set what memory knows before the user's text; None is a memory that did not answer.

    That is said as it is, for a model would make up what happened. `neutralise` removes the
    model's control tokens from a text. With `quote` the reply is the facts word for word, or that
    nothing is remembered: a small model gets outcomes wrong in every third answer, and goes on to
    tell what never happened.
    """
    if recollection is None:
        return Grounded(_fenced(text, [], _UNREACHABLE), (), _UNREACHABLE)
    if recollection.abstained or not recollection.facts:
        return Grounded(_fenced(text, []), _SHOWN_UNKNOWN, _UNKNOWN if quote else "")
    sentences = [fact_sentence(fact, neutralise) for fact in recollection.facts]
    nearest = ""
    if recollection.missing:
        clean = _Cleaner(neutralise)
        missing = " and ".join(
            _words(clean(each, _SYMBOL_LENGTH)) for each in recollection.missing
        )
        nearest = f"I do not remember that with {missing}. What comes nearest:"
    quoted = " ".join(filter(None, [nearest, *sentences]))
    return Grounded(_fenced(text, sentences, nearest), _SHOWN_FACTS, quoted if quote else "")


def fact_sentence(fact: Fact, neutralise: Callable[[str], str]) -> str:
    """Say an episode in one short English sentence, free of all that could act as markup."""
    clean = _Cleaner(neutralise)
    who = clean(fact.subject, _SYMBOL_LENGTH) or "I"
    what = _words(clean(fact.action, _SYMBOL_LENGTH))
    if name := _words(clean(fact.object, _SYMBOL_LENGTH)):
        what = f"{what} the {name}"
    more = [
        (_words(clean(role, _SYMBOL_LENGTH)), _words(clean(filler, _SYMBOL_LENGTH)))
        for role, filler in islice(fact.context.items(), _ROLES)
    ]
    if more and not name and what.rpartition(" ")[2] in _WANTS_MORE:
        what = f"{what} the {more.pop(0)[1]}"
    if more:
        what += f" ({', '.join(f'{role}: {filler}' for role, filler in more)})"
    sentence = f"{age_words(fact.age)} {who} tried to {what}, {_ENDINGS[fact.outcome]}"
    if detail := clean_detail(fact.detail, neutralise):
        sentence += f": {detail}"
    return sentence[0].upper() + sentence[1:] + "."


def clean_detail(detail: str, neutralise: Callable[[str], str]) -> str:
    """Return what is said of how an episode ended, free of all that could act as markup."""
    return _Cleaner(neutralise)(detail, _DETAIL_LENGTH).rstrip(". ")


def cleaned(text: str, length: int, neutralise: Callable[[str], str]) -> str:
    """Return a text as one line of data, `length` characters at most, free of all markup."""
    return _Cleaner(neutralise)(text, length)


def _fenced(text: str, sentences: list[str], nearest: str = "") -> str:
    lines = [f"[{number}] {sentence}" for number, sentence in enumerate(sentences, start=1)]
    lines = ([nearest] if nearest else []) + (lines or ["[nothing]"])
    return "\n".join(["<memory>", *lines, "</memory>", text])


_UNKNOWN = "I don't remember anything about that."
_UNREACHABLE = "I cannot reach my memory right now, so I cannot tell."
_SHOWN_FACTS = (
    Exchange(
        _fenced(
            "did you wash the plate?",
            ["10 minutes ago I tried to wash the plate, and it succeeded."],
        ),
        "Yes, I washed the plate 10 minutes ago, and it succeeded.",
    ),
    Exchange(
        _fenced(
            "what happened with the drawer?",
            ["3 minutes ago I tried to open the drawer, but it failed: the drawer was locked."],
        ),
        "I tried to open the drawer 3 minutes ago, but it failed: the drawer was locked.",
    ),
)
_SHOWN_UNKNOWN = (
    Exchange(
        _fenced("what happened with the lamp?", []), "I don't remember anything about the lamp."
    ),
    Exchange(
        _fenced("did you find my glasses?", []), "I don't remember anything about your glasses."
    ),
)


def age_words(seconds: float) -> str:
    """Say how long ago something was, as "5 minutes ago"."""
    if seconds < 10:
        return "just now"
    scale = ((60, "second", 1), (3570, "minute", 60), (84600, "hour", 3600))
    unit, size = next(((u, s) for limit, u, s in scale if seconds < limit), ("day", 86400))
    count = max(1, round(seconds / size))
    return f"{count} {unit}{'s' if count != 1 else ''} ago"


def _words(symbol: str) -> str:
    return symbol.replace("_", " ").strip().lower()


def _plain(text: str, length: int) -> str:
    """One line without control characters, at most `length` characters."""
    spaced = "".join(
        " " if unicodedata.category(c) in ("Cc", "Cf", "Zl", "Zp", "Cs") else c for c in text
    )
    return " ".join(spaced.split())[:length]


class _Cleaner:
    def __init__(self, neutralise: Callable[[str], str]) -> None:
        self._neutralise = neutralise

    def __call__(self, text: str, length: int) -> str:
        # Brackets make fences and control tokens; facts need none of them. Lookalikes keep the
        # text readable.
        plain = self._neutralise(_plain(text, length))
        return " ".join(plain.translate(_BRACKETS).split())


_BRACKETS = str.maketrans(
    {"<": "(", ">": ")", "[": "(", "]": ")", "{": "(", "}": ")", "|": "/", "`": "'"}
)
