# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""By what a text asks, and not what for: verbs that only ask, questions for yes or no, an "it"."""

import re
from collections.abc import Collection

from clara_memory.ordinary_words import (
    AUXILIARIES,
    BESIDE,
    DETERMINERS,
    GREETINGS,
    PRONOUNS,
    TELLING,
    is_ordinary,
)
from clara_memory.outcomes_in_text import is_not, outcomes_in
from clara_memory.words_in_text import Words

_YES_NO = frozenset(
    ["did", "do", "does", "was", "were", "is", "are", "has", "have", "had", "can", "could"]
)
_IDLE = frozenset([(("it",), "take"), (("it",), "go"), ("find", ("out",))])
_POLITE = BESIDE | {"and", "just", "like", "to", "want", "you"}
_REQUESTS = frozenset(["can", "could", "d", "i", "ll", "will", "would"])
ASKING = frozenset(["how", "what", "when", "where", "which", "who", "whom", "whose", "why"])
_ASKED_FOR = ASKING | {"all", "anything", "everything", "if", "me", "us", "whatever", "whether"}
_YOURS = frozenset(["your", "yours", "yourself"])
OF_MIND = frozenset(["guess", "know", "recall", "remember", "say", "think"])  # of TELLING
_DEEDS = frozenset(["check", "report", "see"])  # of TELLING
_OPENING = BESIDE | GREETINGS | {"but", "or", "so", "then"}
_NOTHING = frozenset(["nobody", "none", "nothing"])  # "nothing failed?" asks whether it did
_IT = frozenset(["it", "them", "they"])
_THAT = frozenset(["that", "these", "this", "those"])
_LENGTHS_OF_NAMES = (1, 2)  # in words: "Clara", "robot 2"
_SAYING = _ASKED_FOR | AUXILIARIES | TELLING | (PRONOUNS - {"robot"})
_SHARES = frozenset(["fraction", "percent", "percentage", "proportion", "rate", "ratio", "share"])
_OF_A_SHARE = DETERMINERS | {"how", "many"}
_ALL = re.compile(
    r"(?:tell (?:me|us) )?what (?:did you do|you did|(?:has )?happened"
    r"|(?:have you|you have|you ve) (?:done|been (?:doing|up to))"
    r"|(?:(?:do|can) you|you(?: can)?) (?:remember|recall))"
)
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
    "did you never fail to ...?" is asked for whether it failed. A share of what failed is one of
    all that was done, and whether nothing did is a question for yes or no.
    """
    if shares_in(words) or words.words[span[0]] in _NOTHING:
        return True
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
    begin = _begin(words)
    return begin < len(words) and _asks_whether(words, begin)


def _asks_whether(words: Words, place: int) -> bool:
    """Whether this is the verb that a question for yes or no begins with: "did", "didn't"."""
    word = words.words[place]
    if place + 1 < len(words) and is_not(words, place + 1):
        return word in _YES_NO or word.removesuffix("n") in _YES_NO
    return word in _YES_NO or (is_not(words, place) and word.removesuffix("nt") in _YES_NO)


def _begin(words: Words) -> int:
    """Return where the question begins, behind a greeting, an "and" and who is spoken to."""
    begin = 0
    while begin < len(words):
        end = begin
        while end < len(words) and words.clauses[end] == words.clauses[begin]:
            end += 1
        named = next((n for n in _LENGTHS_OF_NAMES if _inverted(words, begin + n)), 0)
        if words.words[begin] in _OPENING:
            begin += 1
        elif end < len(words) and _only_calls(words.words[begin:end]):
            begin = end  # "Clara, did ..."
        elif named and not any(map(is_ordinary, words.words[begin : begin + named])):
            begin += named  # "Clara did you ..."
        else:
            break
    return begin


def _only_calls(clause: tuple[str, ...]) -> bool:
    """Whether a clause only says who is spoken to, and asks and tells nothing."""
    names = sum(not is_ordinary(word) for word in clause)
    return names <= max(_LENGTHS_OF_NAMES) and _SAYING.isdisjoint(clause)


def _inverted(words: Words, place: int) -> bool:
    """Whether a verb stands before whom or what it is asked of: "did you", "was the"."""
    following = words.words[place + 1 : place + 2]
    asks = _YES_NO.intersection(words.words[place : place + 1])
    return bool(asks) and not (DETERMINERS | PRONOUNS).isdisjoint(following)


def is_address(words: Words, begin: int, end: int) -> bool:
    """Whether words only say who is spoken to: "Hey Simone, what fell?", "Simone what fell?"."""
    clause = words.clauses[begin]
    places = [place for place, one in enumerate(words.clauses) if one == clause]
    if clause == 0 and not ASKING.isdisjoint(words.words[end : end + 1]):
        places = [place for place in places if place < end]
    others = [place for place in places if not begin <= place < end]
    return (
        len(places) < len(words)
        and (clause == 0 or places[-1] == len(words) - 1)
        and all(words.words[place] in GREETINGS for place in others)
    )


def shares_in(words: Words) -> list[int]:
    """Return the places of words that ask for a share: "what percentage", "the success rate"."""
    return [place for place in range(len(words)) if _is_share(words, place)]


def _is_share(words: Words, place: int) -> bool:
    word, before = words.words[place], words.words[place - 1] if place else ""
    if word not in _SHARES:
        return False  # "the flow rate" is none either, nor "20 percent", nor "share what failed"
    first = place == 0 and words.words[1:2] == ("of",)
    return first or before in _OF_A_SHARE or _is_outcome(words, place)


def _is_outcome(words: Words, place: int) -> bool:
    """Whether an outcome stands before a place: "success rate"."""
    return any(span[-1] == place - 1 for span, _ in outcomes_in(words))


def is_of_you(words: Words) -> bool:
    """Whether the text is about whom it is said to, not only said to it, as "can you tell me"."""
    return any(
        word in _YOURS or (word == "you" and not is_polite(words, place))
        for place, word in enumerate(words.words)
    )


def is_polite(words: Words, place: int) -> bool:
    """Whether this "you" is only asked to tell: "can you report what", "do you know"; no "did"."""
    if words.words[place] != "you":
        return False
    beyond = [one for one in words.words[place + 1 :] if one not in BESIDE][:2]
    before = [one for one in words.words[:place] if one not in BESIDE and one != "t"][-1:]
    if OF_MIND.issuperset(beyond[:1]) and beyond:
        return before not in (["did"], ["didn"], ["didnt"])
    if not TELLING.issuperset(beyond[:1]) or _REQUESTS.isdisjoint(before):
        return False
    return _DEEDS.isdisjoint(beyond[:1]) or not _ASKED_FOR.isdisjoint(beyond[1:])


def asks_for_all(words: Words) -> bool:
    """Whether a text asks for all that was done and names nothing: "what did you do?"."""
    said = " ".join(word for word in words.words if word not in BESIDE)
    return bool(shares_in(words)) or _ALL.fullmatch(said) is not None


def referred_to(words: Words, used: Collection[int]) -> list[int]:
    """Return the places of the "it" and "those" that stand for what was said before.

    Not of "is it true that", "was it you who", "how did it go", "how long did it take to".
    """
    found = []
    for place, word in enumerate(words.words):
        before = words.words[place - 1] if place else ""
        later = {
            words.words[at]
            for at in range(place + 1, len(words))
            if words.clauses[at] == words.clauses[place]
        }
        stands = word in _IT or (word in _THAT and before in AUXILIARIES | {"of"})
        stands &= later.isdisjoint(("since", "that", "which", "who"))
        stands &= words.stems[place + 1 : place + 2] != ("take",) or "to" not in later
        if stands and place not in used and words.stems[place + 1 : place + 2] != ("go",):
            found.append(place)
    return found


def asks_for_first(words: Words) -> bool:
    """Whether what was first is asked for: "did you first", "the earliest"; no "first of all"."""
    return any(
        word in ("earliest", "first")
        and words.words[place + 1 : place + 3] != ("of", "all")
        and words.clauses.count(words.clauses[place]) > 1
        for place, word in enumerate(words.words)
    )
