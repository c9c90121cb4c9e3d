# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Read a yes, a no or a stop, without a model.

A yes must be the whole of what was said and nothing but a yes: "yes" as the first word of
something else is no permission, nor is a question ("OK?"). A stop may be said in many ways, and
may begin any part of what was said ("There is a child, stop!"), whatever follows it, or end one:
what recognises speech often hears no commas. A false one ends goals that run and keeps turns under
way from starting more, and they have to be asked for again; one that is missed may do harm. So
what can be meant as a stop, as the end of "drive on, and stop there", is one. Words that a skill
may be told by as well, as "pause", are for the skill where there is one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from clara_brain.skill_decision import possible
from clara_brain.skills import Skill

_LONGEST_YES = 80

_YES = (
    r"yes|yeah|yep|yup|sure(?: thing)?|ok|okay|of course|certainly|absolutely|definitely"
    r"|affirmative|confirm|confirmed|go ahead|go on|go for it|do it|do that|please do"
    r"|by all means|you may|you can|i agree|agreed|sounds good|proceed|correct|fine|al(?:l )?right"
    r"|roger(?: that)?|why not|that(?: is|['\u2019]s) (?:right(?! now)|correct|fine)"
)
_NO = (
    r"no|nope|nah|don['\u2019]?t|do not|never(?: ?mind)?|not now|rather not|better not|stop|wait"
    r"|cancel|forget it|leave it|negative"
)
_POLITE = r"please|clara|robot|thanks|thank you|now|do|you|it|that"
# "Okay, thanks" may as well be the end of it.
_ENOUGH = r"(?!\W*(?:ok|okay|fine|al(?:l )?right)\W+(?:thanks|thank you)\b)"
_ANSWER_YES = re.compile(
    rf"{_ENOUGH}\W*(?:(?:{_POLITE})\W+)*(?:{_YES})(?:\W+(?:{_YES}|{_POLITE}))*\W*", re.IGNORECASE
)
_YES_AND_MORE = re.compile(rf"\W*(?:{_YES})\b(?:\W+(?:please|and|do|clara|robot))*", re.IGNORECASE)
_ANSWER_NO = re.compile(rf"\W*(?:(?:{_POLITE})\W+)*(?:{_NO})\b", re.IGNORECASE)

# No two of the words before a stop may read the same text, or a long text takes forever.
_BEFORE_STOP = (
    r"\W*(?:(?:no|oh|everybody|everyone|hey|ok|okay|clara|robot|please|now|quick|quickly|just|and"
    r"|but|so|well|wait|ah"
    r"|my god|(?:can|could|will|would) you|you (?:must|should|need to|have to)"
    r"|(?:i|we)(?: need| want| told| would like|['\u2019]d like) (?:you )?to|i said"
    r"|you(?:['\u2019]ve| have) got to|whoa)\W+)*"
)
_PARTS_OF_A_ROBOT = r"(?:robot|arm|hand|gripper|head|base|wheel|platform)s?"
# "Stopp" and "stoooop"; to stoop is something else.
_STOP_WORD = r"sto(?:o{2,})?p+"
_WITH_ANYTHING_BEHIND = (
    rf"(?:{_STOP_WORD}|halt|abort)(?! by\b)|stay where you are|stand still|hold it"
    r"|e(?:mergency)?[ -]?stop"
    rf"|freeze(?!\W+(?:the|my|our|some|an?)\b(?!\W+{_PARTS_OF_A_ROBOT}\b))"
    r"|cancel\W+(?:that|it|this|the|your|all|everything|there|because|what)\b"
    r"|cancel\W+my\W+(?:\w+\W+)?(?:order|command|request|goal|task|mission|drive|trip)s?\b"
)
# "Cancel culture is ..." and "cancel my alarm" are none.
_WITH_LITTLE_BEHIND = (
    r"(?:freeze|cancel)(?! by\b)(?!\W+(?:my|our|the|some|an?)\b)(?=(?:\W+\w+){0,5}\W*$)"
)
# A whole part, and nothing else: "wait for me" is no stop.
_NOTHING_BEHIND = (
    r"(?=(?:\W+(?:clara|robot|please|now|right|there|thanks|already|everybody|everyone"
    r"|(?:for )?(?:a|one) (?:moment|second|sec|minute|bit)))*\W*$)"
)
_ALONE = rf"(?:wait|hold on|whoa|hang on|full stop){_NOTHING_BEHIND}"
# "You can stop following me", but not "we stop at nothing".
_MAY_STOP = (
    r"(?:you|you (?:can|may)|(?:it(?:['\u2019]s| is) )?time to|(?:can|could|should|shall) we"
    rf"|let['\u2019]?s) {_STOP_WORD}"
    r"(?=\W+\w+ing\b|(?:\W+(?:it|that|this|here|now|please|there|clara|robot))*\W*$)"
)
# What the robot may have a skill for.
_MILD_STOP = re.compile(
    rf"{_BEFORE_STOP}(?:(?:that(?: is|['\u2019]?s) )?(?:(?:quite|far|close|near) )?enough"
    r"|that(?: will|['\u2019]ll) do|hold (?:up|still|(?:(?:your|that|the) )?position)"
    r"|stay(?: (?:put|back|here|away|still|in place))?|(?:cut (?:it|that) out)"
    r"|knock (?:it|that) off|quit(?: (?:it|that|moving|driving|turning|going))?|cease|pause"
    r"|emergency|(?:hit the )?brakes?"
    r"|shut (?:(?:it|that|yourself) )?down|stand down|back off|call (?:it|that) off"
    r"|(?:power|switch) (?:yourself )?off|terminate"
    r"|(?:don['\u2019]?t|do not) (?:do (?:it|that|this)"
    r"|go(?: (?:there|in|in there|away|anywhere))?"
    rf"|continue|keep (?:going|moving|driving|turning))){_NOTHING_BEHIND}",
    re.IGNORECASE,
)
# "Don't move the cup yet" is none, but "don't move the left arm" is.
_DO_NOT_MOVE = (
    r"(?:don['\u2019]?t|do not) move"
    r"(?!\W+(?:the|my|that|this)\b"
    rf"(?!\W+(?:\w+\W+){{0,2}}(?:way|fast|far|{_PARTS_OF_A_ROBOT})\b))"
)
_DO_NOT_GO_ON = (
    r"(?:don['\u2019]?t|do not) (?:go|drive|move|turn|come|get)"
    r" (?:on|any (?:further|farther|closer|nearer|faster)|further|farther|closer|nearer)"
)
_STOP = re.compile(
    rf"{_BEFORE_STOP}(?:{_WITH_ANYTHING_BEHIND}|{_WITH_LITTLE_BEHIND}|{_ALONE}|{_MAY_STOP}"
    rf"|{_DO_NOT_MOVE}|{_DO_NOT_GO_ON})\b",
    re.IGNORECASE,
)
# "There is a child stop": at the end of a part. Not the thing ("the bus stop"), nor a question.
_QUESTION = re.compile(
    r"\W*(?:why|when|where|how|did|does|do you|will|what made)\b",
    re.IGNORECASE,
)
_BEHIND_STOP = frozenset(
    [
        *("it", "now", "there", "here", "please", "clara", "robot", "right", "immediately", "at"),
        *("once", "moving", "driving", "turning", "going", "everything", "the", "arm"),
    ]
)
_BEFORE_NO_STOP_WORDS = """
a bus cannot door dont ever first full i last my never next not pit say taxi that the they this to
train tram truck we you
"""
_BEFORE_NO_STOP = frozenset(_BEFORE_NO_STOP_WORDS.split())
_WORD = re.compile(r"[^\W_]+(?:['\u2019-][^\W_]+)*")
_END = 64  # characters that the end of a part has at most, with what stands before it
_ENDS_WITH_STOP = re.compile(rf"{_STOP_WORD}|halt")
_NO_NO = re.compile(r"\W*no(?:\W+no){2,}\W*", re.IGNORECASE)
_PART = re.compile(r"[.,;:!?\n\u2013\u2014]+")


def answer(text: str) -> bool | None:
    """Return whether a text is a plain yes or begins with a no; None when it is neither.

    A stop is a no as well.
    """
    if _ANSWER_NO.match(text) or asks_to_stop(text):
        return False
    if len(text) <= _LONGEST_YES and "?" not in text and _ANSWER_YES.fullmatch(text):
        return True
    return None


def after_a_yes(text: str) -> str:
    """Return what follows a yes, as the "do X" of "yes, do X"; empty where there is none."""
    match = _YES_AND_MORE.match(text)
    return text[match.end() :].strip(" ,.;!") if match and "?" not in text else ""


def asks_to_stop(text: str, skills: Sequence[Skill] = ()) -> bool:
    """Whether a text orders the robot to stop what it does.

    "Pause" does not where one of the skills is told so.
    """
    parts = _PART.split(text)
    if _NO_NO.fullmatch(text) or any(_STOP.match(part) or _ends_with_stop(part) for part in parts):
        return True
    return any(_MILD_STOP.match(part) for part in parts) and not possible(skills, text)


def _ends_with_stop(part: str) -> bool:
    if _QUESTION.match(part):
        return False
    words = [word.lower().replace("\u2019", "'") for word in _WORD.findall(part[-_END:])]
    while words and words[-1] in _BEHIND_STOP:
        words.pop()
    if not words or not _ENDS_WITH_STOP.fullmatch(words.pop()):
        return False
    before = words[-1] if words else ""
    return before not in _BEFORE_NO_STOP and not before.endswith("n't")
