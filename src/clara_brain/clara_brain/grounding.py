# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Ground a turn in what the robot remembers: how memory's answer enters the prompt, or is said.

What memory says is data. It comes into the prompt as short sentences inside a fence, cleaned of
everything that could close the fence, open a turn or start a new line, and it is never shown to
the skill decision. The reply can be the facts themselves, word for word.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from clara_brain.cleaning import plain
from clara_brain.memory_in_words import (
    NOTHING_UNDER_WAY,
    UNKNOWN,
    fact_sentence,
    not_known,
    opening,
    under_way_sentences,
)
from clara_brain.prompt import Exchange
from clara_brain.recollection import Recollection

CUE_LENGTH = 1024


def cue(text: str) -> str:
    """Return the free text that memory is asked with."""
    return plain(text, CUE_LENGTH)


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
    going = under_way_sentences(recollection.under_way, neutralise)
    if not recollection.counted and (recollection.abstained or not recollection.told):
        if going:
            return _told(text, going, quote)
        unknown = not_known(recollection, neutralise)
        why = "" if unknown == UNKNOWN else unknown
        return Grounded(_fenced(text, [], why), _SHOWN_UNKNOWN, unknown if quote else "")
    sentences = [fact_sentence(fact, neutralise) for fact in recollection.told]
    first = " ".join(filter(None, [*going, opening(text, recollection, neutralise)]))
    return _told(text, sentences, quote, first)


def ground_now(
    text: str, recollection: Recollection | None, neutralise: Callable[[str], str], quote: bool
) -> Grounded:
    """Set what is under way before a text that asks for that alone; else as `ground`."""
    if recollection is None:
        return ground(text, None, neutralise, quote)
    going = under_way_sentences(recollection.under_way, neutralise)
    return _told(text, going, quote, "" if going else NOTHING_UNDER_WAY)


def _told(text: str, sentences: list[str], quote: bool, first: str = "") -> Grounded:
    quoted = " ".join(filter(None, [first, *sentences]))
    return Grounded(_fenced(text, sentences, first), _SHOWN_FACTS, quoted if quote else "")


def _fenced(text: str, sentences: list[str], first: str = "") -> str:
    lines = [f"[{number}] {sentence}" for number, sentence in enumerate(sentences, start=1)]
    lines = ([first] if first else []) + (lines or ["[nothing]"])
    return "\n".join(["<memory>", *lines, "</memory>", text])


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
