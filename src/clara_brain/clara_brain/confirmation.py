# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Read a yes, a no or a stop, without a model.

A yes must be the whole of what was said and nothing but a yes: "yes" as the first word of
something else is no permission, nor is a question ("OK?"). A stop may be said in many ways, and
the word itself may stand anywhere in what was said: what recognises speech often hears no commas
("watch out stop the drone there is a child"). A false one ends goals that run and keeps turns
under way from starting more, and they have to be asked for again; one that is missed may do harm.
So what can be meant as a stop, as in "drive on, and stop at the door", is one. Words that a skill
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
    r"|by all means|you (?:may|can|should)|that would be (?:fine|good|great|nice)"
    r"|i agree|agreed|sounds good|proceed|correct|fine|al(?:l )?right"
    r"|roger(?: that)?|why not|that(?: is|['\u2019]s) (?:right(?! now)|correct|fine)"
)
_NO = (
    r"no|nope|nah|don['\u2019]?t|do not|never(?: ?mind)?|not now|rather not|better not|stop|wait"
    r"|cancel|forget it|leave it|negative"
)
_POLITE = r"mhm|uh|um|please|clara|robot|thanks|thank you|now|do|you|it|that"
# "Okay, thanks" may as well be the end of it.
_ENOUGH = r"(?!\W*(?:ok|okay|fine|al(?:l )?right)\W+(?:thanks|thank you)\b)"
_ANSWER_YES = re.compile(
    rf"{_ENOUGH}\W*(?:(?:{_POLITE})\W+)*(?:{_YES})(?:\W+(?:{_YES}|{_POLITE}))*\W*", re.IGNORECASE
)
_YES_AND_MORE = re.compile(rf"\W*(?:{_YES})\b(?:\W+(?:please|and|do|clara|robot))*", re.IGNORECASE)
_NO_AND_MORE = re.compile(
    r"\W*(?:no|nope|nah|negative|never ?mind)\b"
    r"(?:\W+(?:no|please|and|clara|robot|wait|sorry|rather|actually|better)\b)*",
    re.IGNORECASE,
)
_ANSWER_NO = re.compile(rf"\W*(?:(?:{_POLITE})\W+)*(?:{_NO})\b", re.IGNORECASE)

# No two of the words before a stop may read the same text, or a long text takes forever.
_BEFORE_STOP = (
    r"\W*(?:(?:no|oh|everybody|everyone|hey|ok|okay|clara|robot|please|now|quick|quickly|just|and"
    r"|but|so|well|wait|ah|uh|um|er|yo|careful|(?:watch|look) out|guys|dude"
    r"|my god|(?:can|could|will|would) you|you (?:must|should|need to|have to)"
    r"|(?:i|we)(?: need| want| told| would like|['\u2019]d like) (?:you )?to|i sa(?:id|y)"
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
_WITH_LITTLE_BEHIND = r"cancel(?! by\b)(?!\W+(?:my|our|the|some|an?)\b)(?=(?:\W+\w+){0,5}\W*$)"
# A whole part, and nothing else: "wait for me" is no stop.
_NOTHING_BEHIND = (
    r"(?=(?:\W+(?:clara|robot|please|now|right|there|thanks|already|everybody|everyone"
    r"|boy|girl|buddy|for (?:now|today)"
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
    rf"{_BEFORE_STOP}(?:(?:that(?: is|['\u2019]?s) )?(?:(?:quite|far|close|near) )?enough(?: \w+)?"
    r"|no more(?: \w+)?"
    r"|that(?: will|['\u2019]ll) do|hold(?: (?:up|still|(?:(?:your|that|the) )?position))?"
    r"|stay(?: (?:put|back|here|away|still|in place))?|(?:cut (?:it|that) out)"
    r"|knock (?:it|that) off|quit(?: (?:it|that|\w+ing(?: around)?))?|cease|pause"
    r"|emergency|(?:hit the )?brakes?"
    r"|shut (?:(?:it|that|yourself) )?down|stand down|back off|call (?:it|that) off"
    r"|(?:power|switch|turn|shut) (?:(?:it|that|yourself) )?off|kill (?:it|that)|terminate"
    r"|(?:don['\u2019]?t|do not) (?:do (?:it|that|this)"
    r"|go(?: (?:there|in|in there|away|anywhere))?"
    rf"|continue|keep (?:going|moving|driving|turning))){_NOTHING_BEHIND}",
    re.IGNORECASE,
)
# "Don't move the cup yet" is none, but "don't move the left arm" and "don't move the forks" are.
_DO_NOT_MOVE = (
    r"(?:don['\u2019]?t|do not) move"
    r"(?!\W+(?:the|my|that|this)\b"
    rf"(?!\W+\w+{_NOTHING_BEHIND})(?!\W+(?:\w+\W+){{0,2}}(?:way|fast|far|{_PARTS_OF_A_ROBOT})\b))"
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
# The word in the middle of a part: "careful stop the forks". Not in a question.
_QUESTION = re.compile(
    r"\W*(?:(?:and|but|so|well|then|ok|okay|hey|clara|robot|tell me)\W+)*"
    r"(?:why|when|where|how|did|does|do you|will|what made)\b",
    re.IGNORECASE,
)
_ANYWHERE = re.compile(
    rf"(?<!\w)(?<!\w['\u2019-])(?:{_STOP_WORD}|halt|abort)(?!['\u2019-]?\w)(?! (?:by|signs?)\b)",
    re.IGNORECASE,
)
_LITTLE_WORDS = """
it now there here please clara robot right immediately at once moving driving turning going
everything the arm
"""
_LITTLE = frozenset(_LITTLE_WORDS.split())
# Behind these it is a thing, or what somebody else does, or nobody.
_BEFORE_NO_STOP_WORDS = """
a an cannot dont each ever every his i my never non not our say the their they we your
"""
_BEFORE_NO_STOP = frozenset(_BEFORE_NO_STOP_WORDS.split())
_DETERMINERS = frozenset(["a", "an", "my", "our", "that", "the", "this", "your"])
# "You have to stop".
_BEFORE_TO = frozenset(["got", "have", "need"])
# "The next stop", but "you go first stop".
_WHICH = frozenset(["first", "full", "last", "next"])
# "The bus stop" and "go to the bus stop", but "you are too close to the bus stop".
_STOPS_OF = frozenset(["bus", "door", "pit", "taxi", "train", "tram", "truck"])
_TO_A_PLACE = re.compile(
    r"\b(?:bring|come|deliver|drive|go|meet|move|take|walk|wait)\W+(?:\w+\W+){0,2}"
    r"(?:at|by|from|to)\W+(?:\w+\W+){0,2}$",
    re.IGNORECASE,
)
# "When you stop", but "behind you stop".
_BEFORE_YOU_STOP_WORDS = "after as before how if made make once saw see till unless until when why"
_BEFORE_YOU_STOP = frozenset(_BEFORE_YOU_STOP_WORDS.split())
# "The doctor says that people should stop eating sugar", but "you should" and "it must".
_MODALS = frozenset(["can", "could", "may", "might", "must", "shall", "should", "will", "would"])
_TOLD = frozenset(["clara", "it", "robot", "you"])
_WORD = re.compile(r"[^\W_]+(?:['\u2019-][^\W_]+)*")
_FAR = 64  # characters around a stop that are looked at
_SKIP = re.compile(rf"\W*(?:(?:{_POLITE})\W+)*(?:skip|leave out)\b", re.IGNORECASE)
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


def takes_back(text: str) -> bool:
    """Whether a text takes back what was ordered and has not begun: "never mind", "don't ..."."""
    return "?" not in text and (answer(text) is False or bool(_SKIP.match(text)))


def after_a_yes(text: str) -> str:
    """Return what follows a yes, as the "do X" of "yes, do X"; empty where there is none."""
    match = _YES_AND_MORE.match(text)
    return text[match.end() :].strip(" ,.;!") if match and "?" not in text else ""


def after_a_no(text: str) -> str:
    """Return what follows a no, as the "do X" of "no, do X"; empty where there is none."""
    match = _NO_AND_MORE.match(text)
    return text[match.end() :].strip(" ,.;!") if match and "?" not in text else ""


def asks_to_stop(text: str, skills: Sequence[Skill] = ()) -> bool:
    """Whether a text orders the robot to stop what it does.

    "Pause" does not where one of the skills is told so.
    """
    parts = _PART.split(text)
    if _NO_NO.fullmatch(text) or any(_STOP.match(part) or _has_stop(part) for part in parts):
        return True
    return any(_MILD_STOP.match(part) for part in parts) and not possible(skills, text)


def _has_stop(part: str) -> bool:
    if _QUESTION.match(part):
        return False
    return any(
        not _is_no_order(
            part[max(0, found.start() - _FAR) : found.start()],
            part[found.end() : found.end() + _FAR],
        )
        for found in _ANYWHERE.finditer(part)
    )


def _is_no_order(before: str, behind: str) -> bool:
    """Whether a stop between two texts is a thing, or told of somebody, and not of the robot."""
    words = ["", "", *_words(before)]
    last, second = words[-1], words[-2]
    follow = _words(behind)
    if last == "to":
        return second not in _BEFORE_TO
    if last.split("'")[0] in _BEFORE_NO_STOP or last.endswith("n't"):
        return True
    if last in ("that", "this", "you"):
        return not second or (last == "you" and second in _BEFORE_YOU_STOP)
    if last in _WHICH:
        return not second or second in _DETERMINERS
    if last in _STOPS_OF:
        begins = not second or (second in _DETERMINERS and not words[-3])
        return begins or bool(_TO_A_PLACE.search(before))
    if last in _MODALS:
        return second not in _TOLD and not _LITTLE.issuperset(follow)
    # "Wait at stop 3".
    return last in ("at", "from") and bool(follow) and follow[0].isdigit()


def _words(text: str) -> list[str]:
    return [word.lower().replace("\u2019", "'") for word in _WORD.findall(text)]
