# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""What Clara can say of the robot's state as it is now: which values, asked how, told how.

A model would make up how full the battery is. Only the user's own words decide whether a value is
asked for; the value itself is data, whoever published it. Knows nothing of topics but their names.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from clara_brain.cleaning import cleaned
from clara_brain.memory_in_words import age_words
from clara_brain.recollection import Age

Value = bool | int | float | str

FORM = "WORDS: TOPIC TYPE FIELD [times NUMBER] [UNIT]"
_FORM = re.compile(
    r"(?P<words>[^:]+):\s+(?P<topic>\S+)\s+(?P<type>\S+)\s+(?P<field>\S+)"
    r"(?:\s+times\s+(?P<times>\S+))?(?:\s+(?!times\b)(?P<unit>\S.*))?"
)
_TYPE = re.compile(r"[a-zA-Z]\w*/msg/[A-Z]\w*")
_FIELD = re.compile(r"[a-z][a-z0-9_]*(\[\d+\])?(\.[a-z][a-z0-9_]*(\[\d+\])?)*")
_WORD = re.compile(r"[^\W_]+(?:[ '\u2019-][^\W_]+)*")
_LONGEST_UNIT = 20
_LONGEST_TEXT = 80
_LONGEST_QUESTION = 120


@dataclass(frozen=True)
class StateEntry:
    """One entry of `state_topics`: what people call a value, and where it comes from.

    It is told by the first of its words.
    """

    words: tuple[str, ...]
    topic: str
    type: str
    field: str
    times: float = 1.0
    unit: str = ""


@dataclass(frozen=True)
class Heard:
    """A value and how many seconds ago it came."""

    value: Value
    seconds: float


def parse(written: str) -> StateEntry:
    """Read one entry, as 'speed, how fast: /odom nav_msgs/msg/Odometry twist.twist.linear.x m/s'.

    Raises ValueError with a sentence.
    """
    found = _FORM.fullmatch(written.strip())
    if not found:
        raise ValueError(f"it must look like {FORM!r}")
    words = tuple(" ".join(each.split()) for each in found["words"].split(","))
    for each in words:
        if not _WORD.fullmatch(each):
            raise ValueError(f"{each!r} must be words that people say, separated by commas")
    if not _TYPE.fullmatch(found["type"]):
        raise ValueError(f"the type {found['type']!r} must look like package/msg/Name")
    if not _FIELD.fullmatch(found["field"]):
        raise ValueError(f"the field {found['field']!r} must look like name or name.name[0]")
    unit = found["unit"] or ""
    if len(unit) > _LONGEST_UNIT or not unit.isprintable():
        raise ValueError(
            f"the unit {unit!r} must have at most {_LONGEST_UNIT} characters, all printable"
        )
    return StateEntry(words, found["topic"], found["type"], found["field"], _times(found), unit)


def _times(found: re.Match[str]) -> float:
    written = found["times"] or "1"
    try:
        times = float(written)
    except ValueError:
        times = math.nan
    if not math.isfinite(times):
        raise ValueError(f"times must be followed by a number, not {written!r}")
    return times


# What may stand before a question.
_GREETING = re.compile(
    r"^\W*(?:(?:hey|hi|hello|ok|okay|so|and|but|well|now|clara|robot|please)\b\W*)*", re.I
)
_TELL = (
    r"(?:do you know|i(?: want|['\u2019]d like| would like) to know|let (?:me|us) know"
    r"|(?:(?:can|could|will|would) you (?:please )?)?"
    r"(?:(?:tell|show|give) (?:me|us)|say(?= (?:how|what|the|your)\b)|report|check|read))\b"
)
_ASKS = re.compile(
    r"(?:what|which|how|is|are|isn['\u2019]?t|aren['\u2019]?t)\b|(?:do|does|have|has) (?:you|it)\b"
    rf"|{_TELL}",
    re.I,
)
_ASIDE = re.compile(
    rf"^{_TELL}|['\u2019](?:s|re)\b|\bfor (?:me|us)\b"
    r"|\b(?:do|does) (?:you|it|the robot|your robot) (?:still |currently )?(?:have|feel)\b",
    re.I,
)
# "what is temperature?" is no question about this robot, "what is the temperature?" is one.
_DEFINES = re.compile(r"what(?:\s+is|\s+are|['\u2019]?s)\s+\0\W*", re.I)
# All that a question about a value as it is now may have beside the value's own words. None of
# them tells of the past, of what may be, of somebody else's things, or of how and why.
_SMALL_WORDS = """
    what whats which how hows s re much many is are isn't aren't isnt arent it its you your the
    this our robot robot's yourself have has got left remaining there and about of on in at with
    any some enough still now right moment current currently present presently actual exact exactly
    please tell show give me us know thanks clara level levels value values reading readings status
    state percentage percent high low full empty good bad ok okay fine normal doing looking going
    more less than above below over under least most or either degrees all up hey hi hello so like
    almost nearly running getting out half
"""
_SMALL = frozenset(_SMALL_WORDS.split())


class StateWords:
    """Which entries a text asks for."""

    def __init__(self, entries: Iterable[StateEntry]) -> None:
        # Longest first: "battery temperature" is no question about the battery.
        named = sorted(
            ((_key(word), entry) for entry in entries for word in entry.words),
            key=lambda pair: -len(pair[0]),
        )
        self._entries = [entry for _, entry in named]
        words = "|".join(f"({word.replace(' ', _SPACE)})" for word, _ in named)
        self._named = re.compile(rf"\b(?:{words})(?=s?\b)s?", re.I) if named else None

    def asked(self, text: str) -> list[StateEntry]:
        """Return the entries that a question names, in its order; none for any other text."""
        if self._named is None or len(text) > _LONGEST_QUESTION:
            return []
        said = _GREETING.sub("", text.replace("\0", ""), count=1)
        spoken: dict[StateEntry, str] = {}

        def mark(found: re.Match[str]) -> str:
            assert found.lastindex is not None
            spoken.setdefault(self._entries[found.lastindex - 1], found[0])
            return " \0 "

        marked = self._named.sub(mark, said)
        if not spoken or not ("?" in text or _ASKS.match(said)):
            return []
        if _DEFINES.fullmatch(marked) and " " not in next(iter(spoken.values())):
            return []
        return list(spoken) if _only_small(_ASIDE.sub(" ", marked)) else []


_SPACE = r"[\s-]+"


def _key(word: str) -> str:
    return re.sub(_SPACE, " ", word.lower())


def _only_small(rest: str) -> bool:
    tokens = re.findall(r"[^\W_]+(?:'[^\W_]+)?", rest.lower().replace("\u2019", "'"))
    return all(token in _SMALL or token.isdigit() for token in tokens)


def sentence(
    entry: StateEntry, heard: Heard | None, stale_s: float, neutralise: Callable[[str], str]
) -> str:
    """Say a value with its unit and age; also that it is old, or never came."""
    name = entry.words[0]
    if heard is None:
        return f"I have not heard the {name} yet."
    value, told = heard.value, f"The {name} "
    if isinstance(value, float) and not math.isfinite(value):
        return f"I hear the {name}, but what comes is no number."
    if isinstance(value, bool):
        told, verbs = f"{name[0].upper()}{name[1:]}: ", ("", "")
    else:
        verbs = ("is ", "was ")
    words = _in_words(entry, value, neutralise)
    if heard.seconds > stale_s:
        return f"{told}{verbs[1]}{words} {_ago(heard.seconds)}; I have heard nothing since."
    ago = "now" if heard.seconds < 1 else _ago(heard.seconds)
    return f"{told}{verbs[0]}{words}, as of {ago}."


def _ago(seconds: float) -> str:
    if seconds < 10:  # of which memory says "just now"
        count = max(1, round(seconds))
        return f"{count} second{'s' if count != 1 else ''} ago"
    return age_words(Age(seconds, round(seconds / 86_400)))


def _in_words(entry: StateEntry, value: Value, neutralise: Callable[[str], str]) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        quoted = cleaned(value, _LONGEST_TEXT, neutralise).replace('"', "'")
        return f'"{quoted}"' if quoted else "empty"
    return f"{_number(value)} {entry.unit}".rstrip()


def _number(value: float) -> str:
    """Write a number as people say it: three digits, but each one before the point."""
    if isinstance(value, int):
        return str(value)
    size = abs(value)
    if size >= 1e12 or 0 < size < 1:
        return f"{value:.3g}"
    written = f"{value:.{0 if size >= 100 else 1 if size >= 10 else 2}f}"
    return written.rstrip("0").rstrip(".") if "." in written else written


def scaled(entry: StateEntry, value: Value) -> Value:
    """Return what a field holds in the unit of its entry."""
    if entry.times == 1.0 or isinstance(value, (bool, str)):
        return value
    return value * entry.times


def parse_all(written: Sequence[str]) -> list[StateEntry]:
    """Read all entries. Raises ValueError with a sentence that names the entry."""
    entries: list[StateEntry] = []
    seen: dict[str, int] = {}
    for number, each in enumerate(written):
        try:
            entry = parse(each)
            for word in map(_key, entry.words):
                if seen.setdefault(word, number) != number:
                    raise ValueError(f"{word!r} is a word of state_topics[{seen[word]}] too")
        except ValueError as error:
            raise ValueError(f"{place(number, each)}: {error}") from None
        entries.append(entry)
    return entries


def place(number: int, written: str) -> str:
    """Name an entry in a sentence about it."""
    return f"state_topics[{number}] ({written.partition(':')[0][:80]!r})"
