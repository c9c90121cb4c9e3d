# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Cut a reply into sentences while it comes, for a speech synthesiser that is not to wait for it.

A sentence is given once what follows its stop is known, and is never taken back. Where it ends
depends on the text alone, not on the pieces that the text comes in: each question looks a bounded
number of characters ahead, and waits for them. A line of a list is a sentence too, as is a line of
code. The abbreviations are English; a stop that is missed makes a longer sentence, no more.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

LONGEST = 200  # characters without an end, of which a part is given then: speech is not to wait
_LEAST = 40  # characters of a part that ends with a comma
_MOST_STOPS = _MOST_CLOSING = _MOST_SPACES = 16  # that are looked at behind a sentence

# Behind these a sentence ends whatever follows; behind the others with a space.
_ANYWAY = "。！？｡।॥؟۔։።፧။"  # noqa: RUF001
_ENDS = re.compile(
    rf"(?P<stops>[.!?\u2026\u203c-\u203d\u2047-\u2049{_ANYWAY}]{{1,{_MOST_STOPS}}})"
    rf"|(?P<line>\n\s{{0,{_MOST_SPACES}}})"
)
_CLOSING = frozenset("\"'”’»›)]}」』》】〕〉）*_~`")  # noqa: RUF001
_PAUSES = re.compile(r"[,;:،؛\u2013\u2014]+(?=\s)|[、，；：]+")  # noqa: RUF001
_CODE = "```"
_WORD = re.compile(r"[^\W\d_]+")
_WORD_BEFORE = re.compile(r"(?<!\w)(?:[^\W\d_]\.)*[^\W\d_]+$")
_LONGEST_WORD = 16  # characters of a word that is looked for before a stop

# Behind these a full stop ends nothing.
_INSIDE_WORDS = """
approx capt cf cmdr col dr e.g gen gov hon i.e incl lt mlle mme mr mrs ms mt prof rep rev sen sgt
viz vs
"""
_INSIDE = frozenset(_INSIDE_WORDS.split())
# Nor behind these where a number follows: "No. 5", but "No. I will not."
_NUMBERED_WORDS = "art ch eq fig figs no nos p pp sec vol"
_NUMBERED = frozenset(_NUMBERED_WORDS.split())
# With these, initials and what has stops within ("p.m.", "U.S.") a sentence ends where the next
# word is one that begins most sentences: "at 2:30 p.m. We will", but "the U.S. Army".
_MAY_END_WORDS = """
apr aug ave blvd co corp dec dept est etc feb ft hr hrs inc jan jr jul jun ltd max min nov oct sep
sept sr st
"""
_MAY_END = frozenset(_MAY_END_WORDS.split())
_BEGIN_WORDS = """
a after all also although an and are as at because before both but by can could did do does each
even every first for from had has have he her here his how however i if in is it its let many maybe
may might my no nobody not nothing now of on once one only or our perhaps please several shall she
should since so some sometimes that the their then there these they this those though to today we
were what when where which while who why will with would yes yesterday yet you your
"""
_BEGIN = frozenset(_BEGIN_WORDS.split())
_LONGEST_BEGIN = max(map(len, _BEGIN))


class SentenceStream:
    """Takes a text piece by piece and gives its sentences, without the space around them."""

    def __init__(self) -> None:
        self._held = ""
        self._in_code = False

    def push(self, piece: str) -> list[str]:
        """Take the next piece; return the sentences that are whole because of it."""
        self._held = (self._held + piece).lstrip()
        return list(self._cut(last=False))

    def finish(self) -> list[str]:
        """Return what is left of the text, as sentences."""
        found = list(self._cut(last=True))
        rest, self._held = self._held.rstrip(), ""
        return [*found, rest] if rest else found

    def _cut(self, last: bool) -> Iterator[str]:
        while end := _first_end(self._held, self._in_code, last):
            sentence = self._held[:end].rstrip()
            self._held = self._held[end:].lstrip()
            if sentence.startswith(_CODE) and sentence.count(_CODE) % 2:
                self._in_code = not self._in_code
            yield sentence


def _first_end(text: str, in_code: bool, last: bool) -> int:
    """Return where the first sentence ends; 0 where it goes on, or what follows will tell."""
    code = in_code or text.startswith(_CODE)
    for found in _ENDS.finditer(text):
        at = found.start()
        if at >= LONGEST:
            break
        ends: bool | None = False
        if found["line"]:
            ends = code or _line_ends(text, found)
        elif not code:
            at = _behind_closing(text, found.end())
            ends = _stop_ends(text, found, at)
        if ends:
            return at
        if ends is None and not last:
            return 0
    return _part(text) if len(text) > LONGEST else 0


def _line_ends(text: str, found: re.Match[str]) -> bool | None:
    """Whether a newline ends a sentence: not where a line was full and the next goes on."""
    if not any(map(str.isalnum, text[: found.start()])):
        return False  # the mark of a list, a rule
    if found["line"].count("\n") > 1 or len(found["line"]) > _MOST_SPACES:
        return True
    return None if found.end() == len(text) else not text[found.end()].islower()


def _stop_ends(text: str, found: re.Match[str], at: int) -> bool | None:
    """Whether stops end a sentence that has what closes it up to `at`."""
    stops = found["stops"]
    if not any(map(str.isalpha, text[: found.start()])):
        return False  # the number of a list's line
    if text[at:] in ("", " "):
        return None  # what closes it may follow
    if stops[-1] in _ANYWAY:
        return True
    if not text[at].isspace():
        return False
    begin = _behind_space(text, at)
    if text.count("\n", at, begin) > 1 or begin - at == _MOST_SPACES:
        return True
    if begin == len(text):
        return None
    if stops == ".":
        return _full_stop_ends(text, found.start(), begin)
    if "!" in stops or "?" in stops:
        # "Really? that is new", but "'Stop!' he said".
        return at == found.end() or not text[begin].islower()
    return not text[begin].islower()


def _full_stop_ends(text: str, at: int, begin: int) -> bool | None:
    """Whether a full stop is no part of an abbreviation; the next word begins at `begin`."""
    if text[begin].islower():
        return False
    before = _WORD_BEFORE.search(text[max(0, at - _LONGEST_WORD) : at])
    word = before[0].lower() if before else ""
    if word in _INSIDE or (word in _NUMBERED and text[begin].isdigit()):
        return False
    if not (len(word) == 1 or "." in word or word in _MAY_END):
        return True
    following = _WORD.match(text, begin)
    if not following:
        return False
    if following.end() == len(text) and len(following[0]) <= _LONGEST_BEGIN:
        return None
    return following[0].lower() in _BEGIN and any(map(str.isalpha, text[: at - len(word)]))


def _behind_closing(text: str, at: int) -> int:
    """Return where quotes, brackets, marks of emphasis and emoji behind a stop end."""
    end = at
    while end < len(text) and end - at < _MOST_CLOSING:
        letter = text[end]
        symbol = _is_symbol(text[end + 1 : end + 2] if letter == " " else letter)
        if not (symbol or letter in _CLOSING or _joins(letter)):
            break
        end += 1
    return end


def _behind_space(text: str, at: int) -> int:
    end = at
    while end < len(text) and end - at < _MOST_SPACES and text[end].isspace():
        end += 1
    return end


def _part(text: str) -> int:
    """Return where a text without an end is cut: behind a comma, at a space, or anywhere."""
    pauses = [found.end() for found in _PAUSES.finditer(text, 0, LONGEST + 1)]
    if pauses and pauses[-1] >= _LEAST:
        return pauses[-1]
    spaces = [at for at in range(1, LONGEST + 1) if text[at].isspace()]
    if spaces:
        return spaces[-1]
    end = LONGEST
    while end > 1 and (_joins(text[end]) or text[end - 1] == "\N{ZERO WIDTH JOINER}"):
        end -= 1
    return end


def _is_symbol(letter: str) -> bool:
    return bool(letter) and unicodedata.category(letter) == "So"


def _joins(letter: str) -> bool:
    """Whether it belongs to the character before it, as an accent or the colour of an emoji."""
    return unicodedata.category(letter) in ("Mn", "Mc", "Me", "Cf") or (
        "\U0001f3fb" <= letter <= "\U0001f3ff"
    )
