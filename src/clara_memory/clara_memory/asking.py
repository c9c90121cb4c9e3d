# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""By what a text asks, and not what for: verbs that only ask, and questions for yes or no."""

from clara_memory.ordinary_words import BESIDE, TELLING
from clara_memory.outcomes_in_text import is_not
from clara_memory.words_in_text import Words

_YES_NO = frozenset(
    ["did", "do", "does", "was", "were", "is", "are", "has", "have", "had", "can", "could"]
)
_IDLE = frozenset([(("it",), "take"), (("it",), "go"), ("find", ("out",))])
_POLITE = BESIDE | {"and", "just", "like", "to", "want", "you"}
_REQUESTS = frozenset(["can", "could", "d", "i", "ll", "will", "would"])
_ASKED_FOR = frozenset(["me", "us", "what", "which", "who", "whom", "whose", "when", "where"])
_ASKED_FOR |= {"all", "anything", "everything", "how", "if", "whatever", "whether", "why"}
_YOURS = frozenset(["your", "yours", "yourself"])
_ALL_THAT_WAS = (
    *("what did you do", "what have you done", "what have you been doing"),
    *("what happened", "what has happened"),
)
_ALL = frozenset(tuple(said.split()) for said in _ALL_THAT_WAS)
_ANY = frozenset(["any", "anybody", "anyone", "anything", "somebody", "someone", "something"])


def only_asks(words: Words, span: tuple[int, ...]) -> bool:
    """Whether a verb is one by which something is asked for: "give me", "how long did it take"."""
    before, after = words.words[: span[0]], words.words[span[-1] + 1 :]
    if len(span) > 1:
        return False
    if (before[-1:], words.stems[span[0]]) in _IDLE or (words.stems[span[0]], after[:1]) in _IDLE:
        return True
    begin = span[0]
    while begin and words.words[begin - 1] in _POLITE:
        begin -= 1
    asked = begin == 0 or words.words[begin - 1] in _REQUESTS
    asked |= words.clauses[begin - 1] != words.clauses[begin]
    return asked and not _ASKED_FOR.isdisjoint(after[:1])


def asks_for(words: Words, span: tuple[int, ...]) -> bool:
    """Whether an outcome is what a yes-or-no question asks for, as in "did picking it up fail?".

    What one "failed to" do, or did "without errors", is said of the deed that is asked about; but
    "did you never fail to ...?" is asked for whether it failed.
    """
    first = span[0]  # the "not", where there is one
    following = words.words[span[-1] + 1 : span[-1] + 2]
    preceding = words.words[max(0, first - 1) : first]
    said = words.stems[first] == "fail" and following == ("to",)
    said |= words.words[first] == "without" or preceding == ("with",)
    said |= not _ANY.isdisjoint(words.words[:first])  # did anything fail, and what was it
    return asks_yes_or_no(words) and not said


def _is_whether(words: Words, place: int) -> bool:
    """Whether this is "whether" or the "if" of "tell me if", not of "what failed, if any"."""
    before = words.words[place - 1] if place else ""
    told = before in TELLING or before in ("me", "us")
    return words.words[place] == "whether" or (words.words[place] == "if" and told)


def asks_yes_or_no(words: Words) -> bool:
    """Whether yes or no answers a text: "did it fail?", "tell me whether it failed"."""
    if any(_is_whether(words, place) for place in range(len(words))):
        return True
    verbs = [place for place, word in enumerate(words.words) if word not in _YES_NO]
    if any(only_asks(words, (place,)) for place in verbs):
        return False  # "can you tell me what failed?"
    first = words.words[:1]
    if len(words) > 1 and is_not(words, 1):
        first = (words.words[0].removesuffix("n"), words.words[0])
    return not _YES_NO.isdisjoint(first)


def is_of_you(words: Words) -> bool:
    """Whether the text is about whom it is said to, not only said to it, as "can you tell me"."""
    for place, word in enumerate(words.words):
        following = next((one for one in words.words[place + 1 :] if one not in BESIDE), "")
        if word in _YOURS or (word == "you" and following not in TELLING):
            return True
    return False


def asks_for_all(words: Words) -> bool:
    """Whether a text asks for all that was done and names nothing: "what did you do?"."""
    return tuple(word for word in words.words if word not in BESIDE) in _ALL
