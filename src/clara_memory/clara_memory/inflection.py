# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""English words without their inflection, so that "picked up" is PICK_UP and "cups" is CUP.

The stems are keys for comparison, not words: "removed" and "REMOVE" both give "remov".
"""

import re
import unicodedata

from clara_memory.episode import fold

WORD = re.compile(r"[^\W_]+")
_ACCENTS = re.compile("[\u0300-\u036f]")
_LETTERS = str.maketrans(
    {"æ": "ae", "đ": "d", "ð": "d", "\u0131": "i", "ł": "l", "ø": "o", "œ": "oe"}
)
_VOWEL = re.compile("[aeiouy]")
_SIBILANT = re.compile("(s|x|z|ch|sh|o)$")
_SHORT = re.compile("[^aeiouy]*[aeiouy][^aeiouwxy]$")  # tap, plac: what an e after it lengthens
_WHOLE = re.compile("(ss|[^e]eed)$")  # glass, succeed: no inflection, though they look like it
_ENDINGS = {"ies": "y", "ied": "y", "ing": "", "ed": "", "es": "", "s": ""}
_OF_VERBS = {"ation": "", "ion": "", "ment": "", "al": "", "ery": "er"}
_LEAST_VERB = 4  # letters: a station stays one
_IRREGULAR = {
    form: verb
    for verb, forms in {
        "bring": "brought", "break": "broke broken", "catch": "caught", "drive": "drove driven",
        "drop": "dropped", "fall": "fell fallen", "find": "found", "fly": "flew flown",
        "get": "got gotten", "give": "gave given", "go": "went gone goes going", "hold": "held",
        "leave": "left", "make": "made", "meet": "met", "put": "putting", "read": "reading",
        "say": "said", "see": "saw seen", "send": "sent", "sweep": "swept", "speak": "spoke",
        "take": "took taken", "tell": "told", "throw": "threw thrown", "turn": "turned",
        "bus": "buses", "gas": "gases", "half": "halves",
        "knife": "knives", "loaf": "loaves", "scarf": "scarves", "shelf": "shelves",
    }.items()
    for form in forms.split()
}  # fmt: skip


def stem(word: str) -> str:
    """Return a folded word without its English inflection; the same for all forms of a word.

    Accents go too, for many write "Soren" and "Garcia" without.
    """
    if not word.isascii():
        word = _ACCENTS.sub("", unicodedata.normalize("NFD", word)).translate(_LETTERS)
        word = unicodedata.normalize("NFC", word)
    if not word.isalpha():
        return word
    word = _IRREGULAR.get(word, word)
    for ending, rest in _ENDINGS.items():
        kept = word.removesuffix(ending)
        if ending == "es" and not _SIBILANT.search(kept):
            continue  # of "tapes" the "s" alone
        if kept != word and len(kept) >= 3 and _VOWEL.search(kept) and not _WHOLE.search(word):
            # "taped" is of "tape": of "tap" it would be "tapped".
            silent = "e" if ending in ("ing", "ed", "es") and _SHORT.match(kept) else ""
            word = kept + rest + silent
            break
    if len(word) > 3 and word[-1] == word[-2] and word[-1] not in "aeiou":
        word = word[:-1]
    if word.endswith("e") and len(word) > 3 and not _SHORT.match(word[:-1]):
        word = word[:-1]
    return word


def verbs_of(noun: str) -> list[str]:
    """Return the stems of verbs that the stem of a noun may be made of: delivery, deliver."""
    verbs = [
        noun.removesuffix(end) + rest for end, rest in _OF_VERBS.items() if noun.endswith(end)
    ]
    return [stem(verb) for verb in verbs if len(verb) >= _LEAST_VERB]


def words_of(text: str) -> tuple[str, ...]:
    """Return the stems of a text's words."""
    return tuple(stem(word) for word in WORD.findall(fold(text)))
