# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""When a turn asks memory, and whether what memory says is the reply.

- What is clearly about the robot's past is memory's alone: where memory does not know, no model
  makes it up. What was said in the conversation is none of her deeds.
- Any other question asks memory too, for only memory knows the names of what the robot does. It
  replies where it could read the question and that is about deeds; questions about the world go on
  to the model.
"""

from __future__ import annotations

import re
from enum import Enum

from clara_brain.recollection import Recollection, Unread


class MemoryPolicy(Enum):
    """Whether a turn asks memory."""

    NEVER = "never"
    AUTO = "auto"
    ALWAYS = "always"


class Asking(Enum):
    """What a turn may expect of memory."""

    NOT = "not"
    QUESTION = "question"  # of anything: memory replies where it is about what it knows
    NAMED = "named"  # of the past, or of what has a name in the world: where memory knows of it
    NOW = "now"  # of what the robot is doing: nothing but memory may reply
    PAST = "past"  # of the robot's past: nothing but memory may reply


# Who asks may greet first, or ask politely.
_OPENS = (
    r"(?:^|[.,;:!?\n])\s*(?:(?:and|so|but|well|please|ok|okay|hey|hi|hello|clara|then)\b[ ,!]*)*"
    r"(?:(?:can|could|will|would) you (?:please )?)?"
)
_QUESTION = re.compile(
    rf"{_OPENS}(?:(?:on|at|in|for|to|with) )?(?:what|which|who|whom|whose|where|when|why|how"
    r"|any\w*|(?:did|has|have|had|was|were|is|are|does|do)(?:n['\u2019]?t)?"
    r"|list|name|(?:tell|show|give) (?:me|us))\b",
    re.IGNORECASE,
)
# Verbs of what is made, and of how the world came to be.
_ORIGIN = r"(?:made|built|created|designed|developed|formed|founded|invented|discovered|born)"
# What the robot and a person do by talking with each other is no deed, nor is how she came to be:
# only the model has the conversation. "did you say hello to Anna?", "did you hear the bell?", "did
# you get that cup?" and "have you made tea?" are about deeds.
_ADVERBS = r"(?: (?:just|also|even|still|already|ever|not|\w{3,}ly))*"
_ENDS = r"(?=\s*(?:[.,;:!?\n]|$))"
_OF_THE_TALK = re.compile(
    rf"\b(?:did|have|had)(?:n['\u2019]?t)? (?:you|we){_ADVERBS} (?:"
    r"mean|meant|know|known|understand|understood|think|thought|like|liked|love|loved"
    r"|enjoy|enjoyed|believe|agree|wish|guess"
    r"|(?<=ever )heard?|heard? (?:me|us|of|about|that|what I)"
    r"|(?:tell|told|ask|asked|answer|answered) (?:me|us)"
    r"|sa(?:y|id)\b(?![^.;:!?\n]* (?:to (?!me\b|us\b)|when|while)\b)"
    rf"|(?:get|got) (?:(?:me|that){_ENDS}|what I|my (?:name|point|question|joke))"
    r"|learn(?:ed|t)? (?:about|from) (?:me|us|my|our)"
    r"|(?<=we )(?:talk|talked|chat|chatted))\b(?: just now\b)?"
    r"|\bhave you got (?:an?|any|some|time)\b"
    rf"|\b(?:were you|(?:have|had) you been){_ADVERBS} (?:trained|programmed|{_ORIGIN})\b"
    r"|\b(?:do|did|can)(?:n['\u2019]?t)? you(?: still)? (?:remember|recall)"
    r" (?:me|us|my name|who I|what I (?:said|told|asked)|our (?:talk|chat))\b",
    re.IGNORECASE,
)
# "why did you not tell me that you dropped the cup?" is about a deed as well.
_YOUR_DEED = re.compile(
    r"\byou (?:\w+ly )?(?:\w{2,}ed|(?:were|have been) \w+ing|did|had|went|took|put|gave|made|saw"
    r"|found|left|lost|broke|brought)\b",
    re.IGNORECASE,
)
_ABOUT_THE_PAST = re.compile(
    r"\b(what(['\u2019]s| has| have)? happen(ed|ing)?|what (did|have|had|were) you"
    r"|(do|can|did|don['\u2019]t) you (still )?(remember|recall|know what happened)"
    r"|(did|have) (you|we)|did (it|that|the robot)"
    r"|has (it|anything|something|the robot)|were you|could(n['\u2019]?t you| you not)"
    r"|how (did|was|were) (it|that|you|your|the)"
    r"|how (many times|often) (each )?(did|has|have|had|was|were)"
    r"|(when|where|why|how long) (did|was|were)(n['\u2019]t)? (you|it|that|they|we|the robot)"
    r"|where(['\u2019]s| is| are| was| were) (the|my|our)"
    r"|(first|last|latest|previous|recent) (action|attempt|deed|job|task)s?"
    r"|(did|was|were|has|have|had)\b[^.;:!?\n]* than you"
    r"|who (took|put|moved|picked|dropped)|(went|gone?|going) wrong)\b",
    re.IGNORECASE,
)
# "what was the last thing that you moved?", "how many of your rounds were late?"; not "what was
# your name?", and no statement ("I slept badly lately") is a question.
_OF_YOU = re.compile(
    rf"{_OPENS}(?:what|which|who|where|when|why|how|was|were|any\w*|tell|show)\b[^.;:!?\n]*"
    rf"(?:\b(?:did|was|were|has|have|had)\b[^.;:!?\n]*\b(?:you|your(?! name\b)) \w"
    r"|\byour (?!name\b)[^.;:!?\n]*\b(?:did|was|were|has|have|had)\b)",
    re.IGNORECASE,
)
_OF_A_TIME = re.compile(
    rf"{_OPENS}(?:what|which|who|where|when|why|how|was|were|did|has|have|had|any\w*|tell)\b"
    r"[^.,;:!?\n]*"
    r"\b((the )?last time|yesterday|earlier today|just now|so far|lately|recently)\b",
    re.IGNORECASE,
)
# All that the robot is doing, and nothing that has a name.
_WHAT_GOES_ON = re.compile(
    rf"{_OPENS}(?:tell (?:me|us) )?(?:"
    r"what(?: are you|(?: you)?['\u2019]re(?: you)?| you are)(?: \w+ly| still)?"
    r" (?:doing|up to|working on|busy with)"
    r"|what(?:['\u2019]s| is)(?: \w+ly| still)?"
    r" (?:going on|happening|under ?way|running|in progress|your current \w+)"
    r"|are you(?: \w+ly| still| already| all)?"
    r" (?:busy|working|occupied|idle|free|done|finished|at it"
    r"|(?:doing|up to) (?:\w+thing|it|that))"
    r"|(?:is|are) (?:it|that|they)(?: \w+ly| still| already| all)? (?:done|finished|over)"
    r"|is (?:any|some)thing(?: \w+ly| still)? (?:going on|under ?way|running|in progress))"
    r"(?: (?:(?:right|just) now|now|currently|yet|already|here|there|at (?:the|this) moment))*"
    r"(?:,? please|, ?\w+)?\s*(?:[.;:!?\n]|$)",
    re.IGNORECASE,
)
# "are you closing the gate?", "is it still open?"; not "how are you doing today?"
_GOES_ON = re.compile(
    r"(?<!how are you )\b(?:still|yet|already|\w{2,}ing)\b"
    rf"|{_OPENS}(?:is|are)(?:n['\u2019]?t)? ",
    re.IGNORECASE,
)
_MONTHS = "January|February|March|April|May|June|July|August|September|October|November|December"
# "Ward 12" and "Building A" are of the house.
_LAND = rf"(?!(?:{_MONTHS})\b)[A-Z]\w+\b(?! (?:\d+|[A-Z])\b(?!\.\d))"
_OLD_YEAR = r"(?:1\d{3}|20[01]\d)\b"
# What may be of the world: what has a name (where is the Eiffel Tower, how did the Romans build
# roads), what was in a land, a language or a year of old, what became of a whole kind, how a thing
# came to be, and a time that was the user's as well.
_MAY_BE_OF_THE_WORLD = re.compile(
    r"((?i:where (is|are|was|were)|how (did|was|were)|how (often|many times) (did|was|were|has|had"
    r"|have)) ((?i:the )([a-z]+ of (the )?)?)?)[A-Z]"
    r"|(?i:where (is|are|was|were)|what(['\u2019]s| has)? happened|has (it|anything|something))\b"
    rf"[^.;:!?\n]* in (?:{_LAND}|{_OLD_YEAR})"
    r"|(?i:what(['\u2019]s| has)? happened to (the )?(?!its\b)[a-z]+(?<![isu])s\b)"
    rf"{_ENDS}"
    rf"|(?i:how (was|were) (the )?([a-z]+ ){{1,3}}{_ORIGIN}\b)"
    r"|(?i:how was your (weekend|week|day|night|morning|evening|holidays?)\b)"
    rf"{_ENDS}"
)
# By words such as these a question is about what was, and not about what is so everywhere.
_OF_FIGURES = re.compile(
    r"\b(how (often|many|much|long)|number|percent\w*|share|rate|average|total|most|least|more"
    r"|list|\w{3,}est)\b",
    re.IGNORECASE,
)
_WAS = re.compile(
    r"\b((did|was|were|has|have|had)(n['\u2019]?t)?|been|\w{3,}ed|saw|got|went|ago|last|latest"
    r"|first|any\w*)\b",
    re.IGNORECASE,
)
# "how often should I water my plants?" asks for advice; "did Will fail in May?" and "can you tell
# me what failed?" do not.
_ADVICE = re.compile(
    r"\b(can|could|might|must|shall|should|will|would)"
    r" (?!you (please )?(check|give|list|name|recall|remember|say|show|tell)\b)"
    r"(I|you|we|one|he|she|it|they|a|an|the|this|that|my|your|be)\b",
    re.IGNORECASE,
)
# "who saw the first eclipse?", "when was America found?"
_OF_HISTORY = re.compile(r"\b(?i:the first)\b|(?<=[a-z,] )(?!I\b)[A-Z]")
_OF_THE_USER = re.compile(r"\b(I|my|mine|myself)\b")
_OF_OUTCOMES = re.compile(r"\b(fail|succe[es]|cancel|abort|time(s|d)? out)", re.IGNORECASE)
_HOW = re.compile(r"\bhow\b", re.IGNORECASE)
_ALONE = re.compile(
    r"^\W*((and|but|so|then|ok|okay|well)\b\W*)*(what|which|who|where|when|why|how)"
    r"( (not|so|come|often|many|much|long|one|ones|else|then|exactly))?\W*$"
    r"|^\W*((and|but)\b\W*)*(did|have|had|has) you( too| as well)?\W*$"
    r"|^\W*(and|what about|how about)"
    r"(?! (what|which|who|where|when|why|how|did|was|were|has|have|had|is|are|do|does)\b)"
    r"( [\w'\u2019]+){1,4}\W*\?\W*$",
    re.IGNORECASE,
)
# "what happened then?", "and before that?", "did you close the gate after that?"
_BESIDE_THAT = re.compile(
    r"\b(after|before|since) (that|this|it|then)\W*$|\bafterwards?\W*$"
    r"|^\W*((and|but|so)\b\W*)*(right |just |directly |immediately )?(after|before) (that|this)\b"
    r"|^\W*((and|but|so)\b\W*)*(what (happened|did \w+ do|have you done) )?(then|next)\W*$"
    r"|^\W*((and|but|so)\b\W*)*(then what|what (then|(came )?next))\W*$",
    re.IGNORECASE,
)
_GOING_ON = re.compile(r"^\W*(and|but|what about|how about)\b", re.IGNORECASE)
_THINGS = frozenset(["it", "them"])
_POINTING = re.compile(r"\b(it|that|this|they|them|those|these)\b", re.IGNORECASE)
_OF_NO_DEED = frozenset(["result", "when"])
_DEEDS = frozenset(["action", "result"])


def asks_memory(policy: MemoryPolicy, text: str) -> Asking:
    """Return whether this turn should ask memory, and what it may expect of it."""
    if policy is not MemoryPolicy.NEVER and _WHAT_GOES_ON.search(text):
        return Asking.NOW
    if policy is not MemoryPolicy.AUTO:
        return Asking.PAST if policy is MemoryPolicy.ALWAYS else Asking.NOT
    if _about_the_past(text):
        ours = _about_the_past(_MAY_BE_OF_THE_WORLD.sub("", text))
        return Asking.PAST if ours else Asking.NAMED
    return Asking.QUESTION if _QUESTION.search(text) else Asking.NOT


def memory_replies(asking: Asking, text: str, recollection: Recollection | None) -> bool:
    """Whether the reply is what memory says, also that it does not know; else it is a model's.

    None is a memory that did not answer.
    """
    if asking in (Asking.PAST, Asking.NOW):
        return True
    if recollection is None or asking is Asking.NOT:
        return False
    found = recollection.facts or recollection.under_way
    known = bool(recollection.counted or (asking is Asking.NAMED and found))
    return known or _goes_on(text, recollection) or _about_its_deeds(text, recollection)


def points_back(text: str, recollection: Recollection | None = None) -> bool:
    """Whether only what was said before tells what is asked: "and yesterday?", "did it fail?".

    What memory read of the question by itself may show that something is named after all.
    """
    if recollection is None:
        return bool(_ALONE.search(text) or _BESIDE_THAT.search(text))
    return bool(_POINTING.search(text)) and _OF_NO_DEED.issuperset(recollection.recognised)


def may_point_back(text: str, recollection: Recollection) -> bool:
    """Whether a question may go on from others: "and how often today?", "did you close it?"."""
    if any(one.phrase in _THINGS for one in recollection.unread):
        return True
    return bool(_GOING_ON.search(text)) and _OF_NO_DEED.issuperset(recollection.recognised)


def _about_the_past(text: str) -> bool:
    rest, talk = _OF_THE_TALK.subn("", text)
    if talk and _YOUR_DEED.search(rest):
        return True
    return any(one.search(rest) for one in (_ABOUT_THE_PAST, _OF_YOU, _OF_A_TIME))


def _goes_on(text: str, recollection: Recollection) -> bool:
    """Whether a question is about what is under way, and not how such a thing is done."""
    asked = _GOES_ON.search(text) or _WAS.search(text)
    return bool(recollection.under_way and asked and not _ADVICE.search(text))


def _about_its_deeds(text: str, recollection: Recollection) -> bool:
    """Whether a question is about what memory knows, by what memory read of it.

    A model makes up what memory cannot tell of its own deeds, but memory knows nothing of the
    world: it must have read as much of the question as is strange to it.
    """
    roles, strange = set(recollection.recognised), sum(map(_is_strange, recollection.unread))
    if recollection.relative:
        roles.add("when")  # beside a deed that memory knows
    if not roles or _ADVICE.search(text):
        return False
    if _OF_OUTCOMES.search(text):
        roles.add("result")  # also where it is asked for, and no episode must have it
    deeds = not _DEEDS.isdisjoint(roles)
    figures, was = bool(_OF_FIGURES.search(text)), bool(_WAS.search(text))
    if strange:
        more = len(roles) - strange
        enough = more > 0 or (more == 0 and not _OF_HISTORY.search(text))
        return was and ("when" in roles or (deeds and enough and not _OF_THE_USER.search(text)))
    several = len(roles) > 1
    if was:
        return deeds or figures or several or "when" in roles
    return deeds and (figures or (several and not _HOW.search(text)))


def _is_strange(unread: Unread) -> bool:
    """Whether words that were not read may be of the world: "the eclipse", not "which row"."""
    if _OF_FIGURES.search(unread.phrase):
        return False
    return _stems(unread.phrase).isdisjoint(_stems(unread.nearest))


def _stems(phrase: str) -> set[str]:
    words = re.split(r"[\W_]+", phrase.casefold())
    return {word.removesuffix("s") for word in words if word}
