# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Read a yes, a no or a stop, without a model.

A yes must be the whole of what was said and nothing but a yes: "yes" as the first word of
something else is no permission. A stop may be said in many ways, and may begin any part of what
was said ("There is a child, stop!"), whatever follows it. A false one ends goals that run and
keeps turns under way from starting more, and they have to be asked for again; one that is missed
may do harm. So what can be meant as a stop, as the end of "drive on, and stop there", is one.
"""

from __future__ import annotations

import re

_LONGEST_YES = 80

_YES = (
    r"yes|yeah|yep|yup|sure(?: thing)?|ok|okay|of course|certainly|absolutely|definitely"
    r"|affirmative|confirm|confirmed|go ahead|go on|go for it|do it|do that|please do"
    r"|by all means|you may|you can|i agree|agreed|sounds good"
    r"|that(?: is|['\u2019]s) (?:right|correct)"
)
_NO = (
    r"no|nope|nah|don['\u2019]?t|do not|never(?: ?mind)?|not now|rather not|better not|stop|wait"
    r"|cancel|forget it|leave it|negative"
)
_POLITE = r"please|clara|robot|thanks|thank you|now|do|you|it|that"
_ANSWER_YES = re.compile(
    rf"\W*(?:(?:{_POLITE})\W+)*(?:{_YES})(?:\W+(?:{_YES}|{_POLITE}))*\W*", re.IGNORECASE
)
_ANSWER_NO = re.compile(rf"\W*(?:(?:{_POLITE})\W+)*(?:{_NO})\b", re.IGNORECASE)

# No two of the words before a stop may read the same text, or a long text takes forever.
_BEFORE_STOP = (
    r"\W*(?:(?:no|oh|hey|ok|okay|clara|robot|please|now|quick|quickly|just|and|but|so|well|wait|ah"
    r"|my god|(?:can|could|will|would) you|you (?:must|should|need to|have to)"
    r"|i (?:need|want) you to|i said)\W+)*"
)
_PARTS_OF_A_ROBOT = r"(?:robot|arm|hand|gripper|head|base|wheel|platform)s?"
_WITH_ANYTHING_BEHIND = (
    r"(?:stop|halt|abort)(?! by\b)|stay where you are|stand still|hold it|emergency stop"
    rf"|freeze(?!\W+(?:the|my|our|some|an?)\b(?!\W+{_PARTS_OF_A_ROBOT}\b))"
    r"|cancel\W+(?:that|it|this|the|your|all|everything|there|because|what)\b"
    r"|cancel\W+my\W+(?:\w+\W+)?(?:order|command|request|goal|task|mission|drive|trip)s?\b"
)
# "Cancel culture is ..." and "cancel my alarm" are none.
_WITH_LITTLE_BEHIND = r"(?:freeze|cancel)(?! by\b)(?!\W+(?:my|our)\b)(?=(?:\W+\w+){0,5}\W*$)"
# "Don't move the cup yet" is none, but "don't move the left arm" is.
_DO_NOT_MOVE = (
    r"(?:don['\u2019]?t|do not) move"
    r"(?!\W+(?:the|my|that|this)\b"
    rf"(?!\W+(?:\w+\W+){{0,2}}(?:way|fast|far|{_PARTS_OF_A_ROBOT})\b))"
)
_STOP = re.compile(
    rf"{_BEFORE_STOP}(?:{_WITH_ANYTHING_BEHIND}|{_WITH_LITTLE_BEHIND}|{_DO_NOT_MOVE})\b",
    re.IGNORECASE,
)
_PART = re.compile(r"[.,;:!?\n\u2013\u2014]+")


def answer(text: str) -> bool | None:
    """Return whether a text is a plain yes or begins with a no; None when it is neither."""
    if _ANSWER_NO.match(text):
        return False
    if len(text) <= _LONGEST_YES and _ANSWER_YES.fullmatch(text):
        return True
    return None


def asks_to_stop(text: str) -> bool:
    """Whether a text orders the robot to stop what it does."""
    return any(_STOP.match(part) for part in _PART.split(text))
