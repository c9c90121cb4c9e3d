# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Where the free text of an order begins: behind what leads to it in the skill's examples.

Its words are the person's own, all of them and no others, and those before it are the order's:
"deliver the parcel to the lab yesterday" has no text, for a skill that is told "... and say it is
urgent". Only the text of a skill that takes several, or whose examples do not end with it, is left
to the model.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from clara_brain.skills import Parameter, Skill

_WORD = re.compile(r"[^\W\d_]+")
_WORDS_BEFORE = re.compile(r"([^\W\d_]+)\W+(?:(that)\W+)?$")
_MARKS = " \t,.;:!?"
_QUOTES = (('"', '"'), ("'", "'"), ("\u201c", "\u201d"), ("\u2018", "\u2019"))
# "Announce it" and "show the message again" have no text.
_NO_TEXT_WORDS = "again anything here it now please something that them there these this those"
_NO_TEXT = frozenset(_NO_TEXT_WORDS.split())
# "The message from Tom" and "on the screen" may belong to what is in front, "announce what you
# see" has no words of its own, "and then go home" may be an order, and so may what follows a full
# stop, but that of "Dr. Lee".
_MAY_BE_NO_TEXT = re.compile(
    r"^(?:of|from|about|to|for|on|what|who|whose|where|when|why|how|which|whether|if)\b"
    r"|\band then\b|\w{4}[.!?]+\s+\w",
    re.IGNORECASE,
)


def exact_text(skill: Skill) -> Parameter | None:
    """Return the text parameter of a skill whose text is all that stands behind its lead."""
    texts = [each for each in skill.parameters if each.type == "text"]
    if len(texts) != 1 or (texts[0].default is None and not _ends_its_examples(skill, texts[0])):
        return None
    return texts[0]


def _ends_its_examples(skill: Skill, text: Parameter) -> bool:
    shown = [
        each.say.strip(_MARKS).lower().endswith(str(each.use[text.name]).strip(_MARKS).lower())
        for each in skill.examples
        if text.name in each.use
    ]
    return bool(shown) and all(shown)


def text_begins(skill: Skill, order: str) -> int:
    """Return where the free text of an order begins, which has its verb in front.

    Its end where there is none. One that is left to the model is all behind the verb where nothing
    that the examples have leads to it.
    """
    texts = [each for each in skill.parameters if each.type == "text"]
    if not texts:
        return len(order)
    leads = set(text_leads(skill))
    words = list(_WORD.finditer(order))
    said = [match[0].lower() for match in words]
    at = next((at for at, word in enumerate(said) if word in leads), -1)
    if at >= 0:
        # "Announce that", but the text of "announce that that is all" is "that is all".
        while at + 1 < len(said) and said[at + 1] in leads.difference(said[: at + 1]):
            at += 1
        return words[at].end()
    free = exact_text(skill) is None and any(each.default is None for each in texts)
    return words[0].end() if free and words else len(order)


def text_behind(order: str, begin: int) -> str:
    """Return the free text of an order, without marks around it; empty where it says nothing."""
    text = " ".join(order[begin:].split()).strip(_MARKS)
    for opening, closing in _QUOTES:
        inner = text[1:-1]
        if text[:1] == opening and text[1:][-1:] == closing and not {*inner} & {opening, closing}:
            text = inner.strip(_MARKS)
    nothing = _NO_TEXT.issuperset(_WORD.findall(text.lower()))
    return "" if nothing and not any(each.isdigit() for each in text) else text


def may_be_no_text(text: str) -> bool:
    """Whether a part of a free text may have been meant for the robot."""
    return bool(_MAY_BE_NO_TEXT.search(text))


def text_leads(skill: Skill) -> Iterator[str]:
    """Return the words right before a text in the examples, in lower case.

    Before "that" another one is: who says "announce that" says "announce" as well.
    """
    for parameter in (each for each in skill.parameters if each.type == "text"):
        for example in skill.examples:
            value = str(example.use.get(parameter.name, "")).lower()
            at = example.say.lower().find(value) if value else -1
            if at > 0 and (match := _WORDS_BEFORE.search(example.say[:at].lower())):
                yield from filter(None, match.groups())
