# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Read a yes, a no or a stop, without a model.

A yes must be the whole of what was said and nothing but a yes: "yes" as the first word of
something else is no permission. A stop may be said in many ways; a false one does no harm.
"""

from __future__ import annotations

import re

_LONGEST = 80

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

_STOP = re.compile(
    r"\W*(?:(?:no|oh|hey|ok|okay|clara|robot|please|now|quick|quickly|can you|could you|you must"
    r"|i said)\W+)*(?:(?:stop|halt|freeze|abort|cancel)(?! by\b)|stay where you are|hold it"
    r"|emergency stop)\b(?:\W+\w+){0,5}\W*",
    re.IGNORECASE,
)


def answer(text: str) -> bool | None:
    """Return whether a text is a plain yes or begins with a no; None when it is neither."""
    if _ANSWER_NO.match(text):
        return False
    if len(text) <= _LONGEST and _ANSWER_YES.fullmatch(text):
        return True
    return None


def asks_to_stop(text: str) -> bool:
    """Whether a text orders the robot to stop what it does."""
    return len(text) <= _LONGEST and bool(_STOP.fullmatch(text))
